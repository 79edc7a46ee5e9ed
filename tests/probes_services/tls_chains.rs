//! `warroom tls --pem` over chains of every fault, made by openssl(1), each with what must be
//! said and nothing else, and `openssl verify` asked about the same.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::tls_pki::{LEAF, MID, Order, Pki, ROOT};

const NAME: &str = "www.example.test";
const AT: &str = "2026-06-01T00:00:00Z";

fn warroom(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_warroom"))
        .args(args)
        .output()
        .unwrap()
}

struct Said {
    codes: Vec<String>,
    notes: Vec<String>,
    trusted: bool,
    exit: i32,
    doc: Value,
}

fn judge(pem: &Path, roots: &Path, name: &str, at: &str) -> Said {
    let out = warroom(&[
        "tls",
        "--pem",
        &pem.display().to_string(),
        "--roots",
        &roots.display().to_string(),
        "--name",
        name,
        "--at",
        at,
        "--json",
    ]);
    let text = String::from_utf8_lossy(&out.stdout);
    let doc: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&out.stderr)));
    assert_eq!(doc["schema"], "warroom.tls/1");
    let list = |member: &str, with_index: bool| -> Vec<String> {
        let of = |f: &Value| match (&f["index"], with_index) {
            (Value::Number(i), true) => format!("{} {i}", f["code"].as_str().unwrap()),
            _ => f["code"].as_str().unwrap().to_owned(),
        };
        doc[member].as_array().unwrap().iter().map(of).collect()
    };
    Said {
        codes: list("faults", true),
        notes: list("notes", false),
        trusted: doc["trusted"].as_bool().unwrap(),
        exit: out.status.code().unwrap(),
        doc,
    }
}

/// One case: the file's certificates, the roots, the name, the time, what must be said, and
/// whether `openssl verify` accepts it (`None`: it is known to differ, and why is said there).
struct Case {
    what: &'static str,
    chain: &'static [&'static str],
    roots: &'static [&'static str],
    name: &'static str,
    at: &'static str,
    say: &'static [&'static str],
    openssl: Option<bool>,
}

const fn case(
    what: &'static str,
    chain: &'static [&'static str],
    say: &'static [&'static str],
    openssl: bool,
) -> Case {
    Case {
        what,
        chain,
        roots: &["root"],
        name: NAME,
        at: AT,
        say,
        openssl: Some(openssl),
    }
}

impl Case {
    const fn roots(mut self, roots: &'static [&'static str]) -> Self {
        self.roots = roots;
        self
    }
    const fn name(mut self, name: &'static str) -> Self {
        self.name = name;
        self
    }
    const fn at(mut self, at: &'static str) -> Self {
        self.at = at;
        self
    }
    const fn differs(mut self) -> Self {
        self.openssl = None;
        self
    }
}

