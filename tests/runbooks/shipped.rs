//! The shipped runbooks: they are understood without a warning, their codes exist, everything
//! that is meant to run can be run, and every change says how to verify it.

use warroom::model::catalogue;
use warroom::model::finding::Code;
use warroom::model::runbook::{Block, Risk, Runbook, StepKind};
use warroom::runbook::library::{Library, cases_of, shipped_for};
use warroom::runbook::{case, lint, parse};

fn shipped() -> Vec<Runbook> {
    let library = Library::of(Vec::new());
    let listed = library.list();
    assert_eq!(listed.len(), 14);
    listed
        .iter()
        .map(|l| library.open(l.name.as_str()).unwrap())
        .collect()
}

#[test]
fn they_are_understood_without_a_warning() {
    for runbook in shipped() {
        assert!(
            runbook.warnings.is_empty(),
            "{}: {:?}",
            runbook.name,
            runbook.warnings
        );
        assert!(
            runbook.summary.is_some() && runbook.steps.len() > 15,
            "{}",
            runbook.name
        );
        // How to work together is not asked for by a fault.
        let of_people = ["handover", "comms-cadence"].contains(&runbook.name.as_str());
        assert_eq!(runbook.findings.is_empty(), of_people, "{}", runbook.name);
        for code in &runbook.findings {
            assert!(catalogue::entry(code).is_some(), "{code}");
        }
        let known = [
            "target",
            "control",
            "resolver",
            "name",
            "interface",
            "peer",
            "member",
            "device",
            "sessions",
        ];
        for parameter in &runbook.parameters {
            assert!(
                known.contains(&parameter.name.as_str()),
                "{}: {}",
                runbook.name,
                parameter.name
            );
        }
        assert!(
            runbook.steps.iter().any(|s| s.kind == StepKind::Decision),
            "{}",
            runbook.name
        );
    }
}

#[test]
fn every_shell_block_can_be_run_and_looks_only_unless_it_says_so() {
    for runbook in shipped() {
        let mut changes = 0;
        for fence in runbook
            .steps
            .iter()
            .flat_map(|s| s.fences())
            .filter(|f| f.language.as_str() == "sh")
        {
            let text: Vec<_> = fence.text.iter().map(|l| l.as_str()).collect();
            assert!(
                fence.command.is_some(),
                "{} line {}: {:?}",
                runbook.name,
                fence.line,
                fence.not_runnable
            );
            assert!(
                fence.risk <= Risk::Change,
                "{} line {}",
                runbook.name,
                fence.line
            );
            if fence.risk == Risk::Change {
                changes += 1;
                assert!(
                    text.join(" ").contains("sudo -n"),
                    "{} line {}: {text:?}",
                    runbook.name,
                    fence.line
                );
            }
        }
        assert!(changes <= 2, "{}", runbook.name);
    }
}

#[test]
fn at_most_five_immediate_actions_come_first() {
    for runbook in shipped() {
        let first: Vec<_> = runbook
            .steps
            .iter()
            .filter(|s| s.phase.as_str() == "Immediate actions")
            .collect();
        let actions = first
            .iter()
            .filter(|s| s.kind != StepKind::Decision)
            .count();
        assert!((1..=5).contains(&actions), "{}: {actions}", runbook.name);
        let phases: Vec<_> = runbook.steps.iter().map(|s| s.phase.as_str()).collect();
        for needed in ["Communicate", "Stop condition", "What not to do"] {
            assert!(phases.contains(&needed), "{}: {needed}", runbook.name);
        }
    }
}

#[test]
fn they_lint_clean_and_the_linter_can_complain() {
    let library = Library::of(Vec::new());
    for listed in library.list() {
        let document = library.open_document(listed.name.as_str()).unwrap();
        let known: Vec<String> = library
            .list()
            .iter()
            .map(|l| l.name.as_str().to_owned())
            .collect();
        let problems = lint::check(&document, &|name| known.iter().any(|k| k == name));
        assert!(problems.is_empty(), "{}: {problems:?}", listed.name);
    }
}

#[test]
fn every_code_of_the_catalogue_has_a_runbook() {
    let unnamed: Vec<_> = catalogue::CATALOGUE
        .iter()
        .filter(|e| shipped_for(&e.code).is_empty())
        .map(|e| e.code.as_str())
        .collect();
    assert_eq!(unnamed, Vec::<&str>::new());
}

/// The test file of each runbook drives it down every branch, and each case can fail.
#[test]
fn their_cases_pass_and_take_every_branch() {
    let library = Library::of(Vec::new());
    for listed in library.list() {
        let document = library.open_document(listed.name.as_str()).unwrap();
        let (text, _) = cases_of(&document.runbook).unwrap().unwrap();
        let cases = case::read(&text).unwrap();
        let mut taken = Vec::new();
        for case in &cases.case {
            let facts = case.facts().unwrap();
            match case.run(&document, &facts) {
                Ok(way) => taken.extend(way),
                Err(why) => panic!("{}, {}: {why}", listed.name, case.name),
            }
            let mut other = case.clone();
            other.path.push("#elsewhere".into());
            assert!(other.run(&document, &facts).is_err(), "{}", case.name);
        }
        let untaken = case::untaken(&document, &taken);
        assert!(untaken.is_empty(), "{}: {untaken:?}", listed.name);
    }
}

