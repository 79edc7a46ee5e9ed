//! What keeping everything costs: bytes of a sample and of an event, looking at an instant again,
//! and opening an incident that has grown large. `cargo bench --bench record` prints them;
//! `WARROOM_BENCH_HOURS=24` makes the samples of a day (43 million), `WARROOM_BENCH_LARGE=1` adds
//! an incident of a million events.

// What is not a time is printed: sizes belong to the same run.
#![allow(clippy::print_stdout)]

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::OnceLock;

use divan::{Bencher, black_box};
use jiff::{SignedDuration, Timestamp};
use warroom::console::state::message::Message;
use warroom::console::state::{App, AppInit, Settings};
use warroom::engine::replay::Archive;
use warroom::incident::samples::block::read_frame;
use warroom::incident::samples::{Builder, Effort, Mark, SampleWriter};
use warroom::incident::{Folder, Record, Store, Writer, new_key, read, writer_id};
use warroom::model::command::Batch;
use warroom::model::event::{EventKind, NoteKind, WriterId};
use warroom::model::observation::{
    Body, Echo, How, Method, ObsId, Observation, Outcome, PingSample, Resolution,
};
use warroom::model::target::{Target, TargetId};
use warroom::model::time::{Mono, Rtt, Stamp};
use warroom::model::travel::Travel;
use warroom::redact::{Redactor, SampleRedactor, Secrets};

const TARGETS: u64 = 500;
/// When the incident begins.
const START: i64 = 1_790_000_000;

/// What can't go wrong on a disk that works.
fn sure<T, E: std::fmt::Display>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|e| panic!("{e}"))
}

fn main() {
    let all: Vec<_> = (0..64).flat_map(second).collect();
    let size = block(&all).len();
    println!(
        "{:.2} bytes a ping, {TARGETS} targets",
        size as f64 / all.len() as f64
    );
    let day = size as f64 / all.len() as f64 * TARGETS as f64 * 86_400.0 / 1e6;
    println!("{day:.0} MB a day at {TARGETS} pings a second");
    for events in lengths() {
        let (_dir, folder) = incident(*events);
        let bytes = sure(std::fs::metadata(events_file(&folder))).len();
        println!(
            "{:.0} bytes an event, {events} events",
            bytes as f64 / *events as f64
        );
    }
    divan::main();
}

fn target(n: u64) -> TargetId {
    TargetId(Ipv4Addr::from(0x0a4d_0000 + n as u32).to_string().into())
}

/// A small source of noise.
fn noise(seed: u64, below: u64) -> u64 {
    let mut x = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d;
    x ^= x >> 31;
    x = x.wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x ^= x >> 27;
    x = x.wrapping_mul(0x94d0_49bb_1331_11eb);
    (x ^ (x >> 31)) % below
}

fn observation(id: u64, n: u64, known: u64, method: Method, body: Body) -> Observation {
    let wall = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(START);
    Observation {
        id: ObsId(id),
        at: Stamp {
            wall: wall + SignedDuration::from_nanos(known as i64),
            mono: Mono(known),
        },
        target: target(n),
        how: How::best(method),
        body,
    }
}

