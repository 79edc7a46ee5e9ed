//! Quick capture: one line typed at 3 a.m. becomes a note of some sort at some time.
//!
//! Pure; the console, `warroom incident note` and imports share it.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::event::NoteKind;

/// Takes the optional marks off the front of a line: `@14:05` (UTC) or `@-10m` for when it
/// happened, `!` decision, `?` question, `todo` follow-up, `h` hypothesis, in any order, each at
/// most once. What is no mark is text. The text may be empty; the caller then has nothing to
/// save.
///
/// A time of day later than `now` means yesterday.
pub fn parse_note(raw: &str, now: Timestamp) -> (NoteKind, String, Option<Timestamp>) {
    let mut rest = raw.trim();
    let mut kind = None;
    let mut happened = None;
    loop {
        if happened.is_none()
            && let Some((time, after)) = time_mark(rest, now)
        {
            happened = Some(time);
            rest = after;
        } else if kind.is_none()
            && let Some((sort, after)) = kind_mark(rest)
        {
            kind = Some(sort);
            rest = after;
        } else {
            return (kind.unwrap_or_default(), rest.to_owned(), happened);
        }
    }
}

fn kind_mark(text: &str) -> Option<(NoteKind, &str)> {
    if let Some(rest) = text.strip_prefix('!') {
        return Some((NoteKind::Decision, rest.trim_start()));
    }
    if let Some(rest) = text.strip_prefix('?') {
        return Some((NoteKind::Question, rest.trim_start()));
    }
    let (word, rest) = text.split_once(char::is_whitespace)?;
    let word = word.strip_suffix(':').unwrap_or(word);
    let kind = match word {
        "todo" | "TODO" | "Todo" => NoteKind::Todo,
        "h" | "H" => NoteKind::Hypothesis,
        _ => return None,
    };
    Some((kind, rest.trim_start()))
}

fn time_mark(text: &str, now: Timestamp) -> Option<(Timestamp, &str)> {
    let mark = text.strip_prefix('@')?;
    let (word, rest) = mark.split_once(char::is_whitespace).unwrap_or((mark, ""));
    let time = match word.strip_prefix('-') {
        Some(ago) => now.checked_sub(span(ago)?).ok()?,
        None => time_of_day(word.trim_end_matches(['Z', 'z']), now)?,
    };
    Some((time, rest.trim_start()))
}

/// `90s`, `10m`, `1h30m`, `10` (minutes); at most 30 days.
fn span(text: &str) -> Option<SignedDuration> {
    let mut total = 0i64;
    let mut digits = String::new();
    let bare = text.chars().all(|c| c.is_ascii_digit());
    for c in text.chars().chain(bare.then_some('m')) {
        if c.is_ascii_digit() && digits.len() < 7 {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return None,
        };
        total += digits.parse::<i64>().ok()? * unit;
        digits.clear();
    }
    let whole = digits.is_empty() && total <= 30 * 86_400;
    whole.then(|| SignedDuration::from_secs(total))
}

/// `14:05` or `14:05:30`, today or yesterday.
fn time_of_day(text: &str, now: Timestamp) -> Option<Timestamp> {
    let mut parts = text.split(':').map(|p| {
        let fits = (1..=2).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit());
        fits.then(|| p.parse::<i8>().ok()).flatten()
    });
    let (hour, minute) = (parts.next()??, parts.next()??);
    let second = match parts.next() {
        Some(second) => second?,
        None => 0,
    };
    if parts.next().is_some() {
        return None;
    }
    let time = Time::new(hour, minute, second, 0).ok()?;
    let today = now.to_zoned(TimeZone::UTC).date();
    let at = today.to_datetime(time).to_zoned(TimeZone::UTC).ok()?;
    if at.timestamp() <= now {
        return Some(at.timestamp());
    }
    at.timestamp()
        .checked_sub(SignedDuration::from_hours(24))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Timestamp {
        "2026-11-22T14:07:32Z".parse().unwrap()
    }

    fn parsed(raw: &str) -> (NoteKind, String, Option<String>) {
        let (kind, text, at) = parse_note(raw, now());
        (kind, text, at.map(|t| t.to_string()))
    }

    #[test]
    fn marks_are_taken_in_any_order() {
        use NoteKind::*;
        let at = |s: &str| Some(s.to_owned());
        for (raw, kind, text, happened) in [
            ("hello", Note, "hello", None),
            ("  ! roll back ", Decision, "roll back", None),
            ("!roll back", Decision, "roll back", None),
            ("? who owns fw-2", Question, "who owns fw-2", None),
            ("todo alert on PMTU", Todo, "alert on PMTU", None),
            ("TODO: alert", Todo, "alert", None),
            ("h change 31 did it", Hypothesis, "change 31 did it", None),
            ("@14:05 paged", Note, "paged", at("2026-11-22T14:05:00Z")),
            (
                "@14:05:10Z paged",
                Note,
                "paged",
                at("2026-11-22T14:05:10Z"),
            ),
            ("@23:50 began", Note, "began", at("2026-11-21T23:50:00Z")),
            (
                "@-10m ! rolled back",
                Decision,
                "rolled back",
                at("2026-11-22T13:57:32Z"),
            ),
            ("! @-1h30m x", Decision, "x", at("2026-11-22T12:37:32Z")),
            ("@-10 x", Note, "x", at("2026-11-22T13:57:32Z")),
        ] {
            assert_eq!(parsed(raw), (kind, text.to_owned(), happened), "{raw:?}");
        }
    }

    #[test]
    fn what_only_looks_like_a_mark_is_text() {
        for raw in [
            "host is down",
            "@ana please look",
            "@25:00 x",
            "@14:60 x",
            "@1:2:3:4 x",
            "@-10y x",
            "@-9999999d x",
            "@-+5m x",
            "todos are many",
            "todo",
            "h",
        ] {
            assert_eq!(
                parsed(raw),
                (NoteKind::Note, raw.to_owned(), None),
                "{raw:?}"
            );
        }
        assert_eq!(parsed("! ! x").1, "! x");
        assert_eq!(parsed("").1, "");
    }

    proptest! {
        #[test]
        fn never_panics_and_never_in_the_future(raw in "[@!?h 0-9:smhdZ-]{0,24}|\\PC*") {
            let (_, text, at) = parse_note(&raw, now());
            prop_assert!(raw.contains(&text));
            prop_assert!(at.is_none_or(|t| t <= now()));
        }
    }
}
