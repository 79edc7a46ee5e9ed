//! One code block: what would run, what it needs, what it may do; or why it is not offered.

use super::placeholder::{self, Resolved};
use super::shell::Context;
use super::{programs, prompt, reading, risk, session};
use crate::model::runbook::{CommandText, Fence, Risk};
use crate::model::text::SafeText;

/// Time limit of a command in seconds if the author says nothing.
pub const DEFAULT_TIMEOUT_S: u64 = 30;
/// Longest time limit that an author may ask for, in seconds.
pub const MAX_TIMEOUT_S: u64 = 3600;
/// Longest block that is offered to run, in bytes: it has to be read before it is confirmed.
const MAX_RUNNABLE: usize = 16 * 1024;
/// Most lines of one.
const MAX_LINES: usize = 300;
/// First line of a script that asks for bash; to any other shell it is a comment.
pub const BASH_LINE: &str = "#!/usr/bin/env bash";

/// What a block gave.
pub(super) struct Read {
    /// The block.
    pub fence: Fence,
    /// Its placeholders: canonical name, as written, line from 1.
    pub placeholders: Vec<(String, String, u32)>,
    /// What was odd about its info string.
    pub warnings: Vec<String>,
}

/// The info string of a fence.
#[derive(Debug, Default, PartialEq, Eq)]
struct Info {
    language: String,
    risk: Option<Risk>,
    timeout_s: Option<u64>,
    warnings: Vec<String>,
}

/// True for the languages whose blocks can be run.
pub fn is_shell(language: &str) -> bool {
    matches!(
        language,
        "sh" | "bash" | "shell" | "console" | "zsh" | "shell-session" | "shellsession"
    )
}

fn is_console(language: &str) -> bool {
    matches!(language, "console" | "shell-session" | "shellsession")
}

/// Reads a block. `info` is `None` for an indented one; `line` is that of its first content line.
pub(super) fn read(info: Option<&str>, content: &str, line: u32) -> Read {
    let info_text = info.unwrap_or_default();
    let info_read = parse_info(info_text);
    let content = content.replace("\r\n", "\n");
    let lines: Vec<&str> = content
        .strip_suffix('\n')
        .unwrap_or(&content)
        .split('\n')
        .collect();
    let language = info_read.language.as_str();
    let mut fence = Fence {
        line,
        language: SafeText::new(language),
        text: lines
            .iter()
            .map(|l| {
                crate::model::text::safe_lines(l, 1)
                    .into_iter()
                    .next()
                    .unwrap_or_default()
            })
            .collect(),
        command: None,
        not_runnable: None,
        timeout_s: info_read.timeout_s.unwrap_or(DEFAULT_TIMEOUT_S),
        risk: info_read.risk.unwrap_or(Risk::Change),
        checks: Vec::new(),
    };
    let mut warnings = info_read.warnings;
    let mut placeholders = Vec::new();
    if is_shell(language) || language == "probe" {
        placeholders = list_placeholders(&content, line);
    }
    if is_shell(language) {
        match runnable(&lines, language) {
            Ok(found) => {
                fence.risk = overall(info_read.risk, risk::of(&found.shell));
                placeholders = add_variables(placeholders, &found.names, &content, line);
                fence.command = Some(command_text(found));
            }
            Err(why) => {
                let computed = risk::of_text(&content);
                fence.risk = overall(info_read.risk, computed.max(Risk::Change));
                fence.not_runnable = Some(SafeText::new(why));
            }
        }
    } else {
        fence.not_runnable = why_not(language, info.is_some());
        if language == "probe" {
            fence.risk = Risk::Read;
            let (checks, wrong) = super::checks::read(&lines, line);
            fence.checks = checks;
            warnings.extend(wrong);
        }
    }
    Read {
        fence,
        placeholders,
        warnings,
    }
}

/// What the author declares is taken, except that danger can't be declared away.
fn overall(declared: Option<Risk>, computed: Risk) -> Risk {
    match declared {
        Some(risk) if computed < Risk::Danger => risk,
        Some(_) | None => computed,
    }
}

