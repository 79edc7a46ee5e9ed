//! What the decoder must and must not make of bytes.

use proptest::prelude::*;

use super::decoder::{Decoder, ESC_WAIT, PASTE_CAP, REST_WAIT, Typed};
use crate::console::state::key::Key;
use crate::model::time::Mono;

const START: Mono = Mono::from_millis(1000);

fn decode(bytes: &[u8]) -> Vec<Typed> {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(bytes, START, &mut out);
    decoder.expire(START.plus(REST_WAIT), &mut out);
    out
}

fn keys(bytes: &[u8]) -> Vec<Key> {
    decode(bytes)
        .into_iter()
        .map(|typed| match typed {
            Typed::Key(key) => key,
            Typed::Paste(text) => panic!("pasted {text:?}"),
        })
        .collect()
}

#[test]
fn table_of_known_keys() {
    let table: &[(&[u8], Key)] = &[
        (b"q", Key::Char('q')),
        ("ä".as_bytes(), Key::Char('ä')),
        ("✖".as_bytes(), Key::Char('✖')),
        ("\u{1f525}".as_bytes(), Key::Char('\u{1f525}')),
        (b"\r", Key::Enter),
        (b"\n", Key::Enter),
        (b"\t", Key::Tab),
        (b"\x7f", Key::Backspace),
        (b"\x08", Key::Backspace),
        (b"\x00", Key::Ctrl(' ')),
        (b"\x03", Key::Ctrl('c')),
        (b"\x1a", Key::Ctrl('z')),
        (b"\x1c", Key::Ctrl('\\')),
        (b"\x1b", Key::Esc),
        (b"\x1bx", Key::Alt('x')),
        ("\x1bä".as_bytes(), Key::Alt('ä')),
        (b"\x1b[", Key::Alt('[')),
        (b"\x1bO", Key::Alt('O')),
        (b"\x1b]", Key::Alt(']')),
        (b"\x1b[A", Key::Up),
        (b"\x1bOB", Key::Down),
        (b"\x1b[1;5C", Key::Right),
        (b"\x1b[1;2D", Key::Left),
        (b"\x1b[H", Key::Home),
        (b"\x1bOF", Key::End),
        (b"\x1b[1~", Key::Home),
        (b"\x1b[8~", Key::End),
        (b"\x1b[2~", Key::Insert),
        (b"\x1b[3;5~", Key::Delete),
        (b"\x1b[5~", Key::PageUp),
        (b"\x1b[6~", Key::PageDown),
        (b"\x1b[Z", Key::BackTab),
        (b"\x1bOP", Key::F(1)),
        (b"\x1bOS", Key::F(4)),
        (b"\x1b[R", Key::F(3)),
        (b"\x1b[[E", Key::F(5)),
        (b"\x1b[15~", Key::F(5)),
        (b"\x1b[17~", Key::F(6)),
        (b"\x1b[21~", Key::F(10)),
        (b"\x1b[24~", Key::F(12)),
        (b"\x1b[34~", Key::F(20)),
        (b"\x1b[1;2P", Key::F(13)),
        (b"\x1b[24;5~", Key::F(36)),
    ];
    for (bytes, key) in table {
        assert_eq!(keys(bytes), [*key], "{}", bytes.escape_ascii());
    }
}

