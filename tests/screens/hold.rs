//! Figures that stand still, and figures that start anew.

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::console::state::message::Message;
use warroom::model::command::Command;
use warroom::model::finding::TargetState;

use crate::fixture::{NOW_MS, empty, night, pinged, stamp, verdicts, with};
use crate::{press, text};

/// The path of the API after news of two minutes: a slow answer, and one alarm more.
fn after_news(mut app: App) -> App {
    for n in 0..20 {
        app = with(app, pinged(NOW_MS + 1000 * n, 58 + n as u32, Some(77)));
    }
    let mut batch = empty(NOW_MS + 120_000);
    let mut now = verdicts();
    let mut alarm = now.findings[3].clone();
    alarm.subject = now.findings[0].subject.clone();
    now.findings.insert(0, alarm);
    now.states[1].1 = TargetState::Down("new-alarm".into());
    batch.verdicts = Some(now);
    with(app, batch)
}

fn frozen(cols: u16, rows: u16) -> App {
    let mut app = night(cols, rows);
    press(&mut app, "j2z");
    after_news(app)
}

#[test]
fn a_frozen_screen_says_so_at_every_size() {
    assert_snapshot!("frozen_80x24", text(&frozen(80, 24)));
    assert_snapshot!("frozen_120x40", text(&frozen(120, 40)));
    assert_snapshot!("frozen_40x12", text(&frozen(40, 12)));
}

#[test]
fn figures_stand_still_and_go_on_where_they_would_be() {
    let below_mark = |app: &App| text(app).lines().skip(3).collect::<Vec<_>>().join("\n");
    let mut app = night(120, 40);
    press(&mut app, "j2");
    let before = below_mark(&app);
    press(&mut app, "z");
    let mut app = after_news(app);
    assert_eq!(below_mark(&app), before, "not even an age moves");
    let live = {
        let mut live = night(120, 40);
        press(&mut live, "j2");
        below_mark(&after_news(live))
    };
    assert_ne!(live, before, "a screen that is not frozen shows the news");
    press(&mut app, "z");
    let after: Vec<_> = below_mark(&app).lines().map(str::to_owned).collect();
    let live: Vec<_> = live.lines().map(str::to_owned).collect();
    // The last lines say that it goes on.
    assert_eq!(after[..34], live[..34]);
    assert!(text(&app).contains("nothing was missed"));
}

#[test]
fn what_is_pinned_while_frozen_says_when_it_was() {
    let mut app = frozen(80, 24);
    let sent = press(&mut app, "p");
    let Some(Command::Pin { title, .. }) = sent.first() else {
        panic!("{sent:?}");
    };
    assert!(
        title.as_str().ends_with("as it was at 14:07:32Z"),
        "{title}"
    );
}

#[test]
fn data_does_not_go_stale_while_frozen_but_does_after() {
    let mut app = night(80, 24);
    press(&mut app, "z");
    app.update(Message::Tick(stamp(NOW_MS + 95_000)));
    assert!(!text(&app).contains("stale"), "{}", text(&app));
    press(&mut app, "z");
    assert!(text(&app).contains("stale"), "{}", text(&app));
}

#[test]
fn reset_starts_the_figures_anew_and_keeps_the_old_on_record() {
    let mut app = night(80, 24);
    let findings = text(&app).matches("black hole").count();
    press(&mut app, "j2");
    let sent = press(&mut app, "R");
    let [Command::Note { text: note, .. }] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert!(
        note.contains("api.example.com") && note.contains("0 of 58 lost, median 13.3"),
        "{note}"
    );
    app = with(app, pinged(NOW_MS + 2000, 58, None));
    app = with(app, pinged(NOW_MS + 3000, 59, Some(20)));
    let shown = text(&app);
    assert!(shown.contains("1 of 2 lost"), "{shown}");
    assert!(shown.contains("figures since 14:07:32Z"), "{shown}");
    assert!(!shown.contains("of 58 lost, median"), "{shown}");
    press(&mut app, "1g");
    assert_eq!(text(&app).matches("black hole").count(), findings);
    // Others keep theirs.
    press(&mut app, "jjj2");
    assert!(text(&app).contains("7 of 58 lost"), "{}", text(&app));
}

#[test]
fn nothing_is_reset_behind_a_frozen_screen_or_where_nothing_is_known() {
    let mut app = frozen(80, 24);
    assert_eq!(press(&mut app, "R"), []);
    assert!(text(&app).contains("frozen"), "{}", text(&app));
    press(&mut app, "zRR");
    let again = press(&mut app, "R");
    assert_eq!(again, [], "{again:?}");
}
