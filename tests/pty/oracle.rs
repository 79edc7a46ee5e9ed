//! Which bytes may go to a terminal. An independent reading of the stream: whatever is not on
//! the short list is reported.

/// The sequences that a full-screen program needs, and nothing else.
const PLAIN: [&str; 8] = [
    "2J", "H", "?25h", "?25l", "?1049h", "?1049l", "?2004h", "?2004l",
];

/// Everything in a stream that is not on the list, escaped; empty when all is well.
pub fn violations(stream: &[u8]) -> Vec<String> {
    let mut bad = Vec::new();
    let mut rest = stream;
    while let Some(&first) = rest.first() {
        let taken = if first == 0x1b {
            sequence(rest).unwrap_or_else(|| {
                bad.push(rest[..rest.len().min(12)].escape_ascii().to_string());
                1
            })
        } else {
            text(rest, &mut bad)
        };
        rest = &rest[taken..];
    }
    bad
}

/// The part of a stream between taking the screen and giving it back, both included.
pub fn on_screen(stream: &[u8]) -> &[u8] {
    let find = |what: &[u8]| stream.windows(what.len()).position(|w| w == what);
    let from = find(b"\x1b[?1049h").expect("the screen was taken");
    match stream.windows(8).rposition(|w| w == b"\x1b[?1049l") {
        Some(to) => &stream[from..to + 8],
        None => &stream[from..],
    }
}

/// Parameters of all SGR sequences in a stream.
pub fn styles(stream: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(stream);
    text.split("\x1b[")
        .skip(1)
        .filter_map(|part| {
            let end = part.find(|c: char| c.is_ascii_alphabetic())?;
            (part.as_bytes()[end] == b'm').then(|| part[..end].to_owned())
        })
        .collect()
}

/// Length of an allowed sequence.
fn sequence(bytes: &[u8]) -> Option<usize> {
    let body = bytes.strip_prefix(b"\x1b[")?;
    let end = body.iter().position(|b| (0x40..=0x7e).contains(b))?;
    let whole = std::str::from_utf8(&body[..=end]).ok()?;
    let (numbers, last) = whole.split_at(whole.len() - 1);
    let plain = numbers
        .split(';')
        .all(|n| n.len() <= 4 && n.bytes().all(|b| b.is_ascii_digit()));
    let allowed = PLAIN.contains(&whole)
        || (last == "H" && plain && numbers.split(';').count() == 2)
        || (last == "m" && plain);
    allowed.then_some(end + 3)
}

/// Length of the text up to the next ESC; controls and what is not UTF-8 are reported.
fn text(bytes: &[u8], bad: &mut Vec<String>) -> usize {
    let end = bytes.iter().position(|b| *b == 0x1b).unwrap_or(bytes.len());
    for chunk in bytes[..end].utf8_chunks() {
        bad.extend(
            chunk
                .valid()
                .chars()
                .filter(|c| forbidden(*c))
                .map(|c| format!("{c:?}")),
        );
        if !chunk.invalid().is_empty() {
            bad.push(chunk.invalid().escape_ascii().to_string());
        }
    }
    end
}

fn forbidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{61c}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

#[test]
fn the_oracle_knows_good_from_bad() {
    let good = "\x1b[?1049h\x1b[?25l\x1b[?2004h\x1b[0m\x1b[2J\x1b[1;1H\x1b[1;38;5;9mäö✖\x1b[?25h";
    assert_eq!(violations(good.as_bytes()), [""; 0]);
    let bad: [&[u8]; 24] = [
        b"\x1b]0;title\x07",
        b"\x1b]52;c;ZQ==\x07",
        b"\x1b]52;c;ZQ==\x1b\\",
        b"\x1bP$q\"p\x1b\\",
        b"\x1b_G\x1b\\",
        b"\x1bc",
        b"\x1b#8",
        b"\x1b[6n",
        b"\x1b[c",
        b"\x1b[8;1;1t",
        b"\x1b[?1000h",
        b"\x1b[?2026h",
        b"\x1b[3J",
        b"\x1b[5;A",
        b"\x1b[1;2;3H",
        b"\x1b[>4;2m",
        b"\x1b[31",
        b"a\nb",
        b"a\rb",
        b"\x08",
        b"\x07",
        b"\xc2\x9b31m",
        b"\x9b2J",
        "\u{202e}".as_bytes(),
    ];
    for stream in bad {
        assert!(!violations(stream).is_empty(), "{}", stream.escape_ascii());
    }
}
