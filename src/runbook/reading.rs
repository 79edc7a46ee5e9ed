//! Does a block read as commands at all? Running prose is worse than losing a command.

use super::placeholder;
use super::programs;
use super::shell::{self, Hole, Simple};

/// How sure it is that text is shell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Each command begins with a program that is known.
    Known,
    /// Nothing speaks against it.
    Plausible,
}

/// Judges shell text; the error says why it does not read as commands.
pub(super) fn look(text: &str) -> Result<Look, String> {
    let holes: Vec<Hole> = placeholder::bracketed(text)
        .iter()
        .map(|p| Hole {
            start: p.start,
            end: p.end,
        })
        .collect();
    let script = shell::read(text, &holes).map_err(|t| match t {
        shell::Trouble::Unfinished(why) => format!("it is not complete: {why}"),
        shell::Trouble::NotShell(why) => format!("it does not read as shell: {why}"),
    })?;
    let mut look = Look::Known;
    let mut any = false;
    for simple in &script.commands {
        if let Some(simple) = judge(simple)? {
            any = true;
            if simple == Look::Plausible && !script.has_function {
                look = Look::Plausible;
            }
        }
    }
    if any {
        Ok(look)
    } else {
        Err("there is no command in it".into())
    }
}

fn judge(simple: &Simple) -> Result<Option<Look>, String> {
    let call = simple.call();
    let Some(first) = call.first() else {
        return assignments(simple).map(|()| (!simple.words.is_empty()).then_some(Look::Known));
    };
    let name = first.text.as_str();
    let says = |what: &str| {
        Err(format!(
            "it does not read as commands: `{}` {what}",
            shown(name)
        ))
    };
    if name.ends_with(':') && name != ":" {
        return says("looks like a label");
    }
    if is_metric(call, simple) {
        return says("looks like a metric query");
    }
    if call.iter().any(|w| w.text.starts_with("[-") && !w.quoted) {
        return Err("it shows optional parts in brackets: it is a synopsis, not a command".into());
    }
    if call.get(1).is_some_and(|w| w.text == "=" || w.text == ":=") && !name.starts_with('[') {
        return says("is set as in a configuration file");
    }
    if first.quoted && (name.contains([' ', '=']) || name.starts_with('{')) {
        return says("is quoted text");
    }
    if first.is_dynamic() || first.quoted {
        return Ok(Some(Look::Plausible));
    }
    if programs::is_known(name)
        || programs::is_known(programs::base_name(name)) && name.contains('/')
    {
        if is_prose(call) {
            return says("begins a sentence");
        }
        return Ok(Some(Look::Known));
    }
    if name.contains("://") {
        return says("is an address");
    }
    if name.starts_with(['/', '~']) || name.starts_with("./") || name.starts_with("../") {
        return Ok(Some(Look::Known));
    }
    let tool = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "._/+-@".contains(c))
        && !name.ends_with('.');
    if !tool {
        return says("is no command");
    }
    if is_prose(call) || WORDS.contains(&name) {
        return says("begins a sentence");
    }
    Ok(Some(Look::Plausible))
}

/// Assignments alone are shell, but `level=info ts=… msg=…` is a log line.
fn assignments(simple: &Simple) -> Result<(), String> {
    let keys = simple
        .words
        .iter()
        .filter_map(|w| shell::assigned_name(&w.text));
    let logged = keys
        .filter(|k| ["level", "ts", "time", "msg", "caller", "lvl", "severity"].contains(k))
        .count();
    if logged >= 2 {
        return Err("it looks like a log line".into());
    }
    Ok(())
}

/// `up == 0`, `node_load1 > 5`: valid shell that would do something else entirely.
fn is_metric(call: &[shell::Word], simple: &Simple) -> bool {
    let Some(first) = call.first() else {
        return false;
    };
    let name = first.text.as_str();
    let joined = call.get(1).map_or("", |w| w.text.as_str());
    let compared = matches!(
        joined,
        "==" | "!=" | "and" | "or" | "unless" | "by" | "without" | "/" | "*" | "+" | "-" | "%"
    );
    let to_number = simple.redirects.iter().any(|r| {
        r.op.starts_with(['<', '>']) && r.target.text.parse::<f64>().is_ok() && !r.op.contains('&')
    });
    let selector = name.contains('{') && name.contains('=')
        || name.contains('[') && name.ends_with(']') && name.len() > 2;
    let unknown = !programs::is_known(name);
    selector || unknown && compared || to_number && unknown
}

/// Sentences end with a full stop or are full of small words.
fn is_prose(call: &[shell::Word]) -> bool {
    if call.iter().any(|w| w.quoted || w.text.starts_with('-')) {
        return false;
    }
    let words: Vec<&str> = call.iter().map(|w| w.text.as_str()).collect();
    let small = words
        .iter()
        .skip(1)
        .filter(|w| WORDS.contains(&w.trim_matches([',', '.', ':'])))
        .count();
    let stop = words.len() > 3
        && words.last().is_some_and(|w| {
            w.len() > 2 && w.ends_with(['.', '!']) && !w.contains('/') && !w.starts_with('.')
        });
    let first = words.first().copied().unwrap_or_default();
    if matches!(
        first,
        "echo" | "printf" | "git" | "logger" | "wall" | "for" | "case" | "["
    ) {
        return false;
    }
    small >= 2 || small >= 1 && stop || stop && words.len() > 5
}

fn shown(name: &str) -> String {
    name.chars()
        .map(|c| if c == shell::DYNAMIC { '…' } else { c })
        .take(30)
        .collect()
}

const WORDS: &[&str] = &[
    "the", "this", "that", "these", "then", "when", "where", "which", "a", "an", "is", "are",
    "was", "be", "been", "has", "have", "will", "should", "would", "can", "could", "must", "may",
    "you", "your", "we", "it", "its", "they", "there", "to", "of", "and", "or", "but", "not", "if",
    "with", "from", "into", "please", "note", "see", "check", "ensure", "make", "use", "using",
    "for", "in", "as", "by", "at", "after", "before", "because", "no", "all", "any", "wait",
    "click", "open", "verify", "confirm", "replace", "example", "output", "expected", "result",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_read_as_commands() {
        for text in [
            "kubectl -n kube-system get pods",
            "export A=1\n./run.sh --fast",
            "sudo gitlab-ctl status",
            "while read -r l; do echo \"$l\"; done < f",
            "time curl -s http://x/",
            "make install",
            "find . -name x",
            "[ -f /etc/x ] && cat /etc/x",
            "mycorp-tool --all",
        ] {
            assert!(look(text).is_ok(), "{text}: {:?}", look(text));
        }
    }

    #[test]
    fn prose_logs_and_queries_do_not() {
        for text in [
            "Check that the pod is running",
            "the pod restarts",
            "sum(rate(http_requests_total{job=\"x\"}[5m])) by (job)",
            "up == 0",
            "node_load1 > 5",
            "http_requests_total{code=\"500\"}",
            "2024-01-01T10:00:00Z error: timeout",
            "level=info ts=1 msg=\"started\"",
            "NAME READY STATUS",
            "key: value",
            "{ \"a\": 1 }",
            "https://example.com/",
            "test that the service is up and then restart it",
            "[ERROR] foo",
            "E0101 12:00:00 failed",
            "\"the profile is lean, delete it\"",
            "\"msg\"=\"trying\"",
            "default_runtime = \"crun\"",
            "rbd snap ls --pool x [--namespace y] z",
            "",
            "# only a comment",
        ] {
            assert!(look(text).is_err(), "{text}");
        }
    }
}
