//! Which key a complete sequence is. Pure tables; `None` means that it is nobody's key.

use crate::console::state::key::Key;

/// A control character (0x00–0x1f, 0x7f) outside any sequence.
pub fn control(byte: u8) -> Option<Key> {
    Some(match byte {
        0x09 => Key::Tab,
        0x0a | 0x0d => Key::Enter,
        0x08 | 0x7f => Key::Backspace,
        0x00 => Key::Ctrl(' '),
        0x01..=0x1a => Key::Ctrl((byte - 1 + b'a') as char),
        0x1c..=0x1f => Key::Ctrl((byte + 0x40) as char),
        _ => return None,
    })
}

/// `CSI parameters final`. Modified arrows count as plain ones; modified function keys have the
/// numbers of terminfo (shift from F13, control from F25). A report of the cursor's position is
/// never a key, although Shift-F3 of some terminals looks the same.
pub fn csi(parameters: &[u8], last: u8) -> Option<Key> {
    let (first, modifier) = numbers(parameters)?;
    if last == b'~' {
        return numbered(first?, modifier);
    }
    if !matches!(first, None | Some(1)) {
        return None;
    }
    match last {
        b'Z' => Some(Key::BackTab),
        b'P' | b'Q' | b'S' => function(last - b'P' + 1, modifier),
        b'R' if first.is_none() => Some(Key::F(3)),
        b'a'..=b'd' if first.is_none() => moving(last.to_ascii_uppercase()),
        _ => moving(last),
    }
}

/// `SS3 final`.
pub fn ss3(last: u8) -> Option<Key> {
    match last {
        b'P'..=b'S' => Some(Key::F(last - b'P' + 1)),
        b'M' => Some(Key::Enter),
        b'a'..=b'd' => moving(last.to_ascii_uppercase()),
        _ => moving(last),
    }
}

/// `CSI [ letter`, the Linux console's F1 to F5.
pub fn linux_function(letter: u8) -> Option<Key> {
    matches!(letter, b'A'..=b'E').then(|| Key::F(letter - b'A' + 1))
}

fn moving(last: u8) -> Option<Key> {
    Some(match last {
        b'A' => Key::Up,
        b'B' => Key::Down,
        b'C' => Key::Right,
        b'D' => Key::Left,
        b'H' => Key::Home,
        b'F' => Key::End,
        _ => return None,
    })
}

fn numbered(number: u16, modifier: u16) -> Option<Key> {
    let f = |base: u16| {
        let n = u8::try_from(number.checked_sub(base)?).ok()?;
        function(n, modifier)
    };
    match number {
        1 | 7 => Some(Key::Home),
        2 => Some(Key::Insert),
        3 => Some(Key::Delete),
        4 | 8 => Some(Key::End),
        5 => Some(Key::PageUp),
        6 => Some(Key::PageDown),
        11..=15 => f(10),
        17..=21 => f(11),
        23..=26 => f(12),
        28..=29 => f(13),
        31..=34 => f(14),
        _ => None,
    }
}

/// xterm's modifier is 1 plus shift 1, alt 2, control 4.
fn function(n: u8, modifier: u16) -> Option<Key> {
    match modifier {
        0 | 1 => Some(Key::F(n)),
        2 => Some(Key::F(n + 12)),
        5 => Some(Key::F(n + 24)),
        _ => None,
    }
}

/// At most two plain numbers; anything else (private marks, sub-parameters) is no key.
fn numbers(parameters: &[u8]) -> Option<(Option<u16>, u16)> {
    let text = std::str::from_utf8(parameters).ok()?;
    let mut parts = text.split(';');
    let first = match parts.next().unwrap_or_default() {
        "" => None,
        n => Some(number(n)?),
    };
    let modifier = match parts.next() {
        None => 0,
        Some(n) => number(n)?,
    };
    parts.next().is_none().then_some((first, modifier))
}

fn number(text: &str) -> Option<u16> {
    text.bytes()
        .all(|b| b.is_ascii_digit())
        .then(|| text.parse().ok())?
}
