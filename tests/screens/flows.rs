//! Keys in, commands out.

use warroom::console::state::action::{ACTIONS, key_name};
use warroom::console::state::layer::Layer;
use warroom::console::state::message::Message;
use warroom::console::state::{App, Screen};
use warroom::model::command::{Command, Notice, Ticket};
use warroom::model::event::{Milestone, NoteKind, StepMark};

use crate::fixture::{NOW_MS, empty, night, note, notice, runbook, runbook_list, stamp, with};
use crate::{press, text};

pub fn tick(app: &mut App, after_ms: u64) {
    // Time goes on in steps, as it does.
    app.update(Message::Tick(stamp(NOW_MS + after_ms.saturating_sub(400))));
    app.update(Message::Tick(stamp(NOW_MS + after_ms)));
}

#[test]
fn a_note_is_pending_until_its_event_comes_back() {
    let mut app = night(80, 24);
    let sent = press(&mut app, "n! clamp it<enter>");
    let Command::Note {
        ticket,
        note: sort,
        text: words,
        happened,
    } = &sent[0]
    else {
        panic!("{sent:?}");
    };
    assert_eq!(
        (*sort, words.as_str(), *happened),
        (NoteKind::Decision, "clamp it", None)
    );
    press(&mut app, "9");
    assert!(text(&app).contains("clamp it  saving"));
    app.update(notice(
        NOW_MS,
        Notice::Saved {
            ticket: *ticket,
            what: "note".into(),
        },
    ));
    assert!(text(&app).contains("clamp it  saved"));
    let mut batch = empty(NOW_MS + 100);
    batch
        .events
        .push(note(9, 0, NoteKind::Decision, "clamp it"));
    app = with(app, batch);
    let shown = text(&app);
    assert!(shown.contains("decision: clamp it"), "{shown}");
    assert_eq!(shown.matches("clamp it").count(), 1, "{shown}");
}

#[test]
fn a_note_that_is_not_saved_says_so_until_it_is() {
    let mut app = night(80, 24);
    press(&mut app, "nimportant<enter>9");
    let why = "disk full";
    app.update(notice(
        NOW_MS,
        Notice::NotSaved {
            ticket: Ticket(1),
            why: why.into(),
        },
    ));
    let shown = text(&app);
    assert!(shown.contains("NOT SAVED: disk full"), "{shown}");
    assert!(
        shown.lines().next().unwrap().contains("NOT SAVED 1"),
        "{shown}"
    );
    app.update(notice(
        NOW_MS,
        Notice::Saved {
            ticket: Ticket(1),
            what: "note".into(),
        },
    ));
    assert!(text(&app).lines().next().unwrap().contains("rec"));
}

#[test]
fn an_empty_note_is_no_note_and_esc_gives_up() {
    let mut app = night(80, 24);
    assert_eq!(press(&mut app, "n  <enter>"), []);
    assert_eq!(press(&mut app, "nabc<esc>"), []);
    assert!(app.layer().is_none());
}

#[test]
fn letters_in_an_input_are_text() {
    let mut app = night(80, 24);
    let sent = press(&mut app, "nquit me?<bs><enter>");
    assert!(matches!(&sent[..], [Command::Note { text, .. }] if text == "quit me"));
    assert!(!app.leaving());
}

#[test]
fn pasted_text_outside_an_input_does_nothing() {
    let mut app = night(80, 24);
    app.take_dirty();
    assert_eq!(app.update(Message::Paste("q\ny\nxx".into())), []);
    assert!(!app.dirty() && !app.leaving() && app.layer().is_none());
}

#[test]
fn pasted_line_breaks_do_not_send_a_note() {
    let mut app = night(80, 24);
    press(&mut app, "n");
    assert_eq!(app.update(Message::Paste("one\ntwo\r\n".into())), []);
    let sent = press(&mut app, "<enter>");
    assert!(
        matches!(&sent[..], [Command::Note { text, .. }] if text == "one two"),
        "{sent:?}"
    );
}

