//! The score of the redaction rules on lines of the trade, and the docs held to the rules.
//!
//! `cargo test --test redaction -- --nocapture` prints the score and what was missed.

// In a test, to panic is to report.
#![allow(clippy::expect_used, clippy::print_stdout)]

use std::path::Path;

use warroom::redact::{Key, RULES, Redactor, Secrets};

/// Lines of secrets, and harmless lines that look alike.
struct Corpus {
    secrets: &'static str,
    harmless: &'static str,
}

/// The one that the rules were made with.
const OWN: Corpus = Corpus {
    secrets: include_str!("corpus/redaction/secrets.txt"),
    harmless: include_str!("corpus/redaction/harmless.txt"),
};
/// Written from vendors' documentation by somebody who had not read the rules, after these were
/// frozen. Nothing is learnt from it: a miss stays a miss.
const BLIND: Corpus = Corpus {
    secrets: include_str!("corpus/redaction/blind-secrets.txt"),
    harmless: include_str!("corpus/redaction/blind-harmless.txt"),
};

fn redactor() -> Redactor {
    Redactor::new(Key::from_bytes([7; 32]), Secrets::new())
}

fn masked(text: &str) -> String {
    redactor().raw(text).into_inner()
}

/// The cases of a file. A line end within a case is written `\n`.
fn cases(file: &str) -> Vec<String> {
    let lines = file
        .lines()
        .filter(|l| !l.starts_with('#') && !l.is_empty());
    lines.map(|l| l.replace("\\n", "\n")).collect()
}

/// The line as it was met, and the secret in it.
fn marked(case: &str) -> (String, String) {
    let (before, rest) = case
        .split_once('«')
        .expect("a case marks its secret with «");
    let (secret, after) = rest.split_once('»').expect("a case ends its secret with »");
    (format!("{before}{secret}{after}"), secret.to_owned())
}

/// Whether six characters in a row of the secret remain, or all of a shorter one.
fn remains(secret: &str, text: &str) -> bool {
    let chars: Vec<char> = secret.chars().collect();
    let run = chars.len().min(6);
    chars
        .windows(run)
        .any(|w| text.contains(&w.iter().collect::<String>()))
}

/// Secrets that go, and those that remain.
fn caught(corpus: &Corpus, mask: impl Fn(&str) -> String) -> (usize, Vec<String>) {
    let cases = cases(corpus.secrets);
    let missed: Vec<_> = cases
        .iter()
        .map(|case| marked(case))
        .filter(|(line, secret)| remains(secret, &mask(line)))
        .map(|(line, _)| line)
        .collect();
    (cases.len() - missed.len(), missed)
}

/// Harmless lines that were changed, as they are then.
fn damaged(corpus: &Corpus, mask: impl Fn(&str) -> String) -> Vec<String> {
    let lines = cases(corpus.harmless).into_iter();
    lines
        .filter_map(|line| Some(mask(&line)).filter(|m| *m != line))
        .collect()
}

fn score(corpus: &Corpus) -> String {
    let (secrets, harmless) = (cases(corpus.secrets).len(), cases(corpus.harmless).len());
    let (caught, _) = caught(corpus, masked);
    let damaged = damaged(corpus, masked).len();
    format!("{caught} of {secrets} secrets masked, {damaged} of {harmless} harmless lines damaged")
}

fn docs() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/redaction.md");
    std::fs::read_to_string(path).expect("docs/redaction.md can be read")
}

#[test]
fn nearly_all_secrets_go_and_evidence_stays() {
    let (hit, missed) = caught(&OWN, masked);
    let harmed = damaged(&OWN, masked);
    println!("{}\nmissed: {missed:#?}\ndamaged: {harmed:#?}", score(&OWN));
    let all = hit + missed.len();
    assert!(all >= 60, "the corpus has {all} secrets");
    assert!(cases(OWN.harmless).len() >= 40);
    assert!(hit * 100 >= all * 95, "{hit} of {all}; missed: {missed:#?}");
    assert!(harmed.len() <= 2, "damaged: {harmed:#?}");
}

/// The control: without rules nothing is caught, and a rule that masks all damages all.
#[test]
fn the_score_can_be_bad() {
    let everything = |_: &str| String::new();
    for corpus in [OWN, BLIND] {
        assert_eq!(caught(&corpus, str::to_owned).0, 0);
        let all = cases(corpus.harmless).len();
        assert_eq!(damaged(&corpus, everything).len(), all);
    }
    assert!(remains("abcdefgh", "xbcdefgx") && !remains("abcdefgh", "abcdexfgh"));
    assert!(remains("abc", "xabcx") && !remains("abc", "ab c"));
}

#[test]
fn the_docs_say_the_scores_that_are() {
    for corpus in [OWN, BLIND] {
        let score = score(&corpus);
        assert!(docs().contains(&score), "docs/redaction.md lacks: {score}");
    }
    assert!(cases(BLIND.secrets).len() >= 60);
    let (missed, harmed) = (caught(&BLIND, masked).1, damaged(&BLIND, masked));
    println!("blind corpus, missed: {missed:#?}\ndamaged: {harmed:#?}");
}

#[test]
fn the_docs_list_the_rules_that_are() {
    let docs = docs();
    for rule in RULES {
        let row = format!(
            "| `{}` | {} | `{}` |",
            rule.name,
            rule.what,
            rule.example.replace('|', "\\|")
        );
        assert!(docs.contains(&row), "docs/redaction.md lacks:\n{row}");
    }
    let rows = docs.lines().filter(|l| l.starts_with("| `")).count();
    assert_eq!(rows, RULES.len(), "docs/redaction.md has a rule too many");
}

/// Each example is caught, and by the rule that it stands for.
#[test]
fn every_rule_masks_its_example() {
    for rule in RULES {
        let (_, hits) = redactor().explained(rule.example);
        let rules: Vec<_> = hits.iter().map(|h| h.rule.as_str()).collect();
        assert!(rules.contains(&rule.name), "{}: {rules:?}", rule.name);
    }
}
