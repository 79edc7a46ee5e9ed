//! What a script may do to the world, computed from its commands.
//!
//! *Read* is a short list of programs with options that only look; *danger* a list of what can
//! make an outage worse; everything else, and everything unknown, is *change*. A script is as
//! risky as its riskiest command.

mod danger;
mod look;

use super::programs::{self, Interpreter};
use super::session;
use super::shell::{self, Redirect, Script, Simple, Word};
use crate::model::runbook::Risk;

/// How deep shells within shells are followed.
const MAX_DEPTH: usize = 4;

/// Risk of a script.
pub fn of(script: &Script) -> Risk {
    of_depth(script, 0)
}

/// Risk of shell text; text that can't be read is a change.
pub fn of_text(text: &str) -> Risk {
    text_depth(text, 0)
}

fn text_depth(text: &str, depth: usize) -> Risk {
    match shell::read(text, &[]) {
        Ok(script) if depth < MAX_DEPTH => of_depth(&script, depth),
        _ if danger::in_words(text) => Risk::Danger,
        _ => Risk::Change,
    }
}

fn of_depth(script: &Script, depth: usize) -> Risk {
    let each = script.commands.iter().map(|c| of_simple(c, depth));
    let functions = if script.has_function {
        Risk::Change
    } else {
        Risk::Read
    };
    each.max().unwrap_or(Risk::Read).max(functions)
}

fn of_simple(simple: &Simple, depth: usize) -> Risk {
    let redirects = simple
        .redirects
        .iter()
        .map(of_redirect)
        .max()
        .unwrap_or(Risk::Read);
    let call = simple.call();
    let assigned = &simple.words[..simple.words.len() - call.len()];
    let risky_name = |w: &&Word| {
        ["PATH=", "LD_", "IFS=", "BASH_ENV=", "ENV="]
            .iter()
            .any(|p| w.text.starts_with(p))
    };
    let assigning = if assigned.iter().find(risky_name).is_some() {
        Risk::Change
    } else {
        Risk::Read
    };
    // What a substitution yields may be an option of any sort.
    let takes_options = !matches!(
        call.first().map(|w| w.text.as_str()),
        Some("for" | "case" | "select" | "echo" | "[" | "[[")
    );
    let substitutes = takes_options && call.iter().any(|w| w.substitutes && !w.quoted);
    let substituting = if substitutes {
        Risk::Change
    } else {
        Risk::Read
    };
    let words: Vec<&str> = call.iter().map(|w| w.text.as_str()).collect();
    redirects
        .max(assigning)
        .max(substituting)
        .max(of_words(&words, depth))
}

fn of_redirect(redirect: &Redirect) -> Risk {
    let target = redirect.target.text.as_str();
    if !redirect.op.contains('>') {
        return Risk::Read;
    }
    let harmless = matches!(target, "/dev/null" | "/dev/stderr" | "/dev/stdout" | "-");
    if harmless || redirect.op == ">&" && target.bytes().all(|b| b.is_ascii_digit()) {
        return Risk::Read;
    }
    let device = target.starts_with("/dev/")
        || target.starts_with("/proc/sysrq")
        || target.starts_with("/sys/");
    if device { Risk::Danger } else { Risk::Change }
}

fn of_words(words: &[&str], depth: usize) -> Risk {
    let words = session::unwrapped(words);
    let Some((&first, rest)) = words.split_first() else {
        return Risk::Read;
    };
    let name = programs::base_name(first);
    if danger::is(name, rest) {
        return Risk::Danger;
    }
    if depth >= MAX_DEPTH {
        return Risk::Change;
    }
    if name == "xargs" {
        let skip = session::options(rest, &["-I", "-n", "-P", "-L", "-d", "-a", "-s", "-E"]);
        let inner = rest.get(skip..).unwrap_or_default();
        return if inner.is_empty() {
            Risk::Read
        } else {
            of_words(inner, depth + 1)
        };
    }
    if let Some(inner) = handed_on(name, rest) {
        return text_depth(&inner, depth + 1).max(Risk::Change);
    }
    if name == "ip" && rest.first() == Some(&"netns") && rest.get(1) == Some(&"exec") {
        return of_words(rest.get(3..).unwrap_or_default(), depth + 1);
    }
    if look::only_looks(name, rest) {
        Risk::Read
    } else {
        Risk::Change
    }
}