#[test]
fn leaving_asks_only_while_something_is_under_way() {
    let mut app = night(80, 24);
    assert_eq!(press(&mut app, "q"), [Command::Leave]);
    assert!(app.leaving());

    let mut app = running();
    assert_eq!(press(&mut app, "<esc>q"), []);
    assert!(matches!(app.layer(), Some(Layer::ConfirmLeave { .. })));
    // Typed before it could be read.
    assert_eq!(press(&mut app, "y"), []);
    tick(&mut app, 9000);
    assert_eq!(press(&mut app, "y"), [Command::Leave]);
}

#[test]
fn leaving_can_be_refused() {
    let mut app = running();
    press(&mut app, "<esc>q");
    tick(&mut app, 9000);
    assert_eq!(press(&mut app, "n"), []);
    assert!(app.layer().is_none() && !app.leaving());
}

#[test]
fn ctrl_c_twice_leaves_wherever_one_is() {
    let mut app = running();
    assert_eq!(press(&mut app, "<^c>"), []);
    assert_eq!(press(&mut app, "<^c>"), [Command::Leave]);
    let mut app = night(80, 24);
    press(&mut app, "nhalf a note");
    assert_eq!(press(&mut app, "<^c><^c>"), [Command::Leave]);
    assert!(app.leaving());
}

fn opened(keys: &str) -> App {
    let mut app = night(80, 24);
    let sent = press(&mut app, "jr");
    assert_eq!(
        sent,
        [Command::OpenRunbook {
            name: "mtu-black-hole".into()
        }]
    );
    app.update(notice(NOW_MS, Notice::RunbookOpened(Box::new(runbook()))));
    press(&mut app, keys);
    app
}

/// A console that runs the command of step 2.
fn running() -> App {
    let mut app = opened("j<enter><enter><enter>");
    tick(&mut app, 1000);
    let sent = press(&mut app, "y");
    assert!(matches!(sent[..], [Command::Run { .. }]), "{sent:?}");
    app
}

#[test]
fn a_command_is_shown_word_for_word_before_it_runs() {
    let mut app = opened("j<enter>");
    // Size first, prefilled from what was measured; then the target.
    assert!(text(&app).contains("size: 1400"), "{}", text(&app));
    press(&mut app, "<bs><bs><bs><bs>1372<enter>");
    assert!(text(&app).contains("target: api.example.com"));
    press(&mut app, "<enter>");
    assert_eq!(press(&mut app, "y"), [], "no time went by");
    app.update(Message::Tick(stamp(NOW_MS + 900)));
    assert_eq!(
        press(&mut app, "y"),
        [],
        "the last known time may have been old"
    );
    app.update(Message::Tick(stamp(NOW_MS + 1100)));
    assert_eq!(press(&mut app, "y"), [], "too early");
    assert!(text(&app).contains("read it first"));
    app.take_dirty();
    app.update(Message::Tick(stamp(NOW_MS + 1200)));
    assert!(app.dirty(), "that it can be answered shows");
    let shown = text(&app);
    for word in [
        "ping -M do -c 5 -s \"$WR_SIZE\" \"$WR_TARGET\"",
        "WR_SIZE = 1372",
        "ana@jump1",
        "/home/ana",
        "30 s",
    ] {
        assert!(shown.contains(word), "{word} in\n{shown}");
    }
    app.update(Message::Paste("y".into()));
    assert_eq!(press(&mut app, "<enter>"), [], "Enter does not confirm");
    let sent = press(&mut app, "y");
    let Command::Run {
        script,
        env,
        step,
        timeout_s,
        ..
    } = &sent[0]
    else {
        panic!("{sent:?}");
    };
    assert_eq!(script, "ping -M do -c 5 -s \"$WR_SIZE\" \"$WR_TARGET\"");
    assert_eq!(env[0], ("WR_SIZE".into(), "1372".into()));
    assert_eq!(env[1], ("WR_TARGET".into(), "api.example.com".into()));
    assert_eq!(
        (step.as_ref().unwrap().as_str(), *timeout_s),
        ("step-2", 30)
    );
    // Asked once per incident: the second time the question comes at once.
    app.update(notice(NOW_MS + 1500, Notice::RunEnded("exit 0".into())));
    press(&mut app, "<esc><enter>");
    assert!(matches!(app.layer(), Some(Layer::ConfirmRun(_))));
    press(&mut app, "e");
    assert!(text(&app).contains("size: 1372"), "{}", text(&app));
}