/// All pings of one second, in the order of their answers.
fn second(second: u64) -> Vec<Observation> {
    let mut all: Vec<_> = (0..TARGETS)
        .map(|n| {
            let seed = second * TARGETS + n;
            let sent =
                second * 1_000_000_000 + n * 1_000_000_000 / TARGETS + noise(seed, 1_200_000);
            let spread: u64 = (1..5).map(|k| noise(seed * 7 + k, 100_000)).sum();
            let tail = if noise(seed + 3, 40) == 0 {
                noise(seed, 20_000_000)
            } else {
                0
            };
            let rtt = 300_000 + n % 50 * 1_100_000 + spread + tail;
            let (known, outcome) = match noise(seed + 1, 200) {
                0 => (
                    sent + 1_000_000_000 + noise(seed, 2_000_000),
                    Outcome::Timeout {
                        after: Rtt(1_000_000_000),
                    },
                ),
                _ => (
                    sent + rtt + 30_000 + noise(seed + 2, 90_000),
                    Outcome::Ok(Echo {
                        rtt: Rtt(rtt),
                        reply_ttl: Some(50 + (n % 14) as u8),
                        reply_tos: Some(0),
                        corrupt: false,
                    }),
                ),
            };
            let body = Body::Ping(PingSample {
                dst: Ipv4Addr::from(0x0a4d_0000 + n as u32).into(),
                port: None,
                seq: second as u32,
                sent: Mono(sent),
                size: None,
                outcome,
                afterwards: Default::default(),
            });
            observation(0, n, known, Method::IcmpDatagram, body)
        })
        .collect();
    all.sort_by_key(|o| o.at.mono);
    for (n, obs) in (0..).zip(&mut all) {
        obs.id = ObsId((second + 1) * TARGETS + n);
    }
    all
}

fn block(all: &[Observation]) -> Vec<u8> {
    let mut builder = Builder::default();
    for obs in all {
        builder.observation(obs);
    }
    builder.frame(Mark::default(), Effort::Lasting)
}

fn new_folder(dir: &Path) -> Folder {
    let store = Store {
        root: dir.join("incidents"),
    };
    let redactor = Redactor::new(new_key(), Secrets::new());
    sure(store.create(
        &redactor.text(&"bench".into()),
        Timestamp::UNIX_EPOCH,
        &new_key(),
    ))
}

fn joined(targets: Vec<TargetId>) -> EventKind {
    EventKind::Joined {
        title: Some("bench".into()),
        user: "ana".into(),
        host: "jump1".into(),
        version: "0".into(),
        privileges: "none".into(),
        targets,
        heads: Vec::new(),
    }
}

fn lengths() -> &'static [u64] {
    match std::env::var_os("WARROOM_BENCH_LARGE") {
        Some(_) => &[100_000, 1_000_000],
        None => &[100_000],
    }
}

fn events_file(folder: &Folder) -> std::path::PathBuf {
    let mut files = sure(std::fs::read_dir(folder.path.join("events")));
    files.find_map(|f| Some(f.ok()?.path())).unwrap_or_default()
}

/// An incident with so many events, as a long night makes them.
fn incident(events: u64) -> (tempfile::TempDir, Folder) {
    let dir = sure(tempfile::tempdir());
    let folder = new_folder(dir.path());
    let redactor = Redactor::new(new_key(), Secrets::new());
    let id = writer_id(&"ana".into(), &"jump1".into());
    let all = (0..20).map(target).collect();
    let start = Stamp {
        wall: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(START),
        mono: Mono(0),
    };
    let mut writer = sure(Writer::join(
        &folder,
        id,
        start,
        &redactor.event(joined(all)),
    ));
    for n in 1..events {
        let kind = match n % 5 {
            0 => EventKind::Note {
                note: NoteKind::Note,
                text: format!("looked at router {n}: nothing odd in its log").into(),
            },
            _ => EventKind::TargetState {
                target: target(n % 20),
                state: ["ok", "degraded", "down"][(n / 20 % 3) as usize].into(),
                why: if n / 20 % 3 == 0 {
                    "".into()
                } else {
                    "packet-loss".into()
                },
            },
        };
        let record = Record {
            seq: n,
            at: start.moved_to(Mono(n * 50_000_000)),
            happened: None,
            kind: redactor.event(kind),
        };
        sure(writer.append(&record));
    }
    sure(writer.sync());
    (dir, folder)
}

fn app(count: u64) -> App {
    App::new(AppInit {
        targets: (0..count)
            .filter_map(|n| Target::parse(target(n).as_str()).ok())
            .collect(),
        incident_name: "bench".into(),
        incident_dir: "bench".into(),
        who: "nobody@here".into(),
        cwd: "/".into(),
        started: Stamp::at_millis(0),
        utf8: true,
        size: (120, 40),
        settings: Settings::default(),
    })
}