/// What a decision rests on is said where it is made.
#[test]
fn every_decision_states_its_measure_what_misleads_and_its_source() {
    for runbook in shipped() {
        let decisions = runbook
            .steps
            .iter()
            .filter(|s| s.kind == StepKind::Decision);
        for step in decisions {
            let said: String = step
                .blocks
                .iter()
                .filter_map(|b| match b {
                    Block::Paragraph(spans) => Some(spans.iter().map(|s| s.text.as_str())),
                    _ => None,
                })
                .flatten()
                .collect();
            for word in ["Measured:", "Misleads:", "Source:"] {
                assert!(
                    said.contains(word),
                    "{} line {}: {word}",
                    runbook.name,
                    step.line
                );
            }
        }
    }
}

#[test]
fn findings_suggest_them() {
    let names = |code: &'static str| -> Vec<String> {
        shipped_for(&Code::known(code))
            .iter()
            .map(|n| n.as_str().to_owned())
            .collect()
    };
    assert_eq!(names("pmtu-black-hole"), ["mtu-black-hole", "vpn-tunnel"]);
    assert_eq!(names("resolver-servfail"), ["dns-incident"]);
    assert_eq!(names("host-down"), ["first-five-minutes", "vpn-tunnel"]);
    // What `r` opens is the nearest, not the first of the alphabet.
    for (code, first) in [
        ("packet-loss", "path-loss-latency"),
        ("path-broken", "provider-outage"),
        ("routing-loop", "route-instability"),
        ("http-slow", "load-balancer"),
        ("backend-down", "load-balancer"),
        ("device-cpu-high", "firewall-performance"),
        ("device-rebooted", "firewall-performance"),
        ("admin-prohibited", "firewall-performance"),
        ("port-closed", "first-five-minutes"),
        ("resolver-config-broken", "dns-incident"),
        ("tls-handshake-stall", "mtu-black-hole"),
        ("no-default-route", "first-five-minutes"),
    ] {
        assert_eq!(names(code)[0], first, "{code}");
    }
    assert!(names("no-such-code").is_empty());
}

#[test]
fn a_runbook_of_ones_own_comes_before_a_shipped_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = "---\nfindings: [host-down, packet-loss]\n---\n# Zoo\n\n1. x\n";
    std::fs::write(folder.path().join("zoo.md"), text).unwrap();
    let library = Library::of(vec![folder.path().to_path_buf()]);
    let code = Code::known("packet-loss");
    let names = library.for_code(&code);
    assert_eq!(names[0].as_str(), "zoo");
    assert_eq!(names[1..], shipped_for(&code));
}

#[test]
fn a_folder_hides_what_is_shipped_and_a_bad_file_is_listed_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("dns-incident.md"), "# Ours\n\n1. x\n").unwrap();
    std::fs::write(folder.path().join("broken.md"), [0u8, 159, 146, 150]).unwrap();
    let library = Library::of(vec![folder.path().to_path_buf()]);
    assert_eq!(library.open("dns-incident").unwrap().title.as_str(), "Ours");
    assert_eq!(
        library.open("shipped:dns-incident").unwrap().title.as_str(),
        "DNS incident"
    );
    let listed = library.list();
    let broken = listed.iter().find(|l| l.name.as_str() == "broken").unwrap();
    assert!(
        broken
            .title
            .as_ref()
            .unwrap_err()
            .as_str()
            .contains("not a text file")
    );
    let why = library.open("nothing-like-it").unwrap_err().to_string();
    assert!(
        why.contains("nothing-like-it") && why.contains("runbook list"),
        "{why}"
    );
    let why = library
        .open(folder.path().to_str().unwrap())
        .unwrap_err()
        .to_string();
    assert!(why.contains("regular file"), "{why}");
    let why = library.open("/nonexistent/x.md").unwrap_err().to_string();
    assert!(why.contains("/nonexistent/x.md"), "{why}");
}

#[test]
fn tables_reach_the_reader() {
    let text = include_str!("../../runbooks/dns-incident.md");
    let runbook = parse(text.as_bytes(), "x", "x").unwrap();
    let tables = runbook
        .steps
        .iter()
        .flat_map(|s| &s.blocks)
        .filter(|b| matches!(b, Block::Table(_)));
    assert_eq!(tables.count(), 1);
}

#[test]
fn their_scripts_are_valid_for_the_shell_that_runs_them() {
    let valid = |script: &str| {
        let status = std::process::Command::new("/bin/sh")
            .args(["-n", "-c", script])
            .stderr(std::process::Stdio::null())
            .status();
        status.unwrap().success()
    };
    assert!(!valid("if then"));
    for runbook in shipped() {
        for fence in runbook.steps.iter().flat_map(|s| s.fences()) {
            if let Some(command) = &fence.command {
                assert!(
                    valid(&command.script),
                    "{} line {}",
                    runbook.name,
                    fence.line
                );
                assert!(
                    !command.script.starts_with("#!"),
                    "{} line {}: needs bash",
                    runbook.name,
                    fence.line
                );
            }
        }
    }
}
