//! Bytes from the terminal become keys and pastes. Pure: time comes in with the bytes.
//!
//! What is not known is swallowed *whole*: an answer of the terminal that nobody asked for, or a
//! mouse report left on by another program, must never become keys that confirm something.

use std::time::Duration;

use super::sequences;
use crate::console::state::key::Key;
use crate::model::time::Mono;

/// How long an ESC waits for what would make it the start of a sequence.
pub const ESC_WAIT: Duration = Duration::from_millis(50);
/// How long the rest of a sequence that has begun is waited for, before it is given up.
pub const REST_WAIT: Duration = Duration::from_secs(1);
/// Most bytes of one paste that are kept.
pub const PASTE_CAP: usize = 64 * 1024;
/// Most parameter bytes that can mean something; a longer sequence is swallowed.
const PARAMETERS_CAP: usize = 32;
const PASTE_END: &[u8] = b"\x1b[201~";

/// Something typed or pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Typed {
    /// A key.
    Key(Key),
    /// Pasted text with LF as its line end, at most [`PASTE_CAP`] bytes.
    Paste(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ground,
    /// In a UTF-8 character; `alt`: an ESC came before it.
    Utf8 {
        missing: u8,
        alt: bool,
    },
    Esc,
    Csi,
    Ss3,
    /// OSC, DCS, APC, PM or SOS, up to ST or BEL; `by` introduced it, `esc`: the ESC of ST came.
    Text {
        by: u8,
        empty: bool,
        esc: bool,
    },
    /// Bytes that follow an X10 mouse report or `CSI [` (function keys of the Linux console).
    Mouse {
        missing: u8,
    },
    LinuxF,
    /// `ended`: how much of [`PASTE_END`] has been seen.
    Paste {
        ended: usize,
    },
}

/// The decoder of one terminal.
#[derive(Debug)]
pub struct Decoder {
    state: State,
    /// Bytes of the present character or parameters.
    held: Vec<u8>,
    pasted: Vec<u8>,
    last: Mono,
}

impl Default for Decoder {
    fn default() -> Self {
        Self {
            state: State::Ground,
            held: Vec::with_capacity(PARAMETERS_CAP),
            pasted: Vec::new(),
            last: Mono(0),
        }
    }
}

impl Decoder {
    /// Takes bytes that were read at `now`.
    pub fn feed(&mut self, bytes: &[u8], now: Mono, out: &mut Vec<Typed>) {
        // A terminal that never ends its paste would swallow all keys: Ctrl-C alone, after a
        // pause, ends it. It is not ended by time, for then a stalled paste would become keys.
        if matches!(self.state, State::Paste { .. })
            && bytes == [0x03]
            && now.since(self.last) >= REST_WAIT
        {
            self.end_paste(out);
            return;
        }
        self.last = now;
        for &byte in bytes {
            self.byte(byte, out);
        }
    }

    /// When [`Decoder::expire`] should be called if nothing is read until then.
    pub fn expires_at(&self) -> Option<Mono> {
        Some(self.last.plus(self.patience()?))
    }

    /// Says that it is `now` and nothing was there to read. A lone ESC becomes the Escape key.
    pub fn expire(&mut self, now: Mono, out: &mut Vec<Typed>) {
        if self.expires_at().is_none_or(|at| now < at) {
            return;
        }
        match self.state {
            State::Esc => out.push(Typed::Key(Key::Esc)),
            State::Csi if self.held.is_empty() => out.push(Typed::Key(Key::Alt('['))),
            State::Ss3 if self.held.is_empty() => out.push(Typed::Key(Key::Alt('O'))),
            State::Text {
                by, empty: true, ..
            } => out.push(Typed::Key(Key::Alt(by as char))),
            _ => {}
        }
        self.reset();
    }

    fn patience(&self) -> Option<Duration> {
        match self.state {
            State::Ground | State::Paste { .. } => None,
            State::Esc | State::Text { empty: true, .. } => Some(ESC_WAIT),
            State::Csi | State::Ss3 if self.held.is_empty() => Some(ESC_WAIT),
            _ => Some(REST_WAIT),
        }
    }

    fn reset(&mut self) {
        self.state = State::Ground;
        self.held.clear();
    }

    fn byte(&mut self, byte: u8, out: &mut Vec<Typed>) {
        match self.state {
            State::Ground => self.ground(byte, false, out),
            State::Utf8 { missing, alt } => self.utf8(byte, missing, alt, out),
            State::Esc => self.escape(byte, out),
            State::Csi => self.csi(byte, out),
            State::Ss3 => self.ss3(byte, out),
            State::Text { by, esc, .. } => self.text(byte, by, esc, out),
            State::Mouse { missing: 1 } => self.reset(),
            State::Mouse { missing } => {
                self.state = State::Mouse {
                    missing: missing - 1,
                }
            }
            State::LinuxF => {
                self.reset();
                out.extend(sequences::linux_function(byte).map(Typed::Key));
            }
            State::Paste { ended } => self.paste(byte, ended, out),
        }
    }

