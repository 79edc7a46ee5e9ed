//! Whatever a script starts, nothing of it is left when its run has ended.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use warroom::model::text::SafeText;
use warroom::runbook::execute::{Ended, run};

/// Runs a script and gives its end and the lines seen live.
async fn ended(script: &str, limit: Duration) -> Ended {
    let (live, mut seen) = mpsc::channel(64);
    let reader = tokio::spawn(async move { while seen.recv().await.is_some() {} });
    let end = run(script, &[], limit, CancellationToken::new(), live).await;
    reader.await.unwrap();
    end
}

/// Processes (zombies too) whose command line holds `mark`.
fn with_mark(mark: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let Ok(line) = std::fs::read(path.join("cmdline")) else {
            continue;
        };
        let own =
            path.file_name().and_then(|n| n.to_str()) == Some(&std::process::id().to_string());
        let shown = String::from_utf8_lossy(&line).replace('\0', " ");
        if !own && shown.contains(mark) {
            found.push(shown);
        }
    }
    found
}

/// Children of this process that are zombies.
fn zombies() -> usize {
    let me = std::process::id().to_string();
    let stats = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = stats.filter_map(|e| std::fs::read_to_string(e.path().join("stat")).ok());
    lines
        .filter(|line| {
            let mut rest = line[line.rfind(')').unwrap() + 1..].split_ascii_whitespace();
            rest.next() == Some("Z") && rest.next() == Some(me.as_str())
        })
        .count()
}

