//! What a kill does.

use crate::rig::*;

/// Writes notes until it is killed, and says each one that is durable.
#[test]
fn child_writer() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let folder = Folder::existing(Path::new(&dir)).unwrap();
    let place = Place::Existing(folder);
    let (handle, mut news) =
        Recorder::start(place, Clock::start(), Secrets::new(), who("child"), None);
    let pid = std::process::id();
    let mut sent = 0u64;
    let mut open = 0;
    loop {
        while open < 4 {
            sent += 1;
            open += 1;
            let entry = Entry {
                kind: note(&format!("{pid}:{sent}:{}", "x".repeat(sent as usize % 700))),
                happened: None,
                ticket: Some(Ticket(sent)),
            };
            handle.record(entry).unwrap();
        }
        let Some(piece) = news.blocking_recv() else {
            return;
        };
        if let News::Notice(Notice::Saved { ticket, .. }) = piece {
            open -= 1;
            println!("saved {pid}:{}:", ticket.0);
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_a_kill() {
    let kills = std::env::var("WARROOM_KILLS").ok();
    let kills: u64 = kills.and_then(|k| k.parse().ok()).unwrap_or(50);
    let dir = tempfile::tempdir().unwrap();
    let folder = new_folder(dir.path());
    let mut acknowledged: Vec<String> = Vec::new();
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let acked = |line: String| Some(line.split_once("saved ")?.1.to_owned());
    for _ in 0..kills {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["kills::child_writer", "--exact", "--nocapture"])
            .env(CHILD, &folder.path)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acknowledged.len() as u64;
        let wanted = 1 + dice(&mut state) % 20;
        while acknowledged.len() as u64 - before < wanted {
            let line = lines.next().expect("the child ended by itself").unwrap();
            acknowledged.extend(acked(line));
        }
        // Somewhere in the middle of what it does next.
        let until = Instant::now() + Duration::from_micros(dice(&mut state) % 3000);
        while Instant::now() < until {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts too; a line cut by the kill does not.
        let rest: Vec<_> = lines.map_while(Result::ok).collect();
        let whole = |id: &String| id.ends_with(':');
        acknowledged.extend(rest.into_iter().filter_map(acked).filter(whole));
    }
    let journal = read(&folder).unwrap();
    let found: BTreeSet<String> = texts(&journal.events)
        .iter()
        .filter_map(|t| t.rsplit_once(':').map(|(id, _)| format!("{id}:")))
        .collect();
    let lost: Vec<_> = acknowledged
        .iter()
        .filter(|a| !found.contains(*a))
        .collect();
    println!(
        "{kills} kills, {} acknowledged, {} lost",
        acknowledged.len(),
        lost.len()
    );
    assert!(lost.is_empty(), "{lost:?}");
    assert!(acknowledged.len() as u64 >= kills);
    assert!(verify(&folder).unwrap().is_good());
    let incident = Incident::fold(journal.events);
    assert_eq!(incident.writers.len() as u64, kills);
    let left = |w: &warroom::model::incident::Writer| w.left.is_some();
    assert!(!incident.writers.values().any(left), "none left in order");
    // The control: a note that nobody wrote is missed by the same comparison.
    assert!(!found.contains("0:0:"));
}
