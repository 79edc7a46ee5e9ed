//! Programs and options that only look. What is not listed here is taken for a change.

/// True if this call only looks.
pub(super) fn only_looks(name: &str, rest: &[&str]) -> bool {
    let has = |words: &[&str]| {
        rest.iter().any(|w| {
            words
                .iter()
                .any(|x| w == x || x.starts_with("--") && w.starts_with(&format!("{x}=")))
        })
    };
    let words: Vec<&str> = rest
        .iter()
        .filter(|w| !w.starts_with('-'))
        .copied()
        .collect();
    let verb = words.first().copied().unwrap_or_default();
    let verb_in = |verbs: &[&str]| verbs.contains(&verb);
    match name {
        // Words of the shell and programs that have no option that writes.
        "for" | "case" | "select" | "[" | "[[" | "test" | ":" | "true" | "false" | "echo"
        | "printf" | "sleep" | "cd" | "pwd" | "read" | "return" | "break" | "continue" | "exit"
        | "local" | "set" | "shift" | "type" | "wait" | "export" | "readonly" | "unset"
        | "declare" | "ulimit" | "umask" => true,
        "ping" | "ping6" | "fping" | "arping" | "nslookup" | "host" | "delv" | "traceroute"
        | "traceroute6" | "tracepath" | "tracepath6" | "mtr" | "tcptraceroute" | "netstat"
        | "whois" | "cat" | "zcat" | "tac" | "head" | "tail" | "grep" | "egrep" | "fgrep"
        | "zgrep" | "wc" | "cut" | "tr" | "nl" | "column" | "rev" | "fold" | "fmt" | "paste"
        | "join" | "comm" | "cmp" | "ls" | "stat" | "du" | "df" | "free" | "uptime" | "uname"
        | "id" | "groups" | "whoami" | "who" | "w" | "last" | "ps" | "pgrep" | "pidof"
        | "pstree" | "top" | "vmstat" | "iostat" | "mpstat" | "pidstat" | "lscpu" | "lsblk"
        | "lspci" | "lsusb" | "lsmod" | "lsof" | "findmnt" | "getent" | "printenv" | "seq"
        | "basename" | "dirname" | "readlink" | "realpath" | "md5sum" | "sha1sum" | "sha256sum"
        | "sha512sum" | "cksum" | "jq" | "which" | "whereis" | "nproc" | "tty" | "diff"
        | "strings" | "hexdump" | "od" | "nfsstat" | "numastat" | "ipcalc" | "getconf"
        | "locale" | "snmpget" | "snmpwalk" | "snmpbulkwalk" | "snmptranslate" | "less"
        | "more" => {
            !has(&["-o", "--output"])
                || matches!(
                    name,
                    "ps" | "grep" | "df" | "lsblk" | "findmnt" | "top" | "od" | "last"
                )
        }
        "uniq" => words.len() < 2,
        "sort" => !rest.iter().any(|w| {
            w.starts_with("-o") || w.starts_with("--output") || w.starts_with("--compress")
        }),
        "date" => {
            !has(&["-s", "--set"])
                && words
                    .iter()
                    .all(|w| w.starts_with('+') || rest.contains(&"-d") || rest.contains(&"-f"))
        }
        "hostname" => words.is_empty() && !has(&["-F", "-b", "--file"]),
        "env" => rest.is_empty(),
        "arp" => !has(&["-d", "-s", "-f", "--delete", "--set", "--file"]),
        "ifconfig" => words.len() <= 1,
        "route" => words.is_empty(),
        "dig" => true,
        "ss" => !has(&["-K", "--kill", "-D", "--diag"]),
        "dmesg" => !has(&[
            "-C",
            "-c",
            "-n",
            "-D",
            "-E",
            "--clear",
            "--read-clear",
            "--console-level",
            "--console-off",
            "--console-on",
        ]),
        "awk" | "gawk" | "mawk" => {
            !has(&["-f", "-i", "-l", "-E", "--file"])
                && !rest
                    .iter()
                    .any(|w| w.contains("system") || w.contains(['>', '|', '@']))
        }
        "sed" => has(&["-n"]) && rest.iter().all(|w| *w == "-n" || print_only(w)),
        "find" => !rest.iter().any(|w| {
            ["-exec", "-ok", "-delete", "-fprint", "-fls"]
                .iter()
                .any(|p| w.starts_with(p))
        }),
        "curl" => curl(rest),
        "wget" => has(&["--spider"]) && !has(&["-o", "-a", "-O", "--output-file", "-P"]),
        "nc" | "ncat" | "netcat" => {
            flags(rest, "zvwn46u") && rest.iter().any(|w| w.starts_with('-') && w.contains('z'))
        }
        "openssl" => {
            verb_in(&[
                "s_client",
                "x509",
                "version",
                "verify",
                "ciphers",
                "crl",
                "asn1parse",
            ]) && !has(&[
                "-out",
                "-sess_out",
                "-keylogfile",
                "-msgfile",
                "-CAcreateserial",
                "-writerand",
                "-signkey",
                "-CA",
                "-set_serial",
            ])
        }
        "tcpdump" | "tshark" => !rest.iter().any(|w| {
            w.starts_with("-w")
                || w.starts_with("-z")
                || w.starts_with("-W")
                || w.starts_with("--write")
        }),
        "ip" | "bridge" | "tc" => ip(rest),
        "ethtool" => words.len() <= 1 && flags(rest, "SikgacmTPnxl"),
        "iw" => rest.iter().any(|w| matches!(*w, "link" | "info" | "dump")),
        "nmcli" => !rest.iter().any(|w| {
            matches!(
                *w,
                "up" | "down"
                    | "add"
                    | "modify"
                    | "mod"
                    | "delete"
                    | "del"
                    | "edit"
                    | "reload"
                    | "on"
                    | "off"
                    | "connect"
                    | "disconnect"
                    | "set"
                    | "import"
                    | "clone"
                    | "rescan"
                    | "hotspot"
                    | "load"
                    | "reapply"
            )
        }),
        "lldpcli" | "lldpctl" => !rest.iter().any(|w| {
            matches!(
                *w,
                "configure" | "unconfigure" | "update" | "pause" | "resume"
            )
        }),
        "sysctl" => {
            !has(&["-w", "--write", "-p", "--load", "--system"])
                && !rest.iter().any(|w| w.contains('='))
                && !rest.iter().any(|w| w.starts_with("-p"))
        }
        "journalctl" => ![
            "--vacuum",
            "--rotate",
            "--flush",
            "--sync",
            "--relinquish",
            "--setup",
            "--update",
            "--cursor-file",
            "--smart",
        ]
        .iter()
        .any(|p| rest.iter().any(|w| w.starts_with(p))),
        "systemctl" => {
            rest.is_empty()
                || verb_in(&[
                    "status",
                    "is-active",
                    "is-enabled",
                    "is-failed",
                    "show",
                    "cat",
                    "list-units",
                    "list-timers",
                    "list-unit-files",
                    "list-sockets",
                    "list-dependencies",
                    "list-jobs",
                    "get-default",
                ])
        }
        "resolvectl" => {
            rest.is_empty()
                || verb_in(&["status", "query", "statistics", "service"])
                || verb_in(&["dns", "domain"]) && words.len() <= 2
        }
        "networkctl" => rest.is_empty() || verb_in(&["list", "status", "lldp"]),
        "timedatectl" => {
            rest.is_empty() || verb_in(&["status", "show", "timesync-status", "show-timesync"])
        }
        "loginctl" => rest.is_empty() || verb.starts_with("list-") || verb == "show-session",
        "chronyc" => verb_in(&[
            "tracking",
            "sources",
            "sourcestats",
            "activity",
            "ntpdata",
            "serverstats",
        ]),
        "ntpq" => has(&["-p", "-pn", "-np"]),
        "service" => words.get(1) == Some(&"status") && words.len() == 2,
        "iptables" | "ip6tables" | "ebtables" => tables(rest),
        "iptables-save" | "ip6tables-save" => !has(&["-f", "--file"]),
        "nft" => verb == "list",
        "ipset" | "ipvsadm" => verb_in(&["list"]) || flags(rest, "Lnl") && !rest.is_empty(),
        "conntrack" => {
            has(&["-L", "-S", "-C", "-E", "--dump", "--stats", "--count"])
                && !has(&["-F", "-D", "-I", "-U"])
        }
        "kubectl" | "oc" => kube(rest),
        "docker" | "podman" | "crictl" => verb_in(&[
            "ps", "logs", "inspect", "images", "stats", "top", "version", "info", "port", "diff",
            "pods",
        ]),
        "git" => {
            verb_in(&["status", "log", "show", "blame", "rev-parse", "describe"])
                && !rest.iter().any(|w| w.starts_with("--output") || *w == "-c")
        }
        "vtysh" => {
            has(&["-c"])
                && rest
                    .iter()
                    .all(|w| *w == "-c" || w.trim_start().starts_with("show "))
        }
        "birdc" | "birdcl" => verb == "show" || verb.starts_with("show "),
        "rndc" => verb == "status",
        "unbound-control" => verb_in(&[
            "status",
            "stats_noreset",
            "lookup",
            "list_forwards",
            "list_stubs",
        ]),
        "nginx" => flags(rest, "tTvV") && !rest.is_empty(),
        "apt-cache" => true,
        "dpkg" => flags_any(rest, &["-l", "-s", "-L", "-S", "--list", "--status"]),
        "rpm" => rest.first().is_some_and(|w| w.starts_with("-q")),
        "warroom" => verb_in(&[
            "check", "ping", "trace", "dns", "tls", "mtu", "tcp", "http", "explain",
        ]),
        _ => false,
    }
}

