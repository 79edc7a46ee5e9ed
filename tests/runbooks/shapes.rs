//! Shapes of real files: where a person would say the steps are, there they are.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use warroom::model::runbook::{Block, Fence, Risk, Runbook, StepKind};
use warroom::runbook::{MAX_BYTES, RunbookError, parse};

fn read(text: &str) -> Runbook {
    parse(text.as_bytes(), "file", "file.md").unwrap()
}

/// Line, kind and title of each step.
fn steps(runbook: &Runbook) -> Vec<(u32, StepKind, &str)> {
    runbook
        .steps
        .iter()
        .map(|s| (s.line, s.kind, s.title.as_str()))
        .collect()
}

fn fences(runbook: &Runbook) -> Vec<&Fence> {
    runbook.steps.iter().flat_map(|s| s.fences()).collect()
}

#[test]
fn headings_are_phases_and_ordered_items_are_steps() {
    let runbook = read(
        "# Title\n\nAbout it.\n\n## Diagnosis\n\n1. Look at **the** node:\n\n   ```bash\n   $ oc get nodes\n   NAME  STATUS\n   ```\n\n   And read it.\n2. Then decide.\n   - one thing\n     - deeper\n\n## Meaning\n\nOnly prose.\n\nMore prose.\n",
    );
    assert_eq!(runbook.title.as_str(), "Title");
    assert_eq!(
        steps(&runbook),
        [
            (3, StepKind::Read, "About it."),
            (7, StepKind::Command, "Look at the node:"),
            (15, StepKind::Read, "Then decide."),
            (21, StepKind::Read, "Only prose."),
        ]
    );
    let look = &runbook.steps[1];
    assert_eq!(
        (look.end_line, look.phase.as_str(), look.id.as_str()),
        (14, "Diagnosis", "diagnosis-1")
    );
    assert_eq!(look.blocks.len(), 3);
    let fence = fences(&runbook)[0];
    assert_eq!(
        (fence.line, fence.command.as_ref().unwrap().script.as_str()),
        (10, "oc get nodes")
    );
    assert!(matches!(
        &runbook.steps[2].blocks[1],
        Block::Item { depth: 0, .. }
    ));
    assert!(matches!(
        &runbook.steps[2].blocks[2],
        Block::Item { depth: 1, .. }
    ));
}

#[test]
fn a_block_outside_a_list_is_a_step_with_the_sentence_that_leads_to_it() {
    let runbook = read(
        "# A\n\nIntro.\n\nCheck the pods:\n\n```shell\nkubectl get pods\n```\n\nThe output looks like this:\n\n```\nNAME READY\n```\n\nNow restart:\n\n```console\n$ systemctl restart x\n```\n\nDone.\n",
    );
    assert_eq!(
        steps(&runbook),
        [
            (7, StepKind::Command, "Check the pods:"),
            (19, StepKind::Command, "Now restart:")
        ]
    );
    assert_eq!(
        runbook.steps[0].blocks.len(),
        5,
        "intro, lead, block, words and sample"
    );
    assert_eq!(
        runbook.steps[1].blocks.len(),
        3,
        "the last words belong to the last step"
    );
    assert_eq!(fences(&runbook)[2].risk, Risk::Change);
}

#[test]
fn blocks_inside_items_belong_to_the_item() {
    let runbook = read(
        "- Look:\n\n  ```sh\n  ls\n  ```\n\n- Nothing to do here\n\n* [ ] a task\n* [x] another\n\n1. one\n   ```sh\n   uptime\n   ```\n   1. inner\n",
    );
    assert_eq!(
        steps(&runbook),
        [
            (1, StepKind::Command, "Look:"),
            (9, StepKind::Read, "a task"),
            (10, StepKind::Read, "another"),
            (12, StepKind::Command, "one"),
        ]
    );
}

#[test]
fn a_block_at_column_0_breaks_a_list_and_both_parts_are_steps() {
    let runbook = read("1. First do\n\n```sh\nls\n```\n\n2. Second do\n");
    assert_eq!(
        steps(&runbook).iter().map(|s| s.0).collect::<Vec<_>>(),
        [1, 3, 7]
    );
}

#[test]
fn a_decision_is_a_list_of_links() {
    let runbook = read(
        "## A\n\n1. x\n\nDecision: which?\n\n- lost → [B](#b)\n- else → [other](dns-incident.md)\n\nAfter.\n\n## B\n\n1. y\n",
    );
    let decision = &runbook.steps[1];
    assert_eq!(
        (decision.kind, decision.line, decision.end_line),
        (StepKind::Decision, 5, 10)
    );
    let links: Vec<&str> = decision
        .blocks
        .iter()
        .filter_map(|b| match b {
            Block::Item { text, .. } => text.iter().find_map(|s| s.link.as_ref()),
            _ => None,
        })
        .map(|l| l.as_str())
        .collect();
    assert_eq!(links, ["#b", "dns-incident.md"]);
    let to: Vec<Option<usize>> = decision.choices.iter().map(|c| c.to).collect();
    assert_eq!(to, [Some(2), None]);
    let plain = read("Decision: we chose this long ago.\n\nText.\n\n1. x\n");
    assert!(plain.steps.iter().all(|s| s.kind == StepKind::Read));
}

