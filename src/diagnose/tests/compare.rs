//! Did a change help?

use super::scene::*;
use crate::diagnose::compare::{MOST, before, chosen, compare};
use crate::model::compare::{Compared, Figures, Measure, Verdict};
use crate::model::finding::Severity;
use crate::model::observation::{Echo, HttpPhases, Outcome};
use crate::model::thresholds::Thresholds;
use crate::model::time::{Rtt, Stamp};

const T: &str = "10.0.5.2";

/// A generator that is the same everywhere (xorshift64*).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// Pings once a second: `share` of them lost, the others about `ms` with a long tail.
fn pinged(s: Scene, n: u32, share: f64, ms: f64, seed: u64) -> Scene {
    let mut noise = Noise(seed | 1);
    let all: Vec<Outcome<Echo>> = (0..n)
        .map(|_| match noise.next() < share {
            true => lost(),
            false => {
                let slow = 1.0 + noise.next() * 0.2 - (1.0 - noise.next()).ln() * 0.1;
                Outcome::Ok(Echo {
                    rtt: Rtt((ms * slow * 1e6) as u64),
                    ..Echo::default()
                })
            }
        })
        .collect();
    s.ping(T, n, 1000, |i| all[i as usize].clone())
}

fn marked(s: &Scene) -> (Vec<Figures>, Stamp) {
    let (ids, _) = chosen(&s.window, &[]);
    (before(&s.window, &ids, &[], s.stamp()), s.stamp())
}

fn now(s: &Scene, (before, mark): &(Vec<Figures>, Stamp)) -> Vec<Compared> {
    compare(&s.window, &Thresholds::default(), before, *mark, s.stamp())
}

fn pings(s: &Scene, mark: &(Vec<Figures>, Stamp)) -> (Option<Verdict>, Option<Verdict>) {
    let all = now(s, mark);
    let row = all.iter().find(|r| r.before.measure == Measure::Ping);
    row.map_or((None, None), |r| (r.share, r.time))
}

#[test]
fn loss_that_goes_is_better_loss_that_comes_is_worse_and_before_that_nothing_is_said() {
    use Verdict::*;
    let bad = pinged(Scene::host(T), 120, 0.2, 12.0, 7);
    let mark = marked(&bad);
    assert_eq!(mark.0.len(), 1);
    let (asked, failed) = (mark.0[0].asked, mark.0[0].failed.unwrap());
    // What was sent last is not counted: of it only the answers are known.
    assert!(
        (115..120).contains(&asked) && failed > 10,
        "{asked} {failed}"
    );
    let soon = pinged(bad.clone(), 8, 0.0, 12.0, 8);
    assert_eq!(pings(&soon, &mark), (Some(Early), Some(Early)));
    let well = pinged(bad, 60, 0.0, 12.0, 8);
    assert_eq!(pings(&well, &mark), (Some(Better), Some(Same)));

    let well = pinged(Scene::host(T), 120, 0.0, 12.0, 9);
    let mark = marked(&well);
    let bad = pinged(well, 60, 0.3, 30.0, 10);
    assert_eq!(pings(&bad, &mark), (Some(Worse), Some(Worse)));
}

#[test]
fn no_difference_is_said_when_one_would_have_shown_and_not_before() {
    use Verdict::*;
    let s = pinged(Scene::host(T), 200, 0.0, 12.0, 21);
    let mark = marked(&s);
    let soon = pinged(s.clone(), 40, 0.0, 12.0, 22);
    assert_eq!(pings(&soon, &mark).0, Some(Early), "5 % may still hide");
    let later = pinged(s, 120, 0.0, 12.0, 22);
    assert_eq!(pings(&later, &mark), (Some(Same), Some(Same)));
}

#[test]
fn too_little_before_is_said_to_be_just_that() {
    let s = pinged(Scene::host(T), 9, 0.5, 12.0, 3);
    let mark = marked(&s);
    let s = pinged(s, 100, 0.0, 12.0, 4);
    assert_eq!(
        pings(&s, &mark),
        (Some(Verdict::Blind), Some(Verdict::Blind))
    );
}