fn why_not(language: &str, fenced: bool) -> Option<SafeText> {
    match language {
        "probe" => Some(SafeText::new("the console's own probes answer it")),
        "" if fenced => Some(SafeText::new(
            "the block names no language: it can be copied, but is not run as shell",
        )),
        "" => Some(SafeText::new(
            "an indented block names no language: it can be copied, but is not run as shell",
        )),
        "promql" | "sql" | "python" | "ruby" | "perl" | "powershell" | "fish" => {
            Some(SafeText::new(format!(
                "`{language}` is not run as shell; it can be copied"
            )))
        }
        _ => None,
    }
}

/// Prompts stripped and sample output left out; placeholders as written. This is what a person
/// would type.
pub fn stripped(language: &str, text: &[SafeText]) -> String {
    let lines: Vec<&str> = text.iter().map(SafeText::as_str).collect();
    match prompt::commands(&lines, is_console(language)) {
        Ok(found) if is_shell(language) => joined(&found),
        _ => lines.join("\n"),
    }
}

fn joined(commands: &prompt::Commands) -> String {
    let texts: Vec<&str> = commands.iter().map(|(_, t)| t.trim_end()).collect();
    texts.join("\n")
}

fn runnable(lines: &[&str], language: &str) -> Result<Resolved, String> {
    let size: usize = lines.iter().map(|l| l.len() + 1).sum();
    if size > MAX_RUNNABLE || lines.len() > MAX_LINES {
        return Err("it is too long to be read before it is confirmed".into());
    }
    for line in lines {
        let line = line.replace('\t', " ");
        if SafeText::capped(&line, usize::MAX).as_str() != line {
            let shown = SafeText::capped(&line, 60);
            return Err(format!(
                "it holds characters that can't be shown as they are: {shown}"
            ));
        }
    }
    let text = joined(&prompt::commands(lines, is_console(language))?);
    let text = untabbed(&text)?;
    if text
        .split(|c: char| c.is_ascii_whitespace())
        .any(|w| matches!(w, "..." | "…"))
    {
        return Err("it holds an ellipsis where something was left out".into());
    }
    reading::look(&text)?;
    let resolved = placeholder::resolve(&text)?;
    match session::refuse(&resolved.shell) {
        Some(why) => Err(why),
        None => Ok(resolved),
    }
}

/// Tabs that only indent or separate become spaces; in quotes they would change the meaning.
fn untabbed(text: &str) -> Result<String, String> {
    if !text.contains('\t') {
        return Ok(text.to_owned());
    }
    let holes: Vec<_> = placeholder::bracketed(text)
        .iter()
        .map(|p| super::shell::Hole {
            start: p.start,
            end: p.end,
        })
        .collect();
    let Ok(script) = super::shell::read(text, &holes) else {
        return Ok(text.replace('\t', "    "));
    };
    let quoted = text.match_indices('\t').any(|(i, _)| {
        !matches!(
            script.contexts.get(i),
            Some(Context::Plain | Context::Comment)
        )
    });
    if quoted || text.contains("<<-") {
        return Err(
            "it holds a tab inside quotes or a here-document, which can't be shown as it is".into(),
        );
    }
    Ok(text.replace('\t', "    "))
}

fn command_text(found: Resolved) -> CommandText {
    let bash = found.shell.bash_only.is_some()
        || found
            .shell
            .references
            .iter()
            .any(|r| programs::is_bash_variable(&r.name))
        || found.shell.commands.iter().any(|c| {
            let first = c.call().first().map_or("", |w| w.text.as_str());
            matches!(
                first,
                "source" | "declare" | "mapfile" | "readarray" | "shopt" | "let" | "pushd" | "popd"
            ) || first == "set" && c.words.iter().any(|w| w.text == "pipefail")
        });
    let script = if bash && !found.script.starts_with("#!") {
        format!("{BASH_LINE}\n{}", found.script)
    } else {
        found.script
    };
    let needs = found
        .names
        .into_iter()
        .map(|n| (n.clone(), placeholder::variable(&n)))
        .collect();
    CommandText { script, needs }
}

