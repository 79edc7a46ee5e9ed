//! ClientHello out, the first messages of the answer in (RFC 5246, RFC 8446 4). No cryptography:
//! enough to see what a server would agree to. Plain functions over bytes that take anything.

use super::suites::TLS13;

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// RFC 2246.
    Tls10,
    /// RFC 4346.
    Tls11,
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl Version {
    /// All, oldest first.
    pub const ALL: [Self; 4] = [Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    const fn number(self) -> u16 {
        match self {
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    fn of(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.number() == number)
    }

    /// `TLSv1.2`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tls10 => "TLSv1.0",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        }
    }
}

/// What to offer.
#[derive(Clone, Debug)]
pub(super) struct Offer<'a> {
    /// The highest version; with TLS 1.3 nothing else is offered.
    pub version: Version,
    pub suites: &'a [u16],
    pub sni: Option<&'a str>,
    /// Random bytes: client random, session, key share.
    pub random: [u8; 96],
    /// Bytes of padding in an extension (RFC 7685); `None` for no such extension.
    pub padding: Option<u16>,
}

/// First answer of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct ServerHello {
    pub version: Option<Version>,
    pub suite: u16,
}

/// A ClientHello in one record.
pub(super) fn client_hello(o: &Offer<'_>) -> Vec<u8> {
    let (random, rest) = o.random.split_at(32);
    let (session, share) = rest.split_at(32);
    let mut body = Vec::with_capacity(512);
    put16(&mut body, o.version.number().min(0x0303));
    body.extend_from_slice(random);
    body.push(32);
    body.extend_from_slice(session);
    let mut suites = Vec::new();
    for s in o.suites {
        put16(&mut suites, *s);
    }
    // Secure renegotiation is understood (RFC 5746); some servers insist.
    put16(&mut suites, 0x00ff);
    sized16(&mut body, &suites);
    body.extend_from_slice(&[1, 0]);
    sized16(&mut body, &extensions(o, share));
    let mut message = vec![1, 0];
    sized16(&mut message, &body);
    let mut record = vec![22, 3, 1];
    sized16(&mut record, &message);
    record
}

fn extensions(o: &Offer<'_>, share: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    if let Some(name) = o.sni {
        let mut entry = vec![0];
        sized16(&mut entry, name.as_bytes());
        let mut list = Vec::new();
        sized16(&mut list, &entry);
        extension(&mut all, 0, &list);
    }
    // X25519, P-256, P-384, P-521, X448, ffdhe2048, ffdhe3072.
    extension(
        &mut all,
        10,
        &[0, 14, 0, 29, 0, 23, 0, 24, 0, 25, 0, 30, 1, 0, 1, 1],
    );
    extension(&mut all, 11, &[1, 0]);
    extension(&mut all, 23, &[]);
    if o.version >= Version::Tls12 {
        const SCHEMES: [u16; 14] = [
            0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501, 0x0601,
            0x0203, 0x0201, 0x0402,
        ];
        let mut list = Vec::new();
        let bytes: Vec<u8> = SCHEMES.iter().flat_map(|s| s.to_be_bytes()).collect();
        sized16(&mut list, &bytes);
        extension(&mut all, 13, &list);
    }
    if o.version == Version::Tls13 {
        extension(&mut all, 43, &[2, 3, 4]);
        extension(&mut all, 45, &[1, 1]);
        let mut entry = vec![0, 29];
        sized16(&mut entry, share);
        let mut list = Vec::new();
        sized16(&mut list, &entry);
        extension(&mut all, 51, &list);
    }
    if let Some(len) = o.padding {
        extension(&mut all, 21, &vec![0; len.into()]);
    }
    all
}

fn extension(out: &mut Vec<u8>, kind: u16, body: &[u8]) {
    put16(out, kind);
    sized16(out, body);
}

fn put16(out: &mut Vec<u8>, n: u16) {
    out.extend_from_slice(&n.to_be_bytes());
}

/// A vector with its length in two octets. What we send is far below their limit.
fn sized16(out: &mut Vec<u8>, body: &[u8]) {
    put16(out, u16::try_from(body.len()).unwrap_or(u16::MAX));
    out.extend_from_slice(body);
}

/// What came so far, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// Handshake messages joined over records.
    pub handshake: Vec<u8>,
    /// Level and description of an alert.
    pub alert: Option<(u8, u8)>,
    /// What came is not TLS.
    pub not_tls: bool,
}