#[test]
fn something_dangerous_needs_the_name_typed() {
    let mut app = opened("jj<enter>");
    tick(&mut app, 1000);
    assert_eq!(press(&mut app, "y<enter>"), []);
    assert_eq!(press(&mut app, "<bs>api.example.com"), []);
    let sent = press(&mut app, "<enter>");
    assert!(matches!(&sent[..], [Command::Run { script, .. }] if script.contains("TCPMSS")));
}

#[test]
fn what_cannot_run_says_why() {
    let mut app = opened("jj]");
    assert_eq!(press(&mut app, "<enter>"), []);
    assert!(app.layer().is_none());
    assert!(text(&app).contains("not offered to run: it opens a session"));
}

#[test]
fn what_cannot_be_shown_is_not_run() {
    let mut app = opened("j<enter><enter>");
    app.update(Message::Paste("\u{202e}".into()));
    press(&mut app, "<enter>");
    assert!(text(&app).contains("can't be shown"), "{}", text(&app));
    assert!(matches!(app.layer(), Some(Layer::Parameter { .. })));
    // A script that hides something is shown, and not run.
    let mut book = runbook();
    for block in &mut book.steps[1].blocks {
        if let warroom::model::runbook::Block::Fence(f) = block {
            f.command = Some(warroom::model::runbook::CommandText {
                script: "echo \u{202e}safe".into(),
                needs: Vec::new(),
            });
        }
    }
    let mut app = night(80, 24);
    press(&mut app, "jr");
    app.update(notice(NOW_MS, Notice::RunbookOpened(Box::new(book))));
    press(&mut app, "j<enter>");
    tick(&mut app, 1000);
    assert!(text(&app).contains("cannot be shown"), "{}", text(&app));
    assert_eq!(press(&mut app, "y"), []);
    assert!(!app.running());
}

#[test]
fn a_running_command_can_be_stopped_and_only_one_runs() {
    let mut app = running();
    assert_eq!(press(&mut app, "x"), [Command::StopRun]);
    press(&mut app, "<esc>");
    assert_eq!(press(&mut app, "<enter>"), []);
    assert!(matches!(app.layer(), Some(Layer::Output { .. })));
    app.update(notice(NOW_MS, Notice::RunEnded("ended by TERM".into())));
    assert_eq!(press(&mut app, "x"), []);
}

#[test]
fn steps_are_marked_and_skipping_asks_why() {
    let mut app = opened("");
    let sent = press(&mut app, "x");
    assert!(
        matches!(&sent[..], [Command::MarkStep { step, mark: StepMark::Done, reason: None, .. }] if step.as_str() == "step-1")
    );
    assert_eq!(press(&mut app, "s<enter>"), [], "a reason is needed");
    let sent = press(&mut app, "no access<enter>");
    assert!(
        matches!(&sent[..], [Command::MarkStep { mark: StepMark::Skipped, reason: Some(r), .. }] if r.as_str() == "no access")
    );
    let sent = press(&mut app, "fit hung<enter>");
    assert!(
        matches!(
            &sent[..],
            [Command::MarkStep {
                mark: StepMark::Failed,
                ..
            }]
        ),
        "{sent:?}"
    );
}