/// A number of seconds to sleep that marks the processes of one test.
fn mark(n: u32) -> String {
    format!("6{:04}{n:04}", std::process::id() % 10_000)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_tells_its_output_in_order_and_its_exit_code() {
    let end = ended(
        "echo one; echo two >&2; echo three; exit 3",
        Duration::from_secs(10),
    )
    .await;
    let lines: Vec<&str> = end.output.iter().map(SafeText::as_str).collect();
    assert_eq!(lines, ["one", "two", "three"]);
    assert_eq!((end.exit, end.ended_by), (Some(3), None));
    let end = ended("kill -9 $$", Duration::from_secs(10)).await;
    assert_eq!(end.exit, None);
    assert!(end.ended_by.unwrap().as_str().contains("signal 9"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_has_no_terminal_no_input_and_no_open_files() {
    // A descriptor that is not close-on-exec, so that the check can fail.
    let file = std::fs::File::open("/dev/null").unwrap();
    let fd = nix::fcntl::fcntl(&file, nix::fcntl::FcntlArg::F_DUPFD(77)).unwrap();
    assert!(fd >= 77 && Path::new(&format!("/proc/self/fd/{fd}")).exists());
    let script = "ls /proc/self/fd | tr '\\n' ' '; echo; (: < /dev/tty) 2>/dev/null || echo no tty; wc -c; pwd; ps -o sid= -p $$ | tr -d ' '; echo $$";
    let end = ended(script, Duration::from_secs(10)).await;
    nix::unistd::close(fd).unwrap();
    let lines: Vec<&str> = end.output.iter().map(SafeText::as_str).collect();
    // 3 is the directory that `ls` itself reads.
    assert_eq!(lines[0].trim(), "0 1 2 3", "{lines:?}");
    assert_eq!(&lines[1..3], ["no tty", "0"]);
    assert_eq!(lines[4], lines[5], "the script leads its own session");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_process_survives_whatever_its_tree() {
    let trees = [
        // Ignores TERM.
        "trap '' TERM; sleep MARK & wait; sleep MARK",
        // Leaves the session.
        "setsid sleep MARK & sleep MARK",
        "setsid sh -c 'trap \"\" TERM HUP; sleep MARK & sleep MARK' & sleep MARK",
        // Double fork: its parent is gone.
        "( (sleep MARK &) & ); (setsid sh -c '(sleep MARK &)' &); sleep MARK",
        // Stopped.
        "sh -c 'kill -STOP $$; sleep MARK' & sleep MARK",
        "trap '' TERM; kill -STOP $$; sleep MARK",
        // Holds the output open after the script has ended.
        "sleep MARK & exit 0",
        "setsid sh -c 'trap \"\" TERM; sleep MARK; sleep MARK' & exit 0",
        "nohup setsid sleep MARK > /dev/null 2>&1 & exit 4",
        // A small swarm that comes back when it is asked to go.
        "for i in 1 2 3 4 5 6 7 8 9 10; do (trap 'sleep MARK' TERM; sleep MARK; sleep MARK) & done; wait",
        // Ends its keeper.
        "kill -9 $PPID; sleep MARK",
    ];
    for (n, tree) in trees.iter().enumerate() {
        let mark = mark(n as u32);
        let script = tree.replace("MARK", &mark);
        let started = Instant::now();
        let limit = Duration::from_millis(300);
        let end = ended(&script, limit).await;
        assert!(
            started.elapsed() < limit + Duration::from_secs(7),
            "{tree}: {:?}",
            started.elapsed()
        );
        let deadline = Instant::now() + Duration::from_secs(1);
        while !with_mark(&mark).is_empty() && tree.contains("$PPID") && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        assert_eq!(with_mark(&mark), Vec::<String>::new(), "{tree} → {end:?}");
        assert!(end.ended_by.is_some(), "{tree} → {end:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_check_for_survivors_can_fail() {
    let mark = mark(900);
    let mut child = std::process::Command::new("sleep")
        .arg(&mark)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut seen = with_mark(&mark);
    while seen.is_empty() && Instant::now() < deadline {
        tokio::task::yield_now().await;
        seen = with_mark(&mark);
    }
    child.kill().unwrap();
    while zombies() == 0 && Instant::now() < deadline {
        tokio::task::yield_now().await;
    }
    let dead = zombies();
    child.wait().unwrap();
    // Keepers of tests beside this one may be waiting to be reaped just now.
    assert!(seen.len() == 1 && dead >= 1, "{seen:?} {dead}");
    assert_eq!(with_mark(&mark), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_output_is_bounded_and_ends_in_time() {
    let started = Instant::now();
    let (live, _nobody_reads) = mpsc::channel(1);
    let end = run(
        "yes",
        &[],
        Duration::from_secs(1),
        CancellationToken::new(),
        live,
    )
    .await;
    assert!(started.elapsed() < Duration::from_secs(8));
    assert_eq!(end.exit, None);
    assert!(end.ended_by.unwrap().as_str().contains("time limit of 1 s"));
    let kept: usize = end.output.iter().map(|l| l.as_str().len() + 1).sum();
    assert!(
        kept <= 1024 * 1024 && end.cut_bytes > 0,
        "{kept} {}",
        end.cut_bytes
    );
    assert!(end.output.len() < 100_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stopping_and_dropping_end_the_tree() {
    let mark_one = mark(901);
    let cancel = CancellationToken::new();
    let (live, mut seen) = mpsc::channel(8);
    let script = format!("echo up; setsid sleep {mark_one} & sleep {mark_one}");
    let task = tokio::spawn({
        let cancel = cancel.clone();
        async move { run(&script, &[], Duration::from_secs(60), cancel, live).await }
    });
    assert_eq!(seen.recv().await.unwrap().as_str(), "up");
    cancel.cancel();
    let end = task.await.unwrap();
    assert_eq!(end.ended_by.unwrap().as_str(), "stopped");
    assert_eq!(with_mark(&mark_one), Vec::<String>::new());

    let mark_two = mark(902);
    let (live, mut seen) = mpsc::channel(8);
    let script = format!(
        "trap '' TERM; echo up; setsid sleep {mark_two} & sleep {mark_two}; sleep {mark_two}"
    );
    let task = tokio::spawn(async move {
        run(
            &script,
            &[],
            Duration::from_secs(60),
            CancellationToken::new(),
            live,
        )
        .await
    });
    assert_eq!(seen.recv().await.unwrap().as_str(), "up");
    task.abort();
    let deadline = Instant::now() + Duration::from_secs(5);
    while !with_mark(&mark_two).is_empty() {
        assert!(Instant::now() < deadline, "{:?}", with_mark(&mark_two));
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_needs_bash_gets_bash() {
    let end = ended(
        "#!/usr/bin/env bash\n[[ -n $BASH_VERSION ]] && echo {1..3}",
        Duration::from_secs(5),
    )
    .await;
    assert_eq!(end.output, vec![SafeText::new("1 2 3")]);
    let end = ended("echo ${BASH_VERSION:-none}", Duration::from_secs(5)).await;
    assert!(end.exit == Some(0));
}
