//! Commands that open a session or need a terminal: lines after them belong inside it, and a
//! command without a terminal can't have one.

use super::programs::base_name;
use super::shell::{Script, Simple, Word};

/// Why a script can't run without a terminal, if so. `lines_follow`: more commands come after.
pub(super) fn refuse(script: &Script) -> Option<String> {
    let count = script.commands.len();
    if script.commands.last().is_some_and(leaves) {
        return Some(
            "it ends with `exit`: its lines belong inside a session opened elsewhere".into(),
        );
    }
    for (i, simple) in script.commands.iter().enumerate() {
        let Some(name) = opens(simple) else { continue };
        return Some(if i + 1 < count {
            format!(
                "`{name}` opens a session and the lines after it belong inside: run it in a terminal of your own"
            )
        } else {
            format!("`{name}` needs a terminal of its own")
        });
    }
    None
}

/// A bare `exit`.
fn leaves(simple: &Simple) -> bool {
    let mut words = simple.words.iter().map(|w| w.text.as_str());
    matches!(words.next(), Some("exit" | "logout")) && words.next().is_none() && !simple.piped
}

/// The session-opening program of a command, as a person would name it.
fn opens(simple: &Simple) -> Option<String> {
    let fed = simple.piped || simple.redirects.iter().any(|r| r.op.starts_with('<'));
    let words: Vec<&str> = simple
        .call()
        .iter()
        .map(|w: &Word| w.text.as_str())
        .collect();
    let words = unwrapped(&words);
    let (&first, rest) = words.split_first()?;
    let name = base_name(first);
    let verb = rest
        .iter()
        .find(|w| !w.starts_with('-'))
        .copied()
        .unwrap_or_default();
    let plain = rest.iter().filter(|w| !w.starts_with('-')).count();
    let has = |flags: &[&str]| {
        rest.iter()
            .any(|w| flags.iter().any(|f| w == f || f.len() == 2 && short(w, f)))
    };
    let verb = if matches!(name, "oc" | "kubectl") {
        let opening = ["debug", "rsh", "edit", "attach", "exec", "run"];
        rest.iter()
            .find(|w| opening.contains(w))
            .copied()
            .unwrap_or(verb)
    } else {
        verb
    };
    let yes = match name {
        "sudo" => has(&["-i", "-s"]) && plain == 0 || rest.is_empty(),
        "su" => !has(&["-c", "--command"]) && !fed,
        "bash" | "sh" | "zsh" | "dash" | "ksh" | "fish" => {
            !fed && !has(&["-c"]) && plain == 0 && !has(&["--version"])
        }
        "chroot" => plain <= 1 || rest.last().is_some_and(|w| is_shell(w)),
        "ssh" | "mosh" => !fed && !has_remote_command(rest),
        "telnet" | "ftp" | "sftp" | "minicom" | "tmux" | "screen" | "toolbox" | "irb"
        | "newgrp" | "script" => !has(&["-V", "--version", "-ls", "ls"]),
        "mysql" | "mariadb" => !fed && !has(&["-e", "--execute", "-V", "--version"]),
        "psql" => {
            !fed && !has(&[
                "-c",
                "--command",
                "-f",
                "--file",
                "-l",
                "--list",
                "-V",
                "--version",
            ])
        }
        "mongo" | "mongosh" => {
            !fed && !rest
                .iter()
                .any(|w| w.starts_with("--eval") || *w == "--version")
        }
        "redis-cli" => !fed && !redis_command(rest),
        "sqlite3" => !fed && plain < 2,
        "vtysh" | "birdc" => !fed && plain == 0 && !has(&["-c"]),
        "python" | "python3" | "node" | "perl" | "ruby" => !fed && rest.is_empty(),
        "gdb" => !has(&["-batch", "--batch"]),
        "oc" | "kubectl" => kube(rest, verb),
        "docker" | "podman" | "nerdctl" | "crictl" => {
            verb == "attach"
                || matches!(verb, "exec" | "run")
                    && has(&["-it", "-ti"])
                    && rest.last().is_some_and(|w| is_shell(w))
        }
        "nsenter" | "unshare" | "ip" => rest.last().is_some_and(|w| is_shell(w)),
        "machinectl" => matches!(verb, "shell" | "login"),
        "virsh" => verb == "console",
        "lxc" => matches!(verb, "exec" | "shell") && rest.last().is_some_and(|w| is_shell(w)),
        "gitlab-rails" | "rails" | "bin/rails" => matches!(verb, "console" | "c" | "dbconsole"),
        "vi" | "vim" | "nvim" | "nano" | "emacs" | "visudo" | "passwd" | "htop" | "iftop"
        | "atop" => true,
        "fdisk" => !has(&["-l"]),
        "iotop" => !has(&["-b"]),
        "crontab" => has(&["-e"]),
        "systemctl" => verb == "edit",
        "top" => !has(&["-b"]),
        "mtr" => !has(&[
            "-r",
            "-w",
            "--report",
            "--report-wide",
            "-j",
            "--json",
            "-C",
            "--csv",
            "-x",
            "--xml",
            "-l",
            "--raw",
            "--version",
        ]),
        "watch" => true,
        _ => false,
    };
    yes.then(|| described(name, verb))
}

