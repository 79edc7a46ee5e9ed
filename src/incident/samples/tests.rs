//! What is written comes back as it was, and nothing else ever does.

use std::net::{IpAddr, Ipv4Addr};

use proptest::prelude::*;

use super::block::{self, read_frame};
use super::rows::kept;
use super::*;
use crate::model::command::Verdicts;
use crate::model::finding::{RuledOut, TargetState};
use crate::model::observation::*;
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::time::{Mono, Rtt, Stamp};

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u8>().prop_map(|n| Ipv4Addr::new(10, 0, 0, n).into()),
        any::<u16>().prop_map(|n| IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, n])),
    ]
}

fn text() -> impl Strategy<Value = SafeText> {
    prop_oneof![
        Just("no route\nto \"host\" €".into()),
        ".*".prop_map(SafeText::new)
    ]
}

fn rtt() -> impl Strategy<Value = Rtt> {
    prop_oneof![
        4 => (0..50_000_000u64).prop_map(Rtt),
        1 => any::<u64>().prop_map(Rtt)
    ]
}

fn stamp() -> impl Strategy<Value = Stamp> {
    let near = (0..9_000_000_000_000u64, -5_000_000_000i64..5_000_000_000);
    let far = (
        0..u64::MAX / 4,
        any::<i32>().prop_map(|s| i64::from(s) * 1_000_000_000),
    );
    prop_oneof![5 => near, 1 => far].prop_map(|(mono, step)| Stamp {
        wall: jiff::Timestamp::from_nanosecond(
            1_790_000_000_000_000_000 + i128::from(mono) / 4 + i128::from(step),
        )
        .unwrap(),
        mono: Mono(mono),
    })
}

fn icmp() -> impl Strategy<Value = IcmpError> {
    prop_oneof![
        Just(IcmpError::HostUnreachable),
        any::<u32>().prop_map(|mtu| IcmpError::TooBig { mtu }),
        any::<(u8, u8)>().prop_map(|(kind, code)| IcmpError::Other { kind, code }),
    ]
}

fn echo_outcome() -> impl Strategy<Value = Outcome<Echo>> {
    let why = prop_oneof![
        icmp().prop_map(Refusal::Icmp),
        Just(Refusal::TcpReset),
        text().prop_map(Refusal::Kernel),
    ];
    prop_oneof![
        6 => (rtt(), any::<Option<u8>>(), any::<Option<u8>>(), any::<bool>()).prop_map(
            |(rtt, reply_ttl, reply_tos, corrupt)| Outcome::Ok(Echo { rtt, reply_ttl, reply_tos, corrupt })
        ),
        1 => rtt().prop_map(|after| Outcome::Timeout { after }),
        1 => (proptest::option::of(address()), why, rtt())
            .prop_map(|(by, why, after)| Outcome::Refused { by, why, after }),
        1 => text().prop_map(|need| Outcome::CannotTry { need }),
    ]
}

prop_compose! {
    fn ping()(
        dst in address(), port: Option<u16>, seq: u32, sent: u64, size: Option<u32>,
        outcome in echo_outcome(),
        late in prop::collection::vec((any::<u32>(), rtt()), 0..2), duplicates in 0..2u32,
    ) -> Body {
        Body::Ping(PingSample {
            dst, port, seq, sent: Mono(sent), size, outcome,
            afterwards: Afterwards { late, duplicates },
        })
    }
}

fn hop() -> impl Strategy<Value = HopAnswer> {
    prop_oneof![
        4 => (address(), rtt(), any::<Option<u8>>())
            .prop_map(|(from, rtt, return_ttl)| HopAnswer::TimeExceeded { from, rtt, return_ttl }),
        1 => (address(), rtt(), any::<Option<u8>>())
            .prop_map(|(from, rtt, return_ttl)| HopAnswer::Reached { from, rtt, return_ttl }),
        1 => (address(), rtt(), icmp())
            .prop_map(|(from, rtt, error)| HopAnswer::Unreachable { from, rtt, error }),
        1 => Just(HopAnswer::Silent),
    ]
}

prop_compose! {
    fn round()(
        dst in address(), round: u32, flow in 0..3u16, begun in proptest::option::of(0..1u64 << 62),
        hops in prop::collection::vec((any::<u8>(), hop()), 0..12),
    ) -> Body {
        let hops = hops.into_iter().map(|(ttl, answer)| HopSample { ttl, answer }).collect();
        Body::Trace(TraceRound { begun: begun.map(Mono), flow, ..TraceRound::new(dst, round, hops) })
    }
}

prop_compose! {
    fn fact()(name in text(), addrs in prop::collection::vec(address(), 0..3)) -> Body {
        Body::Resolve(Resolution { name, outcome: Outcome::Ok(addrs) })
    }
}

