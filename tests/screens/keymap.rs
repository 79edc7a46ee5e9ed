//! Keys that the user chose: they work, the usual ones don't, and every place shows the new ones.

use warroom::console::state::keymap::Keymap;
use warroom::console::state::{App, AppInit, Settings};
use warroom::model::command::Command;
use warroom::model::target::Target;

use crate::fixture::{news, stamp, with};
use crate::{press, text};

fn with_keys(cols: u16, rows: u16, chosen: &[(&str, &[&str])]) -> App {
    let owned: Vec<(&str, Vec<String>)> = chosen
        .iter()
        .map(|(name, keys)| (*name, keys.iter().map(|k| (*k).to_owned()).collect()))
        .collect();
    let keys = Keymap::with(owned.iter().map(|(n, k)| (*n, k.as_slice()))).unwrap();
    let targets = ["api.example.com", "10.20.0.53"].map(|t| Target::parse(t).unwrap());
    let app = App::new(AppInit {
        targets: targets.to_vec(),
        incident_name: "x".into(),
        incident_dir: "/x".into(),
        who: "ana@jump1".into(),
        cwd: "/".into(),
        started: stamp(0),
        utf8: true,
        size: (cols, rows),
        settings: Settings {
            keys,
            ..Settings::default()
        },
    });
    with(app, news())
}

#[test]
fn chosen_keys_work_and_are_shown_in_footer_help_and_palette() {
    let chosen: &[(&str, &[&str])] = &[
        ("pin", &["n"]),
        ("note", &["w", "Ctrl-N"]),
        ("next", &[">"]),
        ("previous", &["<"]),
        ("down", &["Down"]),
        ("page-down", &["Space"]),
        ("export", &[]),
        ("event", &[]),
        ("next-event", &[]),
        ("play", &[]),
    ];
    let mut app = with_keys(120, 40, chosen);
    let sent = press(&mut app, "n");
    assert!(matches!(sent.as_slice(), [Command::Pin { .. }]), "{sent:?}");
    assert_eq!(press(&mut app, "e"), [], "no key at all");
    press(&mut app, "2");
    let shown = text(&app);
    assert!(
        shown.contains("n pin") && shown.contains("w note"),
        "{shown}"
    );
    assert!(
        shown.contains("< > target") && shown.contains("1 of 2 < >"),
        "{shown}"
    );
    press(&mut app, ">");
    assert!(text(&app).contains("2 of 2"));
    let mut app = with_keys(80, 24, chosen);
    press(&mut app, "?");
    assert!(
        text(&app).contains("more lines: Down or Space"),
        "{}",
        text(&app)
    );
    let mut app = with_keys(120, 200, chosen);
    press(&mut app, "?");
    let help = text(&app);
    assert!(help.contains("w Ctrl-N"), "{help}");
    assert!(help.contains(":export"), "{help}");
    press(&mut app, "<esc>");
    let sent = press(&mut app, ":export<enter>");
    assert!(
        matches!(sent.as_slice(), [Command::Export { .. }]),
        "{sent:?}"
    );
}
