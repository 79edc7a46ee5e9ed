//! Record data of the types that the codec leaves as bytes, or decodes in its own way, as in a
//! zone file. Whatever does not fit its type's form gives `None` and is shown by RFC 3597.

use hickory_proto::rr::{Name, RecordType};
use jiff::Timestamp;

use super::{base, codes, name, rdata::quoted, types};

/// Reads fields off bytes; every step may run out of them.
pub(super) struct Fields<'b>(&'b [u8]);

impl<'b> Fields<'b> {
    pub(super) fn of(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }
    pub(super) fn take(&mut self, n: usize) -> Option<&'b [u8]> {
        let (head, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(head)
    }
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }
    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|b| u16::from_be_bytes(*b))
    }
    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|b| u32::from_be_bytes(*b))
    }
    fn counted(&mut self) -> Option<&'b [u8]> {
        let n = self.u8()?;
        self.take(n.into())
    }
    pub(super) fn rest(&mut self) -> &'b [u8] {
        std::mem::take(&mut self.0)
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// A name without compression, as these types have it (RFC 3597 4).
    pub(super) fn name(&mut self) -> Option<Name> {
        let mut labels = Vec::new();
        loop {
            let n = self.u8()?;
            match n {
                0 => break,
                1..=63 => labels.push(self.take(n.into())?),
                _ => return None,
            }
        }
        let mut name = Name::from_labels(labels).ok()?;
        name.set_fqdn(true);
        Some(name)
    }
    fn print_name(&mut self) -> Option<String> {
        self.name().map(|n| name::print(&n))
    }
}

/// The data as text.
pub(super) fn print(code: u16, bytes: &[u8]) -> Option<String> {
    let mut f = Fields::of(bytes);
    let text = match code {
        13 => pair(quoted(f.counted()?), quoted(f.counted()?)),
        17 => pair(f.print_name()?, f.print_name()?),
        18 => pair(f.u16()?, f.print_name()?),
        35 => naptr(&mut f)?,
        37 => format!(
            "{} {} {} {}",
            f.u16()?,
            f.u16()?,
            f.u8()?,
            base::b64(f.rest())
        ),
        39 => f.print_name()?,
        43 | 59 => format!(
            "{} {} {} {}",
            f.u16()?,
            f.u8()?,
            f.u8()?,
            base::hex(f.rest())
        ),
        44 => format!("{} {} {}", f.u8()?, f.u8()?, base::hex(f.rest())),
        46 => rrsig(&mut f)?,
        47 => format!("{}{}", f.print_name()?, bitmap(f.rest())?),
        48 | 60 => dnskey(&mut f)?,
        50 => nsec3(&mut f)?,
        51 => format!(
            "{} {} {} {}",
            f.u8()?,
            f.u8()?,
            f.u16()?,
            salt(f.counted()?)
        ),
        52 | 53 => format!(
            "{} {} {} {}",
            f.u8()?,
            f.u8()?,
            f.u8()?,
            base::hex(f.rest())
        ),
        61 => base::b64(f.rest()),
        62 => format!("{} {}{}", f.u32()?, f.u16()?, bitmap(f.rest())?),
        63 => format!(
            "{} {} {} {}",
            f.u32()?,
            f.u8()?,
            f.u8()?,
            base::hex(f.rest())
        ),
        64 | 65 => svcb(&mut f)?,
        108 | 109 => eui(f.rest())?,
        256 => format!("{} {} {}", f.u16()?, f.u16()?, quoted(f.rest())),
        _ => return None,
    };
    f.is_empty().then_some(text)
}

fn pair(a: impl std::fmt::Display, b: impl std::fmt::Display) -> String {
    format!("{a} {b}")
}

fn naptr(f: &mut Fields<'_>) -> Option<String> {
    let (order, preference) = (f.u16()?, f.u16()?);
    let (flags, service, pattern) = (f.counted()?, f.counted()?, f.counted()?);
    Some(format!(
        "{order} {preference} {} {} {} {}",
        quoted(flags),
        quoted(service),
        quoted(pattern),
        f.print_name()?
    ))
}

