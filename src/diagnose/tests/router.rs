//! A healthy router that is polled, for stories about what becomes of it.

use super::scene::*;
use crate::model::device::*;
use crate::model::finding::Severity;
use crate::model::observation::{Body, Method, Outcome};

pub const T: &str = "snmp://10.0.0.2";
pub const DAY: u32 = 8_640_000;

pub fn wide(value: u64) -> Option<Count> {
    Some(Count { value, wide: true })
}

pub fn narrow(value: u64) -> Option<Count> {
    Some(Count { value, wide: false })
}

/// A healthy router at `s` seconds: 100 Mbit/s port up with 8 Mbit/s, an unused port, a session
/// that is up and one that is shut down.
pub fn router(s: u64) -> SnmpStatus {
    let ticks = DAY + (s * 100) as u32;
    let mut port = SnmpInterface {
        index: 1,
        name: "ge-0".into(),
        admin_up: true,
        oper_status: 1,
        speed: Some(100_000_000),
        ..Default::default()
    };
    port.counters = Counters {
        ticks: Some(ticks),
        discontinuity: Some(0),
        in_octets: wide(s * 1_000_000),
        out_octets: wide(s * 10_000),
        in_packets: wide(s * 10_000),
        out_packets: wide(s * 100),
        in_errors: narrow(4711),
        out_errors: narrow(0),
        in_discards: narrow(0),
        out_discards: narrow(0),
    };
    let unused = SnmpInterface {
        index: 2,
        name: "ge-1".into(),
        admin_up: true,
        oper_status: 2,
        ..Default::default()
    };
    let peer = |last: u8, state, enabled| BgpPeer {
        address: [10, 0, 9, last].into(),
        state,
        enabled: Some(enabled),
        remote_as: Some(65_000 + u32::from(last)),
        last_error: None,
        transitions: Some(1),
        since_s: Some(80_000),
    };
    SnmpStatus {
        name: "r1".into(),
        uptime_ticks: ticks,
        host_ticks: Some(ticks + 500),
        interfaces: vec![port, unused],
        cpu: Some(Cpu {
            busy: 0.3,
            processors: 4,
            load: None,
            by: "hrProcessorLoad".into(),
        }),
        memory: Some(Memory {
            total: 1 << 30,
            used: 1 << 29,
            by: "UCD memory".into(),
        }),
        temperatures: vec![Temperature {
            name: "inlet".into(),
            celsius: 31.0,
            limit: None,
            too_hot: None,
        }],
        peers: vec![
            peer(1, BgpState::Established, true),
            peer(2, BgpState::Idle, false),
        ],
        ..Default::default()
    }
}

pub fn said(scene: Scene, outcome: Outcome<DeviceAnswer>) -> Scene {
    let report = DeviceReport {
        device: "r1".into(),
        asked: "10.0.0.2:161".into(),
        outcome,
    };
    scene.see(Method::SnmpV2c, Body::Device(report))
}

/// Polls at 0, 2, 12, 22 … seconds of a router that changes.
pub fn polls(n: usize, change: impl Fn(u64, &mut SnmpStatus)) -> Scene {
    let times = [0, 2].into_iter().chain((1..).map(|i| i * 10 + 2));
    let mut scene = Scene::of(&[T]);
    for s in times.take(n) {
        let mut status = router(s);
        change(s, &mut status);
        scene = scene.at(s * 1000);
        scene = said(scene, Outcome::Ok(DeviceAnswer::Snmp(Box::new(status))));
    }
    scene
}

pub fn alarms(scene: &Scene) -> Vec<String> {
    let all = scene.judge().findings;
    let mut codes: Vec<_> = all
        .iter()
        .filter(|f| f.severity > Severity::Info)
        .map(|f| f.code.to_string())
        .collect();
    codes.sort();
    codes
}