#[test]
fn options_carry_conditions_that_are_read_and_not_shown() {
    let runbook = read(concat!(
        "## A\n\nDecision: which?\n\n",
        "- lost → [B](#b)\n  <!-- when: finding(\"packet-loss\") or ping.loss >= 5 % -->\n",
        "- large → [C](#c) <!-- when: mtu.black_hole -->\n",
        "- new → [B again](#b)\n  <!--\n  when: tls.ok\n  -->\n",
        "- odd → [C](#c) <!-- when: ping.los > 1 -->\n",
        "- else → [out](other.md)\n\n",
        "## B\n\n### C\n\n1. y\n\n<!-- when: tls.ok -->\n",
    ));
    let choices = &runbook.steps[0].choices;
    let when: Vec<Option<&str>> = choices
        .iter()
        .map(|c| c.when.as_ref().map(|w| w.text().as_str()))
        .collect();
    assert_eq!(
        when,
        [
            Some("finding(\"packet-loss\") or ping.loss >= 5 %"),
            Some("mtu.black_hole"),
            Some("tls.ok"),
            None,
            None
        ]
    );
    // A heading that holds nothing but another heading leads to the first step below.
    let to: Vec<Option<usize>> = choices.iter().map(|c| c.to).collect();
    assert_eq!(to, [Some(1), Some(1), Some(1), Some(1), None]);
    assert_eq!(choices[0].text.as_str(), "lost → B");
    let shown = format!("{:?}", runbook.steps[0].blocks);
    assert!(!shown.contains("when:"), "{shown}");
    let warned: Vec<&str> = runbook.warnings.iter().map(|w| w.as_str()).collect();
    assert_eq!(warned.len(), 2, "{warned:?}");
    assert!(warned[0].contains("line 12: condition not understood, column 1"));
    assert!(warned[1].contains("outside the list of a decision"));
}

#[test]
fn front_matter_is_read_and_its_lines_are_counted() {
    let runbook =
        read("---\ntitle: T\nsummary: S\nfindings: [host-down]\nweather: x\n---\n# H\n\n1. one\n");
    assert_eq!(runbook.title.as_str(), "T");
    assert_eq!(runbook.summary.as_ref().unwrap().as_str(), "S");
    assert_eq!(runbook.findings[0].as_str(), "host-down");
    assert_eq!(runbook.steps[0].line, 9);
    assert_eq!(runbook.warnings.len(), 1);
    assert!(runbook.warnings[0].as_str().contains("weather"));
    // A rule further down is no front matter.
    let ruled = read("# H\n\n---\nkey: value\n---\n\n1. one\n");
    assert!(ruled.warnings.is_empty());
}

#[test]
fn markup_is_shown_and_never_hidden() {
    let runbook = read(
        "1. <b>x</b> `code` [a](http://h/) ![alt](i.png) ~~gone~~\u{1b}[2J\n\n<script>alert(1)</script>\n\n> [!WARNING]\n> careful\n\n| a | b |\n|---|---|\n| 1 | `2` |\n",
    );
    let shown: String = format!("{:?}", runbook.steps);
    for needle in [
        "<b>",
        "code",
        "http://h/",
        "[image: ",
        "alt",
        "~~gone~~",
        "<script>alert(1)</script>",
        "Warning: ",
        "careful",
    ] {
        assert!(shown.contains(needle), "{needle}: {shown}");
    }
    assert!(shown.contains("\\\\e[2J"), "{shown}");
    let table = runbook.steps[0].blocks.iter().find_map(|b| match b {
        Block::Table(rows) => Some(rows),
        _ => None,
    });
    assert_eq!(table.unwrap()[1][1].as_str(), "2");
}

#[test]
fn files_that_are_no_runbooks_say_so() {
    let refused = |bytes: &[u8]| parse(bytes, "x", "some/file.md").unwrap_err();
    let error = refused(b"\x7fELF\x02\x01\0\0");
    assert!(matches!(error, RunbookError::Binary { .. }));
    assert!(error.to_string().contains("some/file.md"));
    assert!(matches!(
        refused(&[0xfe; 1000]),
        RunbookError::Binary { .. }
    ));
    let utf16: Vec<u8> = "\u{feff}# x"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert!(refused(&utf16).to_string().contains("iconv"));
    let error = refused(&vec![b'a'; MAX_BYTES + 1]);
    assert!(
        matches!(error, RunbookError::TooBig { .. }) && error.to_string().contains("some/file.md")
    );
    let runbook = parse(b"1. caf\xe9 and a good deal of other text\n", "x", "x").unwrap();
    assert!(runbook.steps[0].title.as_str().contains("caf\\xe9"));
    assert!(!runbook.warnings.is_empty());
    assert_eq!(read("").steps.len(), 0);
    assert!(!read("").warnings.is_empty());
}