prop_compose! {
    fn observation()(
        id in prop_oneof![0..200u64, any::<u64>()], at in stamp(), target in 0..4u8,
        raw: bool, why in proptest::option::of(text()),
        body in prop_oneof![6 => ping(), 2 => round(), 1 => fact()],
    ) -> Observation {
        let method = if raw { Method::IcmpRaw } else { Method::TcpConnect };
        Observation {
            id: ObsId(id), at,
            target: TargetId(format!("host{target}").into()),
            how: How { method, why_not_better: why },
            body,
        }
    }
}

fn written(all: &[Observation], effort: Effort) -> Vec<u8> {
    let mut builder = Builder::default();
    for obs in all {
        assert!(builder.observation(obs));
    }
    builder.frame(Mark::default(), effort)
}

fn sorted(mut all: Vec<Observation>) -> Vec<String> {
    all.sort_by_key(|o| o.id);
    let mut all: Vec<_> = all.iter().map(|o| format!("{o:?}")).collect();
    all.sort();
    all
}

proptest! {
    #[test]
    fn what_is_written_comes_back(all in prop::collection::vec(observation(), 0..40)) {
        for effort in [Effort::Quick, Effort::Lasting] {
            let bytes = written(&all, effort);
            let (header, content, end) = read_frame(&bytes).unwrap();
            prop_assert_eq!(end, bytes.len());
            prop_assert_eq!(header.rows as usize, all.len());
            let expected = all.iter().map(kept).collect();
            prop_assert_eq!(sorted(content.observations), sorted(expected));
        }
    }

    #[test]
    fn what_came_back_stays_as_it_is(obs in observation()) {
        prop_assert_eq!(kept(&kept(&obs)), kept(&obs));
    }

    #[test]
    fn a_part_is_a_block_of_its_own(
        all in prop::collection::vec(observation(), 1..30), cut in any::<prop::sample::Index>(),
    ) {
        let cut = cut.index(all.len());
        let mut builder = Builder::default();
        all[..cut].iter().for_each(|o| { builder.observation(o); });
        let mark = builder.mark();
        all[cut..].iter().for_each(|o| { builder.observation(o); });
        let bytes = builder.frame(mark, Effort::Quick);
        let (_, content, _) = read_frame(&bytes).unwrap();
        let expected = all[cut..].iter().map(kept).collect();
        prop_assert_eq!(sorted(content.observations), sorted(expected));
    }

    #[test]
    fn a_cut_block_is_no_block(all in prop::collection::vec(observation(), 1..8), at in any::<prop::sample::Index>()) {
        let bytes = written(&all, Effort::Lasting);
        prop_assert!(read_frame(&bytes[..at.index(bytes.len())]).is_none());
    }

    #[test]
    fn a_flipped_bit_makes_it_no_block(
        all in prop::collection::vec(observation(), 1..8), at in any::<prop::sample::Index>(), bit in 0..8,
    ) {
        let mut bytes = written(&all, Effort::Lasting);
        let at = at.index(bytes.len());
        bytes[at] ^= 1u8 << bit;
        prop_assert!(read_frame(&bytes).is_none());
    }

    /// The hash is no defence against who writes it anew: the decoder itself must hold.
    #[test]
    fn content_that_was_tampered_with_does_no_harm(
        all in prop::collection::vec(observation(), 1..8), at in any::<prop::sample::Index>(), byte: u8,
    ) {
        let bytes = written(&all, Effort::Quick);
        let mut content = bytes[frame::HEADER..].to_vec();
        let at = at.index(content.len());
        content[at] = byte;
        let _ = block::read(&content);
    }

    #[test]
    fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
        let _ = block::read(&bytes);
        let _ = read_frame(&bytes);
    }
}