fn rrsig(f: &mut Fields<'_>) -> Option<String> {
    let covers = types::print(RecordType::from(f.u16()?));
    let (algorithm, labels, ttl) = (f.u8()?, f.u8()?, f.u32()?);
    let (expires, starts) = (date(f.u32()?), date(f.u32()?));
    let (tag, signer) = (f.u16()?, f.print_name()?);
    Some(format!(
        "{covers} {algorithm} {labels} {ttl} {expires} {starts} {tag} {signer} {}",
        base::b64(f.rest())
    ))
}

/// `YYYYMMDDHHmmSS` (RFC 4034 3.2).
fn date(seconds: u32) -> String {
    Timestamp::from_second(i64::from(seconds))
        .map(|t| t.strftime("%Y%m%d%H%M%S").to_string())
        .unwrap_or_default()
}

fn dnskey(f: &mut Fields<'_>) -> Option<String> {
    Some(format!(
        "{} {} {} {}",
        f.u16()?,
        f.u8()?,
        f.u8()?,
        base::b64(f.rest())
    ))
}

/// The key tag of a DNSKEY's data (RFC 4034 appendix B; algorithm 1 is left out, it is obsolete).
pub(super) fn key_tag(bytes: &[u8]) -> u16 {
    let mut sum = 0u32;
    for (i, b) in bytes.iter().enumerate().take(65_535) {
        sum += if i % 2 == 0 {
            u32::from(*b) << 8
        } else {
            u32::from(*b)
        };
    }
    sum += sum >> 16;
    sum as u16
}

fn nsec3(f: &mut Fields<'_>) -> Option<String> {
    let (hash, flags, iterations) = (f.u8()?, f.u8()?, f.u16()?);
    let (salted, next) = (salt(f.counted()?), base::hex32(f.counted()?));
    Some(format!(
        "{hash} {flags} {iterations} {salted} {next}{}",
        bitmap(f.rest())?
    ))
}

fn salt(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        "-".to_owned()
    } else {
        base::hex(bytes)
    }
}

/// The types of a bitmap, each with a space before it (RFC 4034 4.1.2).
fn bitmap(bytes: &[u8]) -> Option<String> {
    let mut f = Fields::of(bytes);
    let mut out = String::new();
    while !f.is_empty() {
        let window = u16::from(f.u8()?);
        let map = f.counted()?;
        if map.len() > 32 {
            return None;
        }
        for (i, byte) in (0u16..).zip(map) {
            for bit in (0..8).filter(|bit| byte & (0x80 >> bit) != 0) {
                let code = window * 256 + i * 8 + bit;
                out.push(' ');
                out.push_str(&types::print(RecordType::from(code)));
            }
        }
    }
    Some(out)
}

fn eui(bytes: &[u8]) -> Option<String> {
    let parts: Vec<_> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    matches!(parts.len(), 6 | 8).then(|| parts.join("-"))
}

/// SVCB and HTTPS (RFC 9460 2.1).
fn svcb(f: &mut Fields<'_>) -> Option<String> {
    let (priority, target) = (f.u16()?, f.print_name()?);
    let mut out = format!("{priority} {target}");
    while !f.is_empty() {
        let (key, n) = (f.u16()?, f.u16()?);
        let value = param(key, f.take(n.into())?)?;
        let key = codes::svc_param(key);
        out.push_str(&match value {
            v if v.is_empty() => format!(" {key}"),
            v => format!(" {key}={v}"),
        });
    }
    Some(out)
}

