//! What somebody skims at 3 a.m.: the state of everything whole, the selection where it was, no noise.

use warroom::console::state::App;
use warroom::model::command::Notice;
use warroom::model::command::Ticket;
use warroom::model::event::NoteKind;

use crate::fixture::{NOW_MS, empty, night, note, notice, stamp, with};
use crate::flows::tick;
use crate::{press, text};

fn row_of<'a>(shown: &'a str, words: &str) -> &'a str {
    let line = shown.lines().find(|l| l.contains(words));
    line.unwrap_or_else(|| panic!("no {words} in\n{shown}"))
}

#[test]
fn the_state_of_every_target_is_whole_where_columns_can_give_way() {
    for (cols, rows) in [(40, 12), (80, 24), (120, 40)] {
        let shown = text(&night(cols, rows));
        for (target, state) in [
            (" api.example.com  ", "pmtu-black-hole"),
            ("shop.", "tls-expired"),
        ] {
            let line = shown.lines().find(|l| l.contains(target)).unwrap();
            assert!(line.trim_end().ends_with(state), "{shown}");
        }
        // What is most worth knowing is still there.
        let head = row_of(&shown, "TARGET");
        let columns = ["LOSS", "DNS", "TLS", "HTTP"];
        assert!(
            cols < 80 || columns.iter().all(|c| head.contains(c)),
            "{shown}"
        );
    }
}

#[test]
fn what_nobody_fills_gives_way_before_the_state_is_cut() {
    use warroom::model::observation::Body;
    let mut batch = crate::fixture::news();
    // Without any answer of a resolver or a web server, DNS, TLS and HTTP are all dashes.
    let kept = |b: &Body| !matches!(b, Body::Dns(_) | Body::Tls(_) | Body::Http(_));
    batch.observations.retain(|o| kept(&o.body));
    let shown = text(&with(crate::fixture::fresh(80, 24, true), batch));
    let head = row_of(&shown, "TARGET");
    assert!(!head.contains("TLS") && !head.contains("HTTP"), "{shown}");
    assert!(head.contains("LOSS") && head.contains("HOPS"), "{shown}");
}

#[test]
fn the_selection_follows_what_is_selected() {
    let mut app = night(80, 24);
    press(&mut app, "jjjjjjj");
    let picked = |app: &App| {
        let shown = text(app);
        let line = shown.lines().find(|l| l.starts_with('▌'));
        line.unwrap_or_default().to_owned()
    };
    let before = picked(&app);
    assert!(before.contains("expired"), "{before}");
    // Another order, and a new finding on top.
    let mut batch = crate::fixture::news();
    batch.observations.clear();
    batch.events.clear();
    let verdicts = batch.verdicts.as_mut().unwrap();
    verdicts.findings.reverse();
    let mut other = verdicts.findings[0].clone();
    other.discriminator = "another".into();
    verdicts.findings.insert(0, other);
    batch.at = stamp(NOW_MS + 100);
    let all = verdicts.clone();
    app = with(app, batch);
    assert_eq!(picked(&app)[..30], before[..30]);
    // It clears: its target is selected, not what moved to its row.
    let mut batch = empty(NOW_MS + 200);
    let mut fewer = all;
    fewer.findings.retain(|f| f.code.as_str() != "tls-expired");
    batch.verdicts = Some(fewer);
    app = with(app, batch);
    let after = picked(&app);
    assert!(after.contains("shop.example.net"), "{after}");
    press(&mut app, "<enter>");
    assert!(text(&app).contains("https://shop.example.net/health"));
}

#[test]
fn figures_are_out_of_the_way_and_can_be_seen() {
    let mut app = night(80, 24);
    press(&mut app, "9");
    let shown = text(&app);
    assert!(!shown.contains("• numbers"), "{shown}");
    assert!(
        shown.contains("2 lines of figures: a shows them"),
        "{shown}"
    );
    press(&mut app, "a");
    assert!(text(&app).contains("• numbers"), "{}", text(&app));
    press(&mut app, "a");
    assert!(!text(&app).contains("• numbers"));
    // Who looks for them finds them.
    press(&mut app, "/median<enter>");
    assert!(text(&app).contains("• numbers"), "{}", text(&app));
}

#[test]
fn the_selected_event_stays_selected_when_another_writers_come_late() {
    let mut app = night(80, 24);
    press(&mut app, "9k<enter>");
    let before = text(&app);
    press(&mut app, "<esc>");
    let mut batch = empty(NOW_MS + 100);
    let mut late = note(0, 200, NoteKind::Note, "from another host");
    late.writer = warroom::model::event::WriterId("ben@jump2-91d0".into());
    batch.events.push(late);
    app = with(app, batch);
    press(&mut app, "<enter>");
    let after = text(&app);
    assert!(after.contains("ben"), "{after}");
    for shown in [&before, &after] {
        assert!(shown.contains("ana@jump1-3f2c:7"), "{shown}");
    }
}

