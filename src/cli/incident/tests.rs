//! The subcommands on stores of their own.

use super::*;

fn run_in(dir: &Path, args: &[&str]) -> (Result<Outcome>, String) {
    #[derive(clap::Parser)]
    struct Line {
        #[command(subcommand)]
        command: IncidentCommand,
    }
    let line = ["incident"].iter().chain(args);
    let line = <Line as clap::Parser>::try_parse_from(line).unwrap();
    let mut out = Vec::new();
    let done = run(&line.command, Some(dir), &Secrets::new(), &mut out);
    (done, String::from_utf8(out).unwrap())
}

fn ok(dir: &Path, args: &[&str]) -> String {
    let (done, out) = run_in(dir, args);
    assert_eq!(done.unwrap(), Outcome::Done(0), "{out}");
    out
}

/// A store with one incident of one session in it.
fn store() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::place(Some(dir.path())).unwrap();
    let redactor = Redactor::new(incident::new_key(), Secrets::new());
    let title = redactor.text(&"api slow".into());
    let clock = Clock::start();
    let folder = store
        .create(&title, clock.now().wall, &incident::new_key())
        .unwrap();
    let joined = redactor.event(EventKind::Joined {
        title: Some("api slow".into()),
        user: "ana".into(),
        host: "jump1".into(),
        version: "0".into(),
        privileges: SafeText::default(),
        targets: Vec::new(),
        heads: Vec::new(),
    });
    let id = writer_id(&"ana".into(), &"jump1".into());
    Writer::join(&folder, id, clock.now(), &joined).unwrap();
    dir
}

#[test]
fn a_note_from_another_shell_is_in_the_timeline() {
    let dir = store();
    let id = ok(
        dir.path(),
        &["note", "last", "! -rolled back; password=hunter22"],
    );
    let id = id.trim();
    let lines = ok(dir.path(), &["show", "last", "--jsonl"]);
    let events: Vec<Event> = lines
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(events.len(), 4, "joined twice, note, left: {lines}");
    let note = events.iter().find(|e| e.id().0 == id).unwrap();
    let said = plain::what(note);
    assert!(
        said.as_str()
            .starts_with("decision: -rolled back; password=‹secret:")
    );
    let json: serde_json::Value =
        serde_json::from_str(&ok(dir.path(), &["show", "last", "--json"])).unwrap();
    assert_eq!(json["schema"], "warroom.incident/1");
    assert_eq!(json["writers"].as_array().unwrap().len(), 2);
    assert!(ok(dir.path(), &["show", "last"]).contains("decision: -rolled back"));
    assert!(ok(dir.path(), &["list"]).contains("2 writers"));
    assert!(ok(dir.path(), &["verify", "last"]).contains("nothing was changed"));
}

#[test]
fn export_writes_once_and_prints() {
    let dir = store();
    let path = ok(dir.path(), &["export", "last"]);
    assert_eq!(
        ok(dir.path(), &["export", "last"]),
        path,
        "the same draft, the same file"
    );
    let draft = std::fs::read_to_string(path.trim()).unwrap();
    assert!(draft.starts_with("# Postmortem draft: api slow"));
    assert_eq!(ok(dir.path(), &["export", "last", "--stdout"]), draft);
}

#[test]
fn verify_says_what_was_changed() {
    let dir = store();
    ok(dir.path(), &["note", "last", "one"]);
    let Ok(Outcome::Resume(folder)) = run_in(dir.path(), &["resume", "last"]).0 else {
        panic!("no folder");
    };
    for entry in std::fs::read_dir(folder.path.join("events")).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replace("\"one\"", "\"two\"")).unwrap();
    }
    let (done, out) = run_in(dir.path(), &["verify", "last"]);
    assert_eq!(done.unwrap(), Outcome::Done(1));
    assert!(out.contains("BROKEN") && out.contains("line 2"), "{out}");
}

#[test]
fn mistakes_are_answered_in_sentences() {
    let dir = store();
    let said = |args: &[&str]| run_in(dir.path(), args).0.unwrap_err().to_string();
    assert!(said(&["note", "last", "  "]).contains("nothing to write down"));
    assert!(said(&["show", "nowhere"]).contains("no incident `nowhere`"));
    assert!(said(&["show", dir.path().to_str().unwrap()]).contains("is no incident"));
    let empty = tempfile::tempdir().unwrap();
    assert!(ok(empty.path(), &["list"]).contains("no incidents in"));
    assert!(ok(&empty.path().join("absent"), &["list", "--json"]).contains("[]"));
}

#[test]
fn json_is_tame_and_the_same() {
    let raw = serde_json::json!({"a": "ä\u{9b}31m\u{202e}日\u{e0041}"}).to_string();
    let tamed = tame(&raw);
    assert!(
        tamed.contains("\\u009b31m\\u202e日\\udb40\\udc41"),
        "{tamed}"
    );
    let value = |s: &str| serde_json::from_str::<serde_json::Value>(s).unwrap();
    assert_eq!(value(&tamed), value(&raw));
}

#[test]
fn an_open_finding_is_dismissed_from_another_shell() {
    let dir = store();
    let store = Store::place(Some(dir.path())).unwrap();
    let folder = store.find("last").unwrap();
    let redactor = Redactor::new(folder.key(), Secrets::new());
    let clock = Clock::start();
    let finding: Finding = serde_json::from_value(json!({
        "code": "bgp-peer-down", "severity": "critical", "confidence": 1.0, "subject": "local",
        "location": {"kind": "device", "hop": null, "address": null, "name": "r1", "to_hop": null,
                     "to_address": null, "to_name": null, "also": []},
        "discriminator": "r1", "since": "2026-01-01T00:00:00Z", "until": null, "opened_after_ms": 0,
        "summary": "a session is down", "evidence": [], "reproduce": [], "runbooks": [],
    }))
    .unwrap();
    let key = finding.key();
    let finding = Box::new(finding);
    write_one(&folder, &redactor, &clock, |at| Record {
        seq: 1,
        at,
        happened: None,
        kind: redactor.event(EventKind::FindingOpened { finding }),
    })
    .unwrap();
    let (wrong, _) = run_in(dir.path(), &["dismiss", "last", "host-down", "x"]);
    let said = wrong.unwrap_err().to_string();
    assert!(said.contains("open are: bgp-peer-down"), "{said}");
    let (empty, _) = run_in(dir.path(), &["dismiss", "last", "bgp-peer-down", " "]);
    assert!(matches!(empty, Err(IncidentError::NoReason)));
    let line = [
        "dismiss",
        "last",
        "bgp-peer-down",
        "planned",
        "work",
        "--known",
    ];
    ok(dir.path(), &line);
    let incident = Incident::fold(incident::read(&folder).unwrap().events);
    let dismissed = incident.dismissed.get(&key).unwrap();
    assert_eq!(dismissed.reason.as_str(), "planned work");
    assert!(dismissed.known);
}
