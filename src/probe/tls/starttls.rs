//! The talk in the clear by which a mail, directory or database server is asked to start TLS.
//!
//! Each dialogue sends the least that the protocol wants, reads bounded lines or packets, and
//! leaves nothing unread: what a server says in the clear behind its consent is refused, because
//! a client that took it for encrypted would be fooled (CVE-2011-0411).

use std::io;
use std::time::Duration;

use clap::ValueEnum;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::der::element;
use crate::model::text::SafeText;

/// Longest line read.
const MAX_LINE: usize = 4096;
/// Most lines of one answer.
const MAX_LINES: usize = 128;

/// A protocol that can start TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum StartTls {
    /// RFC 3207; ports 25 and 587.
    Smtp,
    /// RFC 9051 6.2.1; port 143.
    Imap,
    /// RFC 2595; port 110.
    Pop3,
    /// RFC 4511 4.14; port 389.
    Ldap,
    /// SSLRequest of the PostgreSQL protocol; port 5432.
    Postgres,
    /// SSLRequest of the MySQL and MariaDB protocol; port 3306.
    Mysql,
}

/// Why TLS was not started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The connection broke.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// Nothing came.
    #[error("silence")]
    Silence,
    /// The server does not offer it, or speaks something else.
    #[error("{0}")]
    Said(String),
}

impl StartTls {
    /// By the well-known port.
    pub const fn by_port(port: u16) -> Option<Self> {
        Some(match port {
            25 | 587 => Self::Smtp,
            143 => Self::Imap,
            110 => Self::Pop3,
            389 => Self::Ldap,
            5432 => Self::Postgres,
            3306 => Self::Mysql,
            _ => return None,
        })
    }

    /// Its name in the option.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Ldap => "ldap",
            Self::Postgres => "postgres",
            Self::Mysql => "mysql",
        }
    }

    /// Talks until the server waits for a ClientHello.
    ///
    /// # Errors
    /// [`StartError`], in the server's words where it had some.
    pub async fn start(self, tcp: &mut TcpStream, limit: Duration) -> Result<(), StartError> {
        let talk = async {
            let mut t = Talk {
                tcp,
                held: Vec::new(),
            };
            match self {
                Self::Smtp => t.smtp().await?,
                Self::Imap => t.imap().await?,
                Self::Pop3 => t.pop3().await?,
                Self::Ldap => t.ldap().await?,
                Self::Postgres => t.postgres().await?,
                Self::Mysql => t.mysql().await?,
            }
            if t.held.is_empty() {
                Ok(())
            } else {
                Err(said(
                    "the server goes on in the clear behind its consent to TLS",
                ))
            }
        };
        tokio::time::timeout(limit, talk)
            .await
            .unwrap_or(Err(StartError::Silence))
    }
}

fn said(words: impl Into<String>) -> StartError {
    StartError::Said(words.into())
}

fn refused(what: &str, line: &str) -> StartError {
    said(format!("{what}: {}", SafeText::capped(line, 120)))
}

struct Talk<'a> {
    tcp: &'a mut TcpStream,
    held: Vec<u8>,
}