fn list_placeholders(content: &str, line: u32) -> Vec<(String, String, u32)> {
    placeholder::bracketed(content)
        .into_iter()
        .map(|p| {
            let shown = content.get(p.start..p.end).unwrap_or_default().to_owned();
            (p.name, shown, line + line_of(content, p.start))
        })
        .collect()
}

/// `$LIKE_THIS` is only known to be a placeholder once the shell text was read.
fn add_variables(
    mut list: Vec<(String, String, u32)>,
    names: &[String],
    content: &str,
    line: u32,
) -> Vec<(String, String, u32)> {
    // Marks in sample output or comments are no gaps of the command.
    list.retain(|(name, _, _)| names.contains(name));
    for name in names
        .iter()
        .filter(|n| !list.iter().any(|(have, _, _)| have == *n))
        .collect::<Vec<_>>()
    {
        let upper = name.to_ascii_uppercase();
        for shown in [format!("${upper}"), format!("${{{upper}")] {
            for (at, _) in content.match_indices(&shown) {
                let next = content
                    .get(at + shown.len()..)
                    .and_then(|t| t.chars().next());
                if next.is_some_and(|c| c.is_ascii_alphanumeric() || c == '_') {
                    continue;
                }
                list.push((
                    name.clone(),
                    format!("${upper}"),
                    line + line_of(content, at),
                ));
            }
        }
    }
    list
}

fn line_of(content: &str, at: usize) -> u32 {
    let feeds = content
        .get(..at)
        .unwrap_or_default()
        .bytes()
        .filter(|b| *b == b'\n')
        .count();
    u32::try_from(feeds).unwrap_or(u32::MAX)
}

/// ```` ```sh {risk=read timeout=30s} ````: the first word is the language, braces hold ours.
fn parse_info(info: &str) -> Info {
    let mut read = Info::default();
    let (head, attributes) = match info.split_once('{') {
        Some((head, rest)) => (head, rest.split('}').next().unwrap_or_default()),
        None => (info, ""),
    };
    let first = head.split([' ', '\t', ',']).next().unwrap_or_default();
    read.language = first.to_ascii_lowercase();
    for item in attributes.split([' ', ',', '\t']).filter(|i| !i.is_empty()) {
        let (key, value) = item.split_once(['=', ':']).unwrap_or((item, ""));
        let value = value.trim_matches('"');
        match (key.trim_matches('"'), value) {
            ("risk", "read") => read.risk = Some(Risk::Read),
            ("risk", "change") => read.risk = Some(Risk::Change),
            ("risk", "danger") => read.risk = Some(Risk::Danger),
            ("risk", _) => read
                .warnings
                .push(format!("risk `{value}` is none of read, change, danger")),
            ("timeout", _) => match seconds(value) {
                Some(s) => read.timeout_s = Some(s),
                None => read.warnings.push(format!(
                    "timeout `{value}` is no time such as 30s or 2m, at most 1h"
                )),
            },
            _ => {}
        }
    }
    read
}

