//! A change that is marked: on disk, compared, taken up again after a kill, ended, in the draft.

use nix::sys::signal::Signal;
use serde_json::Value;

use super::night::Night;
use super::notes::journal;

#[test]
fn a_mark_outlives_a_kill_and_its_verdict_is_in_the_draft() {
    let Some(night) = Night::begin("console: a change is marked") else {
        return;
    };
    let target = night.well();
    let mut s = night.console(&[&target]);
    s.wait_text("● rec");
    // Something was measured.
    s.wait_text("200");
    s.send("b");
    s.wait_text("Enter marks now");
    s.send("roll back 31\r");
    s.wait_text("b end compare");
    s.wait_text("roll back 31");
    s.signal(Signal::SIGKILL);
    assert_eq!(s.wait_exit(), 137);

    let mut s = night.console(&[&target]);
    s.wait_text("b end compare");
    s.send("b");
    s.wait_text("b change");
    s.send("e");
    s.wait_text("postmortem draft saved");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);

    let events: Vec<Value> = journal(&night)
        .lines()
        .map(|l| serde_json::from_str(l).expect("JSON"))
        .collect();
    let of = |kind: &str| -> Vec<&Value> { events.iter().filter(|e| e["kind"] == kind).collect() };
    let marks = of("change_marked");
    assert_eq!(marks.len(), 1);
    assert_eq!(marks[0]["label"], "roll back 31");
    let before = marks[0]["before"].as_array().expect("figures");
    assert!(
        before.iter().all(|f| f["target"] == target.as_str()),
        "{before:?}"
    );
    let judged = of("change_judged");
    let ended: Vec<_> = judged.iter().filter(|e| e["ended"] == true).collect();
    assert_eq!(ended.len(), 1, "{judged:?}");
    let mark = format!(
        "{}:{}",
        marks[0]["writer"].as_str().expect("a writer"),
        marks[0]["seq"]
    );
    assert_eq!(ended[0]["mark"], mark.as_str());

    let drafts = std::fs::read_dir(night.incident())
        .expect("the folder")
        .flatten();
    let draft = drafts
        .map(|e| e.path())
        .find(|p| p.extension().is_some_and(|e| e == "md"))
        .expect("a draft");
    let draft = std::fs::read_to_string(draft).expect("text");
    let (_, changes) = draft.split_once("### Changes").expect("a section");
    let row = changes
        .lines()
        .find(|l| l.contains("roll back 31"))
        .expect("a row");
    let verdicts = [
        "too early",
        "too little",
        "no difference",
        "better",
        "worse",
    ];
    assert!(verdicts.iter().any(|v| row.contains(v)), "{row}");
}
