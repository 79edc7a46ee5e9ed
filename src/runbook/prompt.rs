//! Which lines of a block are commands: prompts, continuations, sample output.

use super::reading::{self, Look};
use super::shell::{self, Trouble};

/// Most lines that one prompted command may go on over.
const MAX_CONTINUED: usize = 100;

/// A line that has a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prompt {
    /// `$ `, `user@host:~$ `, `[root@host ~]# `, `sh-5.1# `: nothing else looks like this.
    Sure,
    /// `# `: a root prompt or a comment.
    Hash,
    /// `% `: a zsh prompt or something else.
    Percent,
    /// Of another program: `mysql> `, `switch# `.
    Foreign,
}

/// Commands of a block, one per command, each with the index of its first line.
pub(super) type Commands = Vec<(usize, String)>;

/// Takes the commands out of a block that is said to be shell (`console` if it is said to be a
/// session). The error says why it can't be read with confidence.
pub(super) fn commands(lines: &[&str], console: bool) -> Result<Commands, String> {
    let kinds: Vec<Option<(Prompt, &str)>> = lines.iter().map(|l| prompt(l)).collect();
    let has = |p: Prompt| kinds.iter().flatten().any(|(k, _)| *k == p);
    if has(Prompt::Sure) {
        return prompted(lines, &kinds, &[Prompt::Sure]);
    }
    if let Some(foreign) = foreign_prompt(lines, &kinds) {
        return Err(format!("it is a session of another program (`{foreign}`)"));
    }
    for sort in [Prompt::Percent, Prompt::Hash] {
        if has(sort) && is_prompt_here(&kinds, lines, sort, console) {
            return prompted(lines, &kinds, &[sort]);
        }
    }
    unprompted(lines, console)
}

/// Without prompts the block is one script.
fn unprompted(lines: &[&str], console: bool) -> Result<Commands, String> {
    let filled: Vec<&&str> = lines.iter().filter(|l| !l.trim().is_empty()).collect();
    let text = match filled.as_slice() {
        // One line, often indented by the list it stands in.
        [only] => only.trim().to_owned(),
        _ => lines.join("\n"),
    };
    let look = reading::look(&text)?;
    if console && look != Look::Known {
        return Err("nothing in this console block tells commands from output".into());
    }
    let first = lines.iter().position(|l| !l.trim().is_empty()).unwrap_or(0);
    Ok(vec![(first, text)])
}

/// `# ` and `% ` begin commands only where every such line reads as one.
fn is_prompt_here(
    kinds: &[Option<(Prompt, &str)>],
    lines: &[&str],
    sort: Prompt,
    console: bool,
) -> bool {
    let looks: Vec<Option<Look>> = kinds
        .iter()
        .flatten()
        .filter(|(k, _)| *k == sort)
        .map(|(_, rest)| reading::look(rest.trim_end_matches('\\')).ok())
        .collect();
    let known = looks.contains(&Some(Look::Known));
    // In a console one known program vouches for others that are not known here.
    let sound = looks
        .iter()
        .all(|l| *l == Some(Look::Known) || console && known && l.is_some());
    if looks.is_empty() || !sound {
        return false;
    }
    let first = lines.iter().position(|l| !l.trim().is_empty());
    let leads = first
        .and_then(|i| kinds.get(i))
        .is_some_and(|k| k.is_some_and(|(k, _)| k == sort));
    // In a console the other lines are output. In a script a `#` beside plain lines is a comment.
    let others = lines
        .iter()
        .zip(kinds)
        .any(|(l, k)| !l.trim().is_empty() && k.is_none_or(|(k, _)| k != sort));
    leads && (console || sort == Prompt::Percent || !others)
}