#[test]
fn runbooks_that_findings_name_come_first() {
    let mut app = night(80, 24);
    assert_eq!(press(&mut app, "8"), [Command::ListRunbooks]);
    app.update(notice(NOW_MS, runbook_list()));
    let shown = text(&app);
    let at = |w: &str| shown.find(w).unwrap();
    assert!(at("mtu-black-hole") < at("first-five-minutes"), "{shown}");
    let sent = press(&mut app, "<enter>");
    assert_eq!(
        sent,
        [Command::OpenRunbook {
            name: "dns-incident".into()
        }]
    );
    app.update(notice(
        NOW_MS,
        Notice::Failed("cannot read dns-incident: gone; try 8".into()),
    ));
    assert!(text(&app).contains("cannot read dns-incident"));
}

#[test]
fn milestones_and_severity() {
    let mut app = night(80, 24);
    // Identified is set, so mitigated is offered.
    assert!(matches!(
        press(&mut app, "m<enter>")[..],
        [Command::Milestone {
            milestone: Milestone::Mitigated,
            ..
        }]
    ));
    assert!(matches!(
        press(&mut app, "m2")[..],
        [Command::Milestone {
            milestone: Milestone::Detected,
            ..
        }]
    ));
    assert!(matches!(
        press(&mut app, "v1")[..],
        [Command::Severity { level: 1, .. }]
    ));
    assert_eq!(press(&mut app, "m9"), []);
}

#[test]
fn a_pin_holds_what_the_pane_shows() {
    let mut app = night(80, 24);
    press(&mut app, "j5");
    let shown = text(&app);
    let sent = press(&mut app, "p");
    let Command::Pin { title, lines, .. } = &sent[0] else {
        panic!("{sent:?}");
    };
    assert_eq!(title.as_str(), "MTU of api.example.com");
    let body: Vec<&str> = shown.lines().skip(3).take(15).collect();
    for (row, line) in body.iter().zip(lines) {
        assert_eq!(row.trim_end(), line.as_str());
    }
    assert!(lines.iter().any(|l| l.as_str().contains("1401 vanish")));
}

#[test]
fn enter_goes_deeper_and_esc_comes_back() {
    let mut app = night(80, 24);
    press(&mut app, "j<enter>");
    assert_eq!(app.screen(), Screen::Path);
    assert!(text(&app).contains("192.0.2.33"));
    press(&mut app, "<esc>");
    assert_eq!(app.screen(), Screen::Overview);
    press(&mut app, "jjjjj<enter>");
    assert!(matches!(app.layer(), Some(Layer::Finding { .. })));
    let sent = press(&mut app, "r");
    assert_eq!(
        sent,
        [Command::OpenRunbook {
            name: "mtu-black-hole".into()
        }]
    );
    assert!(app.layer().is_none());
}

#[test]
fn targets_change_with_brackets_and_screens_with_tab() {
    let mut app = night(80, 24);
    press(&mut app, "2]");
    assert!(text(&app).contains("api.example.com  2 of 6"));
    press(&mut app, "[[");
    assert!(text(&app).contains("6 of 6"));
    press(&mut app, "<tab>");
    assert_eq!(app.screen(), Screen::Dns);
    press(&mut app, "<backtab><backtab><backtab>");
    assert_eq!(app.screen(), Screen::Timeline);
}

#[test]
fn every_action_is_in_help() {
    let mut app = night(100, 200);
    press(&mut app, "?");
    let shown = text(&app);
    for action in ACTIONS {
        let words: Vec<&str> = action.help.split(' ').take(3).collect();
        assert!(shown.contains(&words.join(" ")), "{}", action.help);
        for key in action
            .keys
            .iter()
            .filter(|k| !key_name(**k).chars().all(|c| c.is_ascii_digit()))
        {
            assert!(shown.contains(&key_name(*key)), "{key:?}");
        }
    }
}

#[test]
fn every_action_of_a_screen_is_in_the_palette() {
    let mut app = night(80, 24);
    let sent = press(&mut app, ":export<enter>");
    assert!(matches!(sent[..], [Command::Export { .. }]), "{sent:?}");
    press(&mut app, ":http<enter>");
    assert_eq!(app.screen(), Screen::Http);
}