/// Every option is made of these letters only.
fn flags(rest: &[&str], letters: &str) -> bool {
    rest.iter().all(|w| {
        if w.starts_with("--") {
            return w.starts_with("--show-");
        }
        w.strip_prefix('-')
            .is_none_or(|f| f.chars().all(|c| letters.contains(c) || c.is_ascii_digit()))
    })
}

fn flags_any(rest: &[&str], any: &[&str]) -> bool {
    rest.first().is_some_and(|w| any.contains(w))
}

/// `5p`, `1,20p`, `$p`, or a file name.
fn print_only(word: &str) -> bool {
    let address = word.strip_suffix('p').unwrap_or_default();
    let prints = !address.is_empty()
        && address
            .chars()
            .all(|c| c.is_ascii_digit() || c == ',' || c == '$');
    prints
        || word.starts_with('/')
            && !word.ends_with(['w', 'e', 'd'])
            && !word.get(1..).unwrap_or_default().contains(['{', ';', ' '])
}

fn tables(rest: &[&str]) -> bool {
    let long = [
        "--list",
        "--list-rules",
        "--numeric",
        "--verbose",
        "--line-numbers",
        "--table",
    ];
    rest.iter().any(|w| {
        *w == "--list"
            || *w == "--list-rules"
            || !w.starts_with("--") && w.starts_with('-') && w.contains(['L', 'S'])
    }) && rest.iter().all(|w| {
        if w.starts_with("--") {
            long.contains(w)
        } else {
            w.strip_prefix('-')
                .is_none_or(|f| f.chars().all(|c| "nvLSxtw46".contains(c)))
        }
    })
}