/// From the files of an incident to the lines of a screen.
#[divan::bench(args = lengths(), sample_count = 5, sample_size = 1)]
fn reopen_events(bencher: Bencher, events: u64) {
    let (_dir, folder) = incident(events);
    bencher.bench_local(|| {
        let journal = sure(read(&folder));
        let mut app = app(20);
        app.update(Message::Batch(Box::new(Batch {
            at: Stamp::at_millis(0),
            observations: Vec::new(),
            events: journal.events,
            verdicts: None,
            notices: Vec::new(),
        })));
        app.pane_text(120)
    });
}

/// One ping into a block that stays.
#[divan::bench]
fn write_64_seconds(bencher: Bencher) {
    let all: Vec<_> = (0..64).flat_map(second).collect();
    bencher
        .counter(divan::counter::ItemsCount::new(all.len()))
        .bench_local(|| block(black_box(&all)));
}

/// One ping out of it.
#[divan::bench]
fn read_64_seconds(bencher: Bencher) {
    let all: Vec<_> = (0..64).flat_map(second).collect();
    let bytes = block(&all);
    bencher
        .counter(divan::counter::ItemsCount::new(all.len()))
        .bench_local(|| read_frame(black_box(&bytes)));
}

/// Hours of samples of all targets.
fn samples() -> &'static (tempfile::TempDir, Folder, u64) {
    static SAMPLES: OnceLock<(tempfile::TempDir, Folder, u64)> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let hours = std::env::var("WARROOM_BENCH_HOURS").ok();
        let hours: u64 = hours.and_then(|h| h.parse().ok()).unwrap_or(1);
        let dir = sure(tempfile::tempdir());
        let folder = new_folder(dir.path());
        let redactor = Redactor::new(new_key(), Secrets::new());
        let id = WriterId("ana@jump1-0001".into());
        let start = Stamp {
            wall: Timestamp::UNIX_EPOCH + SignedDuration::from_secs(START),
            mono: Mono(0),
        };
        let all = (0..TARGETS).map(target).collect();
        let mut events = sure(Writer::join(
            &folder,
            id.clone(),
            start,
            &redactor.event(joined(all)),
        ));
        sure(events.sync());
        let mut masked = SampleRedactor::new(redactor);
        let mut writer = SampleWriter::new(&folder, id);
        let mut put = |obs: Observation| {
            if let Some(obs) = masked.observation(obs) {
                writer.observation(&obs);
            }
            if writer.is_full() {
                sure(writer.seal());
            }
        };
        for n in 0..TARGETS {
            let outcome = Outcome::Ok(vec![Ipv4Addr::from(0x0a4d_0000 + n as u32).into()]);
            let body = Body::Resolve(Resolution {
                name: target(n).as_str().into(),
                outcome,
            });
            put(observation(n, n, 0, Method::Literal, body));
        }
        for n in 0..hours * 3600 {
            second(n).into_iter().for_each(&mut put);
        }
        sure(writer.close());
        (dir, folder, hours)
    })
}

/// To an instant anywhere, on a screen that stands at another: until all of it is there.
#[divan::bench(sample_count = 40, sample_size = 1)]
fn seek(bencher: Bencher) {
    let (_, folder, hours) = samples();
    let mut archive = Archive::new(folder);
    let mut app = app(TARGETS).for_replay();
    let mut n = 0u64;
    bencher.bench_local(|| {
        n += 1;
        // Back and forth, never near the last one.
        let at = START + noise(n, hours * 3600) as i64;
        let to = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(at);
        archive.travel(Travel::To(to), &mut |part| {
            app.update(Message::Batch(Box::new(Batch {
                at: Stamp::at_millis(0),
                observations: Vec::new(),
                events: Vec::new(),
                verdicts: None,
                notices: vec![match part {
                    Ok(past) => warroom::model::command::Notice::Past(Box::new(past)),
                    Err(why) => warroom::model::command::Notice::NoPast(why),
                }],
            })));
            true
        });
        app.pane_text(120)
    });
}