/// Takes records apart; an unfinished one at the end waits for more.
pub(super) fn hear(bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let mut rest = bytes;
    while let [kind, major, rest_of_head @ ..] = rest {
        if !(20..=23).contains(kind) || *major != 3 {
            heard.not_tls = heard.handshake.is_empty();
            break;
        }
        let [_minor, high, low, body @ ..] = rest_of_head else {
            break;
        };
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let (Some(content), Some(more)) = (body.get(..length), body.get(length..)) else {
            break;
        };
        match kind {
            22 => heard.handshake.extend_from_slice(content),
            21 => {
                if let [level, description, ..] = content {
                    heard.alert = Some((*level, *description));
                }
                break;
            }
            // What follows is encrypted.
            _ => break,
        }
        rest = more;
    }
    heard
}

/// The next handshake message: its type, its body, what follows.
pub(super) fn message(handshake: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, a, b, c, rest @ ..] = handshake else {
        return None;
    };
    let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
    Some((*kind, rest.get(..length)?, rest.get(length..)?))
}

/// The body of a ServerHello.
pub(super) fn server_hello(body: &[u8]) -> Option<ServerHello> {
    let legacy = u16::from_be_bytes([*body.first()?, *body.get(1)?]);
    let session = usize::from(*body.get(34)?);
    let rest = body.get(35 + session..)?;
    let [a, b, _compression, rest @ ..] = rest else {
        return None;
    };
    let suite = u16::from_be_bytes([*a, *b]);
    let mut version = legacy;
    let mut extensions = match rest {
        [high, low, list @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            list.get(..length.min(list.len())).unwrap_or(&[])
        }
        _ => &[],
    };
    while let [k1, k2, l1, l2, more @ ..] = extensions {
        let length = usize::from(u16::from_be_bytes([*l1, *l2]));
        let content = more.get(..length)?;
        if let ([0, 43], [major, minor]) = ([*k1, *k2], content) {
            version = u16::from_be_bytes([*major, *minor]);
        }
        extensions = more.get(length..)?;
    }
    // TLS 1.3 suites make sense in TLS 1.3 only.
    let version = Version::of(version).filter(|v| (*v == Version::Tls13) == TLS13.contains(&suite));
    Some(ServerHello { version, suite })
}

/// The body of a Certificate message up to TLS 1.2: the chain.
pub(super) fn certificates(body: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut rest = body.get(3..)?;
    let mut chain = Vec::new();
    while let [a, b, c, more @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        chain.push(more.get(..length)?.to_vec());
        rest = more.get(length..)?;
        if chain.len() > 64 {
            return None;
        }
    }
    Some(chain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn offer(version: Version) -> Vec<u8> {
        client_hello(&Offer {
            version,
            suites: &[0x1301, 0xc02f],
            sni: Some("a.example"),
            random: [7; 96],
            padding: None,
        })
    }

    #[test]
    fn hellos_are_whole_records() {
        for v in Version::ALL {
            let heard = hear(&offer(v));
            let (kind, body, rest) = message(&heard.handshake).unwrap();
            assert_eq!((kind, rest.len()), (1, 0));
            assert_eq!(body[..2], v.number().min(0x0303).to_be_bytes());
        }
    }

    #[test]
    fn answers() {
        assert_eq!(hear(&[0x15, 3, 1, 0, 2, 2, 70]).alert, Some((2, 70)));
        assert!(hear(b"SSH-2.0-x").not_tls && hear(b"HTTP/1.1 400").not_tls);
        assert_eq!(hear(&[22, 3]), Heard::default());
        let mut hello = vec![3, 1];
        hello.extend_from_slice(&[0; 32]);
        hello.extend_from_slice(&[0, 0, 0x2f, 0]);
        assert_eq!(
            server_hello(&hello),
            Some(ServerHello {
                version: Some(Version::Tls10),
                suite: 0x2f
            })
        );
        hello[0..2].copy_from_slice(&[3, 3]);
        hello[35..37].copy_from_slice(&[0x13, 1]);
        hello.extend_from_slice(&[0, 6, 0, 43, 0, 2, 3, 4]);
        assert_eq!(server_hello(&hello).unwrap().version, Some(Version::Tls13));
    }

    proptest! {
        #[test]
        fn any_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let heard = hear(&bytes);
            let _ = message(&heard.handshake);
            let _ = server_hello(&bytes);
            let _ = certificates(&bytes);
        }
    }
}
