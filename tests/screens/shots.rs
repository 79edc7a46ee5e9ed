//! Each screen and each layer as a tired engineer sees it.

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::console::state::message::Message;
use warroom::model::command::Notice;

use crate::fixture::{NOW_MS, fresh, news, night, notice, runbook, runbook_list, stamp, with};
use crate::{press, text};

/// A console brought to some place by keys.
fn at(cols: u16, rows: u16, keys: &str) -> App {
    let mut app = night(cols, rows);
    press(&mut app, keys);
    app
}

fn in_runbook(cols: u16, rows: u16, keys: &str) -> App {
    let mut app = at(cols, rows, "jr");
    app.update(notice(NOW_MS, Notice::RunbookOpened(Box::new(runbook()))));
    press(&mut app, keys);
    app
}

fn both(name: &str, make: impl Fn(u16, u16) -> App) {
    for (cols, rows) in [(80, 24), (120, 40)] {
        assert_snapshot!(format!("{name}_{cols}x{rows}"), text(&make(cols, rows)));
    }
}

#[test]
fn overview() {
    both("overview", |c, r| at(c, r, "j"));
}

#[test]
fn overview_before_anything() {
    both("first_frame", |c, r| fresh(c, r, true));
}

#[test]
fn overview_small() {
    assert_snapshot!("overview_40x12", text(&at(40, 12, "j")));
    assert_snapshot!("too_small", text(&at(39, 5, "j")));
}

#[test]
fn overview_ascii() {
    let mut app = with(fresh(80, 24, false), news());
    assert_snapshot!("overview_ascii", text(&app));
    press(&mut app, "2");
    assert_snapshot!("path_ascii", text(&app));
}

#[test]
fn overview_on_a_finding() {
    assert_snapshot!("overview_finding", text(&at(80, 24, "jjjjjjjj")));
}

#[test]
fn stale() {
    let mut app = night(80, 24);
    app.update(Message::Tick(stamp(NOW_MS + 95_000)));
    assert_snapshot!("overview_stale", text(&app));
}

#[test]
fn path() {
    both("path", |c, r| at(c, r, "j<enter>"));
    both("path_local", |c, r| at(c, r, "<enter>"));
    both("path_loss", |c, r| at(c, r, "jjj2"));
}

#[test]
fn dns() {
    both("dns", |c, r| at(c, r, "jjjj3"));
}

#[test]
fn tls() {
    both("tls", |c, r| at(c, r, "jj4"));
}

#[test]
fn mtu() {
    both("mtu", |c, r| at(c, r, "j5"));
}

#[test]
fn http() {
    both("http", |c, r| at(c, r, "jj6"));
}

#[test]
fn devices() {
    both("devices", |c, r| at(c, r, "7"));
}

#[test]
fn timeline() {
    both("timeline", |c, r| at(c, r, "9k"));
    assert_snapshot!("timeline_filter", text(&at(80, 24, "9/mss<enter>")));
    assert_snapshot!("event", text(&at(80, 24, "9gjj<enter>")));
}

#[test]
fn runbooks() {
    both("runbook_list", |c, r| {
        let mut app = at(c, r, "8");
        app.update(notice(NOW_MS, runbook_list()));
        app
    });
    both("runbook_step", |c, r| in_runbook(c, r, "j"));
    assert_snapshot!("runbook_not_runnable", text(&in_runbook(80, 24, "jj]")));
    assert_snapshot!("runbook_parameter", text(&in_runbook(80, 24, "j<enter>")));
}

#[test]
fn running() {
    let mut app = in_runbook(80, 24, "j<enter><enter><enter>");
    app.update(Message::Tick(stamp(NOW_MS + 1500)));
    app.update(Message::Tick(stamp(NOW_MS + 2000)));
    assert_snapshot!("confirm", text(&app));
    press(&mut app, "y");
    app.update(notice(
        NOW_MS + 3000,
        Notice::RunOutput("PING 203.0.113.20 (203.0.113.20) 1372(1400) bytes of data.".into()),
    ));
    assert_snapshot!("output", text(&app));
    app.update(notice(
        NOW_MS + 4000,
        Notice::RunEnded("exit 0 after 4.1 s".into()),
    ));
    assert_snapshot!("output_ended", text(&app));
    let mut danger = in_runbook(80, 24, "jj<enter>");
    danger.update(Message::Tick(stamp(NOW_MS + 1500)));
    danger.update(Message::Tick(stamp(NOW_MS + 2000)));
    press(&mut danger, "api.ex");
    assert_snapshot!("confirm_danger", text(&danger));
}

#[test]
fn layers() {
    both("help", |c, r| at(c, r, "?"));
    both("finding", |c, r| at(c, r, "j5<enter>"));
    assert_snapshot!(
        "note",
        text(&at(80, 24, "n!take the tunnel out of service"))
    );
    assert_snapshot!(
        "note_pending",
        text(&at(80, 24, "ntook the tunnel out<enter>"))
    );
    assert_snapshot!("milestones", text(&at(80, 24, "m")));
    assert_snapshot!("severity", text(&at(80, 24, "v")));
    assert_snapshot!("palette", text(&at(80, 24, ":mi")));
}

#[test]
fn trouble() {
    let mut app = at(80, 24, "ntook the tunnel out<enter>");
    app.update(notice(
        NOW_MS,
        Notice::NotSaved {
            ticket: warroom::model::command::Ticket(1),
            why: "no space left on /home: kept in memory, free some and it is written".into(),
        },
    ));
    app.update(notice(
        NOW_MS,
        Notice::Recorder {
            trouble: Some("no space left".into()),
            waiting: 3,
        },
    ));
    assert_snapshot!("not_saved", text(&app));
    press(&mut app, "q");
    app.update(Message::Tick(stamp(NOW_MS + 1500)));
    app.update(Message::Tick(stamp(NOW_MS + 2000)));
    assert_snapshot!("leave", text(&app));
}
