//! A secret in a URL is sent and shown nowhere: not on the screen, not in the incident's folder.

use std::path::Path;

use super::night::Night;

const FIRST: &str = "t0psecret42abc";
const SECOND: &str = "0thersecret77x";

/// All text below a folder, names of files too.
fn everything(dir: &Path) -> String {
    let mut all = String::new();
    for entry in std::fs::read_dir(dir).expect("a folder") {
        let path = entry.expect("an entry").path();
        all.push_str(&path.to_string_lossy());
        if path.is_dir() {
            all.push_str(&everything(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(
                &std::fs::read(&path).expect("a file"),
            ));
        }
        all.push('\n');
    }
    all
}

#[test]
fn a_url_loses_its_secret_on_the_screen_and_on_disk() {
    let Some(night) = Night::begin("console: secrets in URLs") else {
        return;
    };
    let bad = night.ill();
    let targets = [
        format!("{bad}?token={FIRST}&x=1"),
        format!("{bad}?token={SECOND}&x=1"),
    ];
    let args: Vec<&str> = targets.iter().map(String::as_str).collect();
    let mut s = night.console(&args);
    s.wait_screen("both targets ill", |x| {
        let text = x.contents();
        text.matches("answers HTTP 503").count() >= 2 || text.matches("HTTP 503").count() >= 2
    });
    for key in ["2", "4", "6", "9", "1"] {
        s.send(key);
        s.wait_text("token=***");
    }
    s.send("\x03\x03");
    assert_eq!(s.wait_exit(), 0);
    let bytes = s.bytes();
    let seen = String::from_utf8_lossy(&bytes);
    let kept = everything(&night.state());
    let journal = night.run(&["incident", "list"]);
    for secret in [FIRST, SECOND] {
        for (what, text) in [
            ("screen", seen.as_ref()),
            ("disk", &kept),
            ("list", &journal.out),
        ] {
            assert!(!text.contains(secret), "{what}: {text}");
        }
    }
    // The controls: they were asked, recorded as two, and their trouble is there.
    assert!(kept.contains("/bad?token=***&x=1\""), "{kept}");
    assert!(kept.contains("/bad?token=***&x=1 (2)\""), "{kept}");
    assert!(
        kept.contains("http-server-error") && kept.contains("curl -sv"),
        "{kept}"
    );
    let asked = night.asked();
    for secret in [FIRST, SECOND] {
        assert!(
            asked
                .iter()
                .any(|r| r.contains(&format!("token={secret}&x=1"))),
            "{asked:?}"
        );
    }
}
