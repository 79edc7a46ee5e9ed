//! `probe` blocks: lines such as `mtu {{target}}`, each followed by what is expected of it
//! (`expect: black_hole == false`). They are answered by the console's own probes; no shell.

use crate::model::condition;
use crate::model::runbook::ProbeCheck;
use crate::model::text::SafeText;

/// Probes by the word a block uses, with the names their facts go by.
const PROBES: &[(&str, &str)] = &[
    ("ping", "ping"),
    ("trace", "path"),
    ("path", "path"),
    ("mtu", "mtu"),
    ("tcp", "tcp"),
    ("dns", "dns"),
    ("tls", "tls"),
    ("http", "http"),
    ("local", "local"),
];
/// Most checks of one block, and expectations of one check.
const MOST: usize = 20;

/// Reads a block whose first content line is `first`. What is not understood is a warning.
pub(super) fn read(lines: &[&str], first: u32) -> (Vec<ProbeCheck>, Vec<String>) {
    let mut checks: Vec<ProbeCheck> = Vec::new();
    let mut wrong = Vec::new();
    for (line, text) in (first..).zip(lines.iter().map(|l| l.trim())) {
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        if let Some(expected) = text.strip_prefix("expect:") {
            let Some(check) = checks.last_mut() else {
                wrong.push("an `expect:` line before any probe".into());
                continue;
            };
            let scope = scope(check.probe.as_str()).unwrap_or_default();
            match condition::parse_of(expected, scope) {
                Ok(parsed) if check.expect.len() < MOST => check.expect.push(parsed),
                Ok(_) => wrong.push(format!("more than {MOST} `expect:` lines of one probe")),
                Err(error) => wrong.push(format!(
                    "line {line} of the probe block: expectation not understood, {error}"
                )),
            }
            continue;
        }
        let (probe, of) = text.split_once(' ').unwrap_or((text, ""));
        if scope(probe).is_none() {
            let known: Vec<&str> = PROBES.iter().map(|(p, _)| *p).collect();
            let known = known.join(", ");
            wrong.push(format!("`{probe}` is no probe: there is {known}"));
        } else if checks.len() < MOST {
            checks.push(ProbeCheck {
                line,
                probe: SafeText::new(probe),
                of: SafeText::capped(of.trim(), 400),
                expect: Vec::new(),
            });
        } else {
            wrong.push(format!("more than {MOST} probes in one block"));
        }
    }
    (checks, wrong)
}

fn scope(probe: &str) -> Option<&'static str> {
    PROBES.iter().find(|(p, _)| *p == probe).map(|(_, s)| *s)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probes_and_expectations_are_read_and_oddities_told() {
        let lines = [
            "ping {{target}}",
            "expect: loss < 1 %",
            "",
            "mtu {{target}}",
            "expect: not black_hole",
        ];
        let (checks, wrong) = read(&lines, 10);
        assert_eq!(wrong, Vec::<String>::new());
        assert_eq!(checks.len(), 2);
        assert_eq!((checks[1].line, checks[1].probe.as_str()), (13, "mtu"));
        assert_eq!(checks[0].expect[0].text().as_str(), "loss < 1 %");
        for (bad, word) in [
            (["expect: loss < 1"], "before any probe"),
            (["weather here"], "is no probe"),
        ] {
            assert!(read(&bad, 1).1[0].contains(word));
        }
        let (_, wrong) = read(&["mtu x", "expect: loss < 1"], 1);
        assert!(wrong[0].contains("there is mtu.size"), "{wrong:?}");
    }
}