/// Each prompted line is a command, with what continues it; other lines are sample output.
fn prompted(
    lines: &[&str],
    kinds: &[Option<(Prompt, &str)>],
    sorts: &[Prompt],
) -> Result<Commands, String> {
    let of_sort = |i: usize| {
        kinds
            .get(i)
            .copied()
            .flatten()
            .filter(|(k, _)| sorts.contains(k))
    };
    let mut found = Vec::new();
    let mut i = 0;
    while i < lines.len() {
        let Some((_, first)) = of_sort(i) else {
            i += 1;
            continue;
        };
        let start = i;
        let mut text = first.to_owned();
        i += 1;
        while let Err(Trouble::Unfinished(why)) = read(&text) {
            let next = lines
                .get(i)
                .filter(|_| of_sort(i).is_none() && i - start < MAX_CONTINUED);
            let Some(next) = next else {
                return Err(format!("a command in it is not complete: {why}"));
            };
            text.push('\n');
            text.push_str(
                next.strip_prefix("> ")
                    .or_else(|| (*next == ">").then_some(""))
                    .unwrap_or(next),
            );
            i += 1;
        }
        if !text.trim().is_empty() {
            reading::look(&text)?;
            found.push((start, text));
        }
    }
    if found.is_empty() {
        return Err("there is a prompt but no command after it".into());
    }
    Ok(found)
}

fn read(text: &str) -> Result<shell::Script, Trouble> {
    let holes: Vec<_> = super::placeholder::bracketed(text)
        .iter()
        .map(|p| shell::Hole {
            start: p.start,
            end: p.end,
        })
        .collect();
    shell::read(text, &holes)
}

fn foreign_prompt<'a>(lines: &[&'a str], kinds: &[Option<(Prompt, &str)>]) -> Option<&'a str> {
    let at = kinds
        .iter()
        .position(|k| matches!(k, Some((Prompt::Foreign, _))))?;
    let line = lines.get(at)?.trim_start();
    line.split_inclusive(['>', '#']).next()
}

/// The prompt of a line and what follows it.
fn prompt(line: &str) -> Option<(Prompt, &str)> {
    let line = line.trim_start();
    for (mark, kind) in [
        ("$", Prompt::Sure),
        ("$>", Prompt::Sure),
        ("#", Prompt::Hash),
        ("%", Prompt::Percent),
    ] {
        if line == mark {
            return (kind != Prompt::Hash).then_some((kind, ""));
        }
        if let Some(rest) = line.strip_prefix(mark).and_then(|r| r.strip_prefix(' ')) {
            return Some((kind, rest.trim_start()));
        }
    }
    if line.starts_with(">>> ") {
        return Some((Prompt::Foreign, ""));
    }
    host_prompt(line)
        .or_else(|| bracket_prompt(line))
        .or_else(|| word_prompt(line))
}

/// `user@host:~$ `, `root@host:/etc# `.
fn host_prompt(line: &str) -> Option<(Prompt, &str)> {
    let (head, rest) = split_mark(line)?;
    let (user, place) = head.split_once('@')?;
    let plain = |s: &str| {
        !s.is_empty()
            && s.chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-~/:()".contains(c))
    };
    (plain(user) && plain(place) && !head.contains("//")).then_some((Prompt::Sure, rest))
}

/// `[root@host ~]# `.
fn bracket_prompt(line: &str) -> Option<(Prompt, &str)> {
    let (inside, after) = line.strip_prefix('[')?.split_once(']')?;
    let rest = after.strip_prefix(['#', '$'])?.strip_prefix(' ')?;
    inside
        .contains('@')
        .then_some((Prompt::Sure, rest.trim_start()))
}

/// `sh-5.1# ` is ours; `mysql> `, `switch# `, `MariaDB [x]> ` are not.
fn word_prompt(line: &str) -> Option<(Prompt, &str)> {
    let cut = line
        .char_indices()
        .find(|(_, c)| matches!(c, '#' | '$' | '>'))
        .map(|(i, _)| i)?;
    let (head, tail) = line.split_at_checked(cut)?;
    let mark = tail.chars().next()?;
    let rest = tail.get(1..)?;
    if !(rest.is_empty() || rest.starts_with(' ')) || head.is_empty() || head.len() > 40 {
        return None;
    }
    let shell_version = ["sh-", "bash-", "zsh-", "ksh-"]
        .iter()
        .find_map(|p| head.strip_prefix(p));
    if shell_version
        .is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()) && !v.contains(' '))
        && mark != '>'
    {
        return Some((Prompt::Sure, rest.trim_start()));
    }
    let named = head
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "._-()=:[]/ ".contains(c))
        && head.split(' ').count() <= 2
        && !head.ends_with(' ')
        && !head.ends_with(|c: char| c.is_ascii_digit() && mark == '>');
    (named && mark != '$' && !rest.is_empty()).then_some((Prompt::Foreign, ""))
}

