//! At a decision of a runbook: the console says which way the evidence speaks for, the person
//! takes one, and both are recorded.

use insta::assert_snapshot;
use warroom::console::state::App;
use warroom::model::command::{Command, Notice};
use warroom::model::event::StepMark;
use warroom::runbook::parse;

use crate::fixture::{NOW_MS, night, notice};
use crate::{press, text};

const BOOK: &str = "\
# Slow or stuck

1. First look.

Decision: what is it? *Measured*: one size answered and one byte more never. *Misleads*: hosts that
drop every large ping. *Source*: RFC 1191.

- Nothing answers → [The way is broken](#the-way-is-broken)
  <!-- when: finding(\"no-default-route\", \"gateway-unreachable\", \"host-down\", \"path-broken\") -->
- Large packets hang → [Correct the size](#correct-the-size)
  <!-- when: finding(\"pmtu-black-hole\") -->
- The processor is busy → [Firewall](firewall-performance.md#processor)
  <!-- when: finding(\"device-cpu-high\") -->
- Neither → [First five minutes](first-five-minutes.md)

## The way is broken

1. Find its owner.

## Correct the size

1. Lower it.

   ```probe
   mtu {{target}}
   expect: not black_hole
   ping {{target}}
   expect: loss < 5 %
   mtu 192.0.2.99
   expect: size >= 1500
   ```

Decision: did it help?

- Yes → [The way is broken](#the-way-is-broken)
- No → [Correct the size](#correct-the-size)
";

fn deciding(cols: u16, rows: u16, keys: &str) -> App {
    let mut app = night(cols, rows);
    press(&mut app, "jr");
    let book = parse(BOOK.as_bytes(), "slow", "slow.md").unwrap();
    app.update(notice(NOW_MS, Notice::RunbookOpened(Box::new(book))));
    press(&mut app, "j");
    press(&mut app, keys);
    app
}

/// Reason of the one mark that was sent.
fn recorded(sent: &[Command]) -> &str {
    match sent {
        [
            Command::MarkStep {
                mark: StepMark::Done,
                reason: Some(reason),
                ..
            },
            ..,
        ] => reason.as_str(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_the_evidence_offers_is_taken_by_enter_and_recorded_with_its_values() {
    let mut app = deciding(80, 24, "");
    assert!(text(&app).contains("the evidence says"), "{}", text(&app));
    let sent = press(&mut app, "<enter>");
    assert_eq!(
        recorded(&sent),
        "took \"Large packets hang → Correct the size\" to #correct-the-size: pmtu-black-hole is open"
    );
    assert!(text(&app).contains("Lower it"), "{}", text(&app));
    // `x` (done) on a decision is the same as taking it.
    let mut app = deciding(80, 24, "");
    assert!(recorded(&press(&mut app, "x")).contains("#correct-the-size"));
}

#[test]
fn another_way_needs_a_reason_and_both_are_recorded() {
    let mut app = deciding(80, 24, "[");
    assert_eq!(press(&mut app, "<enter><enter>"), [], "a reason is needed");
    let sent = press(&mut app, "the probe is old<enter>");
    let said = recorded(&sent);
    assert!(
        said.starts_with(
            "took \"Nothing answers → The way is broken\" to #the-way-is-broken: the probe is old; \
             against the evidence, which offers \"Large packets hang → Correct the size\""
        ),
        "{said}"
    );
    assert!(said.ends_with("pmtu-black-hole is open"), "{said}");
    assert!(text(&app).contains("Find its owner"), "{}", text(&app));
    // Giving up on the reason takes nothing.
    let mut app = deciding(80, 24, "[<enter>");
    assert_eq!(press(&mut app, "<esc>"), []);
    assert!(text(&app).contains("what is it?"), "{}", text(&app));
}

#[test]
fn without_evidence_nothing_is_preselected() {
    let mut app = deciding(80, 24, "<enter>");
    press(&mut app, "j");
    assert!(text(&app).contains("no evidence decides"), "{}", text(&app));
    assert_eq!(press(&mut app, "<enter>"), []);
    assert!(text(&app).contains("choose with"), "{}", text(&app));
    let sent = press(&mut app, "]<enter>");
    assert!(recorded(&sent).contains("chosen by hand"), "{sent:?}");
}

#[test]
fn a_way_into_another_runbook_opens_it_at_its_heading() {
    let mut app = deciding(80, 24, "]<enter>");
    let sent = press(&mut app, "seen on the device<enter>");
    assert!(
        matches!(&sent[1..], [Command::OpenRunbook { name }] if name == "firewall-performance"),
        "{sent:?}"
    );
    let other = b"# F\n\n1. one\n\n## Processor\n\n1. which plane\n";
    let other = parse(other, "firewall-performance", "f.md").unwrap();
    app.update(notice(NOW_MS, Notice::RunbookOpened(Box::new(other))));
    assert!(text(&app).contains("which plane"), "{}", text(&app));
}

#[test]
fn probes_answer_for_the_target_and_their_answers_are_recorded() {
    let mut app = deciding(80, 24, "<enter>");
    let shown = text(&app);
    assert!(shown.contains("NOT as expected"), "{shown}");
    assert!(
        shown.contains("mtu 192.0.2.99  not the target shown"),
        "{shown}"
    );
    let sent = press(&mut app, "x");
    let said = recorded(&sent);
    assert!(
        said.contains("not black_hole does not hold (mtu.black_hole yes)"),
        "{said}"
    );
    assert!(!said.contains("size"), "{said}");
}

#[test]
fn how_it_looks() {
    for (cols, rows) in [(40, 12), (80, 24), (120, 40)] {
        let name = |what: &str| format!("{what}_{cols}x{rows}");
        assert_snapshot!(name("decision"), text(&deciding(cols, rows, "")));
        assert_snapshot!(name("decision_moved"), text(&deciding(cols, rows, "]")));
        assert_snapshot!(name("probe_block"), text(&deciding(cols, rows, "<enter>")));
    }
}
