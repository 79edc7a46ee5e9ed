//! The path pane beyond its plain table: owners of hops, flows.

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::model::command::{Batch, Command, Notice};
use warroom::model::observation::{
    Body, HopAnswer, HopSample, How, Method, ObsId, Observation, TraceRound,
};
use warroom::model::origin::{Asn, GeoPlace, Origin};
use warroom::model::target::Target;

use crate::fixture::{DB, NOW_MS, empty, fresh, ip, news, night, notice, rtt, stamp, with};
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

/// Rounds of flows towards the database: last byte of who answers each TTL, 0 for silence.
fn flows(rounds: &[(u16, &[u8])]) -> Batch {
    let mut batch = empty(NOW_MS);
    for (n, (flow, hops)) in rounds.iter().enumerate() {
        let (rtt, return_ttl) = (rtt(1500 + 100 * n as u64), None);
        let hops = (1..).zip(hops.iter()).map(|(ttl, who)| HopSample {
            ttl,
            answer: match who {
                0 => HopAnswer::Silent,
                53 => HopAnswer::Reached {
                    from: ip(DB),
                    rtt,
                    return_ttl,
                },
                who => HopAnswer::TimeExceeded {
                    from: ip(&format!("10.0.{ttl}.{who}")),
                    rtt,
                    return_ttl,
                },
            },
        });
        let mut round = TraceRound::new(ip(DB), n as u32, hops.collect());
        round.flow = *flow;
        batch.observations.push(Observation {
            id: ObsId(9000 + n as u64),
            at: stamp(NOW_MS),
            target: Target::parse(DB).unwrap().id,
            how: How::best(Method::UdpErrorQueue),
            body: Body::Trace(round),
        });
    }
    batch
}

fn with_flows(cols: u16, rows: u16, rounds: &[(u16, &[u8])]) -> App {
    let mut app = fresh(cols, rows, true);
    let mut first = empty(NOW_MS);
    first.observations = news()
        .observations
        .into_iter()
        .filter(|o| matches!(o.body, Body::Resolve(_)))
        .collect();
    app = with(app, first);
    app = with(app, flows(rounds));
    press(&mut app, "2");
    while !text(&app).contains(&format!(" {DB}  ")) {
        press(&mut app, "]");
    }
    app
}

const PARTED: &[(u16, &[u8])] = &[
    (0, &[1, 1, 1, 53]),
    (1, &[1, 2, 1, 53]),
    (2, &[1, 3, 0, 0, 0]),
    (3, &[1, 1, 1, 53]),
    (2, &[1, 3, 0, 0, 0]),
    (0, &[1, 1, 1, 53]),
    (1, &[1, 2, 0, 53]),
    (2, &[1, 3, 0, 0, 0]),
    (3, &[1, 1, 1, 53]),
];

#[test]
fn flows_have_rows_for_each_next_hop_and_a_dead_one_is_named() {
    assert_snapshot!("flows_120x40", text(&with_flows(120, 40, PARTED)));
    assert_snapshot!("flows_80x24", text(&with_flows(80, 24, PARTED)));
    let mut small = with_flows(40, 12, PARTED);
    press(&mut small, "G");
    assert_snapshot!("flows_40x12", text(&small));
}

#[test]
fn who_balances_per_packet_is_told_from_who_balances_per_flow() {
    let packets: &[(u16, &[u8])] = &[
        (0, &[1, 1, 53]),
        (0, &[1, 2, 53]),
        (0, &[1, 1, 53]),
        (1, &[1, 2, 53]),
    ];
    let shown = text(&with_flows(120, 40, packets));
    assert!(shown.contains("per packet"), "{shown}");
    assert!(!shown.contains("per flow"), "{shown}");
    let one = text(&with_flows(120, 40, &[(0, &[1, 1, 53]), (0, &[1, 1, 53])]));
    assert!(!one.contains("FLOWS") && !one.contains("per "), "{one}");
}

#[test]
fn more_flows_are_asked_for_by_key_and_back_to_one() {
    let mut app = with_flows(80, 24, PARTED);
    let mut asked = Vec::new();
    for _ in 0..5 {
        asked.extend(press(&mut app, "f"));
    }
    let want = [4, 8, 16, 1, 4].map(|flows| Command::Flows { flows });
    assert_eq!(asked, want);
}
