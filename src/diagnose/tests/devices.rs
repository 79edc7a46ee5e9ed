//! Devices: what is a fault, and what only looks like one.

use super::router::*;
use super::scene::*;
use crate::model::catalogue as code;
use crate::model::device::*;
use crate::model::finding::{Code, Severity};
use crate::model::observation::{Outcome, Refusal};

type Change = fn(u64, &mut SnmpStatus);

#[test]
fn nothing_of_this_is_an_alarm() {
    let table: &[(&str, Change)] = &[
        ("a healthy router", |_, _| {}),
        ("an old total of errors", |_, r| {
            r.interfaces[0].counters.in_errors = narrow(4_000_000_000);
        }),
        ("a single poll with load", |s, r| {
            if s == 12 {
                r.cpu.as_mut().unwrap().busy = 1.0;
            }
        }),
        ("a single burst of errors", |s, r| {
            r.interfaces[0].counters.in_errors = narrow(if s >= 22 { 9999 } else { 0 });
        }),
        ("few errors among very many packets", |s, r| {
            r.interfaces[0].counters.in_errors = narrow(s / 2);
            r.interfaces[0].counters.in_packets = wide(s * 100_000);
        }),
        ("the agent restarts, the host runs on", |s, r| {
            if s >= 22 {
                r.uptime_ticks = (s * 100) as u32;
                r.interfaces[0].counters.ticks = Some(r.uptime_ticks);
            }
        }),
        ("an agent alone, counters go on", |s, r| {
            r.host_ticks = None;
            if s >= 22 {
                r.uptime_ticks = (s * 100) as u32;
                r.interfaces[0].counters.ticks = Some(r.uptime_ticks);
            }
        }),
        ("sysUpTime wraps after 497 days", |s, r| {
            r.uptime_ticks = u32::MAX.wrapping_add((s * 100) as u32).wrapping_sub(1500);
            r.host_ticks = Some(r.uptime_ticks);
            r.interfaces[0].counters.ticks = Some(r.uptime_ticks);
        }),
        ("a counter of 64 bits is reset", |s, r| {
            if s >= 22 {
                r.interfaces[0].counters.in_octets = wide(s);
            }
        }),
        ("errors across a discontinuity", |s, r| {
            r.interfaces[0].counters.discontinuity = Some(s as u32);
            r.interfaces[0].counters.in_errors = narrow(s * 1000);
        }),
        ("a fast link with narrow counters that wrap", |s, r| {
            r.interfaces[0].speed = Some(10_000_000_000);
            r.interfaces[0].counters.in_octets = narrow((s * 1_200_000_000) % (1 << 32));
        }),
        ("no speed is told", |s, r| {
            r.interfaces[0].speed = None;
            r.interfaces[0].counters.in_octets = wide(s * 12_000_000);
        }),
        ("a described port that is shut", |_, r| {
            r.interfaces[1].alias = "uplink".into();
            r.interfaces[1].admin_up = false;
        }),
        ("a session that never was up", |_, r| {
            r.peers[0].state = BgpState::Active;
            r.peers[0].transitions = Some(0);
        }),
        ("a session that is shut down while we look", |s, r| {
            if s >= 12 {
                r.peers[0].state = BgpState::Idle;
                r.peers[0].enabled = Some(false);
            }
        }),
        ("a session that went weeks ago", |_, r| {
            r.peers[0].state = BgpState::Active;
            r.peers[0].since_s = Some(30 * 86_400);
        }),
        ("a hot sensor that its device calls well", |_, r| {
            r.temperatures[0].celsius = 97.0;
            r.temperatures[0].too_hot = Some(false);
        }),
        ("nobody tells agent from device after a restart", |s, r| {
            r.host_ticks = None;
            r.interfaces.clear();
            r.uptime_ticks = (s * 100) as u32 + 1000;
        }),
    ];
    for (what, change) in table {
        for n in 1..=8 {
            let seen = alarms(&polls(n, change));
            assert_eq!(seen, Vec::<String>::new(), "{what}, after {n} polls");
        }
    }
}