impl Talk<'_> {
    async fn send(&mut self, bytes: &[u8]) -> Result<(), StartError> {
        Ok(self.tcp.write_all(bytes).await?)
    }

    async fn more(&mut self) -> Result<(), StartError> {
        let mut buf = [0u8; 2048];
        let n = self.tcp.read(&mut buf).await?;
        if n == 0 {
            return Err(said("the connection was closed before TLS was started"));
        }
        self.held.extend_from_slice(buf.get(..n).unwrap_or(&[]));
        Ok(())
    }

    async fn line(&mut self) -> Result<String, StartError> {
        loop {
            if let Some(end) = self.held.iter().position(|b| *b == b'\n') {
                let line: Vec<u8> = self.held.drain(..=end).collect();
                let text = String::from_utf8_lossy(&line);
                return Ok(text.trim_end().to_owned());
            }
            if self.held.len() > MAX_LINE {
                return Err(said("the server's line has no end"));
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, n: usize) -> Result<Vec<u8>, StartError> {
        while self.held.len() < n {
            self.more().await?;
        }
        Ok(self.held.drain(..n).collect())
    }

    /// An answer of SMTP: lines `250-…` up to one `250 …`.
    async fn smtp_answer(&mut self) -> Result<Vec<String>, StartError> {
        let mut lines = Vec::new();
        while lines.len() < MAX_LINES {
            let line = self.line().await?;
            let number = line.bytes().take_while(u8::is_ascii_digit).count();
            let more = number == 3 && line.as_bytes().get(3) == Some(&b'-');
            lines.push(line);
            if !more {
                return Ok(lines);
            }
        }
        Err(said("the server's answer has no end"))
    }

    async fn smtp(&mut self) -> Result<(), StartError> {
        let greeting = self.smtp_answer().await?;
        let first = |a: &[String]| a.first().cloned().unwrap_or_default();
        if !first(&greeting).starts_with("220") {
            return Err(refused("the greeting is not SMTP's", &first(&greeting)));
        }
        self.send(b"EHLO warroom.invalid\r\n").await?;
        let offers = self.smtp_answer().await?;
        if !first(&offers).starts_with("250") {
            return Err(refused("EHLO is refused", &first(&offers)));
        }
        let offered = |l: &String| {
            l.get(4..)
                .is_some_and(|w| w.trim().eq_ignore_ascii_case("STARTTLS"))
        };
        if !offers.iter().any(offered) {
            return Err(said("the mail server does not offer STARTTLS"));
        }
        self.send(b"STARTTLS\r\n").await?;
        let answer = self.smtp_answer().await?;
        if first(&answer).starts_with("220") {
            Ok(())
        } else {
            Err(refused("STARTTLS is refused", &first(&answer)))
        }
    }

    async fn imap(&mut self) -> Result<(), StartError> {
        let greeting = self.line().await?;
        if !greeting.starts_with("* OK") && !greeting.starts_with("* PREAUTH") {
            return Err(refused("the greeting is not IMAP's", &greeting));
        }
        self.send(b"w1 STARTTLS\r\n").await?;
        for _ in 0..MAX_LINES {
            let line = self.line().await?;
            if let Some(answer) = line.strip_prefix("w1 ") {
                return if answer.to_ascii_uppercase().starts_with("OK") {
                    Ok(())
                } else {
                    Err(refused("STARTTLS is refused", answer))
                };
            }
        }
        Err(said("the server's answer has no end"))
    }

    async fn pop3(&mut self) -> Result<(), StartError> {
        let greeting = self.line().await?;
        if !greeting.starts_with("+OK") {
            return Err(refused("the greeting is not POP3's", &greeting));
        }
        self.send(b"STLS\r\n").await?;
        let answer = self.line().await?;
        if answer.starts_with("+OK") {
            Ok(())
        } else {
            Err(refused("STLS is refused", &answer))
        }
    }

    /// ExtendedRequest 1.3.6.1.4.1.1466.20037 and the result code of its answer.
    async fn ldap(&mut self) -> Result<(), StartError> {
        const OID: &[u8; 22] = b"1.3.6.1.4.1.1466.20037";
        let mut request = vec![0x30, 29, 0x02, 1, 1, 0x77, 24, 0x80, 22];
        request.extend_from_slice(OID);
        self.send(&request).await?;
        let head = self.exactly(2).await?;
        let [0x30, length] = head.as_slice() else {
            return Err(said("the answer is not LDAP's"));
        };
        let length = match length {
            n @ 0..=0x7f => usize::from(*n),
            0x81 => usize::from(self.exactly(1).await?.first().copied().unwrap_or(0)),
            0x82 => self
                .exactly(2)
                .await?
                .iter()
                .fold(0, |n, b| n << 8 | usize::from(*b)),
            // Some servers write all lengths in four octets.
            0x84 => self
                .exactly(4)
                .await?
                .iter()
                .fold(0, |n, b| n << 8 | usize::from(*b)),
            _ => return Err(said("the answer is not LDAP's")),
        };
        if length > MAX_LINE {
            return Err(said("the answer is longer than any to STARTTLS"));
        }
        let body = self.exactly(length).await?;
        match ldap_result(&body) {
            Some((0, _)) => Ok(()),
            Some((code, words)) => Err(refused(
                &format!("STARTTLS is refused with result {code}"),
                &words,
            )),
            None => Err(said("the answer is not LDAP's")),
        }
    }

    async fn postgres(&mut self) -> Result<(), StartError> {
        self.send(&[0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f]).await?;
        match self.exactly(1).await?.first() {
            Some(b'S') => Ok(()),
            Some(b'N') => Err(said("the PostgreSQL server has TLS switched off")),
            Some(b'E') => Err(said("the PostgreSQL server answers with an error")),
            _ => Err(said("the answer is not PostgreSQL's")),
        }
    }

    /// The server's greeting says what it can; the client says that it wants TLS.
    async fn mysql(&mut self) -> Result<(), StartError> {
        let head = self.exactly(4).await?;
        let [a, b, c, _sequence] = head.as_slice() else {
            return Err(said("the greeting is not MySQL's"));
        };
        let length = usize::from(*a) | usize::from(*b) << 8 | usize::from(*c) << 16;
        if length > MAX_LINE {
            return Err(said("the greeting is not MySQL's"));
        }
        let body = self.exactly(length).await?;
        match mysql_capabilities(&body) {
            Ok(capabilities) if capabilities & 0x0800 == 0 => {
                Err(said("the MySQL server has TLS switched off"))
            }
            Ok(_) => {
                // CLIENT_LONG_PASSWORD, PROTOCOL_41, SSL, SECURE_CONNECTION, PLUGIN_AUTH.
                let flags = 0x0008_8a01u32.to_le_bytes();
                let mut request = vec![32, 0, 0, 1];
                request.extend_from_slice(&flags);
                request.extend_from_slice(&(1u32 << 24).to_le_bytes());
                request.push(33);
                request.extend_from_slice(&[0; 23]);
                self.send(&request).await
            }
            Err(words) => Err(said(words)),
        }
    }
}

/// Result code and diagnostic message of an LDAPMessage with an ExtendedResponse.
fn ldap_result(body: &[u8]) -> Option<(u8, String)> {
    let (_, rest) = element(body, 0x02)?;
    let (response, _) = element(rest, 0x78)?;
    let (code, rest) = element(response, 0x0a)?;
    let (_, rest) = element(rest, 0x04)?;
    let words = element(rest, 0x04).map_or_else(String::new, |(w, _)| {
        String::from_utf8_lossy(w).into_owned()
    });
    Some((*code.last()?, words))
}

/// Lower capability flags of a handshake packet of version 10; else the error it holds.
fn mysql_capabilities(body: &[u8]) -> Result<u16, String> {
    let not = || "the greeting is not MySQL's".to_owned();
    match body.first() {
        Some(10) => {}
        Some(0xff) => {
            let words = body.get(3..).unwrap_or(&[]);
            return Err(format!(
                "the MySQL server refuses: {}",
                SafeText::from_bytes_capped(words, 120)
            ));
        }
        _ => return Err(not()),
    }
    let rest = body.get(1..).unwrap_or(&[]);
    let name = rest.iter().position(|b| *b == 0).ok_or_else(not)?;
    // Version, NUL, thread (4), salt (8), filler (1), capabilities (2).
    match rest.get(name + 14..name + 16) {
        Some([low, high]) => Ok(u16::from_le_bytes([*low, *high])),
        _ => Err(not()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ldap_answers() {
        // messageID 1, ExtendedResponse, success, "", "".
        let ok = [2, 1, 1, 0x78, 7, 0x0a, 1, 0, 4, 0, 4, 0];
        assert_eq!(ldap_result(&ok), Some((0, String::new())));
        let no = [2, 1, 1, 0x78, 9, 0x0a, 1, 2, 4, 0, 4, 2, b'n', b'o'];
        assert_eq!(ldap_result(&no), Some((2, "no".into())));
        for cut in 0..ok.len() - 2 {
            assert_eq!(ldap_result(&ok[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn mysql_greetings() {
        let mut greeting = b"\x0a8.0.36\0".to_vec();
        greeting.extend_from_slice(&[1, 0, 0, 0]);
        greeting.extend_from_slice(b"12345678\0");
        greeting.extend_from_slice(&[0xff, 0xf7, 8]);
        assert_eq!(mysql_capabilities(&greeting), Ok(0xf7ff));
        assert!(
            mysql_capabilities(b"\xff\x69\x04Host blocked")
                .unwrap_err()
                .contains("Host blocked")
        );
        for cut in 0..greeting.len() - 1 {
            assert!(mysql_capabilities(&greeting[..cut]).is_err(), "{cut}");
        }
    }
}