#[test]
fn answers_and_reports_are_never_keys() {
    let table: &[&[u8]] = &[
        b"\x1b[24;80R",           // cursor position
        b"\x1b[1;1R",             // the same, looks like a modified F3
        b"\x1b[?1;24;80R",        // the same, private
        b"\x1b[?62;4;22c",        // device attributes
        b"\x1b[>41;390;0c",       // secondary
        b"\x1bP!|00000000\x1b\\", // tertiary
        b"\x1b[?2026;2$y",        // mode report
        b"\x1b[4;2$y",            // mode report, ANSI
        b"\x1b[8;24;80t",         // size report
        b"\x1b]11;rgb:0000/0000/0000\x07",
        b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
        b"\x1b]52;c;cm0gLXJmIC8=\x07",
        b"\x1bP1$r0m\x1b\\",
        b"\x1b_Gi=31;OK\x1b\\",
        b"\x1b[I\x1b[O", // focus
        b"\x1b[M !!",    // X10 mouse
        b"\x1b[<0;10;20M\x1b[<0;10;20m",
        b"\x1b[?1u",    // keyboard flags
        b"\x1b[113;5u", // keyboard protocol nobody switched on
        b"\x1b[27;5;113~",
        b"\x1b[201~",                // end of a paste that never began
        b"\x1b[3$",                  // rxvt, shift-delete
        b"\x9b24;80R"[..1].as_ref(), // 8-bit C1 is not UTF-8
        b"\xc2\x9b",                 // C1 in UTF-8
        b"\xff\xfe\xc0\x80",
        b"\xed\xa0\x80", // a surrogate
        b"\xe2\x80",     // cut, and nothing follows
    ];
    for bytes in table {
        assert_eq!(decode(bytes), [], "{}", bytes.escape_ascii());
    }
}

#[test]
fn what_interrupts_begins_anew() {
    assert_eq!(keys(b"\xe2\x80q"), [Key::Char('q')]);
    assert_eq!(keys(b"\x1b[12\x1b[A"), [Key::Up]);
    assert_eq!(keys(b"\x1b]0;t\x1b[B"), [Key::Down]);
    assert_eq!(keys(b"\x1b\x1b[A"), [Key::Esc, Key::Up]);
    assert_eq!(keys(b"\x1b\r"), [Key::Esc, Key::Enter]);
    assert_eq!(keys(b"\x1b[12\x18q"), [Key::Char('q')]);
}

#[test]
fn an_esc_waits_fifty_milliseconds() {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(b"\x1b", START, &mut out);
    assert_eq!(decoder.expires_at(), Some(START.plus(ESC_WAIT)));
    decoder.expire(Mono::from_millis(1049), &mut out);
    assert_eq!(out, []);
    decoder.expire(Mono::from_millis(1050), &mut out);
    assert_eq!(out, [Typed::Key(Key::Esc)]);
    assert_eq!(decoder.expires_at(), None);
    // The rest came while nobody looked: bytes that are there win over the clock.
    decoder.feed(b"\x1b", START, &mut out);
    decoder.feed(b"[A", START.plus(REST_WAIT), &mut out);
    assert_eq!(out.last(), Some(&Typed::Key(Key::Up)));
}

#[test]
fn a_cut_sequence_is_given_up_silently() {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(b"\x1b[?62;", START, &mut out);
    decoder.expire(START.plus(ESC_WAIT), &mut out);
    decoder.feed(b"4c", START.plus(ESC_WAIT), &mut out);
    assert_eq!(out, [], "the rest came late");
    decoder.feed(b"\x1b]0;ti", START, &mut out);
    decoder.expire(START.plus(REST_WAIT), &mut out);
    decoder.feed(b"q", START.plus(REST_WAIT), &mut out);
    assert_eq!(out, [Typed::Key(Key::Char('q'))], "keys work again");
}

#[test]
fn a_paste_is_one_text_however_it_is_cut() {
    let bytes = b"\x1b[200~rm -rf\r\n\x1b[A\x1b[20\xc3\xa4\rq\x03\x1b[201~x";
    let whole = decode(bytes);
    assert_eq!(
        whole,
        [
            Typed::Paste("rm -rf\n\x1b[A\x1b[20ä\nq\x03".into()),
            Typed::Key(Key::Char('x'))
        ]
    );
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    for byte in bytes {
        decoder.feed(&[*byte], START, &mut out);
    }
    assert_eq!(out, whole);
}