#[test]
fn where_the_draft_is_can_be_read_and_copied() {
    for (cols, rows) in [(40, 12), (80, 24)] {
        let mut app = night(cols, rows);
        press(&mut app, "e");
        let dir =
            "/home/ana/.local/state/warroom/incidents/2026-11-22-1344-api.example.com-and-others";
        let what = format!("exported: {dir}/postmortem.md");
        app.update(notice(
            NOW_MS,
            Notice::Saved {
                ticket: Ticket(1),
                what: what.into(),
            },
        ));
        // It does not go away under the eyes of whoever copies it.
        tick(&mut app, 60_000);
        let shown = text(&app);
        let words: Vec<_> = shown.split_whitespace().collect();
        assert!(shown.contains("postmortem draft saved:"), "{shown}");
        for name in ["incidents/", "postmortem.md"] {
            assert!(
                words.iter().any(|w| w.ends_with(name)),
                "{name} in\n{shown}"
            );
        }
        press(&mut app, "j");
        assert!(!text(&app).contains("draft saved"));
    }
}

#[test]
fn what_an_earlier_session_left_open_is_unknown() {
    use warroom::model::event::{EventKind, WriterId};
    let old = crate::fixture::verdicts().findings.remove(0);
    let mut batch = empty(1000);
    let mut seen = note(1, 0, NoteKind::Note, "");
    seen.writer = WriterId("ana@jump1-0ld".into());
    seen.kind = EventKind::FindingOpened {
        finding: Box::new(old.clone()),
    };
    let mut left = seen.clone();
    left.seq = 2;
    left.kind = EventKind::Left {};
    batch.events = vec![seen, left];
    let mut app = with(crate::fixture::fresh(80, 24, true), batch);
    let shown = text(&app);
    assert!(
        row_of(&shown, "unknown since").contains("? unknown since"),
        "{shown}"
    );
    press(&mut app, "G<enter>");
    let shown = text(&app);
    assert!(
        shown.contains("it was open when a session ended"),
        "{shown}"
    );
    // Seen again: it is a finding like any other.
    let mut batch = empty(2000);
    batch.verdicts = Some(crate::fixture::verdicts());
    app = with(app, batch);
    press(&mut app, "<esc>");
    assert!(!text(&app).contains("unknown since"), "{}", text(&app));
}

#[test]
fn sizes_that_fared_alike_are_one_line_and_the_edge_stands_alone() {
    use warroom::model::observation::{Body, Outcome, SizeTry};
    let mut batch = crate::fixture::news();
    for o in &mut batch.observations {
        if let Body::Pmtu(sample) = &mut o.body
            && let Outcome::Ok(p) = &mut sample.outcome
        {
            for size in [1450, 1425, 1412, 1406, 1403, 1402] {
                let (sent, answered, ttl) = (1, 0, None);
                p.tries.push(SizeTry {
                    size,
                    sent,
                    answered,
                    ttl,
                });
            }
        }
    }
    let mut app = with(crate::fixture::fresh(80, 24, true), batch);
    press(&mut app, "5");
    let shown = text(&app);
    for row in [
        "1402 - 1500     9         0  ✖ vanish",
        "1401    12         0  ✖",
        "1400    12        12  ✔",
    ] {
        assert!(shown.contains(row), "{row} in\n{shown}");
    }
    assert!(!shown.contains("1425"), "{shown}");
}

#[test]
fn a_router_that_says_unreachable_is_no_hop_further_on() {
    use warroom::model::observation::{Body, HopAnswer, HopSample, IcmpError};
    let mut batch = crate::fixture::news();
    let (a, b) = (
        crate::fixture::ip("10.0.0.1"),
        crate::fixture::ip("10.0.2.1"),
    );
    let rtt = crate::fixture::rtt(300);
    let answer = |ttl| match ttl {
        1 | 2 => HopAnswer::TimeExceeded {
            from: if ttl == 1 { a } else { b },
            rtt,
            return_ttl: None,
        },
        3 | 7 => HopAnswer::Unreachable {
            from: b,
            rtt,
            error: IcmpError::HostUnreachable,
        },
        _ => HopAnswer::Silent,
    };
    let db = |o: &warroom::model::observation::Observation| o.target.as_str() == crate::fixture::DB;
    for o in batch.observations.iter_mut().filter(|o| db(o)) {
        if let Body::Trace(round) = &mut o.body {
            let hops = (1..=9).map(|ttl| HopSample {
                ttl,
                answer: answer(ttl),
            });
            round.hops = hops.collect();
        }
    }
    let mut app = with(crate::fixture::fresh(120, 40, true), batch);
    press(&mut app, "1gjjj");
    let shown = text(&app);
    assert!(row_of(&shown, "10.20.0.53  ").contains("2+?"), "{shown}");
    press(&mut app, "2");
    let shown = text(&app);
    assert!(shown.contains("10.0.2.1 says host unreachable"), "{shown}");
    assert!(
        shown.contains("3–9  nothing beyond hop 2 answers"),
        "{shown}"
    );
    assert_eq!(shown.matches("says host unreachable").count(), 1, "{shown}");
}
