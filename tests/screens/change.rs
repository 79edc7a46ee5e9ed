//! A change that is marked, and what it brought.

use std::sync::Arc;

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::console::state::layer::Layer;
use warroom::model::command::{Command, Notice, Verdicts};
use warroom::model::compare::{Compared, Comparison, Figures, Measure, Middle, Verdict};
use warroom::model::event::{EventId, EventKind};
use warroom::model::target::Target;

use crate::fixture::{
    API, DB, NOW_MS, SHOP, empty, event, night, notice, rtt, stamp, verdicts, with,
};
use crate::{press, text};

fn figures(target: &str, measure: Measure, (asked, failed): (u32, u32), us: u64) -> Figures {
    Figures {
        target: Target::parse(target).unwrap().id,
        measure,
        how: "10.0.0.1 by ICMP datagram".into(),
        asked,
        failed: Some(failed),
        time: Middle::of((0..asked - failed).map(|n| rtt(us + u64::from(n) * us / 500))),
    }
}

fn comparison() -> Comparison {
    let row = |target, measure: Measure, was, is, share, time| Compared {
        before: figures(target, measure.clone(), was, 14_000),
        after: figures(target, measure, is, 14_100),
        share,
        time,
    };
    use Verdict::*;
    let mut http = row(SHOP, Measure::Http, (12, 12), (9, 0), Some(Better), None);
    http.after.time = Middle::of((80..89).map(|n| rtt(n * 1000)));
    let mut phase = row(
        SHOP,
        Measure::Phase("first byte".into()),
        (12, 0),
        (9, 0),
        None,
        Some(Early),
    );
    phase.before.time = Middle::of((800..812).map(|n| rtt(n * 1000)));
    Comparison {
        mark: EventId("ana@jump1-3f2c:20".into()),
        at: stamp(NOW_MS - 90_000).wall,
        label: "rolled back change 31".into(),
        rows: vec![
            row(
                API,
                Measure::Ping,
                (120, 0),
                (88, 0),
                Some(Same),
                Some(Same),
            ),
            row(
                API,
                Measure::Dns("10.0.0.53".into()),
                (12, 0),
                (8, 0),
                Some(Early),
                Some(Same),
            ),
            http,
            phase,
            row(
                DB,
                Measure::Ping,
                (120, 14),
                (88, 30),
                Some(Worse),
                Some(Same),
            ),
        ],
        left_out: 0,
        cleared: vec!["tls-expired of https://shop.example.net/health".into()],
        opened: Vec::new(),
    }
}

fn comparing(cols: u16, rows: u16) -> App {
    let mut batch = empty(NOW_MS);
    batch.verdicts = Some(Verdicts {
        comparison: Some(Arc::new(comparison())),
        ..verdicts()
    });
    with(night(cols, rows), batch)
}

fn both(name: &str, keys: &str) {
    for (cols, rows) in [(80, 24), (120, 40)] {
        let mut app = comparing(cols, rows);
        press(&mut app, keys);
        assert_snapshot!(format!("{name}_{cols}x{rows}"), text(&app));
    }
}

#[test]
fn on_the_overview() {
    both("change", "j");
    let mut app = comparing(40, 12);
    press(&mut app, "j");
    assert_snapshot!("change_40x12", text(&app));
}

#[test]
fn beside_what_is_measured() {
    both("change_path", "j2");
    both("change_http", "jj6");
    let mut app = comparing(80, 24);
    press(&mut app, "j3");
    let shown = text(&app);
    assert!(
        shown.contains("10.0.0.53 fails") && shown.contains("BEFORE"),
        "{shown}"
    );
}

#[test]
fn b_asks_for_words_and_marks_and_b_again_ends_it() {
    let mut app = night(80, 24);
    assert_eq!(press(&mut app, "b"), []);
    assert!(matches!(app.layer(), Some(Layer::Change(_))));
    assert!(text(&app).contains("Enter marks now"));
    // Given up: nothing is marked.
    assert_eq!(press(&mut app, "<esc>"), []);
    let sent = press(&mut app, "b<enter>");
    assert!(
        matches!(&sent[..], [Command::MarkChange { label, .. }] if label.is_empty()),
        "words are not needed: {sent:?}"
    );
    let sent = press(&mut app, "brollback 31<enter>9");
    let Command::MarkChange { ticket, label } = &sent[0] else {
        panic!("{sent:?}");
    };
    assert_eq!(label.as_str(), "rollback 31");
    assert!(text(&app).contains("rollback 31  saving"), "{}", text(&app));
    app.update(notice(
        NOW_MS,
        Notice::Saved {
            ticket: *ticket,
            what: "change marked: rollback 31".into(),
        },
    ));
    let mut batch = empty(NOW_MS + 100);
    batch.events.push(event(
        20,
        0,
        EventKind::ChangeMarked {
            label: "rollback 31".into(),
            before: Vec::new(),
            open: Vec::new(),
        },
    ));
    batch.verdicts = Some(Verdicts {
        comparison: Some(Arc::new(comparison())),
        ..verdicts()
    });
    let mut app = with(app, batch);
    let shown = text(&app);
    assert!(shown.contains("marks a change: rollback 31"), "{shown}");
    let footer = shown.lines().last().unwrap().to_owned();
    assert!(footer.contains("b end compare"), "{footer}");
    let sent = press(&mut app, "b");
    assert!(
        matches!(&sent[..], [Command::EndComparison { .. }]),
        "{sent:?}"
    );
    // On a screen that stands still the key still knows what is under way.
    press(&mut app, "z");
    let sent = press(&mut app, "b");
    assert!(
        matches!(&sent[..], [Command::EndComparison { .. }]),
        "{sent:?}"
    );
}

#[test]
fn it_is_in_the_palette_and_among_the_keys() {
    let mut app = night(80, 24);
    press(&mut app, ":change");
    assert!(text(&app).contains("before and after"), "{}", text(&app));
    press(&mut app, "<enter>");
    assert!(matches!(app.layer(), Some(Layer::Change(_))));
    assert!(
        text(&night(80, 24))
            .lines()
            .last()
            .unwrap()
            .contains("b change")
    );
}