fn check(pki: &Pki, cases: &[Case]) {
    let mut wrong = Vec::new();
    for c in cases {
        let (pem, roots) = (pki.bundle(c.chain), pki.bundle(c.roots));
        let said = judge(&pem, &roots, c.name, c.at);
        if said.codes != c.say {
            wrong.push(format!(
                "{}: said {:?}, not {:?}",
                c.what, said.codes, c.say
            ));
        }
        let exit = i32::from(!c.say.is_empty());
        if said.exit != exit {
            wrong.push(format!("{}: exit {}, not {exit}", c.what, said.exit));
        }
        let at: jiff::Timestamp = c.at.parse().unwrap();
        let leaf = pki.cert(c.chain[said.doc["leaf"].as_u64().unwrap() as usize]);
        let theirs = pki.openssl_verify(&leaf, &pem, &roots, c.name, at.as_second());
        if let Some(want) = c.openssl
            && theirs.is_ok() != want
        {
            wrong.push(format!("{}: openssl {theirs:?}", c.what));
        }
        // The verdict itself agrees, the name included.
        let ours = said.trusted
            && !said
                .codes
                .iter()
                .any(|f| f.starts_with("tls-name-mismatch"));
        if c.openssl.is_some() && ours != theirs.is_ok() {
            wrong.push(format!("{}: trusted {ours}, openssl {theirs:?}", c.what));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Root, intermediate, server, and what is wrong with others.
fn family() -> Pki {
    let mut p = Pki::new();
    let root = Order {
        subject: "/O=Test/CN=Test Root",
        ext: ROOT,
        ..Order::default()
    };
    p.issue("root", &root);
    p.issue(
        "other-root",
        &Order {
            subject: "/O=Else/CN=Else Root",
            ..root.clone()
        },
    );
    let mid = Order {
        subject: "/O=Test/CN=Test Issuing CA",
        issuer: Some("root"),
        ext: MID,
        ..Order::default()
    };
    p.issue("mid", &mid);
    let leaf = Order {
        subject: "/CN=www",
        issuer: Some("mid"),
        ..Order::default()
    };
    p.issue("leaf", &leaf);
    p
}

fn leaf<'a>() -> Order<'a> {
    Order {
        subject: "/CN=www",
        issuer: Some("mid"),
        ..Order::default()
    }
}

fn mid<'a>() -> Order<'a> {
    Order {
        subject: "/O=Test/CN=Test Issuing CA",
        issuer: Some("root"),
        ext: MID,
        ..Order::default()
    }
}

#[test]
fn healthy_chains_have_no_fault() {
    let mut p = family();
    for (label, key) in [("rsa", "rsa:2048"), ("ed", "ed25519"), ("p384", "ec:P-384")] {
        p.issue(label, &Order { key, ..leaf() });
    }
    let names = format!(
        "{}\nsubjectAltName=DNS:*.example.test,IP:10.0.0.1,IP:fd00::1,DNS:xn--bcher-kva.test\n",
        LEAF.replace("subjectAltName=DNS:www.example.test\n", "")
    );
    p.issue(
        "names",
        &Order {
            ext: &names,
            ..leaf()
        },
    );
    p.issue(
        "direct",
        &Order {
            issuer: Some("root"),
            ..leaf()
        },
    );
    p.issue(
        "rsa-mid",
        &Order {
            subject: "/O=Test/CN=RSA Issuing",
            key: "rsa:2048",
            ..mid()
        },
    );
    p.issue(
        "by-rsa",
        &Order {
            issuer: Some("rsa-mid"),
            hash: "sha384",
            ..leaf()
        },
    );
    p.issue(
        "forever",
        &Order {
            to: "99991231235959Z",
            ..leaf()
        },
    );
    p.issue(
        "short-lived",
        &Order {
            from: "20260531000000Z",
            to: "20260605000000Z",
            ..leaf()
        },
    );
    p.issue(
        "mid2",
        &Order {
            subject: "/O=Test/CN=Issuing 2",
            issuer: Some("mid"),
            ..mid()
        },
    );
    p.issue(
        "deep",
        &Order {
            issuer: Some("mid2"),
            ..leaf()
        },
    );
    let policies = format!("{LEAF}certificatePolicies=critical,2.23.140.1.2.1\n");
    p.issue(
        "policies",
        &Order {
            ext: &policies,
            ..leaf()
        },
    );
    let permitted = format!(
        "{MID}nameConstraints=critical,permitted;DNS:example.test,permitted;IP:10.0.0.0/255.0.0.0\n"
    );
    p.issue(
        "nc",
        &Order {
            subject: "/O=Test/CN=NC Issuing",
            ext: &permitted,
            ..mid()
        },
    );
    p.issue(
        "by-nc",
        &Order {
            issuer: Some("nc"),
            ..leaf()
        },
    );
    check(
        &p,
        &[
            case("plain", &["leaf", "mid"], &[], true),
            case("root sent", &["leaf", "mid", "root"], &[], true),
            case("stranger sent", &["leaf", "mid", "other-root"], &[], true),
            case("twice", &["leaf", "mid", "mid", "leaf"], &[], true),
            case("RSA", &["rsa", "mid"], &[], true),
            case("Ed25519", &["ed", "mid"], &[], true),
            case("P-384", &["p384", "mid"], &[], true),
            case("wildcard", &["names", "mid"], &[], true),
            case("IPv4", &["names", "mid"], &[], true).name("10.0.0.1"),
            case("IPv6", &["names", "mid"], &[], true).name("fd00::1"),
            case("A-label", &["names", "mid"], &[], true).name("xn--bcher-kva.test"),
            case("upper case", &["leaf", "mid"], &[], true).name("WWW.Example.TEST"),
            case("no intermediate needed", &["direct"], &[], true),
            case("RSA issuer, SHA-384", &["by-rsa", "rsa-mid"], &[], true),
            case("no end", &["forever", "mid"], &[], true),
            case("short-lived and fresh", &["short-lived", "mid"], &[], true),
            case("two intermediates", &["deep", "mid2", "mid"], &[], true),
            case("critical policies", &["policies", "mid"], &[], true),
            case("name constraints kept", &["by-nc", "nc"], &[], true),
            case(
                "last second",
                &["leaf", "mid"],
                &["tls-expiring 0", "tls-expiring 1"],
                true,
            )
            .at("2035-01-01T00:00:00Z")
            .differs(),
        ],
    );
}

#[test]
fn dates_names_and_several_at_once() {
    let mut p = family();
    p.issue(
        "old",
        &Order {
            to: "20260101000000Z",
            ..leaf()
        },
    );
    p.issue(
        "early",
        &Order {
            from: "20270101000000Z",
            ..leaf()
        },
    );
    p.issue(
        "old-mid",
        &Order {
            to: "20260101000000Z",
            key: "of:mid",
            ..mid()
        },
    );
    p.issue(
        "early-mid",
        &Order {
            from: "20270101000000Z",
            key: "of:mid",
            ..mid()
        },
    );
    p.issue(
        "ending",
        &Order {
            to: "20260610000000Z",
            ..leaf()
        },
    );
    p.issue(
        "old-root",
        &Order {
            subject: "/CN=Old Root",
            ext: ROOT,
            to: "20260101000000Z",
            ..Order::default()
        },
    );
    p.issue(
        "by-old-root",
        &Order {
            issuer: Some("old-root"),
            ..leaf()
        },
    );
    let cn = LEAF.replace("subjectAltName=DNS:www.example.test\n", "");
    p.issue(
        "cn-only",
        &Order {
            subject: "/CN=www.example.test",
            ext: &cn,
            ..leaf()
        },
    );
    let other = LEAF.replace("www.", "other.");
    p.issue(
        "other",
        &Order {
            ext: &other,
            ..leaf()
        },
    );
    let wild = LEAF.replace("www.example.test", "*.test");
    p.issue(
        "wild-tld",
        &Order {
            ext: &wild,
            ..leaf()
        },
    );
    check(
        &p,
        &[
            case("expired", &["old", "mid"], &["tls-expired 0"], false),
            case(
                "not yet valid",
                &["early", "mid"],
                &["tls-not-yet-valid 0"],
                false,
            ),
            case(
                "issuer expired",
                &["leaf", "old-mid"],
                &["tls-expired 1"],
                false,
            ),
            case(
                "issuer not yet valid",
                &["leaf", "early-mid"],
                &["tls-not-yet-valid 1"],
                false,
            ),
            case(
                "both",
                &["old", "early-mid"],
                &["tls-expired 0", "tls-not-yet-valid 1"],
                false,
            ),
            case(
                "old issuer beside the new one",
                &["leaf", "old-mid", "mid"],
                &[],
                true,
            )
            .differs(),
            case("expiring", &["ending", "mid"], &["tls-expiring 0"], true),
            case(
                "root expired",
                &["by-old-root"],
                &["tls-root-expired"],
                false,
            )
            .roots(&["old-root"]),
            case(
                "other name",
                &["other", "mid"],
                &["tls-name-mismatch 0"],
                false,
            ),
            case(
                "name below",
                &["leaf", "mid"],
                &["tls-name-mismatch 0"],
                false,
            )
            .name("a.www.example.test"),
            case("address", &["leaf", "mid"], &["tls-name-mismatch 0"], false).name("10.0.0.1"),
            // OpenSSL still falls back to the common name; RFC 9525 and browsers do not.
            case(
                "common name only",
                &["cn-only", "mid"],
                &["tls-name-mismatch 0"],
                false,
            )
            .differs(),
            case(
                "wildcard over a top-level domain",
                &["wild-tld", "mid"],
                &["tls-name-mismatch 0"],
                false,
            )
            .name("example.test"),
            case(
                "all at once",
                &["old", "old-mid"],
                &[
                    "tls-expired 0",
                    "tls-expired 1",
                    "tls-name-mismatch 0",
                    "tls-untrusted-issuer 1",
                ],
                false,
            )
            .name("nowhere.test")
            .roots(&["other-root"]),
        ],
    );
}

#[test]
fn issuers_missing_unknown_or_in_the_wrong_order() {
    let mut p = family();
    let own = LEAF.replace("authorityKeyIdentifier=keyid:always\n", "");
    p.issue(
        "own",
        &Order {
            issuer: None,
            ext: &own,
            ..leaf()
        },
    );
    p.issue(
        "private",
        &Order {
            subject: "/CN=Rogue CA",
            ext: ROOT,
            ..Order::default()
        },
    );
    p.issue(
        "by-private",
        &Order {
            issuer: Some("private"),
            ..leaf()
        },
    );
    p.issue(
        "nameless-mid",
        &Order {
            subject: "/CN=R3",
            issuer: Some("private"),
            ext: MID,
            ..Order::default()
        },
    );
    let aia = format!("{LEAF}authorityInfoAccess=caIssuers;URI:http://ca.test/r3.der\n");
    p.issue(
        "with-aia",
        &Order {
            issuer: Some("nameless-mid"),
            ext: &aia,
            ..leaf()
        },
    );
    p.issue(
        "mid2",
        &Order {
            subject: "/O=Test/CN=Issuing 2",
            issuer: Some("mid"),
            ..mid()
        },
    );
    p.issue(
        "deep",
        &Order {
            issuer: Some("mid2"),
            ..leaf()
        },
    );
    // The same names with other keys.
    p.issue(
        "false-root",
        &Order {
            subject: "/O=Test/CN=Test Root",
            ext: ROOT,
            ..Order::default()
        },
    );
    check(
        &p,
        &[
            case("missing", &["leaf"], &["tls-chain-incomplete 0"], false),
            case(
                "missing, said by AIA",
                &["with-aia"],
                &["tls-chain-incomplete 0"],
                false,
            )
            .roots(&["private"]),
            case(
                "second one missing",
                &["deep", "mid2"],
                &["tls-chain-incomplete 1"],
                false,
            ),
            case(
                "root unknown",
                &["leaf", "mid"],
                &["tls-untrusted-issuer 1"],
                false,
            )
            .roots(&["other-root"]),
            case(
                "root unknown and sent",
                &["leaf", "mid", "root"],
                &["tls-untrusted-issuer 2"],
                false,
            )
            .roots(&["other-root"]),
            case(
                "private root",
                &["by-private"],
                &["tls-untrusted-issuer 0"],
                false,
            ),
            case(
                "private root sent",
                &["by-private", "private"],
                &["tls-untrusted-issuer 1"],
                false,
            ),
            case("private root trusted", &["by-private"], &[], true).roots(&["root", "private"]),
            case("self-signed", &["own"], &["tls-self-signed 0"], false),
            case("self-signed and trusted", &["own"], &[], true).roots(&["own"]),
            case(
                "a root of the same name",
                &["leaf", "mid"],
                &["tls-untrusted-issuer 1"],
                false,
            )
            .roots(&["false-root"]),
            case(
                "root before intermediate",
                &["leaf", "root", "mid"],
                &["tls-chain-order"],
                true,
            ),
            case(
                "reversed",
                &["root", "mid", "leaf"],
                &["tls-chain-order"],
                true,
            ),
            case(
                "intermediate first",
                &["mid", "leaf"],
                &["tls-chain-order"],
                true,
            ),
            case(
                "intermediates swapped",
                &["deep", "mid", "mid2"],
                &["tls-chain-order"],
                true,
            ),
            case(
                "swapped and untrusted",
                &["deep", "mid", "mid2"],
                &["tls-untrusted-issuer 1", "tls-chain-order"],
                false,
            )
            .roots(&["other-root"]),
        ],
    );
}

#[test]
fn rules_of_authorities() {
    let mut p = family();
    let not_ca = MID.replace("CA:TRUE", "CA:FALSE");
    p.issue(
        "no-ca",
        &Order {
            subject: "/O=Test/CN=No CA",
            ext: &not_ca,
            ..mid()
        },
    );
    p.issue(
        "by-no-ca",
        &Order {
            issuer: Some("no-ca"),
            ..leaf()
        },
    );
    let no_usage = MID.replace("keyCertSign,cRLSign", "digitalSignature");
    p.issue(
        "no-sign",
        &Order {
            subject: "/O=Test/CN=No Sign",
            ext: &no_usage,
            ..mid()
        },
    );
    p.issue(
        "by-no-sign",
        &Order {
            issuer: Some("no-sign"),
            ..leaf()
        },
    );
    p.issue(
        "by-leaf",
        &Order {
            issuer: Some("leaf"),
            ..leaf()
        },
    );
    let len0 = MID.replace("CA:TRUE", "CA:TRUE,pathlen:0");
    p.issue(
        "len0",
        &Order {
            subject: "/O=Test/CN=Short",
            ext: &len0,
            ..mid()
        },
    );
    p.issue(
        "below0",
        &Order {
            subject: "/O=Test/CN=Below",
            issuer: Some("len0"),
            ..mid()
        },
    );
    p.issue(
        "too-deep",
        &Order {
            issuer: Some("below0"),
            ..leaf()
        },
    );
    p.issue(
        "deep-enough",
        &Order {
            issuer: Some("len0"),
            ..leaf()
        },
    );
    let nc = format!("{MID}nameConstraints=critical,permitted;DNS:else.test\n");
    p.issue(
        "nc",
        &Order {
            subject: "/O=Test/CN=NC",
            ext: &nc,
            ..mid()
        },
    );
    p.issue(
        "by-nc",
        &Order {
            issuer: Some("nc"),
            ..leaf()
        },
    );
    let excluded = format!("{MID}nameConstraints=critical,excluded;DNS:example.test\n");
    p.issue(
        "ex",
        &Order {
            subject: "/O=Test/CN=EX",
            ext: &excluded,
            ..mid()
        },
    );
    p.issue(
        "by-ex",
        &Order {
            issuer: Some("ex"),
            ..leaf()
        },
    );
    let client = LEAF.replace("serverAuth", "clientAuth");
    p.issue(
        "client",
        &Order {
            ext: &client,
            ..leaf()
        },
    );
    let usage = LEAF.replace("digitalSignature", "cRLSign");
    p.issue(
        "no-kx",
        &Order {
            ext: &usage,
            ..leaf()
        },
    );
    let mid_client = format!("{MID}extendedKeyUsage=clientAuth\n");
    p.issue(
        "client-mid",
        &Order {
            subject: "/O=Test/CN=Clients",
            ext: &mid_client,
            ..mid()
        },
    );
    p.issue(
        "by-client-mid",
        &Order {
            issuer: Some("client-mid"),
            ..leaf()
        },
    );
    let ca_leaf = LEAF.replace("CA:FALSE", "CA:TRUE");
    p.issue(
        "ca-leaf",
        &Order {
            ext: &ca_leaf,
            ..leaf()
        },
    );
    let strange = format!("{LEAF}1.2.3.4.5=critical,DER:0500\n");
    p.issue(
        "strange",
        &Order {
            ext: &strange,
            ..leaf()
        },
    );
    let harmless = format!("{LEAF}1.2.3.4.5=DER:0500\n");
    p.issue(
        "harmless",
        &Order {
            ext: &harmless,
            ..leaf()
        },
    );
    check(
        &p,
        &[
            case(
                "issuer is no CA",
                &["by-no-ca", "no-ca"],
                &["tls-not-a-ca 1"],
                false,
            ),
            case(
                "issuer may not sign",
                &["by-no-sign", "no-sign"],
                &["tls-not-a-ca 1"],
                false,
            ),
            case(
                "issued by a server",
                &["by-leaf", "leaf", "mid"],
                &["tls-not-a-ca 1"],
                false,
            ),
            case(
                "path length",
                &["too-deep", "below0", "len0"],
                &["tls-path-length 2"],
                false,
            ),
            case("path length kept", &["deep-enough", "len0"], &[], true),
            case(
                "not permitted",
                &["by-nc", "nc"],
                &["tls-name-constraint 1"],
                false,
            ),
            case(
                "excluded",
                &["by-ex", "ex"],
                &["tls-name-constraint 1"],
                false,
            ),
            case("for clients", &["client", "mid"], &["tls-purpose 0"], false),
            case(
                "for revocation lists",
                &["no-kx", "mid"],
                &["tls-purpose 0"],
                false,
            ),
            case(
                "issuer for clients",
                &["by-client-mid", "client-mid"],
                &["tls-purpose 1"],
                false,
            ),
            case(
                "a CA as server",
                &["ca-leaf", "mid"],
                &["tls-leaf-is-ca 0"],
                true,
            ),
            case(
                "unknown and critical",
                &["strange", "mid"],
                &["tls-unknown-critical-extension 0"],
                false,
            ),
            case("unknown and harmless", &["harmless", "mid"], &[], true),
        ],
    );
}

#[test]
fn weak_keys_weak_hashes_and_forgeries() {
    let mut p = family();
    p.issue(
        "rsa1024",
        &Order {
            key: "rsa:1024",
            ..leaf()
        },
    );
    p.issue(
        "p192",
        &Order {
            key: "ec:prime192v1",
            ..leaf()
        },
    );
    p.issue(
        "sha1",
        &Order {
            hash: "sha1",
            ..leaf()
        },
    );
    p.issue(
        "md5-mid",
        &Order {
            subject: "/O=Test/CN=MD5 Issuing",
            key: "rsa:2048",
            ..mid()
        },
    );
    p.issue(
        "md5",
        &Order {
            issuer: Some("md5-mid"),
            hash: "md5",
            ..leaf()
        },
    );
    p.issue(
        "weak-mid",
        &Order {
            subject: "/O=Test/CN=Weak Issuing",
            key: "rsa:1024",
            ..mid()
        },
    );
    p.issue(
        "by-weak-mid",
        &Order {
            issuer: Some("weak-mid"),
            ..leaf()
        },
    );
    p.issue(
        "sha1-root",
        &Order {
            subject: "/CN=Old Hash Root",
            ext: ROOT,
            hash: "sha1",
            key: "rsa:2048",
            ..Order::default()
        },
    );
    p.issue(
        "by-sha1-root",
        &Order {
            issuer: Some("sha1-root"),
            ..leaf()
        },
    );
    p.issue(
        "weak-root",
        &Order {
            subject: "/CN=Weak Root",
            ext: ROOT,
            key: "rsa:1024",
            ..Order::default()
        },
    );
    p.issue(
        "by-weak-root",
        &Order {
            issuer: Some("weak-root"),
            ..leaf()
        },
    );
    p.issue(
        "p521-mid",
        &Order {
            subject: "/O=Test/CN=P521 Issuing",
            key: "ec:P-521",
            ..mid()
        },
    );
    p.issue(
        "by-p521",
        &Order {
            issuer: Some("p521-mid"),
            hash: "sha512",
            ..leaf()
        },
    );
    // A certificate whose signature was broken: the last base64 digits differ.
    let text = std::fs::read_to_string(p.cert("leaf")).unwrap();
    let at = text.rfind("\n-----END").unwrap() - 8;
    let mut bytes = text.into_bytes();
    bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
    std::fs::write(p.cert("forged"), bytes).unwrap();
    check(
        &p,
        &[
            case("RSA 1024", &["rsa1024", "mid"], &["tls-weak-key 0"], false),
            case("P-192", &["p192", "mid"], &["tls-weak-key 0"], false),
            case("SHA-1", &["sha1", "mid"], &["tls-weak-signature 0"], false),
            case("MD5", &["md5", "md5-mid"], &["tls-weak-signature 0"], false),
            case(
                "weak issuer",
                &["by-weak-mid", "weak-mid"],
                &["tls-weak-key 1"],
                false,
            ),
            case("the root's own hash", &["by-sha1-root"], &[], true).roots(&["sha1-root"]),
            case(
                "the root's own hash, sent",
                &["by-sha1-root", "sha1-root"],
                &[],
                true,
            )
            .roots(&["sha1-root"]),
            case("weak root", &["by-weak-root"], &["tls-weak-key 1"], false).roots(&["weak-root"]),
            case("P-521", &["by-p521", "p521-mid"], &[], true),
            case(
                "forged",
                &["forged", "mid"],
                &["tls-bad-signature 0"],
                false,
            ),
        ],
    );
}

/// Name and key identifier can be written by anyone: an intermediate with those of the real one
/// signs nothing in its place, whatever curve and hash.
#[test]
fn names_and_key_ids_do_not_stand_in_for_a_signature() {
    let mut p = family();
    let ext = MID.replace("=hash", "=0102030405060708");
    let root = p.bundle(&["root"]);
    for (key, hash) in [
        ("rsa:2048", "sha512"),
        ("ec:P-256", "sha224"),
        ("ec:P-256", "sha512"),
        ("ec:P-384", "sha256"),
        ("ec:P-384", "sha512"),
        ("ec:P-521", "sha224"),
        ("ec:P-521", "sha256"),
        ("ec:P-521", "sha512"),
    ] {
        let ca = Order {
            subject: "/O=Test/CN=Twin Issuing",
            key,
            ext: &ext,
            ..mid()
        };
        let server = |issuer| Order {
            issuer: Some(issuer),
            hash,
            ..leaf()
        };
        p.issue("real", &ca);
        p.issue("thief", &ca);
        p.issue("honest", &server("real"));
        p.issue("stolen", &server("thief"));
        for (label, want) in [("honest", vec![]), ("stolen", vec!["tls-bad-signature 0"])] {
            let chain = p.bundle(&[label, "real"]);
            let said = judge(&chain, &root, NAME, AT);
            assert_eq!(said.codes, want, "{label} {key} {hash}");
            let at: jiff::Timestamp = AT.parse().unwrap();
            let theirs = p.openssl_verify(&p.cert(label), &chain, &root, NAME, at.as_second());
            assert_eq!(
                theirs.is_ok(),
                want.is_empty(),
                "{label} {key} {hash}: {theirs:?}"
            );
        }
    }
}

/// What can't be checked here is told as unknown, be it forged or not.
#[test]
fn a_signature_that_can_not_be_checked_is_not_trusted() {
    let mut p = family();
    p.issue(
        "ed448-mid",
        &Order {
            key: "ed448",
            ..mid()
        },
    );
    p.issue(
        "by-ed448",
        &Order {
            issuer: Some("ed448-mid"),
            // The key says which.
            hash: "null",
            ..leaf()
        },
    );
    let said = judge(
        &p.bundle(&["by-ed448", "ed448-mid"]),
        &p.bundle(&["root"]),
        NAME,
        AT,
    );
    assert_eq!(said.codes, ["tls-signature-unchecked 0"]);
    assert_eq!((said.exit, said.trusted), (1, false));
}

#[test]
fn notes_are_no_faults() {
    let p = family();
    let root = p.bundle(&["root"]);
    let of = |chain: &[&str]| {
        let said = judge(&p.bundle(chain), &root, NAME, AT);
        assert_eq!((said.codes, said.exit), (vec![], 0));
        said.notes
    };
    assert_eq!(of(&["leaf", "mid"]), ["not-public"]);
    assert_eq!(of(&["leaf", "mid", "root"]), ["not-public", "root-sent"]);
    assert_eq!(
        of(&["leaf", "other-root", "mid", "mid"]),
        ["not-public", "superfluous", "duplicate"]
    );
}

#[test]
fn keys_junk_der_and_usage() {
    let p = family();
    let roots = p.bundle(&["root"]).display().to_string();
    let key = std::fs::read_to_string(p.key("leaf")).unwrap();
    let text = format!(
        "Bag Attributes: x\n{key}{}issuer=y\n{}",
        std::fs::read_to_string(p.cert("leaf")).unwrap(),
        std::fs::read_to_string(p.cert("mid")).unwrap()
    );
    let with_key = p.file("with-key.pem");
    std::fs::write(&with_key, text).unwrap();
    let with_key = with_key.display().to_string();
    for json in [true, false] {
        let mut args = vec![
            "tls", "--pem", &with_key, "--roots", &roots, "--name", NAME, "--at", AT,
        ];
        args.extend(json.then_some("--json"));
        let out = warroom(&args);
        let (said, warned) = (
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr),
        );
        assert_eq!(out.status.code(), Some(0), "{said}{warned}");
        assert!(warned.contains("1 private key"), "{warned}");
        let secret = key.lines().nth(1).unwrap();
        assert!(!said.contains(secret) && !warned.contains(secret));
    }
    let der = p.file("leaf.der");
    let made = Command::new("openssl")
        .args(["x509", "-outform", "der", "-in"])
        .arg(p.cert("leaf"))
        .arg("-out")
        .arg(&der)
        .status()
        .unwrap();
    assert!(made.success());
    let said = judge(&der, Path::new(&roots), NAME, AT);
    assert_eq!(said.codes, ["tls-chain-incomplete 0"]);
    let exit = |args: &[&str]| warroom(args).status.code().unwrap();
    assert_eq!(exit(&["tls", "--pem", "/nonexistent"]), 3);
    assert_eq!(
        exit(&["tls", "--pem", &p.key("leaf").display().to_string()]),
        3
    );
    assert_eq!(exit(&["tls", "--pem", &with_key, "--at", "tomorrow"]), 2);
    assert_eq!(
        exit(&["tls", "--pem", &with_key, "--roots", "/nonexistent"]),
        2
    );
    assert_eq!(exit(&["tls", "--pem", &with_key, "www.example.test"]), 2);
    assert_eq!(exit(&["tls"]), 2);
}
