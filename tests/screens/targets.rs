//! Adding and removing targets by keys.

use insta::assert_snapshot;
use warroom::console::state::message::Message;
use warroom::model::command::{Command, Notice};
use warroom::model::target::{Target, TargetId};

use crate::fixture::{API, NOW_MS, empty, night, notice, pinged, stamp, with};
use crate::{press, text};

#[test]
fn a_typed_target_is_sent_and_nonsense_is_asked_again() {
    let mut app = night(80, 24);
    assert_eq!(press(&mut app, "Aa b<enter>"), []);
    assert_snapshot!("add_refused", text(&app));
    press(&mut app, "<bs><bs>.example.com<enter>");
    let mut app = night(80, 24);
    let sent = press(&mut app, "Adb.example.net:5432<enter>");
    let [Command::AddTarget { target, .. }] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(target.id.as_str(), "db.example.net:5432");
    let sent = press(&mut app, ":add https://x.example/<enter>");
    assert!(
        matches!(sent.as_slice(), [Command::AddTarget { .. }]),
        "{sent:?}"
    );
    // One that is there is shown, not added twice.
    assert_eq!(press(&mut app, &format!("A{API}<enter>")), []);
    assert!(text(&app).contains("watched already"), "{}", text(&app));
}

#[test]
fn a_new_target_has_its_place_before_this_host_and_its_first_facts_count() {
    let mut app = night(120, 40);
    press(&mut app, "j2");
    let id = |app: &warroom::console::state::App| app.current_id().map(ToString::to_string);
    let before = id(&app);
    let mut batch = pinged(NOW_MS, 7, Some(33));
    batch.observations[0].target = Target::parse("new.example").unwrap().id;
    let target = Box::new(Target::parse("new.example").unwrap());
    batch.notices = vec![Notice::TargetAdded(target)];
    app = with(app, batch);
    assert_eq!(id(&app), before, "what somebody works at stays in sight");
    press(&mut app, "1");
    let shown = text(&app);
    let row = shown.lines().find(|l| l.contains("new.example")).unwrap();
    assert!(row.contains("33"), "{shown}");
}

#[test]
fn removal_is_asked_for_and_the_selection_goes_on() {
    let mut app = night(80, 24);
    press(&mut app, "j");
    press(&mut app, "D");
    assert_eq!(press(&mut app, "y"), [], "too early to have been read");
    app.update(Message::Tick(stamp(NOW_MS + 1000)));
    app.update(Message::Tick(stamp(NOW_MS + 2000)));
    assert_snapshot!("remove", text(&app));
    let sent = press(&mut app, "y");
    let [Command::RemoveTarget { target, .. }] = sent.as_slice() else {
        panic!("{sent:?}");
    };
    assert_eq!(target.as_str(), API);
    app.update(notice(NOW_MS, Notice::TargetRemoved(target.clone())));
    app = with(app, empty(NOW_MS + 3000));
    assert!(app.current_id().is_some_and(|id| id.as_str() != API));
    for screen in '1'..='9' {
        press(&mut app, &screen.to_string());
        text(&app);
    }
}

#[test]
fn this_host_stays_and_what_is_not_watched_is_said_to_be_none() {
    let mut app = night(80, 24);
    press(&mut app, "g");
    assert_eq!(app.current_id(), Some(&TargetId::local()));
    assert_eq!(press(&mut app, "D"), []);
    assert!(text(&app).contains("always watched"), "{}", text(&app));
    press(&mut app, ":remove nothing.example<enter>");
    assert!(
        text(&app).contains("no target 'nothing.example'"),
        "{}",
        text(&app)
    );
}

#[test]
fn all_targets_may_go() {
    let mut app = night(80, 24);
    let all = [
        "local",
        API,
        "https://shop.example.net/health",
        "10.20.0.53",
    ];
    let more = ["dns:www.example.org", "snmp://sw1.example.net"];
    for target in all.into_iter().chain(more) {
        let id = match target {
            "local" => TargetId::local(),
            t => Target::parse(t).unwrap().id,
        };
        app.update(notice(NOW_MS, Notice::TargetRemoved(id)));
        for screen in "123456789".chars() {
            press(&mut app, &screen.to_string());
            text(&app);
        }
    }
}