/// Somebody looks every second, and the first look that excludes chance is believed: with nothing
/// changed that must stay rare. The control is a change, which must be seen.
#[test]
fn chance_is_not_taken_for_a_change_however_often_one_looks() {
    let (mut false_alarms, mut seen) = (0, 0);
    const RUNS: u64 = 60;
    for run in 0..RUNS {
        let share = [0.0, 0.02, 0.1][run as usize % 3];
        let s = pinged(Scene::host(T), 150, share, 20.0, 1000 + run);
        let mark = marked(&s);
        let firm = |after: f64, seed: u64| {
            let mut s = s.clone();
            let mut ever = false;
            for step in 0..30 {
                s = pinged(s, 6, after, 20.0, seed + step * 7919);
                let (share, time) = pings(&s, &mark);
                let firm = |v| matches!(v, Some(Verdict::Better | Verdict::Worse));
                ever |= firm(share) || firm(time);
            }
            ever
        };
        false_alarms += u64::from(firm(share, 50_000 + run * 101));
        seen += u64::from(firm(share + 0.3, 90_000 + run * 101));
    }
    assert!(false_alarms <= RUNS / 20, "{false_alarms} of {RUNS}");
    assert!(seen >= RUNS * 19 / 20, "{seen} of {RUNS}");
}

#[test]
fn what_was_well_before_the_fault_is_not_what_a_change_has_to_beat() {
    // Well for three minutes, then a minute of loss, which is an alarm.
    let s = pinged(Scene::host(T).look(|_| {}), 180, 0.0, 12.0, 31);
    let s = pinged(s, 60, 0.5, 12.0, 32);
    let open: Vec<_> = s.judge().findings;
    assert!(open.iter().any(|f| f.severity > Severity::Info), "{open:?}");
    let (ids, _) = chosen(&s.window, &open);
    let with = before(&s.window, &ids, &open, s.stamp());
    let without = before(&s.window, &ids, &[], s.stamp());
    let share = |f: &[Figures]| f64::from(f[0].failed.unwrap()) / f64::from(f[0].asked);
    assert!(share(&with) > 0.3, "{with:?}");
    assert!(share(&without) < 0.2, "{without:?}");
}

#[test]
fn services_are_compared_with_their_phases() {
    let answer = |first_byte: u64| {
        let mut outcome = status(200);
        if let Outcome::Ok(r) = &mut outcome {
            r.phases = HttpPhases {
                connect: ms(10),
                first_byte: ms(first_byte),
                ..HttpPhases::default()
            };
        }
        outcome
    };
    let mut s = Scene::host(T);
    for n in 0..12 {
        s = s
            .at(n * 10_000)
            .http("10.0.5.2:80", true, 1, &answer(300 + n));
        s = s.dns("10.0.0.53", "x.example", "NOERROR", 1);
    }
    let s = s.at(140_000);
    let mark = marked(&s);
    let mut s = s;
    for n in 0..12 {
        s = s.at(141_000 + n * 10_000);
        s = s.http("10.0.5.2:80", true, 1, &answer(40 + n));
        s = s.dns("10.0.0.53", "x.example", "SERVFAIL", 1);
    }
    let s = s.at(280_000);
    let rows = now(&s, &mark);
    let of = |m: Measure| {
        let row = rows.iter().find(|r| r.before.measure == m);
        row.unwrap_or_else(|| panic!("{m:?} in {rows:#?}"))
    };
    assert_eq!(of(Measure::Http).time, Some(Verdict::Better));
    let phase = |name: &str| of(Measure::Phase(name.into()));
    assert_eq!(phase("first byte").time, Some(Verdict::Better));
    assert_eq!(phase("connect").time, Some(Verdict::Same));
    assert_eq!(phase("connect").share, None, "a phase is not a request");
    let dns = of(Measure::Dns("10.0.0.53".into()));
    assert_eq!(dns.share, Some(Verdict::Worse));
}

#[test]
fn of_many_targets_those_with_alarms_are_compared() {
    let names: Vec<String> = (0..MOST + 10).map(|n| format!("10.9.0.{n}")).collect();
    let refs: Vec<&str> = names.iter().map(String::as_str).collect();
    let s = Scene::of(&refs).look(|_| {});
    let last = refs[MOST + 9];
    let s = s.on(last).at(0).ping(last, 40, 300, |n| match n % 2 {
        0 => lost(),
        _ => echo(3),
    });
    let open = s.judge().findings;
    let (ids, left) = chosen(&s.window, &open);
    assert_eq!((ids.len(), left), (MOST, 10));
    assert_eq!(ids.last().unwrap().as_str(), last, "{open:?}");
}