fn described(name: &str, verb: &str) -> String {
    match name {
        "oc" | "kubectl" | "docker" | "podman" | "virsh" | "systemctl" | "gitlab-rails"
        | "sudo" | "ssh"
            if !verb.is_empty() && !verb.contains('\u{1}') =>
        {
            format!("{name} {verb}")
        }
        _ => name.to_owned(),
    }
}

fn short(word: &str, flag: &str) -> bool {
    let Some(letter) = flag.strip_prefix('-') else {
        return false;
    };
    !word.starts_with("--")
        && word.len() <= 5
        && word.strip_prefix('-').is_some_and(|w| w.contains(letter))
}

fn is_shell(word: &str) -> bool {
    matches!(
        base_name(word),
        "sh" | "bash" | "zsh" | "ash" | "dash" | "ksh"
    )
}

fn kube(rest: &[&str], verb: &str) -> bool {
    let remote = rest
        .iter()
        .position(|w| *w == "--")
        .and_then(|i| rest.get(i + 1));
    let last_is_shell = rest.last().is_some_and(|w| is_shell(w));
    // The verb may come after options with values: look for it anywhere before `--`.
    let before = rest.split(|w| *w == "--").next().unwrap_or_default();
    let says = |v: &str| verb == v || before.contains(&v);
    let interactive = before
        .iter()
        .any(|w| matches!(*w, "-it" | "-ti" | "-i" | "-t" | "--stdin" | "--tty"));
    says("debug") && remote.is_none_or(|w| *w == "chroot" && last_is_shell || is_shell(w))
        || says("rsh") && (rest.len() <= 4 && remote.is_none() || last_is_shell)
        || says("edit")
        || says("attach")
        || (says("exec") || says("run")) && last_is_shell && interactive
        || says("exec") && interactive && remote.is_none() && rest.len() <= 4
}

fn has_remote_command(rest: &[&str]) -> bool {
    let takes_value = "BbcDEeFIiJLlmOopQRSWw";
    let mut i = 0;
    while let Some(word) = rest.get(i) {
        let Some(flags) = word.strip_prefix('-') else {
            break;
        };
        if matches!(flags, "V" | "N" | "f" | "fN" | "Nf")
            || word.starts_with("-Q")
            || word.starts_with("-O")
        {
            return true;
        }
        let with_value = flags.len() == 1 && takes_value.contains(flags);
        i += if with_value { 2 } else { 1 };
    }
    rest.len() > i + 1 && !is_shell(rest.get(i + 1).copied().unwrap_or_default())
}

