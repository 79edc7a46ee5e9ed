//! `warroom runbook test`: every case of a test file walks its runbook with recorded observations,
//! and the way taken is compared with the one that was expected. No network, no commands.

use std::io::Write;
use std::path::Path;

use super::recording;
use crate::model::condition::Facts;
use crate::model::text::SafeText;
use crate::runbook::case::{self, Case};
use crate::runbook::library::{Library, cases_of};

/// Runs all cases. Exit code 1 if one fails, or none was found where names were given.
pub(super) fn run(library: &Library, names: &[String], out: &mut dyn Write) -> anyhow::Result<u8> {
    let listed = library.list();
    let all: Vec<String> = listed.iter().map(|l| l.name.as_str().to_owned()).collect();
    let chosen = if names.is_empty() { &all } else { names };
    let (mut count, mut failed) = (0usize, 0usize);
    for name in chosen {
        let document = match library.open_document(name) {
            Ok(document) => document,
            // A listed file that can't be opened is `lint`'s to tell.
            Err(_) if names.is_empty() => continue,
            Err(error) => return Err(error.into()),
        };
        let Some((text, folder)) = cases_of(&document.runbook)? else {
            if !names.is_empty() {
                failed += 1;
                writeln!(
                    out,
                    "{}: no cases; write them to {} beside it",
                    document.runbook.source,
                    Path::new(document.runbook.name.as_str())
                        .with_extension("test.toml")
                        .display()
                )?;
            }
            continue;
        };
        let cases = match case::read(&text) {
            Ok(cases) => cases,
            Err(why) => {
                failed += 1;
                writeln!(
                    out,
                    "{}: the test file is not understood: {}",
                    document.runbook.name,
                    SafeText::new(why)
                )?;
                continue;
            }
        };
        let mut taken = Vec::new();
        for case in &cases.case {
            count += 1;
            let result = facts_of(case, &folder).and_then(|facts| case.run(&document, &facts));
            match result {
                Ok(way) => taken.extend(way),
                Err(why) => {
                    failed += 1;
                    let what = SafeText::new(format!("{}: {why}", case.name));
                    writeln!(out, "{}: FAILED {what}", document.runbook.name)?;
                }
            }
        }
        let untaken = case::untaken(&document, &taken);
        for (line, link) in &untaken {
            writeln!(
                out,
                "{}:{line}: no case leads to {}",
                document.runbook.name,
                SafeText::new(link)
            )?;
        }
        writeln!(
            out,
            "{}: {} cases, {} branches without one",
            document.runbook.name,
            cases.case.len(),
            untaken.len()
        )?;
    }
    writeln!(out, "{count} cases, {failed} failed")?;
    Ok(u8::from(failed > 0))
}