fn seconds(text: &str) -> Option<u64> {
    let (number, factor) = match text.strip_suffix('m') {
        Some(n) => (n, 60),
        None => match text.strip_suffix('h') {
            Some(n) => (n, 3600),
            None => (text.strip_suffix('s').unwrap_or(text), 1),
        },
    };
    let seconds = number.parse::<u64>().ok()?.checked_mul(factor)?;
    (1..=MAX_TIMEOUT_S).contains(&seconds).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence(info: &str, text: &str) -> Fence {
        read(Some(info), text, 10).fence
    }

    fn why(info: &str, text: &str) -> String {
        let f = fence(info, text);
        assert_eq!(f.command, None, "{text}");
        f.not_runnable.expect("says why").as_str().to_owned()
    }

    #[test]
    fn only_shell_is_run() {
        assert!(fence("sh", "ls\n").command.is_some());
        assert!(fence("Bash title=x", "ls\n").command.is_some());
        assert!(why("", "ls\n").contains("no language"));
        assert!(why("promql", "up\n").contains("not run"));
        assert_eq!(fence("yaml", "a: b\n").command, None);
        assert!(why("probe", "mtu {{target}}\n").contains("own probes"));
    }

    #[test]
    fn attributes_override_but_never_hide_danger() {
        let f = fence("sh {risk=read timeout=2m}", "mycorp-tool --status\n");
        assert_eq!((f.risk, f.timeout_s), (Risk::Read, 120));
        assert_eq!(fence("sh {risk=read}", "rm -rf /x\n").risk, Risk::Danger);
        assert_eq!(fence("sh {risk=danger}", "ls\n").risk, Risk::Danger);
        assert_eq!(fence("sh", "ls\n").timeout_s, DEFAULT_TIMEOUT_S);
        assert_eq!(
            read(Some("sh {risk=none timeout=9h}"), "ls", 1)
                .warnings
                .len(),
            2
        );
    }

    #[test]
    fn parameters_are_named_with_their_lines() {
        let r = read(Some("sh"), "ping <TARGET>\ndig $NAME {{target}}\n", 10);
        let got: Vec<_> = r
            .placeholders
            .iter()
            .map(|(n, p, l)| (n.as_str(), p.as_str(), *l))
            .collect();
        assert_eq!(
            got,
            [
                ("target", "<TARGET>", 10),
                ("target", "{{target}}", 11),
                ("name", "$NAME", 11)
            ]
        );
        let command = r.fence.command.unwrap();
        assert_eq!(
            command.script,
            "ping \"$RB_TARGET\"\ndig \"$RB_NAME\" \"$RB_TARGET\""
        );
        assert_eq!(command.needs[0], ("target".into(), "RB_TARGET".into()));
    }

    #[test]
    fn what_runs_is_what_is_shown() {
        assert!(why("sh", "systemctl restart \u{2067}db\u{2069}\n").contains("can't be shown"));
        assert!(why("sh", "ls\u{a0}-l\n").contains("can't be shown"));
        assert!(why("sh", "echo 'a\tb'\n").contains("tab"));
        assert_eq!(
            fence("sh", "for i in 1; do\n\tls\ndone\n")
                .command
                .unwrap()
                .script,
            "for i in 1; do\n    ls\ndone"
        );
        assert!(why("sh", "kubectl get pods ...\n").contains("ellipsis"));
        assert!(why("sh", &"ls\n".repeat(400)).contains("too long"));
    }

    #[test]
    fn what_only_bash_knows_asks_for_bash() {
        for text in [
            "[[ -f x ]] && ls",
            "diff <(ls) <(ls -a)",
            "for i in {1..3}; do ls; done",
            "ls &> /dev/null",
            "source x",
        ] {
            let script = fence("bash", text)
                .command
                .unwrap_or_else(|| panic!("{text}"))
                .script;
            assert!(script.starts_with("#!/usr/bin/env bash\n"), "{script}");
        }
        assert_eq!(fence("bash", "ls | wc").command.unwrap().script, "ls | wc");
    }

    #[test]
    fn sessions_and_queries_say_why() {
        assert!(why("sh", "oc debug node/x\nchroot /host\nls\n").contains("opens a session"));
        assert!(why("sh", "sum(rate(x[5m])) by (job)\n").contains("shell"));
        assert!(why("bash", "Restart the pod.\n").contains("command"));
        assert!(why("console", "NAME  READY\nx  1/1\n").contains("command"));
        assert!(why("sh", "$ mysql -u root\nmysql> show databases;\n").contains("terminal"));
        assert!(why("sh", "echo '<TARGET>'\n").contains("single quotes"));
    }

    #[test]
    fn the_text_without_prompts_is_there() {
        let f = fence("console", "$ dig <NAME>\n; answer\n$ ls \\\n  -l\n");
        assert_eq!(
            stripped(f.language.as_str(), &f.text),
            "dig <NAME>\nls \\\n  -l"
        );
    }
}
