//! What the console spends beside the packets: filing a fact, judging a window, drawing a frame.
//! `cargo bench` prints them for one, a hundred and a thousand targets; `scripts/bench` measures
//! the whole program against its peers.

use std::net::{IpAddr, Ipv4Addr};

use divan::{Bencher, black_box};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use warroom::config::theme::{Depth, Theme};
use warroom::console::state::message::Message;
use warroom::console::state::{App, AppInit, Settings};
use warroom::console::view;
use warroom::diagnose;
use warroom::model::command::{Batch, Verdicts};
use warroom::model::observation::{
    Body, Echo, How, Method, ObsId, Observation, Outcome, PingSample, Resolution,
};
use warroom::model::target::Target;
use warroom::model::thresholds::Thresholds;
use warroom::model::time::{Mono, Rtt, Stamp};
use warroom::model::window::Window;

const TARGETS: [u32; 3] = [1, 100, 1000];
/// Pings of each target: what the window keeps of many.
const PINGS: u32 = 120;

fn main() {
    divan::main();
}

fn address(n: u32) -> IpAddr {
    Ipv4Addr::from(0x0a4d_0000 + n).into()
}

fn targets(count: u32) -> Vec<Target> {
    (0..count)
        .filter_map(|n| Target::parse(&address(n).to_string()).ok())
        .collect()
}

/// Ping number `seq` of a target, once a second; one in fifty is lost.
fn ping(target: &Target, n: u32, seq: u32) -> Observation {
    let sent = Mono::from_millis(u64::from(seq) * 1000);
    let rtt = Rtt(100_000 + u64::from(seq * 7919 % 1000) * 1000);
    let outcome = if (seq + n).is_multiple_of(50) {
        Outcome::Timeout { after: rtt }
    } else {
        Outcome::Ok(Echo {
            rtt,
            reply_ttl: Some(61),
            reply_tos: None,
            corrupt: false,
        })
    };
    Observation {
        id: ObsId(u64::from(seq) * 10_000 + u64::from(n)),
        at: Stamp::at_millis(u64::from(seq) * 1000 + 1),
        target: target.id.clone(),
        how: How::best(Method::IcmpRaw),
        body: Body::Ping(PingSample {
            size: None,
            dst: address(n),
            port: None,
            seq,
            sent,
            outcome,
            afterwards: Default::default(),
        }),
    }
}

fn resolved(target: &Target, n: u32) -> Observation {
    Observation {
        id: ObsId(u64::from(n)),
        at: Stamp::at_millis(0),
        target: target.id.clone(),
        how: How::best(Method::Literal),
        body: Body::Resolve(Resolution {
            name: target.id.as_str().into(),
            outcome: Outcome::Ok(vec![address(n)]),
        }),
    }
}

/// All that two minutes of pings have to say.
fn facts(count: u32) -> Vec<Observation> {
    let targets = targets(count);
    let mut all = Vec::new();
    for (n, t) in (0..).zip(&targets) {
        all.push(resolved(t, n));
        all.extend((0..PINGS).map(|seq| ping(t, n, seq)));
    }
    all
}

fn window(count: u32) -> Window {
    let mut window = Window::new(targets(count));
    for fact in facts(count) {
        window.take(&fact);
    }
    window
}

fn now() -> Stamp {
    Stamp::at_millis(u64::from(PINGS) * 1000)
}

/// One more ping of each target.
#[divan::bench(args = TARGETS)]
fn file_a_ping_of_each(bencher: Bencher, count: u32) {
    let mut window = window(count);
    let all: Vec<_> = (0..)
        .zip(targets(count))
        .map(|(n, t)| ping(&t, n, PINGS))
        .collect();
    bencher
        .counter(divan::counter::ItemsCount::new(count))
        .bench_local(|| {
            for fact in &all {
                window.take(black_box(fact));
            }
        });
}

/// One look of the engine at everything.
#[divan::bench(args = TARGETS)]
fn judge(bencher: Bencher, count: u32) {
    let (window, thresholds) = (window(count), Thresholds::default());
    bencher.bench_local(|| diagnose::judge(black_box(&window), &thresholds, now()));
}

/// The overview of 120×40 with its verdicts.
#[divan::bench(args = TARGETS)]
fn draw(bencher: Bencher, count: u32) {
    let mut app = App::new(AppInit {
        targets: targets(count),
        incident_name: "bench".into(),
        incident_dir: "bench".into(),
        who: "nobody@here".into(),
        cwd: "/".into(),
        started: Stamp::at_millis(0),
        utf8: true,
        size: (120, 40),
        settings: Settings::default(),
    });
    let judged = diagnose::judge(&window(count), &Thresholds::default(), now());
    app.update(Message::Batch(Box::new(Batch {
        at: now(),
        observations: facts(count),
        events: Vec::new(),
        verdicts: Some(Verdicts {
            findings: judged.findings,
            states: judged.states,
            ruled_out: judged.ruled_out,
            pending: Vec::new(),
            comparison: None,
        }),
        notices: Vec::new(),
    })));
    let theme = Theme::for_depth(Depth::Full);
    let Ok(mut terminal) = Terminal::new(TestBackend::new(120, 40));
    bencher.bench_local(|| {
        terminal
            .draw(|frame| view::draw(black_box(&app), &theme, frame))
            .is_ok()
    });
}
