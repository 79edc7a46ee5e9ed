//! Messages off the wire, real and hostile: the parser never panics and its output is bounded.
//!
//! `tests/corpus/dns/` holds messages in hexadecimal, `#` begins a comment. `real-*` must be
//! understood, `bad-*` must be refused, of `odd-*` only survival is asked.

use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use warroom::model::observation::DnsAnswer;
use warroom::probe::dns::read_message;

/// The longest text that any message may become.
const MAX_OUTPUT: usize = 8 << 20;

fn corpus() -> &'static [(String, Vec<u8>)] {
    static CORPUS: OnceLock<Vec<(String, Vec<u8>)>> = OnceLock::new();
    CORPUS.get_or_init(|| {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/dns");
        let mut all: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| {
                let path = entry.unwrap().path();
                let text = std::fs::read_to_string(&path).unwrap();
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                (name, bytes(&text))
            })
            .collect();
        all.sort();
        all
    })
}

fn bytes(text: &str) -> Vec<u8> {
    let digits: String = text
        .lines()
        .map(|l| l.split('#').next().unwrap())
        .flat_map(str::chars)
        .filter(|c| !c.is_whitespace())
        .collect();
    digits
        .as_bytes()
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn read(raw: &[u8]) -> Result<DnsAnswer, String> {
    let now = "2026-11-22T12:00:00Z".parse().unwrap();
    let answer = read_message(raw, now);
    let size = match &answer {
        Ok(a) => {
            let text = serde_json::to_string(a).unwrap();
            assert!(text.bytes().all(|b| b >= 0x20 && b != 0x7f), "{text}");
            // What is recorded can be read back.
            let back: DnsAnswer = serde_json::from_str(&text).unwrap();
            assert_eq!(back.rcode, a.rcode);
            text.len()
        }
        Err(why) => why.len(),
    };
    assert!(size < MAX_OUTPUT, "{size} bytes");
    answer
}

#[test]
fn the_corpus_is_replayed() {
    let mut kinds = [0, 0, 0];
    for (name, raw) in corpus() {
        let answer = read(raw);
        match name.split('-').next().unwrap() {
            "real" => {
                kinds[0] += 1;
                let a = answer.unwrap_or_else(|e| panic!("{name}: {e}"));
                assert!(
                    !a.records.is_empty() || a.soa.is_some() || !a.detail.authority.is_empty(),
                    "{name}: {a:?}"
                );
            }
            "bad" => {
                kinds[1] += 1;
                assert!(answer.is_err(), "{name}: {answer:?}");
            }
            "odd" => kinds[2] += 1,
            other => panic!("{name}: what is {other}?"),
        }
    }
    assert!(kinds.iter().all(|n| *n >= 4), "{kinds:?}");
}

/// One way to damage a message.
#[derive(Clone, Debug)]
enum Damage {
    Flip(usize, u8),
    Cut(usize),
    Splice(usize, Vec<u8>),
    Copy(usize, usize, usize),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = 0usize..4096;
    prop_oneof![
        5 => (at.clone(), any::<u8>()).prop_map(|(i, b)| Damage::Flip(i, b)),
        1 => at.clone().prop_map(Damage::Cut),
        2 => (at.clone(), prop::collection::vec(any::<u8>(), 0..20))
            .prop_map(|(i, b)| Damage::Splice(i, b)),
        // A pointer somewhere into the message.
        2 => (at.clone(), 0usize..600).prop_map(|(i, to)| {
            Damage::Splice(i, vec![0xc0 | (to >> 8) as u8, to as u8])
        }),
        1 => (at.clone(), at, 0usize..200).prop_map(|(a, b, n)| Damage::Copy(a, b, n)),
    ]
}

fn damaged(mut raw: Vec<u8>, all: &[Damage]) -> Vec<u8> {
    for d in all {
        let len = raw.len().max(1);
        match d {
            Damage::Flip(i, b) => {
                if let Some(byte) = raw.get_mut(i % len) {
                    *byte ^= b;
                }
            }
            Damage::Cut(n) => raw.truncate(n % len),
            Damage::Splice(i, b) => {
                let at = (i % len).min(raw.len());
                let end = (at + b.len()).min(raw.len());
                raw.splice(at..end, b.iter().copied());
            }
            Damage::Copy(a, b, n) => {
                let (a, b) = ((a % len).min(raw.len()), (b % len).min(raw.len()));
                let part: Vec<u8> = raw[a..(a + n).min(raw.len())].to_vec();
                raw.splice(b..b, part);
            }
        }
        raw.truncate(65_535);
    }
    raw
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_are_survived(raw in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = read(&raw);
    }

    #[test]
    fn a_plausible_head_before_any_bytes(
        counts in prop::array::uniform4(0u8..6),
        rest in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut raw = vec![0x12, 0x34, 0x84, 0x00];
        for c in counts {
            raw.extend([0, c]);
        }
        raw.extend(rest);
        let _ = read(&raw);
    }

    #[test]
    fn damaged_answers_are_survived(
        which in any::<prop::sample::Index>(),
        how in prop::collection::vec(damage(), 1..8),
    ) {
        let (_, raw) = which.get(corpus());
        let _ = read(&damaged(raw.clone(), &how));
    }
}

/// The longest output: a message full of records whose names are as long as can be.
#[test]
fn the_worst_message_is_bounded() {
    let mut raw = vec![0, 1, 0x84, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0];
    // One name of 255 octets that needs an escape for each.
    let name_at = raw.len();
    let mut left = 254usize;
    while left > 1 {
        let n = (left - 1).min(63);
        raw.push(n as u8);
        raw.extend(std::iter::repeat_n(0x01, n));
        left -= n + 1;
    }
    raw.push(0);
    let pointer = [0xc0 | (name_at >> 8) as u8, name_at as u8];
    raw.extend([0, 2, 0, 1, 0, 0, 0, 1, 0, 2]);
    raw.extend(pointer);
    let mut records = 1u16;
    while raw.len() + 14 <= 65_535 {
        raw.extend(pointer);
        raw.extend([0, 2, 0, 1, 0, 0, 0, 1, 0, 2]);
        raw.extend(pointer);
        records += 1;
    }
    raw[6..8].copy_from_slice(&records.to_be_bytes());
    let answer = read(&raw).unwrap();
    assert!(answer.records.len() <= 512);
}