#[test]
fn each_fault_is_found_and_no_other() {
    let table: &[(&str, usize, Code, Severity, Change)] = &[
        (
            "cpu",
            3,
            code::DEVICE_CPU_HIGH,
            Severity::Warning,
            |_, r| {
                r.cpu.as_mut().unwrap().busy = 0.97;
            },
        ),
        (
            "memory",
            3,
            code::DEVICE_MEMORY_HIGH,
            Severity::Warning,
            |_, r| {
                r.memory.as_mut().unwrap().used = (1 << 30) - 1;
            },
        ),
        (
            "heat",
            3,
            code::DEVICE_TEMPERATURE_HIGH,
            Severity::Warning,
            |_, r| {
                r.temperatures[0].celsius = 91.0;
            },
        ),
        (
            "the device says hot",
            3,
            code::DEVICE_TEMPERATURE_HIGH,
            Severity::Warning,
            |_, r| {
                r.temperatures[0].too_hot = Some(true);
            },
        ),
        (
            "beyond its own limit",
            3,
            code::DEVICE_TEMPERATURE_HIGH,
            Severity::Warning,
            |_, r| {
                r.temperatures[0].celsius = 61.0;
                r.temperatures[0].limit = Some(60.0);
            },
        ),
        (
            "errors rise",
            4,
            code::INTERFACE_ERRORS,
            Severity::Warning,
            |s, r| {
                r.interfaces[0].counters.in_errors = narrow(s * 20);
            },
        ),
        (
            "errors rise across a wrap",
            4,
            code::INTERFACE_ERRORS,
            Severity::Warning,
            |s, r| {
                let top = u64::from(u32::MAX);
                r.interfaces[0].counters.in_errors = narrow((top - 200 + s * 20) & top);
            },
        ),
        (
            "full",
            4,
            code::INTERFACE_SATURATED,
            Severity::Warning,
            |s, r| {
                r.interfaces[0].counters.in_octets = wide(s * 11_000_000);
            },
        ),
        (
            "nearly full",
            4,
            code::INTERFACE_SATURATED,
            Severity::Info,
            |s, r| {
                r.interfaces[0].counters.out_octets = wide(s * 9_300_000);
            },
        ),
        (
            "a port that was up",
            4,
            code::INTERFACE_DOWN,
            Severity::Critical,
            |s, r| {
                if s >= 12 {
                    r.interfaces[0].oper_status = 2;
                }
            },
        ),
        (
            "a described port",
            2,
            code::INTERFACE_DOWN,
            Severity::Critical,
            |_, r| {
                r.interfaces[1].alias = "uplink".into();
            },
        ),
        (
            "a session that was up",
            4,
            code::BGP_PEER_DOWN,
            Severity::Critical,
            |s, r| {
                if s >= 12 {
                    r.peers[0].state = BgpState::Active;
                    r.peers[0].last_error = Some((4, 0));
                }
            },
        ),
        (
            "a session that went before we looked",
            2,
            code::BGP_PEER_DOWN,
            Severity::Critical,
            |_, r| {
                r.peers[0].state = BgpState::Idle;
                r.peers[0].since_s = Some(90);
            },
        ),
        (
            "restarted while we looked",
            4,
            code::DEVICE_REBOOTED,
            Severity::Warning,
            |s, r| {
                if s >= 12 {
                    let up = ((s - 5) * 100) as u32;
                    (r.uptime_ticks, r.host_ticks) = (up, Some(up + 10));
                }
            },
        ),
        (
            "restarted before",
            2,
            code::DEVICE_REBOOTED,
            Severity::Warning,
            |s, r| {
                r.host_ticks = Some((s * 100) as u32 + 6000);
            },
        ),
        (
            "without a host clock, counters from zero",
            4,
            code::DEVICE_REBOOTED,
            Severity::Warning,
            |s, r| {
                r.host_ticks = None;
                if s >= 12 {
                    r.uptime_ticks = ((s - 5) * 100) as u32;
                    r.interfaces[0].counters.ticks = Some(r.uptime_ticks);
                    r.interfaces[0].counters.in_octets = wide(s);
                } else {
                    r.interfaces[0].counters.in_octets = wide(1 << 40);
                }
            },
        ),
    ];
    for (what, least, code, severity, change) in table {
        let judged = polls(least + 2, change).judge();
        let found: Vec<_> = judged.findings.iter().filter(|f| f.code == *code).collect();
        assert_eq!(found.len(), 1, "{what}: {:?}", judged.findings);
        let f = found[0];
        assert_eq!(f.severity, *severity, "{what}");
        assert!(
            !f.evidence.is_empty() && f.confidence > 0.5,
            "{what}: {f:?}"
        );
        assert!(
            f.reproduce
                .iter()
                .all(|r| r.as_str().contains("'***' 10.0.0.2:161 1.3.6")),
            "{what}: {:?}",
            f.reproduce
        );
        assert!(!f.reproduce.is_empty(), "{what}");
        let others = judged.findings.iter().filter(|f| f.code != *code);
        let others: Vec<_> = others.filter(|f| f.severity > Severity::Info).collect();
        assert!(others.is_empty(), "{what}: {others:?}");
        // It takes its polls: one fewer is not enough.
        let early = polls(least - 1, change).judge();
        assert!(
            early.findings.iter().all(|f| f.code != *code),
            "{what}, too early: {:?}",
            early.findings
        );
    }
}

