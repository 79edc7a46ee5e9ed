//! What can make an outage worse.

/// True if this call can destroy data, cut off people, or take something down.
pub(super) fn is(name: &str, rest: &[&str]) -> bool {
    let has = |words: &[&str]| rest.iter().any(|w| words.contains(w));
    let verb = rest
        .iter()
        .find(|w| !w.starts_with('-'))
        .copied()
        .unwrap_or_default();
    let joined = || rest.join(" ");
    match name {
        "rm" => rest
            .iter()
            .any(|w| recursive_or_forced(w) || w.contains('*')),
        "dd" | "shred" | "blkdiscard" | "wipefs" | "reboot" | "shutdown" | "halt" | "poweroff"
        | "telinit" | "ifdown" | "lvremove" | "vgremove" | "pvremove" | "userdel" | "parted"
        | "sgdisk" | "mkswap" | "swapoff" | "dropdb" => !has(&["--help", "--version"]),
        "fdisk" => !has(&["-l"]),
        "init" => has(&["0", "1", "6"]),
        "systemctl" => {
            let verbs = [
                "reboot",
                "poweroff",
                "halt",
                "kexec",
                "isolate",
                "rescue",
                "emergency",
                "suspend",
            ];
            let nets = [
                "networking",
                "NetworkManager",
                "systemd-networkd",
                "network",
                "sshd",
                "ssh",
            ];
            verbs.contains(&verb)
                || verb == "stop"
                    && rest
                        .iter()
                        .any(|w| nets.contains(&w.trim_end_matches(".service")))
        }
        "iptables" | "ip6tables" | "ebtables" | "arptables" => {
            has(&["-F", "--flush", "-X", "-P", "--policy", "--delete-chain"])
        }
        "nft" => has(&["flush", "destroy"]) || has(&["delete"]) && has(&["table", "chain"]),
        "conntrack" => has(&["-F", "--flush"]),
        "ip" => ip(rest),
        "ifconfig" => has(&["down"]),
        "nmcli" => has(&["off", "down", "delete"]),
        "kubectl" | "oc" => {
            has(&["delete", "drain"])
                || has(&["scale"]) && has(&["--replicas=0"])
                || rest.contains(&"--replicas") && has(&["0"])
        }
        "terraform" | "terragrunt" | "vagrant" => has(&["destroy", "-destroy"]),
        "virsh" => has(&["destroy", "undefine", "shutdown", "reboot"]),
        "zfs" | "zpool" => has(&["destroy", "rollback"]),
        "docker" | "podman" => {
            has(&["prune", "kill"]) || has(&["rm"]) && rest.iter().any(|w| recursive_or_forced(w))
        }
        "git" => has(&["clean", "--hard"]) || verb == "push" && has(&["--force", "-f"]),
        "find" => has(&["-delete"]),
        "kill" | "pkill" | "killall" => has(&["-1"]) && has(&["-9", "-KILL"]) || has(&["1"]),
        "chmod" | "chown" | "chgrp" => {
            has(&["-R", "--recursive"]) && has(&["/", "/etc", "/usr", "/var"])
        }
        "redis-cli" => rest.iter().any(|w| {
            ["flushall", "flushdb", "shutdown"].contains(&w.to_ascii_lowercase().as_str())
        }),
        "mysql" | "mariadb" | "psql" | "sqlite3" | "mongo" | "mongosh" | "vtysh" | "birdc" => {
            in_words(&joined())
        }
        _ if name.starts_with("mkfs") => true,
        _ => false,
    }
}

fn ip(rest: &[&str]) -> bool {
    let words: Vec<&str> = rest
        .iter()
        .filter(|w| !w.starts_with('-'))
        .copied()
        .collect();
    let has = |word: &str| words.contains(&word);
    let object = words.first().copied().unwrap_or_default();
    if object == "netns" && has("exec") {
        return false;
    }
    has("flush")
        || object.starts_with('l') && (has("down") || has("delete") || has("del"))
        || object.starts_with('r') && (has("del") || has("delete")) && has("default")
        || has("delete") && object.starts_with("netn")
}

fn recursive_or_forced(word: &str) -> bool {
    matches!(word, "--recursive" | "--force" | "--no-preserve-root")
        || !word.starts_with("--")
            && word
                .strip_prefix('-')
                .is_some_and(|f| f.contains(['r', 'R', 'f']))
}

/// True if text that some interpreter will read holds a statement that destroys or cuts off.
pub(super) fn in_words(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '*' || c == '-'))
        .filter(|w| !w.is_empty())
        .collect();
    let pair = |a: &str, b: &[&str]| {
        words
            .windows(2)
            .any(|w| w.first() == Some(&a) && w.get(1).is_some_and(|x| b.contains(x)))
    };
    pair(
        "drop",
        &["table", "database", "schema", "index", "user", "column"],
    ) || pair("delete", &["from"])
        || words.contains(&"truncate")
        || pair("clear", &["bgp", "ip", "ospf", "isis", "crypto"])
        || pair("write", &["erase"])
        || pair("no", &["router", "neighbor"])
        || pair("rm", &["-rf", "-fr", "-r", "-f"])
        || words
            .iter()
            .any(|w| matches!(*w, "reload" | "reboot" | "mkfs" | "shutdown" | "flushall"))
}