#[test]
fn a_paste_is_capped_and_only_ctrl_c_after_a_pause_breaks_it_off() {
    let mut decoder = Decoder::default();
    let mut out = Vec::new();
    decoder.feed(b"\x1b[200~", START, &mut out);
    for _ in 0..100 {
        decoder.feed(&[b'y'; 4096], START, &mut out);
    }
    decoder.expire(START.plus(REST_WAIT * 60), &mut out);
    decoder.feed(b"\x03", START, &mut out);
    decoder.feed(b"q\r", START.plus(REST_WAIT), &mut out);
    assert_eq!(out, [], "a stalled paste never becomes keys");
    decoder.feed(b"\x03", START.plus(REST_WAIT * 2), &mut out);
    let Some(Typed::Paste(text)) = out.pop() else {
        panic!("no paste");
    };
    assert_eq!(text.len(), PASTE_CAP);
}

fn could_act(typed: &Typed) -> bool {
    matches!(
        typed,
        Typed::Paste(_)
            | Typed::Key(Key::Char(_) | Key::Alt(_) | Key::Ctrl(_) | Key::Enter | Key::Tab)
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn never_panics_and_always_comes_back(
        bytes in proptest::collection::vec(
            prop_oneof![any::<u8>(), Just(0x1b), Just(b'['), Just(b';'), Just(b'~'), 0x30u8..0x3a],
            0..200),
        cuts in proptest::collection::vec(0usize..200, 0..5),
    ) {
        let mut whole = Vec::new();
        let mut one = Decoder::default();
        one.feed(&bytes, START, &mut whole);
        let mut parts = Vec::new();
        let mut other = Decoder::default();
        let mut cuts: Vec<_> = cuts.into_iter().map(|c| c.min(bytes.len())).collect();
        cuts.sort_unstable();
        let mut from = 0;
        for cut in cuts.into_iter().chain([bytes.len()]) {
            other.feed(&bytes[from..cut], START, &mut parts);
            from = cut;
        }
        prop_assert_eq!(&whole, &parts, "cutting changes nothing");
        let late = START.plus(REST_WAIT);
        one.expire(late, &mut whole);
        one.feed(b"\x1b[201~\x03", late.plus(REST_WAIT), &mut whole);
        let mut after = Vec::new();
        one.feed(b"q", late.plus(REST_WAIT * 3), &mut after);
        prop_assert_eq!(after, [Typed::Key(Key::Char('q'))]);
    }

    #[test]
    fn a_control_sequence_never_acts(
        parameters in "[0-9;:<=>?]{0,80}",
        intermediate in "[ -/]{0,2}",
        last in 0x40u8..0x7f,
    ) {
        let plain_paste = parameters == "200" && intermediate.is_empty() && last == b'~';
        let longer = parameters.is_empty() && intermediate.is_empty() && matches!(last, b'M' | b'[');
        // `CSI n $` is complete for rxvt, and what follows is a key of its own.
        let rxvt = intermediate.starts_with('$') && !parameters.is_empty()
            && parameters.bytes().all(|b| b.is_ascii_digit());
        prop_assume!(!plain_paste && !longer && !rxvt);
        let mut bytes = format!("\x1b[{parameters}{intermediate}").into_bytes();
        bytes.push(last);
        let got = decode(&bytes);
        prop_assert!(got.len() <= 1 && !got.iter().any(could_act), "{:?}", got);
        bytes.push(b'q');
        let after = decode(&bytes);
        prop_assert_eq!(after.last(), Some(&Typed::Key(Key::Char('q'))));
    }

    #[test]
    fn a_string_of_the_terminal_never_acts(
        by in prop_oneof![Just(b']'), Just(b'P'), Just(b'_'), Just(b'^'), Just(b'X')],
        text in "[ -~]{1,200}",
        bell in any::<bool>(),
    ) {
        let mut bytes = vec![0x1b, by];
        bytes.extend_from_slice(text.as_bytes());
        bytes.extend_from_slice(if bell { b"\x07" } else { b"\x1b\\" });
        prop_assert_eq!(decode(&bytes), []);
    }
}
