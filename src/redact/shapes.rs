//! Shapes of secrets that network work meets, one line at a time.
//!
//! A rule names words that must be in the line (a cheap test first), may ask for a context (the
//! command that the line runs) and has a pattern whose capture group is the secret. What stands
//! around the secret stays readable.

use std::sync::LazyLock;

use regex_lite::{Captures, Regex};

use super::PLACEHOLDER;

/// One shape.
struct Rule {
    /// One of these must be in the lower-cased line.
    words: &'static [&'static str],
    /// What the line must match, if anything.
    context: Option<Regex>,
    /// The secret is its first group that took part.
    pattern: Regex,
}

/// A word that ends at a blank, or a quoted text.
const WORD: &str = r#"("[^"]*"|'[^']*'|[^\s"']\S*)"#;
/// How a device says in which form the secret follows.
const FORM: &str = r"(?:(?:\d{1,2}|md5|sha\d*|sha512|encrypted|clear|cleartext|plaintext|plain-text|ascii-text|hexadecimal|cipher|simple|irreversible-cipher|hash|ENC)\s+)?";

static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    SHAPES
        .iter()
        .filter_map(|(words, context, pattern)| {
            let pattern = pattern.replace("FORM", FORM).replace("WORD", WORD);
            Some(Rule {
                words,
                context: match *context {
                    "" => None,
                    context => Some(Regex::new(context).ok()?),
                },
                pattern: Regex::new(&pattern).ok()?,
            })
        })
        .collect()
});