/// Text that a program runs as code or elsewhere: judged for danger, and never less than a change.
fn handed_on(name: &str, rest: &[&str]) -> Option<String> {
    let after = |mark: &str| {
        rest.iter()
            .position(|w| *w == mark)
            .map(|i| rest.get(i + 1..).unwrap_or_default().join(" "))
    };
    match name {
        "kubectl" | "oc" | "docker" | "podman" | "nsenter" if rest.contains(&"--") => after("--"),
        "docker" | "podman" if rest.first() == Some(&"exec") => rest.get(2..).map(|r| r.join(" ")),
        "find" => after("-exec")
            .or_else(|| after("-execdir"))
            .map(|t| t.trim_end_matches([';', '+', ' ']).to_owned()),
        "chroot" => rest.get(1..).map(|r| r.join(" ")),
        "su" => after("-c"),
        _ => match programs::interpreter(name)? {
            Interpreter::Shell => {
                after("-c").or_else(|| (name == "eval" || name == "watch").then(|| rest.join(" ")))
            }
            Interpreter::Remote => rest
                .get(session::options(rest, &["-p", "-l", "-i", "-o", "-J", "-F"]) + 1..)
                .map(|r| r.join(" ")),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_is_read() {
        for text in [
            "ping -c 5 -i 0.2 10.0.0.1",
            "dig +short @192.0.2.1 example.com A",
            "ip -br addr show",
            "ip route get 192.0.2.1",
            "ip -s link",
            "traceroute -n 192.0.2.1",
            "curl -sS -o /dev/null -w '%{http_code}\\n' https://example.com/",
            "curl -I --max-time 5 https://example.com/",
            "echo | openssl s_client -connect example.com:443 -servername example.com 2>/dev/null | openssl x509 -noout -dates",
            "cat /etc/resolv.conf | grep -v '^#'",
            "ss -tlnp",
            "journalctl -u x --since '10 min ago' --no-pager",
            "systemctl status x",
            "kubectl -n kube-system get pods -o wide",
            "kubectl logs deploy/x --tail=50",
            "sudo tcpdump -ni any -c 20 icmp",
            "sysctl net.ipv4.ip_forward",
            "for i in 1 2 3; do ping -c1 10.0.0.$i >/dev/null 2>&1 || echo lost; sleep 1; done",
            "timeout 5 dig example.com",
            "vtysh -c 'show bgp summary'",
            "iptables -nvL",
            "nft list ruleset",
            "conntrack -S",
            "grep -c . /etc/hosts; uptime; df -h",
            "awk '{print $1}' /etc/hosts",
            "sed -n '1,5p' /etc/hosts",
            "snmpwalk -v2c -c public 10.0.0.1 1.3.6.1.2.1.1",
            "ethtool -S eth0",
        ] {
            assert_eq!(of_text(text), Risk::Read, "{text}");
        }
    }

    #[test]
    fn unknown_or_writing_is_change() {
        for text in [
            "systemctl restart x",
            "curl -X POST https://example.com/",
            "curl -o page https://example.com/",
            "curl -d a=b https://example.com/",
            "curl -sS -w '%output{x}' https://example.com/",
            "dig example.com > out.txt",
            "ip addr add 10.0.0.1/24 dev eth0",
            "sysctl -w net.ipv4.ip_forward=1",
            "sysctl net.ipv4.ip_forward=1",
            "kubectl apply -f x.yaml",
            "mycorp-tool status",
            "cat /etc/hosts | tee x",
            "ping $(cat options) 10.0.0.1",
            "bash -c 'uptime'",
            "ssh host uptime",
            "iptables -A INPUT -j DROP",
            "awk '{system(\"id\")}' f",
            "awk '{print > \"f\"}' x",
            "sed -i s/a/b/ f",
            "f() { ls; }; f",
            "sort -o x y",
            "find . -exec touch x ';'",
            "date -s 10:00",
            "git checkout main",
            "journalctl --vacuum-time=1d",
            "tcpdump -w x.pcap",
            "PATH=/tmp ls",
            "echo x | nc host 80",
            "hostname newname",
        ] {
            assert_eq!(of_text(text), Risk::Change, "{text}");
        }
    }

    #[test]
    fn what_makes_it_worse_is_danger() {
        for text in [
            "rm -rf /var/lib/x",
            "sudo rm -fr x",
            "mkfs.ext4 /dev/sdb",
            "dd if=/dev/zero of=/dev/sda",
            "reboot",
            "sudo systemctl reboot",
            "shutdown -r now",
            "iptables -F",
            "iptables -P INPUT DROP",
            "nft flush ruleset",
            "kubectl -n x delete pod y",
            "kubectl drain node1",
            "ip link set eth0 down",
            "ip link set dev eth0 down",
            "ip route flush table main",
            "ip route del default",
            "mysql -e 'drop table users'",
            "psql -c \"TRUNCATE users\"",
            "find / -name x -delete",
            "ls | xargs rm -rf",
            "bash -c 'rm -rf /'",
            "ssh host reboot",
            "kubectl exec x -- rm -rf /data",
            "echo b > /proc/sysrq-trigger",
            "cat x > /dev/sda",
            "redis-cli flushall",
            "terraform destroy",
            "git push --force",
            "ifdown eth0",
            "vtysh -c 'clear bgp *'",
            "uptime; timeout 5 sudo -n reboot",
        ] {
            assert_eq!(of_text(text), Risk::Danger, "{text}");
        }
    }
}