/// A sample of a stream as it comes from a network.
fn stream(targets: u64, seconds: u64) -> Vec<Observation> {
    let mut noise = 0x2545_f491_4f6c_dd1du64;
    let mut next = move |below: u64| {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        noise % below
    };
    let mut all = Vec::new();
    for second in 0..seconds {
        for n in 0..targets {
            // Sent on time but for the scheduler; answered after milliseconds, with a tail.
            let due = second * 1_000_000_000 + n * 1_000_000_000 / targets;
            let sent = due + next(1_200_000);
            let tail = if next(40) == 0 { next(20_000_000) } else { 0 };
            let rtt = 300_000
                + n % 50 * 1_100_000
                + next(100_000)
                + next(100_000)
                + next(100_000)
                + next(100_000)
                + tail;
            let known = sent + rtt + 30_000 + next(90_000);
            let lost = next(200) == 0;
            let (known, outcome) = match lost {
                true => (
                    sent + 1_000_000_000 + next(2_000_000),
                    Outcome::Timeout {
                        after: Rtt(1_000_000_000),
                    },
                ),
                false => (
                    known,
                    Outcome::Ok(Echo {
                        rtt: Rtt(rtt),
                        reply_ttl: Some(50 + (n % 14) as u8),
                        reply_tos: Some(0),
                        corrupt: false,
                    }),
                ),
            };
            let mono = Mono(known);
            let wall = 1_790_000_000_123_456_789 + i128::from(known) + i128::from(next(400));
            all.push(Observation {
                id: ObsId(0),
                at: Stamp {
                    wall: jiff::Timestamp::from_nanosecond(wall).unwrap(),
                    mono,
                },
                target: TargetId(format!("server-{n}.example.net").into()),
                how: How::best(Method::IcmpDatagram),
                body: Body::Ping(PingSample {
                    dst: Ipv4Addr::from(0x0a00_0000 + n as u32 * 7).into(),
                    port: None,
                    seq: second as u32,
                    sent: Mono(sent),
                    size: None,
                    outcome,
                    afterwards: Afterwards::default(),
                }),
            });
        }
    }
    all.sort_by_key(|o| o.at.mono);
    for (n, obs) in all.iter_mut().enumerate() {
        obs.id = ObsId(n as u64);
    }
    all
}

/// 500 a second for a day are 43.2 million samples; 150 MB leave 3.47 bytes for each.
#[test]
fn a_ping_takes_less_than_three_and_a_half_bytes() {
    for (targets, seconds) in [(500, 64), (50, 300), (1, 300)] {
        let all = stream(targets, seconds);
        let size = written(&all, Effort::Lasting).len() as f64 / all.len() as f64;
        let most = if targets == 1 { 5.0 } else { 3.0 };
        assert!(size < most, "{targets} targets: {size:.2} bytes a ping");
    }
}

#[test]
fn sections_of_a_later_version_are_passed_over() {
    let all = stream(2, 3);
    let bytes = written(&all, Effort::Lasting);
    let mut content = vec![99, 3, 1, 2, 3];
    content.extend(&bytes[frame::HEADER..]);
    content.extend([100, 0]);
    assert_eq!(block::read(&content).unwrap().observations.len(), all.len());
    // A control: what is known must be right.
    content.extend([3, 1, 7]);
    assert_eq!(block::read(&content), None);
}

fn verdicts(n: u64) -> Verdicts {
    let id = |n: u64| TargetId(format!("host{n}").into());
    Verdicts {
        findings: Vec::new(),
        states: (0..3)
            .map(|t| match (t + n) % 3 {
                0 => (id(t), TargetState::Ok),
                1 => (id(t), TargetState::Learning),
                _ => (id(t), TargetState::Down(format!("{n} of {n} lost").into())),
            })
            .collect(),
        ruled_out: vec![RuledOut {
            subject: id(0),
            what: "loss".into(),
            text: format!("0 of {n} lost").into(),
        }],
        pending: (0..3)
            .map(|t| {
                (
                    id(t),
                    if (t + n).is_multiple_of(2) {
                        vec!["path".into()]
                    } else {
                        vec![]
                    },
                )
            })
            .collect(),
        comparison: None,
    }
}

#[test]
fn verdicts_come_back_from_their_changes() {
    let at = Stamp::at_millis(5);
    let mut shown = Verdicts::default();
    let mut builder = Builder::default();
    let mut before = Verdicts::default();
    for n in 0..7 {
        let now = verdicts(n);
        builder.judged(&Judged::between(at, &before, &now, true));
        before = now;
    }
    let bytes = builder.frame(Mark::default(), Effort::Lasting);
    let (_, content, _) = read_frame(&bytes).unwrap();
    assert_eq!(content.judged.len(), 7);
    assert!(content.judged[0].whole && !content.judged[1].whole);
    for judged in content.judged {
        judged.apply(&mut shown);
    }
    assert_eq!(shown, before);
    // What did not change is not told again.
    let same = Judged::between(at, &before, &before.clone(), true);
    assert!(same.states.is_empty() && same.pending.is_empty() && same.ruled_out.is_none());
}

#[test]
fn names_of_a_copied_record_are_made_safe_again() {
    let mut obs = stream(1, 1).remove(0);
    obs.target = TargetId("db\u{1b}[2J\u{202e}".into());
    let mut fact = obs.clone();
    fact.body = Body::Resolve(Resolution {
        name: "x".into(),
        outcome: Outcome::Ok(vec![]),
    });
    let bytes = written(&[obs, fact], Effort::Lasting);
    let (_, content, _) = read_frame(&bytes).unwrap();
    assert_eq!(content.observations.len(), 2);
    for obs in content.observations {
        assert_eq!(obs.target.as_str(), "db\\e[2J\\u{202e}");
    }
}
