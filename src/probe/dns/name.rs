//! Domain names between wire and presentation form (RFC 1035 5.1, RFC 4343).
//!
//! The library's own `Display` writes octal escapes and decodes punycode; names here stay in
//! A-label form with decimal `\DDD`, so that two names that differ never look the same.

use hickory_proto::rr::Name;

/// Longest presentation form: 255 octets, each as `\DDD`.
pub const MAX_TEXT: usize = 1024;

/// Reads a name in presentation form; it is absolute with or without the final dot.
///
/// # Errors
/// Says which part is wrong.
pub fn parse(text: &str) -> Result<Name, String> {
    if text.len() > MAX_TEXT {
        return Err("the name is too long".into());
    }
    let bare = if text == "." { "" } else { text };
    let labels = labels(bare)?;
    let mut name = Name::from_labels(labels.iter().map(Vec::as_slice))
        .map_err(|_| "a name has at most 255 octets and its labels at most 63".to_owned())?;
    name.set_fqdn(true);
    Ok(name)
}

fn labels(text: &str) -> Result<Vec<Vec<u8>>, String> {
    let mut labels = Vec::new();
    let mut label = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'.' => {
                if label.is_empty() {
                    return Err("a label is empty".into());
                }
                labels.push(std::mem::take(&mut label));
            }
            b'\\' => label.push(escaped(&mut bytes)?),
            other => label.push(other),
        }
    }
    if !label.is_empty() {
        labels.push(label);
    }
    Ok(labels)
}

fn escaped(bytes: &mut std::str::Bytes<'_>) -> Result<u8, String> {
    let first = bytes.next().ok_or("it ends in a backslash")?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        match bytes.next() {
            Some(d) if d.is_ascii_digit() => value = value * 10 + u32::from(d - b'0'),
            _ => return Err("a backslash and a digit begin three digits".into()),
        }
    }
    u8::try_from(value).map_err(|_| format!("\\{value} is not an octet"))
}

/// Presentation form without the final dot (`.` for the root). ASCII only.
pub fn print(name: &Name) -> String {
    let mut out = String::new();
    for label in name.iter() {
        if !out.is_empty() {
            out.push('.');
        }
        for byte in label {
            push_octet(*byte, &mut out);
        }
    }
    if out.is_empty() {
        out.push('.');
    }
    out
}

fn push_octet(byte: u8, out: &mut String) {
    match byte {
        b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$' => {
            out.push('\\');
            out.push(char::from(byte));
        }
        0x21..=0x7e => out.push(char::from(byte)),
        _ => out.push_str(&format!("\\{byte:03}")),
    }
}

/// Whether two names are the same: ASCII case does not matter.
pub fn same(a: &Name, b: &Name) -> bool {
    a.num_labels() == b.num_labels()
        && a.iter().count() == b.iter().count()
        && a.iter()
            .zip(b.iter())
            .all(|(x, y)| x.eq_ignore_ascii_case(y))
}

/// Whether `name` is `zone` or below it.
pub fn is_within(name: &Name, zone: &Name) -> bool {
    let (inner, outer): (Vec<_>, Vec<_>) = (name.iter().collect(), zone.iter().collect());
    let Some(start) = inner.len().checked_sub(outer.len()) else {
        return false;
    };
    inner
        .iter()
        .skip(start)
        .zip(&outer)
        .all(|(x, y)| x.eq_ignore_ascii_case(y))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn raw(labels: &[&[u8]]) -> String {
        print(&Name::from_labels(labels.iter().copied()).unwrap())
    }

    #[test]
    fn hostile_labels_are_decimal_ascii() {
        assert_eq!(raw(&[b"a\x1b[31mRED", b"example"]), r"a\027[31mRED.example");
        assert_eq!(raw(&[b"a.b", b"c"]), r"a\.b.c");
        assert_eq!(raw(&[b"\x9b2J", b"\xff\x00 "]), r"\1552J.\255\000\032");
        assert_eq!(raw(&[br#"q"\"#]), r#"q\"\\"#);
        assert_eq!(raw(&[]), ".");
    }

    #[test]
    fn punycode_stays_as_it_is() {
        assert_eq!(raw(&[b"xn--80ak6aa92e", b"com"]), "xn--80ak6aa92e.com");
        assert_eq!(raw(&[b"xn--\xff", b"com"]), r"xn--\255.com");
        // Negative control: the library's own form differs.
        let name = Name::from_labels([b"a\x1bb".as_slice()]).unwrap();
        assert_ne!(name.to_string(), print(&name));
    }

    #[test]
    fn zones_hold_names() {
        let within = |a: &str, b: &str| is_within(&parse(a).unwrap(), &parse(b).unwrap());
        assert!(within("a.Example.com", "example.COM") && within("a", ".") && within(".", "."));
        assert!(!within("example.com", "a.example.com") && !within("bexample.com", "example.com"));
        assert!(!within(r"a\.example", "example"));
    }

    #[test]
    fn typed_names() {
        for (typed, shown) in [
            ("example.com.", "example.com"),
            ("_dmarc.Example.com", "_dmarc.Example.com"),
            (".", "."),
            ("", "."),
            (r"a\.b.c", r"a\.b.c"),
            (r"\097", "a"),
        ] {
            assert_eq!(print(&parse(typed).unwrap()), shown, "{typed}");
        }
        let long = "a".repeat(64);
        let many = "abcdefg.".repeat(40);
        for bad in ["a..b", ".a", r"a\", r"\25", r"\256", &long, &many] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn printed_names_read_back(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) {
            let name = Name::from_labels(labels.iter().map(Vec::as_slice)).unwrap();
            let text = print(&name);
            prop_assert!(text.bytes().all(|b| (0x21..0x7f).contains(&b)));
            prop_assert!(same(&parse(&text).unwrap(), &name));
            let back = parse(&text).unwrap();
            prop_assert!(back.iter().eq(name.iter()));
        }
    }
}