fn redis_command(rest: &[&str]) -> bool {
    let mut i = 0;
    while let Some(word) = rest.get(i) {
        match *word {
            "-h" | "-p" | "-a" | "-n" | "-s" | "-u" | "--user" | "--pass" => i += 2,
            w if w.starts_with('-') => {
                if matches!(
                    w,
                    "--latency" | "--stat" | "--bigkeys" | "--version" | "--scan"
                ) {
                    return true;
                }
                i += 1;
            }
            _ => return true,
        }
    }
    false
}

/// Strips `sudo -u x`, `env A=b`, `timeout 5` and the like.
pub(super) fn unwrapped<'a, 'b>(words: &'b [&'a str]) -> &'b [&'a str] {
    let mut rest = words;
    loop {
        let Some((&first, tail)) = rest.split_first() else {
            return rest;
        };
        let skip = match base_name(first) {
            "sudo" | "doas" => options(
                tail,
                &[
                    "-u", "-g", "-h", "-p", "-C", "-T", "-U", "-r", "-t", "-D", "-R",
                ],
            ),
            "env" => tail
                .iter()
                .take_while(|w| w.starts_with('-') || w.contains('='))
                .count(),
            "timeout" => options(tail, &["-k", "-s"]) + 1,
            "nice" => options(tail, &["-n"]),
            "ionice" => options(tail, &["-c", "-n"]),
            "stdbuf" => options(tail, &["-i", "-o", "-e"]),
            "nohup" | "command" | "exec" | "time" | "builtin" | "setsid" | "unbuffer" => {
                options(tail, &[])
            }
            _ => return rest,
        };
        match tail.get(skip..) {
            Some(next) if !next.is_empty() => rest = next,
            _ => return rest,
        }
    }
}

/// How many words are options (with the values of those that take one).
pub(super) fn options(words: &[&str], with_value: &[&str]) -> usize {
    let mut i = 0;
    while let Some(word) = words.get(i) {
        if *word == "--" {
            return i + 1;
        }
        if !word.starts_with('-') {
            break;
        }
        i += if with_value.contains(word) { 2 } else { 1 };
    }
    i.min(words.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runbook::shell;

    fn refused(text: &str) -> Option<String> {
        refuse(&shell::read(text, &[]).unwrap())
    }

    #[test]
    fn sessions_are_refused_and_named() {
        for (text, name) in [
            (
                "oc debug node/x\nchroot /host\nsystemctl restart kubelet",
                "oc debug",
            ),
            ("chroot /host\nls", "chroot"),
            ("sudo su\nls", "su"),
            ("sudo su -\nls", "su"),
            ("sudo -i\nls", "sudo"),
            ("ssh core@node\nuptime", "ssh"),
            ("kubectl exec -it pod -- bash\nls", "kubectl"),
            ("kubectl -n x exec -it pod -- /bin/sh", "kubectl"),
            ("mysql -u root\nshow databases", "mysql"),
            ("mtr example.com", "mtr"),
            ("top", "top"),
            ("oc -n x rsh pod", "oc rsh"),
            ("ceph status\nexit", "exit"),
        ] {
            let why = refused(text).unwrap_or_else(|| panic!("{text} is not refused"));
            assert!(why.contains(name), "{why}");
        }
        assert!(
            refused("oc debug node/x\nls")
                .unwrap()
                .contains("belong inside")
        );
    }

    #[test]
    fn one_shot_commands_are_not() {
        for text in [
            "ssh host uptime",
            "ssh -i key host 'df -h'",
            "kubectl exec -it pod -- cat /etc/hosts",
            "oc debug node/x -- chroot /host crictl ps",
            "mysql -e 'select 1'",
            "echo 'select 1' | psql",
            "top -b -n1",
            "mtr -rwc 10 example.com",
            "bash ./script.sh",
            "sudo -u postgres psql -c 'select 1'",
            "redis-cli -p 6379 info",
        ] {
            assert_eq!(refused(text), None, "{text}");
        }
    }
}