#[test]
fn since_is_when_it_happened_and_the_words_have_the_numbers() {
    let scene = polls(4, |s, r| {
        if s >= 12 {
            r.peers[0].state = BgpState::Active;
            r.peers[0].last_error = Some((4, 0));
            r.peers[0].since_s = Some((s - 7) as u32);
        }
    });
    let j = scene.judge();
    let f = j.only(code::BGP_PEER_DOWN);
    assert_eq!(f.since.as_millisecond(), 7_000);
    assert_eq!(
        f.summary.as_str(),
        "BGP session of r1 with 10.0.9.1 (AS65001) is down (active), last error: hold timer expired"
    );
    let scene = polls(4, |s, r| {
        if s >= 12 {
            r.interfaces[0].oper_status = 2;
            r.interfaces[0].last_change = Some(DAY + 800);
        }
    });
    let j = scene.judge();
    assert_eq!(j.only(code::INTERFACE_DOWN).since.as_millisecond(), 8_000);
    let scene = polls(6, |s, r| {
        r.interfaces[0].counters.in_octets = wide(s * 11_000_000);
    });
    let j = scene.judge();
    assert_eq!(
        j.only(code::INTERFACE_SATURATED).summary.as_str(),
        "interface ge-0 of r1 is 88 % full: 88 Mbit/s in of 100 Mbit/s"
    );
}

#[test]
fn one_lost_poll_ends_no_fault_and_a_fault_that_ends_is_gone() {
    let full = |s: u64, r: &mut SnmpStatus| {
        r.interfaces[0].counters.in_octets = wide(s * 11_000_000);
    };
    let lost = Outcome::Timeout { after: ms(4000) };
    let scene = said(polls(6, full).at(52_000), lost);
    assert_eq!(alarms(&scene), ["interface-saturated"]);
    // Not for ever on old data.
    assert_eq!(alarms(&scene.at(300_000)), Vec::<String>::new());
    let scene = polls(12, |s, r| {
        let at = s.min(42);
        r.interfaces[0].counters.in_octets = wide(at * 11_000_000);
        r.cpu.as_mut().unwrap().busy = if s < 42 { 1.0 } else { 0.2 };
    });
    assert_eq!(alarms(&scene), Vec::<String>::new());
}

#[test]
fn a_port_that_stays_down_stays_a_fault() {
    let scene = polls(80, |s, r| {
        if s >= 12 {
            r.interfaces[0].oper_status = 2;
        }
    });
    assert_eq!(alarms(&scene), ["interface-down"]);
}

#[test]
fn who_says_no_is_told_from_who_says_nothing() {
    let polls = |outcome: Outcome<DeviceAnswer>| {
        let first = said(Scene::of(&[T]), outcome.clone());
        assert_eq!(
            alarms(&first),
            Vec::<String>::new(),
            "one poll is no verdict"
        );
        said(first.at(2000), outcome)
    };
    let denied = polls(Outcome::Refused {
        by: None,
        why: Refusal::Protocol(NOT_ALLOWED.into()),
        after: ms(3),
    });
    assert_eq!(alarms(&denied), ["device-auth-failed"]);
    let silent = polls(Outcome::Timeout { after: ms(4000) });
    assert_eq!(alarms(&silent), ["device-unreachable"]);
    let j = silent.judge();
    let f = j.only(code::DEVICE_UNREACHABLE);
    assert!(
        f.evidence[0].text.as_str().contains("wrong community"),
        "{f:?}"
    );
    for (status, expected) in [
        (401, &["device-auth-failed"][..]),
        (403, &["device-auth-failed"]),
        (404, &[]),
        (503, &["http-server-error"]),
    ] {
        let health = polls(Outcome::Ok(DeviceAnswer::Health(HealthStatus {
            status,
            took_ms: 3,
            body_start: None,
        })));
        assert_eq!(alarms(&health), expected, "{status}");
    }
}
