//! Base 16, 32 and 64 (RFC 4648) as record data and DoH need them. Encoding only.

const B64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
const HEX32: &[u8; 32] = b"0123456789abcdefghijklmnopqrstuv";

/// Standard base 64 with padding.
pub(super) fn b64(bytes: &[u8]) -> String {
    let mut out = spread(bytes, 6, B64);
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}

/// The URL alphabet without padding (RFC 8484 6).
pub(super) fn url64(bytes: &[u8]) -> String {
    spread(bytes, 6, URL64)
}

/// Base 32 with the extended hex alphabet, lower case, without padding (RFC 5155 1.3).
pub(super) fn hex32(bytes: &[u8]) -> String {
    spread(bytes, 5, HEX32)
}

/// Hexadecimal, lower case.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// Cuts the bits into digits of `width` bits, the last one filled with zeros.
fn spread(bytes: &[u8], width: u32, digits: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() * 8 / width as usize + 1);
    let (mut held, mut bits) = (0u32, 0u32);
    let mask = (1u32 << width) - 1;
    let mut push = |value: u32| {
        let digit = digits.get((value & mask) as usize).copied();
        out.push(char::from(digit.unwrap_or(b'?')));
    };
    for byte in bytes {
        held = (held << 8 | u32::from(*byte)) & 0xffff;
        bits += 8;
        while bits >= width {
            bits -= width;
            push(held >> bits);
        }
    }
    if bits > 0 {
        push(held << (width - bits));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_of_rfc_4648() {
        for (plain, want) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(b64(plain.as_bytes()), want);
        }
        assert_eq!(url64(&[0xfb, 0xff]), "-_8");
        assert_eq!(b64(&[0xfb, 0xff]), "+/8=");
        for (plain, want) in [("f", "co"), ("fo", "cpng"), ("foobar", "cpnmuoj1e8")] {
            assert_eq!(hex32(plain.as_bytes()), want);
        }
        assert_eq!(hex(&[0, 0xab]), "00ab");
    }
}