#[test]
fn a_clean_console_is_not_drawn_again() {
    let mut app = night(80, 24);
    assert!(app.take_dirty());
    app.update(Message::Tick(stamp(NOW_MS + 10)));
    app.update(Message::Batch(Box::new(empty(NOW_MS + 20))));
    app.update(Message::Resize { cols: 80, rows: 24 });
    assert!(!app.dirty());
    app.update(Message::Tick(stamp(NOW_MS + 1010)));
    assert!(app.take_dirty(), "the clock moves");
}

#[test]
fn no_tick_before_the_verdict_is_firm() {
    let app = crate::fixture::fresh(80, 24, true);
    let shown = text(&app);
    assert!(!shown.contains('✔'), "{shown}");
    assert!(shown.contains("… waiting"), "{shown}");
    // Control: the healthy one has it.
    assert!(text(&night(80, 24)).contains("✔ ok"));
}

#[test]
fn old_data_loses_its_tick() {
    let mut app = night(80, 24);
    tick(&mut app, 60_000);
    assert!(!text(&app).contains("✔ ok"));
    assert!(text(&app).contains("stale"));
}

#[test]
fn without_colours_nothing_is_coloured_and_the_selection_is_seen() {
    use ratatui::{Terminal, backend::TestBackend, style::Color};
    use warroom::config::theme::{Depth, Theme};
    let app = night(80, 24);
    let coloured = |depth| {
        let mut t = Terminal::new(TestBackend::new(80, 24)).unwrap();
        let theme = Theme::for_depth(depth);
        t.draw(|f| warroom::console::view::draw(&app, &theme, f))
            .unwrap();
        let cells = t.backend().buffer().content().to_vec();
        cells
            .iter()
            .filter(|c| c.fg != Color::Reset || c.bg != Color::Reset)
            .count()
    };
    assert_eq!(coloured(Depth::Mono), 0);
    assert!(coloured(Depth::Sixteen) > 100);
    assert!(text(&app).contains("▌this host"));
}

#[test]
fn what_is_clean_so_far_has_no_tick_either() {
    use warroom::model::finding::TargetState;
    for (state, ticks) in [(TargetState::Learning, false), (TargetState::Ok, true)] {
        let mut batch = crate::fixture::news();
        let verdicts = batch.verdicts.as_mut().unwrap();
        verdicts.findings.clear();
        verdicts.states.iter_mut().for_each(|s| s.1 = state.clone());
        let mut app = with(crate::fixture::fresh(80, 24, true), batch);
        for keys in ["1", "2"] {
            press(&mut app, keys);
            let lines: Vec<String> = text(&app).lines().map(str::to_owned).collect();
            let of_verdict = |l: &&String| l.contains("clean") || l.contains("0 of 58 pings lost");
            let ticked = lines.iter().filter(of_verdict).any(|l| l.contains('✔'));
            assert_eq!(ticked, ticks, "{lines:#?}");
        }
    }
}

