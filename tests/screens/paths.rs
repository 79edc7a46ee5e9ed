//! The path pane beyond its plain table: owners of hops.

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::model::command::Notice;
use warroom::model::origin::{Asn, GeoPlace, Origin};

use crate::fixture::{NOW_MS, ip, night, notice};
use crate::{press, text};

fn origins() -> Notice {
    let origin = |name: Option<&str>, asn: Option<(u32, &str)>, city: Option<&str>| Origin {
        name: name.map(Into::into),
        asn: asn.map(|(number, name)| Asn {
            number,
            prefix: None,
            name: Some(name.into()),
        }),
        place: city.map(|city| GeoPlace {
            country: Some("DE".into()),
            city: Some(city.into()),
        }),
    };
    Notice::Origins(vec![
        (
            ip("10.0.0.1"),
            origin(Some("gw.office.example"), None, None),
        ),
        (
            ip("192.0.2.9"),
            origin(
                Some("ae3-701.cr2.fra1.transit.example.net"),
                Some((64_500, "EXAMPLE-TRANSIT")),
                Some("Frankfurt"),
            ),
        ),
        (
            ip("192.0.2.33"),
            origin(None, Some((64_500, "EXAMPLE-TRANSIT")), None),
        ),
    ])
}

fn on_path(cols: u16, rows: u16, keys: &str) -> App {
    let mut app = night(cols, rows);
    app.update(notice(NOW_MS, origins()));
    press(&mut app, "j2");
    press(&mut app, keys);
    app
}

#[test]
fn owners_stand_beside_hosts_where_there_is_room_and_when_asked_for() {
    assert_snapshot!("owners_160x40", text(&on_path(160, 40, "")));
    assert_snapshot!("owners_120x40", text(&on_path(120, 40, "a")));
    assert_snapshot!("owners_80x24", text(&on_path(80, 24, "a")));
    assert_snapshot!("owners_40x12", text(&on_path(40, 12, "a")));
    let figures = text(&on_path(80, 24, "aa"));
    assert!(!figures.contains("transit.example.net"), "{figures}");
    assert!(figures.contains("STDEV"), "{figures}");
}