/// Words, context, pattern. `FORM` and `WORD` stand for the patterns above.
const SHAPES: &[(&[&str], &str, &str)] = &[
    // SNMP: device configuration, snmpd.conf, command lines.
    (
        &["community"],
        "",
        r"(?i)\bsnmp(?:-server|-agent)?\s+(?:set\s+)?community\s+(?:(?:read|write|ro|rw)\s+)?FORMWORD",
    ),
    (
        &["community"],
        "",
        r"(?i)\b(?:r[ow]community6?|trapcommunity|authcommunity\s+\S+)\s+WORD",
    ),
    (&["com2sec"], "", r"(?i)\bcom2sec6?\s+\S+\s+\S+\s+WORD"),
    (&["sink"], "", r"(?i)\b(?:trap2?|inform)sink\s+\S+\s+WORD"),
    (
        &["snmp-server"],
        "",
        r"(?i)\bsnmp-server\s+host\s+\S+\s+(?:(?:traps|informs|vrf\s+\S+|use-vrf\s+\S+|version\s+(?:1|2c|3\s+(?:auth|noauth|priv)))\s+)*WORD",
    ),
    (
        &["snmp-server", "createuser", "snmp-agent"],
        r"(?i)\bsnmp-(?:server|agent)\s+(?:\S+\s+)?user\b|\bcreateuser\b",
        r"(?i)\b(?:md5|sha(?:-?\d+)?|des|3des|des56|aes(?:[\s-]*\d{3})?)\s+FORMWORD",
    ),
    (
        &["snmp"],
        r"\bsnmp(?:get|getnext|bulkget|bulkwalk|walk|set|table|trap|inform|status|test|df|netstat|delta|usm|vacm)\b",
        r"(?:^|\s)-[cAX]\s*WORD",
    ),
    (&["check_snmp"], r"\bcheck_snmp", r"(?:^|\s)-[CAX]\s*WORD"),
    // Logins and keys of devices.
    (
        &["enable"],
        "",
        r"(?i)\benable\s+(?:algorithm-type\s+\S+\s+)?(?:secret|password)\s+(?:level\s+\d+\s+)?FORMWORD",
    ),
    (
        &["user"],
        "",
        r"(?i)\b(?:username|local-user|user)\s+\S+\s+(?:\S+\s+)*?(?:secret|password)\s+FORMWORD",
    ),
    (
        &["password", "secret", "key", "passphrase"],
        "",
        r"(?i)\b(?:password|secret|key|key-string|passphrase)\s+(?:0|[4-9]|10|encrypted|cipher|irreversible-cipher|hexadecimal|ascii-text)\s+WORD",
    ),
    (
        &["password"],
        "",
        r"(?i)(?:^\s*|\bneighbor\s+\S+\s+|\bpeer\s+\S+\s+|\bisis\s+|\b(?:area|domain)-|\bchap\s+|\bpap\s+sent-username\s+\S+\s+|\binsecure-|\bencrypted-|\bplain-text-)password\s+FORMWORD",
    ),
    (
        &["set "],
        "",
        r"(?i)\bset\s+(?:password|passwd|psksecret|passphrase|secret|auth-pwd|priv-pwd|key)\s+FORMWORD",
    ),
    (
        &[
            "key-string",
            "auth_pass",
            "authentication-key",
            "message-digest-key",
        ],
        "",
        r"(?i)\b(?:key-string|auth_pass|(?:message-digest|authentication)-key(?:\s+\d+)?)\s+(?:(?:md5|sha1|sha256|hmac-\S+|cmac-\S+|aes-\S+)\s+)?FORMWORD",
    ),
    (
        &["authentication"],
        "",
        r"(?i)\b(?:standby|vrrp|glbp)\s+\d+\s+authentication\s+(?:text|md5\s+key-string)\s+FORMWORD",
    ),
    (
        &["tacacs", "radius"],
        "",
        r"(?i)\b(?:tacacs|radius)\S*\s+(?:\S+\s+)*?(?:shared-)?(?:key|secret)\s+FORMWORD",
    ),
    (
        &["key"],
        "",
        r"(?i)\bserver(?:-private)?\s+\S+\s+(?:\S+\s+)*?key\s+FORMWORD",
    ),
    (&["key"], "", r"(?i)^\s*key\s+FORMWORD\s*$"),
    (&["secret"], "", r#"(?i)\bsecret\s+("[^"]+")"#),
    (
        &["secret", "md5"],
        "",
        r"(?i)\b(?:ldp|bgp|msdp|hsrp)\s+(?:\S+\s+)*?(?:md5-key|secret|auth-key)\s+FORMWORD",
    ),
    // IKE and friends.
    (&["isakmp", "keyring"], "", r"(?i)\bisakmp\s+key\s+FORMWORD"),
    (
        &["shared"],
        "",
        r"(?i)\bpre-?shared-?key\s+(?:(?:local|remote)\s+)?(?:(?:address|hostname)\s+\S+\s+(?:\d+\.\d+\.\d+\.\d+\s+)?)?(?:key\s+)?FORMWORD",
    ),
    (
        &["psk", "xauth", "eap"],
        "",
        r#":\s*(?:PSK|XAUTH|EAP)\s+("[^"]*"|0[sx]\S+|\S+)"#,
    ),
    (
        &["privatekey", "presharedkey"],
        "",
        r"(?i)\b(?:privatekey|presharedkey)\s*=\s*WORD",
    ),
    // Hashed passwords: a guess away from the password.
    (
        &["$"],
        "",
        r#"(\$(?:1|5|6|8|9|14|2[aby]|y|gy|argon2id?)\$[^\s"';]{4,})"#,
    ),
    // Arguments of commands.
    (&["sshpass"], r"\bsshpass\b", r"(?:^|\s)-p\s*WORD"),
    (
        &["mysql", "mariadb"],
        r"\b(?:mysql|mariadb)\S*\s",
        r"(?:^|\s)-pWORD",
    ),
    (&["mongo"], r"\bmongo\S*\s", r"(?:^|\s)-p\s*WORD"),
    (
        &["curl", "wget", "http"],
        r"\b(?:curl|wget|https?)\s",
        r#"(?:^|\s)(?:-u|-U|--user|--proxy-user|-a)[\s=]*["']?[^\s:"']+:([^\s"']+)"#,
    ),
    (&["ldap"], r"\bldap\w+\s", r"(?:^|\s)-w\s*WORD"),
    (&["redis-cli"], r"\bredis-cli\s", r"(?:^|\s)-a\s*WORD"),
    (&["ipmi"], r"\bipmi\S*\s", r"(?:^|\s)-[Pp]\s*WORD"),
    (
        &["smbclient", "rpcclient"],
        r"\b(?:smb|rpc)client\s",
        r#"(?:^|\s)-U\s*["']?[^\s%"']+%([^\s"']+)"#,
    ),
    (&["openssl"], r"\bopenssl\s", r"\bpass:WORD"),
    (
        &["dig", "nsupdate", "delv", "kdig"],
        r"\b(?:k?dig|nsupdate|delv)\s",
        r"(?:^|\s)-y\s*(?:[^\s:]+:){1,2}([^\s:]+)",
    ),
    (&["radtest"], "", r"\bradtest\s+(?:-\S+\s+)*\S+\s+WORD"),
    (
        &["radtest"],
        "",
        r"\bradtest\s+(?:-\S+\s+)*\S+\s+\S+\s+\S+\s+\d+\s+WORD",
    ),
    (
        &["--"],
        "",
        r"(?i)\s--(?:[a-z]+-)*(?:community|password|passwd|token|secret|api-key|passphrase|auth-pass|priv-pass)(?:=|\s+)WORD",
    ),
    (&["stats"], "", r"(?i)\bstats\s+auth\s+[^\s:]+:(\S+)"),
    // HTTP.
    (
        &["authorization"],
        "",
        r#"(?i)\bauthorization["']?\s*[:=]\s*["']?(?:(?:bearer|basic|token|digest|negotiate|apikey)\s+)?([^\s"',]+)"#,
    ),
    (&["bearer"], "", r"(?i)\bbearer\s+([A-Za-z0-9._~+/=-]{12,})"),
    (
        &["x-", "private-token", "api-key"],
        "",
        r#"(?i)\b(?:private-token|api-key|x-(?:[a-z0-9]+-)*(?:token|key|secret))["']?\s*:\s*([^\s"',]+)"#,
    ),
    (&["cookie"], "", r"(?i)\b(?:set-)?cookie\s*:\s*(\S.*)$"),
    (
        &["://"],
        "",
        r#"(?i)\b[a-z][a-z0-9+.-]*://[^\s/@:"']*:([^\s/@"']+)@"#,
    ),
    (&["snmp://"], "", r#"(?i)\bsnmp://([^\s/@:"']+)@"#),
    (&["://"], "", r"://([A-Za-z0-9_-]{20,})@"),
    // Tokens that show what they are.
    (&["akia", "asia"], "", r"\b((?:AKIA|ASIA)[A-Z0-9]{16})\b"),
    (
        &[
            "gh", "gl", "xox", "sk_", "rk_", "npm_", "hvs.", "pypi-", "aiza", "dop_", "nrak-",
        ],
        "",
        r"\b(gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{16,}|xox[abeprs]-[\w-]{10,}|[sr]k_(?:live|test)_\w{10,}|npm_\w{30,}|hvs\.[\w-]{20,}|pypi-[\w-]{40,}|AIza[\w-]{30,}|dop_v1_\w{40,}|NRAK-\w{20,})",
    ),
    (
        &["eyj"],
        "",
        r"\b(eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*)",
    ),
    (
        &["hooks.slack.com", "webhook.office.com"],
        "",
        r#"(?i)(?:hooks\.slack\.com/services|webhook\.office\.com/webhookb2)/([^\s"']+)"#,
    ),
    // Anything that calls itself one: `DB_PASSWORD=…`, `"token": "…"`, `secret: …`.
    (
        &[
            "pass",
            "pwd",
            "secret",
            "token",
            "key",
            "community",
            "credential",
            "psk",
        ],
        "",
        r#"(?i)(?:^|[^A-Za-z0-9‹])["']?(?:[A-Za-z0-9]+[_.-])*[A-Za-z0-9]*?(?:password|passwd|passphrase|passcode|pwd|secret|token|api[_-]?key|access[_-]?key|secret[_-]?key|auth[_-]?key|private[_-]?key|community|credentials?|psk|auth_pass)["']?\s*(?:=>|:=|=|:)\s*("[^"]*"|'[^']*'|[^\s"',;&)}\]]+)"#,
    ),
    (
        &["pass="],
        "",
        r#"(?i)\bpass=("[^"]*"|'[^']*'|[^\s"',;&)}\]]+)"#,
    ),
];

/// Words that follow `password` or `community` in a sentence, not in a configuration.
const PROSE: &[&str] = &[
    "a",
    "and",
    "are",
    "as",
    "at",
    "authentication",
    "because",
    "but",
    "by",
    "chain",
    "changed",
    "authority",
    "database",
    "denied",
    "does",
    "encryption",
    "exchange",
    "expired",
    "expires",
    "failed",
    "failure",
    "for",
    "from",
    "had",
    "has",
    "have",
    "if",
    "in",
    "incorrect",
    "invalid",
    "is",
    "it",
    "login",
    "mismatch",
    "missing",
    "must",
    "name",
    "names",
    "needed",
    "no",
    "none",
    "not",
    "null",
    "of",
    "on",
    "or",
    "policy",
    "prompt",
    "recovery",
    "rejected",
    "required",
    "reset",
    "rotated",
    "rotation",
    "set",
    "should",
    "string",
    "strings",
    "that",
    "the",
    "then",
    "to",
    "true",
    "false",
    "unset",
    "unknown",
    "was",
    "were",
    "when",
    "will",
    "with",
    "wrong",
    "no-export",
    "no-advertise",
    "local-as",
    "internet",
    "additive",
    "list",
    "list:",
    "type",
];

/// Masks what looks like a secret in one line.
pub(super) fn mask_line(line: &str, placeholder: impl Fn(&str) -> String) -> String {
    let mut line = line.to_owned();
    let mut lower = line.to_lowercase();
    for rule in RULES.iter() {
        if !rule.words.iter().any(|w| lower.contains(w)) {
            continue;
        }
        if rule.context.as_ref().is_some_and(|c| !c.is_match(&line)) {
            continue;
        }
        let masked = rule.pattern.replace_all(&line, |caps: &Captures<'_>| {
            masked(&line, caps, &placeholder)
        });
        if masked != line {
            line = masked.into_owned();
            lower = line.to_lowercase();
        }
    }
    line
}

/// The whole match with its secret replaced, or as it was if that is none after all.
fn masked(line: &str, caps: &Captures<'_>, placeholder: impl Fn(&str) -> String) -> String {
    let Some(whole) = caps.get(0) else {
        return String::new();
    };
    let group = (1..caps.len()).find_map(|i| caps.get(i));
    let Some(group) = group else {
        return whole.as_str().to_owned();
    };
    let (open, value, close) = unquote(group.as_str());
    let inside_another = line[..group.start()]
        .rsplit_once(PLACEHOLDER)
        .is_some_and(|(_, since)| !since.contains('›'));
    if inside_another || !is_secret(value) {
        return whole.as_str().to_owned();
    }
    let text = whole.as_str();
    let before = &text[..group.start() - whole.start()];
    let after = &text[group.end() - whole.start()..];
    format!("{before}{open}{}{close}{after}", placeholder(value))
}

fn unquote(text: &str) -> (&str, &str, &str) {
    for quote in ["\"", "'"] {
        let inner = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote));
        if let Some(inner) = inner {
            return (quote, inner, quote);
        }
    }
    ("", text, "")
}

/// Not a secret: a placeholder, a variable, something masked already, a word of a sentence, a
/// small number, a BGP community.
fn is_secret(value: &str) -> bool {
    let reference = value.starts_with("${")
        || value.starts_with("$(")
        || value.starts_with("{{")
        || (value.starts_with('<') && value.ends_with('>'))
        || (value.starts_with('$')
            && value[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && !value[1..].contains('$'));
    let masked = !value.is_empty() && value.chars().all(|c| "*•xX.…".contains(c));
    let digits = value.chars().all(|c| c.is_ascii_digit());
    let community = value.contains(':') && value.chars().all(|c| c.is_ascii_digit() || c == ':');
    let bare = value.trim_end_matches(['.', ',', ';', ':', '!', '?', ')']);
    let prose = PROSE.iter().any(|w| w.eq_ignore_ascii_case(bare));
    !(bare.is_empty()
        || reference
        || masked
        || (digits && value.len() < 4)
        || community
        || prose
        || value.contains(PLACEHOLDER.trim_end_matches(':')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_compiles() {
        assert_eq!(RULES.len(), SHAPES.len());
    }
}