fn ip(rest: &[&str]) -> bool {
    let forbidden = ["-batch", "-b", "-force", "batch"];
    if rest.iter().any(|w| forbidden.contains(w)) {
        return false;
    }
    let writes = [
        "add", "a", "del", "delete", "d", "set", "s", "change", "replace", "append", "flush", "f",
        "restore", "up", "down", "attach", "identify", "exec", "prepend", "chg", "test",
        "link-set",
    ];
    let words: Vec<&str> = rest
        .iter()
        .filter(|w| !w.starts_with('-'))
        .copied()
        .collect();
    let verb = words.get(1).copied().unwrap_or("show");
    let reads = [
        "show", "list", "ls", "lst", "sh", "get", "monitor", "dev", "qdisc", "class", "filter",
        "help",
    ];
    !words.is_empty() && reads.contains(&verb) && !words.iter().skip(1).any(|w| writes.contains(w))
}

fn kube(rest: &[&str]) -> bool {
    let mut i = 0;
    let with_value = [
        "-n",
        "--namespace",
        "--context",
        "--kubeconfig",
        "--cluster",
        "--user",
        "-s",
        "--server",
    ];
    while let Some(word) = rest.get(i) {
        if !word.starts_with('-') {
            break;
        }
        i += if with_value.contains(word) { 2 } else { 1 };
    }
    let words: Vec<&str> = rest
        .get(i..)
        .unwrap_or_default()
        .iter()
        .filter(|w| !w.starts_with('-'))
        .copied()
        .collect();
    let second = words.get(1).copied().unwrap_or_default();
    match words.first().copied().unwrap_or_default() {
        "get" | "describe" | "logs" | "top" | "version" | "api-resources" | "api-versions"
        | "explain" | "events" | "whoami" | "status" => true,
        "cluster-info" => second != "dump",
        "config" => matches!(second, "view" | "get-contexts" | "current-context"),
        "auth" => second == "can-i",
        "rollout" => matches!(second, "status" | "history"),
        "adm" => second == "top",
        _ => false,
    }
}