fn facts_of(case: &Case, folder: &Path) -> Result<Facts, String> {
    let mut facts = match &case.observations {
        None => return case.facts(),
        Some(file) => recording::facts(&folder.join(file), case)?,
    };
    // What the case says besides is added to what was recorded.
    let said = case.facts()?;
    facts.firm &= said.firm;
    facts.findings.extend(said.findings);
    facts.unjudged.extend(said.unjudged);
    facts.clean.extend(said.clean);
    for (key, value) in &case.facts {
        facts
            .set_text(key, value)
            .map_err(|e| format!("facts, {key}: {e}"))?;
    }
    Ok(facts)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOK: &str = "# A\n\nDecision: is it loss?\n\n- yes → [B](#b)\n  \
        <!-- when: ping.loss >= 20 % -->\n- no → [C](#c)\n\n## B\n\n1. b\n\n## C\n\n1. c\n";

    /// A folder with a runbook and its cases, and what the test of it prints.
    fn tested(cases: &str, files: &[(&str, &str)]) -> (String, u8) {
        let folder = tempfile::tempdir().unwrap();
        let book = folder.path().join("x.md");
        std::fs::write(&book, BOOK).unwrap();
        std::fs::write(folder.path().join("x.test.toml"), cases).unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let mut out = Vec::new();
        let names = [book.to_str().unwrap().to_owned()];
        let code = run(&Library::of(Vec::new()), &names, &mut out).unwrap();
        (String::from_utf8(out).unwrap(), code)
    }

    #[test]
    fn a_case_passes_or_fails_by_the_branch_that_its_facts_lead_to() {
        let loss = "[[case]]\nname = \"l\"\nfacts = { \"ping.loss\" = \"30 %\" }\n";
        let (text, code) = tested(&format!("{loss}path = [\"#b\"]\n"), &[]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(":7: no case leads to #c"), "{text}");
        let (text, code) = tested(&format!("{loss}path = [\"#c\"]\n"), &[]);
        assert_eq!(code, 1, "{text}");
        assert!(text.contains("FAILED l: took #b, expected #c"), "{text}");
        // Nothing was measured: the decision is open, and a case must say that it is.
        let open = "[[case]]\nname = \"o\"\npath = []\n";
        let (text, code) = tested(open, &[]);
        assert!(text.contains("line 3 is left open"), "{text}");
        assert_eq!(code, 1);
        let (text, code) = tested(&format!("{open}undecided = true\n"), &[]);
        assert_eq!(code, 0, "{text}");
    }

    #[test]
    fn mistakes_in_a_test_file_are_told_and_fail() {
        let head = "[[case]]\nname = \"m\"\n";
        for (cases, word) in [
            ("[[case]]\nname = 1\n".to_owned(), "not understood"),
            (format!("{head}paths = []\n"), "paths"),
            (
                format!("{head}findings = [\"no-such\"]\npath = []\n"),
                "unknown finding `no-such`",
            ),
            (
                format!("{head}facts = {{ \"ping.los\" = \"1 %\" }}\npath = []\n"),
                "ping.los",
            ),
            (
                format!("{head}facts = {{ \"ping.loss\" = \"1 ms\" }}\npath = []\n"),
                "not counted",
            ),
            (
                format!("{head}from = \"nowhere\"\npath = []\n"),
                "no heading has the anchor #nowhere",
            ),
            (
                format!("{head}say = [\"#d\"]\npath = []\n"),
                "no option to #d",
            ),
            (
                format!(
                    "{head}facts = {{ \"ping.loss\" = \"30 %\" }}\nsay = [\"#c\"]\npath = [\"#b\"]\n"
                ),
                "more than was asked",
            ),
            (
                format!("{head}observations = \"gone.jsonl\"\npath = []\n"),
                "could not read the recording",
            ),
        ] {
            let (text, code) = tested(&cases, &[]);
            assert!(text.contains(word) && code == 1, "{cases}: {text}");
        }
    }

    /// A stream as `warroom ping --stream-json` prints it, in which every `lost`-th has no answer.
    fn stream(lost: u64) -> String {
        let mut out = "{\"probe\":\"ping\",\"schema\":\"warroom.stream/1\",\
            \"started\":\"2026-01-15T12:00:00Z\",\"targets\":[\"192.0.2.7\"]}\n"
            .to_owned();
        for n in 0..40u64 {
            let outcome = match n % lost {
                0 => "{\"timeout\":{\"after\":500000000}}",
                _ => {
                    "{\"ok\":{\"corrupt\":false,\"reply_tos\":0,\"reply_ttl\":60,\"rtt\":9000000}}"
                }
            };
            out.push_str(&format!(
                "{{\"method\":\"icmp-datagram\",\"why_not_better\":null,\"target\":\"192.0.2.7\",\
                 \"time\":\"2026-01-15T12:00:{:02}.7Z\",\"sample\":{{\"ping\":{{\"dst\":\"192.0.2.7\",\
                 \"port\":null,\"seq\":{n},\"sent\":{},\"outcome\":{outcome}}}}}}}\n",
                n + 1,
                (n + 1) * 1_000_000_000,
            ));
        }
        out + "{\"result\":{\"sent\":40}}\n"
    }

    #[test]
    fn facts_are_concluded_from_a_recording() {
        let cases = "[[case]]\nname = \"r\"\nobservations = \"r.jsonl\"\npath = [\"#b\"]\n";
        let (text, code) = tested(cases, &[("r.jsonl", &stream(3))]);
        assert_eq!(code, 0, "{text}");
        let (text, code) = tested(cases, &[("r.jsonl", &stream(20))]);
        assert!(text.contains("took #c, expected #b"), "{text}");
        assert_eq!(code, 1);
        for (recording, word) in [
            ("no\n", "r.jsonl:1: this is no line of a recording"),
            ("", "no sample is in the recording"),
            (stream(3).split_once('\n').unwrap().1, "when it began"),
            (&stream(3).repeat(2), ":43: a second run begins here"),
        ] {
            let (text, code) = tested(cases, &[("r.jsonl", recording)]);
            assert!(text.contains(word) && code == 1, "{text}");
        }
    }
}