    fn ground(&mut self, byte: u8, alt: bool, out: &mut Vec<Typed>) {
        self.reset();
        match byte {
            0x1b => self.state = State::Esc,
            0x00..=0x1f | 0x7f => out.extend(sequences::control(byte).map(Typed::Key)),
            0x20..=0x7e => out.push(Typed::Key(character(byte as char, alt))),
            0xc2..=0xdf => self.begin_utf8(byte, 1, alt),
            0xe0..=0xef => self.begin_utf8(byte, 2, alt),
            0xf0..=0xf4 => self.begin_utf8(byte, 3, alt),
            _ => {}
        }
    }

    fn begin_utf8(&mut self, byte: u8, missing: u8, alt: bool) {
        self.held.push(byte);
        self.state = State::Utf8 { missing, alt };
    }

    fn utf8(&mut self, byte: u8, missing: u8, alt: bool, out: &mut Vec<Typed>) {
        if !matches!(byte, 0x80..=0xbf) {
            // The character was cut; what interrupts it begins anew.
            return self.ground(byte, false, out);
        }
        self.held.push(byte);
        if missing > 1 {
            self.state = State::Utf8 {
                missing: missing - 1,
                alt,
            };
            return;
        }
        let c = std::str::from_utf8(&self.held)
            .ok()
            .and_then(|s| s.chars().next());
        if let Some(c) = c.filter(|c| !c.is_control()) {
            out.push(Typed::Key(character(c, alt)));
        }
        self.reset();
    }

    fn escape(&mut self, byte: u8, out: &mut Vec<Typed>) {
        self.held.clear();
        match byte {
            b'[' => self.state = State::Csi,
            b'O' => self.state = State::Ss3,
            b']' | b'P' | b'_' | b'^' | b'X' => {
                self.state = State::Text {
                    by: byte,
                    empty: true,
                    esc: false,
                }
            }
            // Two ESC are two keys, and so is ESC before Return: on a slow line they come as one
            // packet although they were typed apart.
            0x00..=0x1f | 0x7f => {
                out.push(Typed::Key(Key::Esc));
                self.ground(byte, false, out);
            }
            _ => self.ground(byte, true, out),
        }
    }

    fn csi(&mut self, byte: u8, out: &mut Vec<Typed>) {
        match byte {
            0x1b => self.restart(),
            0x20..=0x3f => {
                let rxvt = byte == b'$'
                    && !self.held.is_empty()
                    && self.held.iter().all(u8::is_ascii_digit);
                if rxvt {
                    self.reset();
                } else if self.held.len() <= PARAMETERS_CAP {
                    self.held.push(byte);
                }
            }
            0x40..=0x7e => self.final_csi(byte, out),
            _ => self.reset(),
        }
    }

    fn final_csi(&mut self, byte: u8, out: &mut Vec<Typed>) {
        match (self.held.as_slice(), byte) {
            (b"", b'M') => self.state = State::Mouse { missing: 3 },
            (b"", b'[') => self.state = State::LinuxF,
            (b"200", b'~') => {
                self.reset();
                self.state = State::Paste { ended: 0 };
            }
            (held, _) => {
                if held.len() <= PARAMETERS_CAP {
                    out.extend(sequences::csi(held, byte).map(Typed::Key));
                }
                self.reset();
            }
        }
    }

    fn ss3(&mut self, byte: u8, out: &mut Vec<Typed>) {
        match byte {
            0x1b => self.restart(),
            0x30..=0x3f => {
                if self.held.len() <= PARAMETERS_CAP {
                    self.held.push(byte);
                }
            }
            0x40..=0x7e => {
                if self.held.is_empty() {
                    out.extend(sequences::ss3(byte).map(Typed::Key));
                }
                self.reset();
            }
            _ => self.reset(),
        }
    }

    fn text(&mut self, byte: u8, by: u8, esc: bool, out: &mut Vec<Typed>) {
        match byte {
            b'\\' if esc => self.reset(),
            // An ESC that does not end the text begins something else.
            _ if esc => {
                self.restart();
                self.escape(byte, out);
            }
            0x07 | 0x18 | 0x1a => self.reset(),
            _ => {
                self.state = State::Text {
                    by,
                    empty: false,
                    esc: byte == 0x1b,
                }
            }
        }
    }

    fn restart(&mut self) {
        self.reset();
        self.state = State::Esc;
    }

    fn paste(&mut self, byte: u8, ended: usize, out: &mut Vec<Typed>) {
        if PASTE_END.get(ended) == Some(&byte) {
            if ended + 1 == PASTE_END.len() {
                self.end_paste(out);
            } else {
                self.state = State::Paste { ended: ended + 1 };
            }
            return;
        }
        // What looked like the end was text; only its first byte is an ESC, so nothing of it
        // can be the start of the true end.
        self.keep(PASTE_END.get(..ended).unwrap_or_default());
        if byte == 0x1b {
            self.state = State::Paste { ended: 1 };
        } else {
            self.keep(&[byte]);
            self.state = State::Paste { ended: 0 };
        }
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = PASTE_CAP.saturating_sub(self.pasted.len());
        self.pasted.extend(bytes.iter().take(room));
    }

    fn end_paste(&mut self, out: &mut Vec<Typed>) {
        let text = String::from_utf8_lossy(&self.pasted)
            .replace("\r\n", "\n")
            .replace('\r', "\n");
        self.pasted = Vec::new();
        self.reset();
        out.push(Typed::Paste(text));
    }
}

fn character(c: char, alt: bool) -> Key {
    if alt { Key::Alt(c) } else { Key::Char(c) }
}
