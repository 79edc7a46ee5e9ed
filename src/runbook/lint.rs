//! Checks a runbook for what would let a reader down at night. Advice only: a file with
//! problems opens all the same.

use std::collections::HashSet;

use super::inline::plain_text;
use super::{Document, shell};
use crate::model::runbook::{Block, Fence, Risk, Step};
use crate::model::text::SafeText;

/// One problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1.
    pub line: u32,
    /// What it is and what to do about it.
    pub message: SafeText,
}

/// Checks a file. `is_runbook` says whether a runbook of that name exists beside it.
pub fn check(document: &Document, is_runbook: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems: Vec<Problem> = document
        .runbook
        .warnings
        .iter()
        .map(|w| Problem {
            line: line_in(w.as_str()),
            message: w.clone(),
        })
        .collect();
    let anchors: HashSet<&str> = document.phases.iter().map(|(.., a)| a.as_str()).collect();
    for (destination, line) in &document.links {
        if let Some(message) = link_problem(&anchors, destination, is_runbook) {
            problems.push(problem(*line, message));
        }
    }
    let steps: Vec<(&Step, String)> = document
        .runbook
        .steps
        .iter()
        .map(|s| (s, step_words(s)))
        .collect();
    // Phases in which something is said of verifying.
    let verifying: HashSet<&SafeText> = steps
        .iter()
        .filter(|(_, words)| words.contains("verify"))
        .map(|(step, _)| &step.phase)
        .collect();
    for (step, words) in &steps {
        check_step(step, words, verifying.contains(&step.phase), &mut problems);
    }
    problems.sort_by_key(|p| p.line);
    problems
}

fn problem(line: u32, message: impl AsRef<str>) -> Problem {
    Problem {
        line,
        message: SafeText::new(message),
    }
}

/// `line 7: …` of a parser's warning.
fn line_in(warning: &str) -> u32 {
    let number = warning
        .strip_prefix("line ")
        .and_then(|w| w.split(':').next());
    number.and_then(|n| n.parse().ok()).unwrap_or(1)
}

fn link_problem(
    anchors: &HashSet<&str>,
    destination: &str,
    is_runbook: &dyn Fn(&str) -> bool,
) -> Option<String> {
    let (file, anchor) = destination
        .split_once('#')
        .map_or((destination, None), |(f, a)| (f, Some(a)));
    if file.is_empty() {
        let anchor = anchor?;
        return (!anchors.contains(anchor))
            .then(|| format!("no heading here has the anchor #{anchor}"));
    }
    let name = file
        .strip_suffix(".md")
        .filter(|n| !n.contains([':', '/']))?;
    (!is_runbook(name))
        .then(|| format!("it leads to {file}, and there is no such runbook beside it"))
}

fn check_step(step: &Step, words: &str, phase_verifies: bool, problems: &mut Vec<Problem>) {
    if !step.choices.is_empty() && step.choices.iter().all(|c| c.when.is_some()) {
        problems.push(problem(
            step.line,
            "a decision without a default: end its list with an option that has no condition",
        ));
    }
    let says = |any: &[&str]| any.iter().any(|w| words.contains(w));
    for fence in step.fences() {
        let runnable = fence.command.is_some();
        if runnable
            && fence.risk == Risk::Danger
            && !says(&["rollback", "roll back", "undo", "take it back"])
        {
            problems.push(problem(
                fence.line,
                "a dangerous command whose step does not say how to roll it back",
            ));
        }
        let verified = says(&["verify", "verified", "check that"]) || phase_verifies;
        if runnable && fence.risk == Risk::Change && !verified {
            problems.push(problem(
                fence.line,
                "a change whose step does not say how to verify it",
            ));
        }
        for (line, message) in fence_problems(fence) {
            problems.push(problem(line, message));
        }
    }
}

fn step_words(step: &Step) -> String {
    let mut words = String::new();
    for block in &step.blocks {
        match block {
            Block::Paragraph(s) | Block::Quote(s) | Block::Item { text: s, .. } => {
                words.push_str(&plain_text(s))
            }
            Block::Table(rows) => rows
                .iter()
                .flatten()
                .for_each(|c| words.push_str(c.as_str())),
            Block::Fence(_) => {}
        }
        words.push('\n');
    }
    words.to_lowercase()
}

fn fence_problems(fence: &Fence) -> Vec<(u32, String)> {
    let mut found = Vec::new();
    for (line, text) in (fence.line..).zip(fence.text.iter().map(SafeText::as_str)) {
        if let Some(what) = secret(text) {
            found.push((
                line,
                format!("{what} stands in the text: use a placeholder"),
            ));
        }
        if super::fence::is_shell(fence.language.as_str()) && fetches_into_shell(text) {
            found.push((
                line,
                "what is fetched is run unseen: fetch, read, then run".to_owned(),
            ));
        }
    }
    found
}

