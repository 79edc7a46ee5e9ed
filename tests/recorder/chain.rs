//! The files: torn, forged, odd, and told apart.

use crate::rig::*;

/// An incident of one writer with so many notes, and its file.
fn written(dir: &Path, notes: u64) -> (Folder, PathBuf) {
    let folder = new_folder(dir);
    let mut writer = join(&folder, "ana");
    for seq in 1..=notes {
        let kind = note(&format!("note {seq}"));
        writer.append(&record(seq, kind)).unwrap();
    }
    writer.sync().unwrap();
    let path = writer.path();
    (folder, path)
}

#[test]
fn a_chain_can_be_checked_with_stock_tools() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 3);
    let script = r#"prev=$(printf '0%.0s' $(seq 64))
        while IFS= read -r line; do
          case $line in *"\"prev\":\"$prev\""*) ;; *) echo broken; exit 1;; esac
          prev=$(printf '%s' "$line" | sha256sum | cut -d' ' -f1)
        done < "$1"; echo "$prev""#;
    let mut bash = Command::new("bash");
    let out = bash
        .args(["-c", script, "check"])
        .arg(&path)
        .output()
        .unwrap();
    assert!(out.status.success());
    let verified = verify(&folder).unwrap();
    assert!(verified.is_good());
    assert_eq!(verified.files[0].lines, 4);
    let head = String::from_utf8_lossy(&out.stdout).trim().to_owned();
    assert_eq!(head, verified.files[0].head);
}

#[test]
fn every_flipped_byte_is_noticed_and_its_line_named() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 4);
    let good = fs::read(&path).unwrap();
    assert!(verify(&folder).unwrap().is_good(), "the control: untouched");
    let before_last = &good[..good.len() - 1];
    let last_line = before_last.iter().rposition(|b| *b == b'\n').unwrap() + 1;
    let line_of = |at: usize| 1 + good[..at].iter().filter(|b| **b == b'\n').count() as u64;
    for at in 0..last_line {
        let mut bad = good.clone();
        bad[at] ^= 1;
        fs::write(&path, &bad).unwrap();
        let found = verify(&folder).unwrap();
        let Chain::Broken { line, .. } = found.files[0].chain else {
            panic!("byte {at} of line {} went unnoticed", line_of(at));
        };
        let (expected, is_feed) = (line_of(at), good[at] == b'\n');
        // In the last line but one it can't always be told which of two was changed.
        assert!(
            line == expected || is_feed && line == expected + 1,
            "byte {at}: line {line} named, line {expected} changed"
        );
        // Reading never fails and never invents.
        assert!(read(&folder).unwrap().events.len() <= 5);
    }
}

#[test]
fn a_file_without_a_chain_is_caught() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 3);
    let text = fs::read_to_string(&path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let chain_of = |lines: &[&str]| {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
        verify(&folder).unwrap().files.remove(0).chain
    };
    let is_broken_at = |chain: Chain, at| matches!(chain, Chain::Broken { line, .. } if line == at);
    assert_eq!(chain_of(&lines), Chain::Whole, "the control");
    // Plausible lines of somebody who does not know about the chain.
    let forged = lines[2].replace("note 2", "nothing");
    let changed = chain_of(&[lines[0], lines[1], &forged, lines[3]]);
    assert!(is_broken_at(changed, 3));
    // A line left out, two swapped, the beginning left out.
    assert_ne!(chain_of(&[lines[0], lines[1], lines[3]]), Chain::Whole);
    assert_ne!(
        chain_of(&[lines[0], lines[2], lines[1], lines[3]]),
        Chain::Whole
    );
    assert!(is_broken_at(chain_of(&lines[1..]), 1));
}

#[test]
fn a_removed_file_and_a_cut_file_show() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 3);
    let text = fs::read_to_string(&path).unwrap();
    let ben = join(&folder, "ben");
    assert!(verify(&folder).unwrap().is_good(), "the control");
    let cut: Vec<&str> = text.lines().take(2).collect();
    fs::write(&path, cut.join("\n") + "\n").unwrap();
    let found = verify(&folder).unwrap();
    assert_eq!(found.missing.len(), 1, "{found:?}");
    fs::remove_file(&path).unwrap();
    let found = verify(&folder).unwrap();
    assert_eq!(found.missing[0].what.as_str(), "the file is missing");
    assert!(ben.path().ends_with(found.missing[0].seen_by.as_str()));
}