/// Splits at the first `$ ` or `# ` that no blank precedes.
fn split_mark(line: &str) -> Option<(&str, &str)> {
    let at = line.find([' ', '\t']).unwrap_or(line.len());
    let head = line.get(..at)?;
    let rest = line.get(at..)?.trim_start();
    let head = head.strip_suffix(['$', '#'])?;
    (!head.is_empty()).then_some((head, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, console: bool) -> Result<Vec<String>, String> {
        let lines: Vec<&str> = text.split('\n').collect();
        commands(&lines, console).map(|c| c.into_iter().map(|(_, t)| t).collect())
    }

    #[test]
    fn prompts_of_many_shapes_are_stripped() {
        for prompt in [
            "$ ",
            "$> ",
            "user@host:~$ ",
            "[root@host ~]# ",
            "sh-5.1# ",
            "root@db1:/etc# ",
        ] {
            assert_eq!(
                of(&format!("{prompt}ip route"), true).unwrap(),
                ["ip route"],
                "{prompt}"
            );
        }
        assert_eq!(of("% ls -l\ntotal 0", true).unwrap(), ["ls -l"]);
        assert_eq!(
            of("# systemctl status x", false).unwrap(),
            ["systemctl status x"]
        );
        assert_eq!(
            of("# rpm-ostree status\n# journalctl -b", true)
                .unwrap()
                .len(),
            2
        );
        assert_eq!(
            of("# ip route\ndefault via 10.0.0.1", true).unwrap(),
            ["ip route"]
        );
    }

    #[test]
    fn other_lines_are_sample_output() {
        let text = "$ oc get pods\nNAME   READY\nx  0/1\n# a comment\n$ oc logs x";
        assert_eq!(of(text, false).unwrap(), ["oc get pods", "oc logs x"]);
    }

    #[test]
    fn hash_is_a_comment_beside_plain_lines() {
        let text = "# restart it\nsystemctl restart x";
        assert_eq!(of(text, false).unwrap(), [text]);
        assert_eq!(
            of("# look at the routes first\nip route", false)
                .unwrap()
                .len(),
            1
        );
        // All lines are comments in words: nothing to run.
        assert!(of("# this would restart it", false).is_err());
    }

    #[test]
    fn continued_lines_and_here_documents_stay_whole() {
        let text = "$ curl -s \\\n  -I http://x/\nHTTP/1.1 200 OK\n$ cat <<EOF\n# kept\n$ kept too\nEOF\ndone";
        let got = of(text, true);
        // A here-document whose body holds a prompt can't be told from the next command.
        assert!(got.is_err(), "{got:?}");
        let text = "$ curl -s \\\n  -I http://x/\nHTTP/1.1 200 OK\n$ cat <<EOF\n# kept\nEOF\n";
        assert_eq!(
            of(text, true).unwrap(),
            ["curl -s \\\n  -I http://x/", "cat <<EOF\n# kept\nEOF"]
        );
        let text = "$ for i in 1 2; do\n>   ping -c1 $i\n> done";
        assert_eq!(
            of(text, true).unwrap(),
            ["for i in 1 2; do\n  ping -c1 $i\ndone"]
        );
    }

    #[test]
    fn other_programs_sessions_are_refused() {
        for text in [
            "mysql> show databases;",
            "switch# show version",
            "router> enable",
            ">>> import os",
            "MariaDB [x]> select 1;",
        ] {
            assert!(of(text, true).unwrap_err().contains("session"), "{text}");
        }
        assert!(of("echo hi > /tmp/x", false).is_ok());
        assert!(of("cat /etc/hosts # names", false).is_ok());
    }
}