/// `curl … | sh`.
fn fetches_into_shell(text: &str) -> bool {
    let Ok(script) = shell::read(text.trim_start_matches("$ "), &[]) else {
        return false;
    };
    let first = |c: &shell::Simple| -> Vec<String> {
        c.call()
            .iter()
            .map(|w| super::programs::base_name(&w.text).to_owned())
            .take(3)
            .collect()
    };
    let fetched = script
        .commands
        .iter()
        .any(|c| first(c).iter().any(|w| w == "curl" || w == "wget"));
    let shells =
        |c: &shell::Simple| c.piped && first(c).iter().any(|w| super::programs::is_shell(w));
    fetched && script.commands.iter().any(shells)
}

/// What looks like a secret written out.
fn secret(text: &str) -> Option<&'static str> {
    if text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        return Some("a private key");
    }
    let token = |prefix: &str, length: usize| {
        text.match_indices(prefix).any(|(at, _)| {
            let rest = text.get(at + prefix.len()..).unwrap_or_default();
            rest.chars()
                .take_while(|c| c.is_ascii_alphanumeric() || "_-".contains(*c))
                .count()
                >= length
        })
    };
    if token("AKIA", 16) || token("ghp_", 30) || token("glpat-", 20) || token("xoxb-", 20) {
        return Some("an access token");
    }
    let lower = text.to_ascii_lowercase();
    for key in [
        "password=",
        "passwd=",
        "token=",
        "api_key=",
        "secret=",
        "authorization: bearer ",
    ] {
        let Some(at) = lower.find(key) else { continue };
        let value = text
            .get(at + key.len()..)
            .unwrap_or_default()
            .trim_start_matches(['"', '\'']);
        let literal: String = value
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "_-./+".contains(*c))
            .collect();
        if literal.len() >= 8 && literal.chars().any(|c| c.is_ascii_digit()) {
            return Some("a password or token");
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::document;

    fn problems(text: &str) -> Vec<String> {
        let document = document(text.as_bytes(), "x", "x").unwrap();
        let found = check(&document, &|name| name == "there");
        found
            .iter()
            .map(|p| format!("{}: {}", p.line, p.message))
            .collect()
    }

    #[test]
    fn each_check_can_fail_and_pass() {
        for (bad, good, word) in [
            ("# A\n\n1. [x](#nowhere)\n", "# A\n\n1. [x](#a)\n", "anchor"),
            (
                "1. [x](gone.md)\n",
                "1. [x](there.md#y)\n",
                "no such runbook",
            ),
            (
                "---\nfindings: [no-such]\n---\n\n1. x\n",
                "---\nfindings: [host-down]\n---\n\n1. x\n",
                "unknown finding",
            ),
            (
                "1. x\n\n   ```sh\n   reboot\n   ```\n",
                "1. x\n\n   ```sh\n   reboot\n   ```\n\n   Rollback: none.\n",
                "roll it back",
            ),
            (
                "1. x\n\n   ```sh\n   touch x\n   ```\n",
                "1. x\n\n   ```sh\n   touch x\n   ```\n\n   Verify: it is there.\n",
                "verify",
            ),
            (
                "Verify.\n\n```sh\ncurl -s https://x/ | sudo bash\n```\n",
                "Verify.\n\n```sh\ncurl -s https://x/\n```\n",
                "unseen",
            ),
            (
                "Verify.\n\n```sh\nx --token=abcd1234efgh\n```\n",
                "Verify.\n\n```sh\nx --token=<TOKEN>\n```\n",
                "placeholder",
            ),
            (
                "# A\n\nDecision: x?\n\n- [a](#a) <!-- when: tls.ok -->\n",
                "# A\n\nDecision: x?\n\n- [a](#a) <!-- when: tls.ok -->\n- else [a](#a)\n",
                "without a default",
            ),
            (
                "# A\n\nDecision: x?\n\n- [a](#a) <!-- when: tls.okay -->\n- [a](#a)\n",
                "# A\n\nDecision: x?\n\n- [a](#a)\n  <!-- when: tls.ok -->\n- [a](#a)\n",
                "condition not understood",
            ),
            (
                "```probe\nping {{target}}\nexpect: los < 1\n```\n",
                "```probe\nping {{target}}\nexpect: loss < 1 %\n```\n",
                "expectation not understood",
            ),
            (
                "Decision: a or b?\n\n- a\n- b\n",
                "# A\n\nDecision: a or b?\n\n- [a](#a)\n",
                "no links",
            ),
        ] {
            assert!(
                problems(bad).iter().any(|p| p.contains(word)),
                "{bad}: {:?}",
                problems(bad)
            );
            assert_eq!(problems(good), Vec::<String>::new(), "{good}");
        }
    }
}