fn param(key: u16, value: &[u8]) -> Option<String> {
    let mut f = Fields::of(value);
    let mut parts = Vec::new();
    match key {
        0 => {
            while !f.is_empty() {
                parts.push(codes::svc_param(f.u16()?));
            }
        }
        1 => {
            while !f.is_empty() {
                parts.push(bare(f.counted()?));
            }
        }
        3 => parts.push(f.u16()?.to_string()),
        4 => {
            while !f.is_empty() {
                let octets: [u8; 4] = f.take(4)?.try_into().ok()?;
                parts.push(std::net::Ipv4Addr::from(octets).to_string());
            }
        }
        6 => {
            while !f.is_empty() {
                let octets: [u8; 16] = f.take(16)?.try_into().ok()?;
                parts.push(std::net::Ipv6Addr::from(octets).to_string());
            }
        }
        5 => parts.push(base::b64(f.rest())),
        _ => {
            return Some(if value.is_empty() {
                String::new()
            } else {
                quoted(value)
            });
        }
    }
    Some(parts.join(","))
}

/// Text without quotes, for protocol names.
fn bare(bytes: &[u8]) -> String {
    let shown = quoted(bytes);
    shown.trim_matches('"').replace(',', "\\044")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_of_dnssec() {
        assert_eq!(
            print(43, &[0x30, 0x39, 13, 2, 0xab, 0xcd]).as_deref(),
            Some("12345 13 2 abcd")
        );
        assert_eq!(
            print(48, &[1, 1, 3, 13, 0xfb, 0xff]).as_deref(),
            Some("257 3 13 +/8=")
        );
        let mut sig = vec![0, 1, 13, 2, 0, 0, 1, 44];
        sig.extend(1_700_000_000u32.to_be_bytes());
        sig.extend(1_690_000_000u32.to_be_bytes());
        sig.extend([0x30, 0x39, 2, b'e', b'x', 0, 1, 2, 3]);
        assert_eq!(
            print(46, &sig).as_deref(),
            Some("A 13 2 300 20231114221320 20230722042640 12345 ex AQID")
        );
        assert_eq!(
            print(47, &[1, b'b', 0, 0, 6, 0x40, 0, 0, 0, 0, 3]).as_deref(),
            Some("b A RRSIG NSEC")
        );
        assert_eq!(
            print(50, &[1, 0, 0, 0, 0, 1, b'f', 0, 1, 0x40]).as_deref(),
            Some("1 0 0 - co A")
        );
    }

    #[test]
    fn service_bindings() {
        let mut https = vec![0, 1, 0, 0, 1, 0, 6, 2, b'h', b'2', 2, b'h', b'3'];
        https.extend([0, 3, 0, 2, 0x20, 0xfb, 0, 4, 0, 4, 192, 0, 2, 1]);
        assert_eq!(
            print(65, &https).as_deref(),
            Some("1 . alpn=h2,h3 port=8443 ipv4hint=192.0.2.1")
        );
    }

    #[test]
    fn what_does_not_fit_is_left_to_the_generic_form() {
        for (code, bytes) in [
            (43, &[1u8, 2][..]),
            (46, &[0, 1, 13]),
            (47, &[0xc0, 0, 0, 1, 1]),
            (47, &[0, 0, 33, 1]),
            (65, &[0, 1, 0, 0, 1, 0, 9, 1]),
            (51, &[1, 0, 0, 0, 0, 9]),
            (4711, &[1]),
        ] {
            assert_eq!(print(code, bytes), None, "{code} {bytes:?}");
        }
    }

    /// The example of RFC 4034 5.4: DNSKEY of dskey.example.com, tag 60485.
    #[test]
    fn key_tags() {
        let key = "AQOeiiR0GOMYkDshWoSKz9XzfwJr1AYtsmx3TGkJaNXVbfi/2pHm822aJ5iI9BMzNXxeYCmZDRD99WYwYqUSdjMmmAphXdvxegXd/M5+X7OrzKBaMbCVdFLUUh6DhweJBjEVv5f2wwjM9XzcnOf+EPbtG9DMBmADjFDc2w/rljwvFw==";
        let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let mut bits = String::new();
        for c in key.bytes().filter(|c| *c != b'=') {
            let at = digits.iter().position(|d| *d == c).unwrap();
            bits.push_str(&format!("{at:06b}"));
        }
        let mut data = vec![1, 0, 3, 5];
        data.extend(
            bits.as_bytes()
                .chunks_exact(8)
                .map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap()),
        );
        assert_eq!(key_tag(&data), 60485);
    }
}