#[test]
fn a_file_torn_anywhere_opens_with_all_whole_lines() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 4);
    let good = fs::read(&path).unwrap();
    let all = read(&folder).unwrap().events;
    for length in 0..=good.len() {
        fs::write(&path, &good[..length]).unwrap();
        let whole = good[..length].iter().filter(|b| **b == b'\n').count();
        let journal = read(&folder).unwrap();
        assert_eq!(journal.events, all[..whole], "cut at {length}");
        let torn = length > 0 && good[length - 1] != b'\n';
        assert_eq!(journal.problems.len(), usize::from(torn), "cut at {length}");
        let found = verify(&folder).unwrap();
        assert!(found.is_good(), "a torn tail is not a forgery");
        assert_eq!(found.files[0].torn_bytes > 0, torn);
    }
}

#[test]
fn a_torn_line_may_be_completed() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 4);
    let good = fs::read(&path).unwrap();
    let (most, rest) = good.split_at(good.len() - 10);
    fs::write(&path, most).unwrap();
    let mut follower = Follower::new(&folder);
    assert_eq!(follower.poll().unwrap().events.len(), 4);
    assert_eq!(follower.poll().unwrap(), Default::default());
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(rest).unwrap();
    let news = follower.poll().unwrap();
    assert_eq!(texts(&news.events), ["note 4"]);
    assert!(news.problems.is_empty());
    // One that stays is reported, once.
    file.write_all(b"{\"v\":1").unwrap();
    let problems: Vec<_> = (0..30)
        .flat_map(|_| follower.poll().unwrap().problems)
        .collect();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .to_string()
            .contains("line 6: unfinished, 6 bytes")
    );
}

#[test]
fn bad_lines_and_strange_files_are_skipped_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 2);
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    file.write_all(b"not json\n\xff\xfe\n").unwrap();
    let foreign = r#"{"v":1,"seq":9,"writer":"eve@x-0000","at":"2026-11-22T14:03:00Z","mono":0,"prev":"","kind":"left"}"#;
    writeln!(file, "{foreign}").unwrap();
    let events = folder.path.join("events");
    std::os::unix::fs::symlink("/etc/passwd", events.join("link@x-1111.jsonl")).unwrap();
    let pipe = events.join("pipe@x-2222.jsonl");
    assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
    fs::create_dir(events.join("dir@x-3333.jsonl")).unwrap();
    fs::write(events.join("README"), "not an event file").unwrap();
    let journal = read(&folder).unwrap();
    assert_eq!(texts(&journal.events), ["note 1", "note 2"]);
    let said: Vec<String> = journal.problems.iter().map(ToString::to_string).collect();
    for what in [
        "line 4: not readable",
        "line 5: not readable",
        "line 6: it names another writer",
        "link@",
        "pipe@",
        "dir@",
    ] {
        assert!(said.iter().any(|s| s.contains(what)), "{what} {said:#?}");
    }
    assert_eq!(said.len(), 6, "{said:#?}");
}

#[test]
fn an_unknown_kind_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, path) = written(dir.path(), 1);
    let head = verify(&folder).unwrap().files[0].head.clone();
    let writer = read(&folder).unwrap().events[0].writer.0.clone();
    let line = format!(
        r#"{{"v":2,"seq":2,"writer":"{writer}","at":"2026-11-22T14:09:00Z","mono":0,"prev":"{head}","kind":"hologram","beam":[1,{{"x":"\u001b[2J"}}]}}"#
    );
    let mut file = fs::OpenOptions::new().append(true).open(&path).unwrap();
    writeln!(file, "{line}").unwrap();
    assert!(verify(&folder).unwrap().is_good());
    let journal = read(&folder).unwrap();
    assert!(journal.problems.is_empty());
    let unknown = |e: &&Event| e.kind.name().as_str() == "hologram";
    let event = journal.events.iter().find(unknown).unwrap();
    let raw: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(serde_json::to_value(event).unwrap(), raw);
    assert!(Incident::fold(journal.events).worth_keeping());
}
