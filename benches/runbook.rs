//! What a runbook costs: opening one of ordinary size and one at the limit, every frame of it on
//! the screen, a decision with all its conditions. `cargo bench --bench runbook`.

#![allow(clippy::expect_used, clippy::missing_panics_doc)]

use divan::{Bencher, black_box};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use warroom::config::theme::{Depth, Theme};
use warroom::console::state::message::Message;
use warroom::console::state::{App, AppInit, Settings};
use warroom::console::view;
use warroom::model::command::{Batch, Notice};
use warroom::model::condition::Facts;
use warroom::model::runbook::{Runbook, decide};
use warroom::model::target::Target;
use warroom::model::time::{Mono, Stamp};
use warroom::runbook::{MAX_BYTES, lint, parse};

fn main() {
    divan::main();
}

const ORDINARY: &str = include_str!("../runbooks/path-loss-latency.md");

/// The ordinary one again and again, up to the largest file that is opened.
fn text(bytes: usize) -> String {
    ORDINARY.repeat(bytes.div_ceil(ORDINARY.len()).max(1))[..]
        .char_indices()
        .take_while(|(at, c)| at + c.len_utf8() <= bytes)
        .map(|(_, c)| c)
        .collect()
}

const SIZES: [usize; 2] = [ORDINARY.len(), MAX_BYTES];

fn book(bytes: usize) -> Runbook {
    parse(text(bytes).as_bytes(), "bench", "bench.md").expect("it is a runbook")
}

#[divan::bench(args = SIZES)]
fn open(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = text(bytes);
    bencher.bench(|| parse(black_box(text.as_bytes()), "bench", "bench.md"));
}

#[divan::bench(args = SIZES)]
fn check(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = text(bytes);
    let document = warroom::runbook::document(text.as_bytes(), "bench", "bench.md");
    let document = document.expect("it is a runbook");
    bencher.bench(|| lint::check(black_box(&document), &|_| true));
}

#[divan::bench]
fn weigh_a_decision(bencher: Bencher<'_, '_>) {
    let book = book(SIZES[0]);
    let most = book.steps.iter().max_by_key(|s| s.choices.len());
    let choices = &most.expect("it has steps").choices;
    let facts = Facts::default();
    bencher.bench(|| decide(black_box(choices), &facts));
}

#[divan::bench(args = SIZES)]
fn frame(bencher: Bencher<'_, '_>, bytes: usize) {
    let now = Stamp {
        wall: jiff::Timestamp::UNIX_EPOCH,
        mono: Mono(1_000_000_000),
    };
    let mut app = App::new(AppInit {
        targets: Target::parse("192.0.2.7").into_iter().collect(),
        incident_name: "bench".into(),
        incident_dir: "bench".into(),
        who: "ana@jump1".into(),
        cwd: "/".into(),
        started: now,
        utf8: true,
        size: (120, 40),
        settings: Settings::default(),
    });
    app.begin_with("bench".into());
    app.update(Message::Batch(Box::new(Batch {
        at: now,
        observations: Vec::new(),
        events: Vec::new(),
        verdicts: None,
        notices: vec![Notice::RunbookOpened(Box::new(book(bytes)))],
    })));
    let theme = Theme::for_depth(Depth::Full);
    let mut terminal = Terminal::new(TestBackend::new(120, 40)).expect("a backend");
    bencher.bench_local(|| {
        let drawn = terminal.draw(|frame| view::draw(black_box(&app), &theme, frame));
        black_box(drawn.is_ok())
    });
}