#[test]
fn large_and_pathological_files_are_bounded() {
    let files = [
        (
            "items",
            (0..100_000)
                .map(|i| format!("1. item {i}\n"))
                .collect::<String>(),
        ),
        ("one line", "word ".repeat(800_000)),
        ("quotes", format!("{}x\n", "> ".repeat(20_000))),
        (
            "nested",
            (0..800)
                .map(|i| format!("{}- x\n", "  ".repeat(i)))
                .collect(),
        ),
        ("brackets", "[".repeat(100_000)),
        ("emphasis", "*a_ ".repeat(100_000)),
        ("fences", "```sh\nls\n```\n".repeat(50_000)),
        (
            "unfinished",
            "```console\n$ cat <<E\nx\n```\n".repeat(10_000),
        ),
        (
            "table",
            format!(
                "|{}\n|{}\n{}",
                "a|".repeat(500),
                "-|".repeat(500),
                "|\n".repeat(5_000)
            ),
        ),
        (
            "placeholders",
            format!("```sh\nping {}\n```\n", "<A> ".repeat(3_000)),
        ),
        (
            "substitutions",
            format!("```sh\n{}\n```\n", "$(".repeat(7_000)),
        ),
    ];
    for (name, text) in files {
        let started = Instant::now();
        let runbook = read(&text);
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "{name}: {:?}",
            started.elapsed()
        );
        assert!(!runbook.steps.is_empty(), "{name}");
        if name == "items" {
            assert_eq!(runbook.steps.len(), 100_000);
        }
    }
}

#[test]
fn every_line_of_text_is_shown_somewhere() {
    let text = include_str!("../../runbooks/first-five-minutes.md");
    let runbook = read(text);
    let shown: String = runbook
        .steps
        .iter()
        .flat_map(|s| &s.blocks)
        .map(text_of)
        .collect::<Vec<_>>()
        .join(" ");
    let bare = |s: &str| {
        s.chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
    };
    let shown = bare(&shown);
    for line in text
        .lines()
        .skip(9)
        .filter(|l| !l.starts_with('#') && !l.contains("```"))
    {
        // Destinations of links stand beside the text, not in it.
        // A condition belongs to its option.
        if line.contains("](") || line.trim_start().starts_with("<!-- when:") {
            continue;
        }
        let line = line
            .trim_start()
            .trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        assert!(shown.contains(&bare(line)), "{line}");
    }
}

fn text_of(block: &Block) -> String {
    match block {
        Block::Paragraph(s) | Block::Quote(s) | Block::Item { text: s, .. } => {
            s.iter().map(|s| s.text.as_str()).collect()
        }
        Block::Fence(f) => f
            .text
            .iter()
            .map(|l| l.as_str())
            .collect::<Vec<_>>()
            .join("\n"),
        Block::Table(rows) => rows.iter().flatten().map(|c| c.as_str()).collect(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn parsing_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&bytes, "x", "x");
    }

    #[test]
    fn markdown_never_panics_and_only_shell_is_runnable(
        parts in proptest::collection::vec(
            prop_oneof![
                Just("# h\n"), Just("1. a\n"), Just("- b\n"), Just("  - c\n"), Just("   "), Just("\n"), Just("> "),
                Just("```sh\n"), Just("```yaml\n"), Just("```\n"), Just("$ ls\n"), Just("# ls\n"), Just("<TARGET>"),
                Just("{{x}}"), Just("Decision: x\n"), Just("[a](#h)\n"), Just("| a | b |\n|--|--|\n"), Just("<!-- x -->\n"),
                Just("---\n"), Just("cat <<E\n"), Just("[ ] t\n"), Just("text\n"), Just("    code\n"), Just("\t"), Just("é"),
                Just("'"), Just("\""), Just("$("), Just("*"), Just("\\\n"),
            ],
            0..40,
        )
    ) {
        let text = parts.concat();
        let runbook = parse(text.as_bytes(), "x", "x").unwrap();
        let lines = text.lines().count() as u32 + 1;
        for step in &runbook.steps {
            prop_assert!(step.line >= 1 && step.line <= step.end_line && step.end_line <= lines, "{:?}", step);
            for fence in step.fences() {
                prop_assert!(fence.command.is_none() || fence.language.as_str() == "sh");
            }
        }
        let ids: std::collections::HashSet<_> = runbook.steps.iter().map(|s| s.id.as_str()).collect();
        prop_assert_eq!(ids.len(), runbook.steps.len());
    }
}