/// Only options that are known to fetch and to write nothing but to the screen.
fn curl(rest: &[&str]) -> bool {
    const ALONE: &[&str] = &[
        "--silent",
        "--show-error",
        "--verbose",
        "--include",
        "--head",
        "--location",
        "--insecure",
        "--ipv4",
        "--ipv6",
        "--fail",
        "--fail-with-body",
        "--http1.0",
        "--http1.1",
        "--http2",
        "--http3",
        "--compressed",
        "--tlsv1.2",
        "--tlsv1.3",
        "--no-progress-meter",
        "--path-as-is",
        "--globoff",
        "--tcp-nodelay",
        "--no-keepalive",
        "--get",
    ];
    const VALUED: &[&str] = &[
        "--max-time",
        "--connect-timeout",
        "--user-agent",
        "--resolve",
        "--connect-to",
        "--interface",
        "--header",
        "--cacert",
        "--capath",
        "--tls-max",
        "--noproxy",
        "--range",
        "--retry",
        "--url",
        "--dns-servers",
        "--limit-rate",
        "--max-redirs",
        "--proxy",
        "--cert",
        "--key",
        "--write-out",
        "--local-port",
        "--max-filesize",
        "--retry-delay",
    ];
    let mut i = 0;
    while let Some(&word) = rest.get(i) {
        i += 1;
        let next = rest.get(i).copied().unwrap_or_default();
        if let Some((name, value)) = word.split_once('=').filter(|_| word.starts_with("--")) {
            if !VALUED.contains(&name) || value.contains("%output") {
                return false;
            }
        } else if word.starts_with("--") {
            let valued = VALUED.contains(&word);
            let harmless = word == "--output" && next == "/dev/null"
                || word == "--request" && matches!(next, "GET" | "HEAD");
            if !(ALONE.contains(&word) || valued || harmless) || next.contains("%output") && valued
            {
                return false;
            }
            i += usize::from(valued || harmless);
        } else if let Some(letters) = word.strip_prefix('-') {
            match short(letters, next) {
                Some(skip) => i += skip,
                None => return false,
            }
        } else if word.contains("://") && !word.starts_with("http") {
            return false;
        }
    }
    true
}

/// A cluster of short options: how many further words it takes, or `None` if it may write.
fn short(letters: &str, next: &str) -> Option<usize> {
    for (i, c) in letters.char_indices() {
        let glued = letters.get(i + c.len_utf8()..).unwrap_or_default();
        let value = if glued.is_empty() { next } else { glued };
        let taken = Some(usize::from(glued.is_empty()));
        match c {
            's' | 'S' | 'v' | 'i' | 'I' | 'L' | 'k' | '4' | '6' | 'f' | 'g' | 'N' | '#' | '0'
            | 'G' => {}
            'm' | 'H' | 'A' | 'e' | 'r' | 'x' | 'u' | 'E' => return taken,
            'w' if !value.contains("%output") => return taken,
            'o' if value == "/dev/null" => return taken,
            'X' if matches!(value, "GET" | "HEAD") => return taken,
            _ => return None,
        }
    }
    Some(0)
}