#[test]
fn a_dismissed_finding_is_shown_and_raises_no_alarm() {
    use warroom::model::event::EventKind;
    let mut app = night(120, 40);
    let counted = |app: &App| {
        let shown = text(app);
        let tabs = shown.lines().nth(1).unwrap().to_owned();
        tabs.split_once("Timeline").unwrap().1.trim().to_owned()
    };
    let alarms = counted(&app);
    // Down to the first finding; without words nothing is dismissed.
    while !text(&app)
        .lines()
        .any(|l| l.starts_with('▌') && l.contains('✖') && l.contains("black hole towards"))
    {
        press(&mut app, "j");
    }
    assert!(press(&mut app, "d<enter>").is_empty());
    let sent = press(&mut app, "known fault<enter>");
    let [
        Command::Dismiss {
            key,
            summary,
            reason,
            known,
            ..
        },
    ] = &sent[..]
    else {
        panic!("{sent:?}");
    };
    assert_eq!((reason.as_str(), *known), ("known fault", false));
    let told = EventKind::FindingDismissed {
        key: key.clone(),
        summary: summary.clone(),
        reason: reason.clone(),
        known: false,
    };
    let mut batch = empty(NOW_MS + 100);
    batch.events.push(crate::fixture::event(90, 0, told));
    app = with(app, batch);
    let shown = text(&app);
    assert!(shown.contains("dismissed"), "{shown}");
    assert!(
        shown.contains("black hole towards"),
        "it is still there: {shown}"
    );
    assert_ne!(counted(&app), alarms, "one alarm less: {shown}");
    // The state keeps its word, says that it is dismissed, and is no alarm any more.
    let row = |app: &App| {
        let shown = text(app);
        let of_target = |l: &&str| l.contains("api.example.com") && l.contains("14.1");
        shown.lines().find(of_target).expect("a row").to_owned()
    };
    assert!(
        row(&app).contains("• down (dismissed) pmtu-black-hole"),
        "{}",
        row(&app)
    );
    assert!(
        !row(&app).ends_with("✖ down pmtu-black-hole"),
        "{}",
        row(&app)
    );
    let footer = |app: &App| text(app).lines().last().unwrap().to_owned();
    assert!(footer(&app).contains("d restore"), "{}", footer(&app));
    press(&mut app, "<enter>");
    let sheet = text(&app);
    assert!(footer(&app).contains("d restore"), "{}", footer(&app));
    assert!(
        sheet.contains("known fault") && sheet.contains("until it clears"),
        "{sheet}"
    );
    // The same key takes it back.
    let sent = press(&mut app, "d");
    assert!(
        matches!(&sent[..], [Command::Restore { key: k, .. }] if k == key),
        "{sent:?}"
    );
    let restored = EventKind::FindingRestored {
        key: key.clone(),
        summary: summary.clone(),
    };
    let mut batch = empty(NOW_MS + 200);
    batch.events.push(crate::fixture::event(91, 0, restored));
    app = with(app, batch);
    assert!(footer(&app).contains("d dismiss"), "{}", footer(&app));
    press(&mut app, "<esc>");
    assert_eq!(counted(&app), alarms, "it alarms again");
    assert!(
        row(&app).contains("✖ down pmtu-black-hole"),
        "{}",
        row(&app)
    );
    press(&mut app, "9");
    assert!(
        text(&app).contains("alarms again: PMTU black hole"),
        "it is on record"
    );
    // With a mark it holds for the incident.
    let mut app = night(120, 40);
    while !text(&app)
        .lines()
        .any(|l| l.starts_with('▌') && l.contains('✖') && l.contains("black hole towards"))
    {
        press(&mut app, "j");
    }
    let sent = press(&mut app, "d!change 31<enter>");
    assert!(
        matches!(&sent[..], [Command::Dismiss { known: true, reason, .. }] if reason.as_str() == "change 31"),
        "{sent:?}"
    );
}

#[test]
fn of_two_faults_the_one_that_is_not_dismissed_gives_the_state() {
    use warroom::model::event::EventKind;
    let mut app = night(120, 40);
    let expired = crate::fixture::verdicts().findings.remove(1);
    let mut batch = empty(NOW_MS + 100);
    batch.events.push(crate::fixture::event(
        90,
        0,
        EventKind::FindingDismissed {
            key: expired.key(),
            summary: expired.summary.clone(),
            reason: "renewal is under way".into(),
            known: true,
        },
    ));
    app = with(app, batch);
    let shown = text(&app);
    let row = shown
        .lines()
        .find(|l| l.contains("shop.example.net/hea"))
        .unwrap();
    assert!(row.contains("✖ down http-server-error"), "{row}");
    press(&mut app, "jj6");
    let shown = text(&app);
    assert!(shown.contains("(tls-expired dismissed)"), "{shown}");
    press(&mut app, "4");
    assert!(
        text(&app).contains("dismissed: The TLS certificate"),
        "{}",
        text(&app)
    );
}
