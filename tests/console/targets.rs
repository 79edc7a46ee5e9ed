//! Targets that come and go while the console runs: probed, recorded, and there again on resume.

use super::night::Night;
use super::notes::journal;

#[test]
fn a_target_is_added_probed_removed_and_the_incident_knows() {
    let Some(night) = Night::begin("console: add and remove") else {
        return;
    };
    let (well, ill) = (night.well(), night.ill());
    let mut s = night.console(&["--new", &well]);
    s.wait_text("● rec");
    // Nonsense is refused with advice, and may be corrected.
    s.send("A");
    s.wait_text("add target: ");
    s.send("a b\r");
    s.wait_text("cannot read 'a b' as a target");
    s.send("\x15");
    s.send(&ill);
    s.send("\r");
    s.wait_text("saved: now watched");
    s.wait_text("http-server-error");
    // By the palette, with a secret that must not reach the disk.
    s.send(":");
    s.send("add snmp://topsecr3t@127.0.0.1\r");
    s.wait_text("saved: now watched: snmp://***@127.0.0.1");
    // Away with the faulty one: the question comes first, and its finding goes with it.
    s.send(":");
    s.send(format!("remove {ill}\r"));
    s.wait_text("WATCH IT NO MORE?");
    s.wait_text("y removes it");
    s.send("y");
    s.wait_text("saved: no longer watched");
    // The timeline below still tells of both.
    s.wait_screen("neither row nor finding", |s| {
        let screen = s.contents();
        let above = screen.split("TIMELINE").next().unwrap_or_default();
        !above.contains("/bad") && !above.contains(" 503")
    });
    s.send("q");
    assert_eq!(s.wait_exit(), 0);
    let on_disk = journal(&night);
    assert!(on_disk.contains("\"target_added\"") && on_disk.contains("\"target_removed\""));
    assert!(!on_disk.contains("topsecr3t"), "{on_disk}");
    // The figures until then are on record.
    let after = on_disk
        .split("\"target_removed\"")
        .next()
        .unwrap_or_default();
    assert!(after.contains("\"target_numbers\""), "{on_disk}");

    let shown = night.run(&["incident", "show", &night.name(), "--json"]);
    let folded: serde_json::Value = serde_json::from_str(&shown.out).expect("JSON");
    let lapsed = folded["lapsed_findings"].to_string();
    assert!(lapsed.contains("http-server-error"), "{folded:#}");
    assert!(
        !folded["cleared_findings"]
            .to_string()
            .contains("http-server-error")
    );

    // Gone on with, it watches what was watched last.
    let s = night.console(&["incident", "resume", &night.name()]);
    s.wait_text("snmp://***@127.0.0.1");
    let screen = s.screen();
    let row = |part: &str| screen.lines().take(8).any(|l| l.contains(part));
    assert!(row("http://127.0.0.1:") && !row("/bad"), "{screen}");
}
