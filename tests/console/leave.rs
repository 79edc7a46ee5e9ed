//! Leaving: nothing is left of a look that found nothing; else it says where it is.

use super::night::Night;
use super::notes::note;

#[test]
fn a_look_that_found_nothing_leaves_nothing() {
    let Some(night) = Night::begin("console: nothing left") else {
        return;
    };
    let mut s = night.console(&[&night.well()]);
    s.wait_text("✔ ok");
    assert_eq!(night.incidents().len(), 1, "it is there from the start");
    assert_eq!(night.keys(), 1);
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
    assert!(
        s.screen().contains("no incident was kept"),
        "{}",
        s.screen()
    );
    assert_eq!((night.incidents().len(), night.keys()), (0, 0));
}

#[test]
fn a_fault_keeps_the_incident() {
    let Some(night) = Night::begin("console: a finding keeps") else {
        return;
    };
    let mut s = night.console(&[&night.ill()]);
    s.wait_text("answers HTTP 503");
    // On record, not only on the screen.
    s.send("9");
    s.wait_text("✖ opened");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(night.incidents().len(), 1);
}

#[test]
fn leaving_says_where_it_is_and_how_to_go_on() {
    let Some(night) = Night::begin("console: leaving") else {
        return;
    };
    let mut s = night.console(&[&night.well()]);
    note(&s, "looks fine from here");
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    assert_eq!(s.left_behind(), "");
    let said = s.screen().replace('\n', "");
    let incident = night.incident().display().to_string();
    let resume = format!("warroom incident resume {}", night.name());
    assert!(said.contains(&incident) && said.contains(&resume), "{said}");
}
