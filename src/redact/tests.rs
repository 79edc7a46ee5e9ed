//! A corpus of secrets that must go, and of look-alikes that must stay.

use proptest::prelude::*;

use super::*;
use crate::model::event::{EventKind, NoteKind};
use crate::model::secret::Secret;

fn redactor() -> Redactor {
    let secrets = Secrets::new();
    secrets.add(&Secret::new("n0c-R3ad/only"));
    Redactor::new(Key::from_bytes([7; 32]), secrets)
}

/// A line and the secret in it.
const SECRETS: &[(&str, &str)] = &[
    ("snmp-server community Zx9kPq RO 10", "Zx9kPq"),
    (
        "set snmp community Zx9kPq authorization read-only",
        "Zx9kPq",
    ),
    ("rocommunity Zx9kPq 10.0.0.0/8", "Zx9kPq"),
    ("com2sec readonly default Zx9kPq", "Zx9kPq"),
    (
        "snmp-server host 10.1.1.1 traps version 2c Zx9kPq",
        "Zx9kPq",
    ),
    (
        "snmp-server user noc grp v3 auth sha Auth3ntic priv aes 128 Priv4te9",
        "Auth3ntic",
    ),
    (
        "snmp-server user noc grp v3 auth sha Auth3ntic priv aes 128 Priv4te9",
        "Priv4te9",
    ),
    ("$ snmpwalk -v2c -c Zx9kPq 10.0.0.1 ifDescr", "Zx9kPq"),
    (
        "snmpget -v3 -u noc -l authPriv -a SHA -A 'Auth3 ntic' -x AES -X Priv4te9 sw1 1.3",
        "Auth3 ntic",
    ),
    ("snmpbulkwalk -cZx9kPq sw1 sysUpTime", "Zx9kPq"),
    (
        "enable secret 9 $9$nhEmQVczB7dqsO$X.HsgL6x1il0RxkOSSvyQYwucySCt7qFm4v7pqCxkKM",
        "nhEmQVczB7dqsO",
    ),
    ("enable password Hunter22", "Hunter22"),
    (
        "username ana privilege 15 secret 5 $1$abcd$ZxZxZxZxZxZxZxZxZxZxZ1",
        "ZxZxZxZxZxZxZxZxZxZxZ1",
    ),
    (" password 7 094F471A1A0A", "094F471A1A0A"),
    (" neighbor 10.0.0.2 password S3ssion!", "S3ssion!"),
    (
        "authentication-key \"$9$kqP5F3/9pB1RhrlMX7\"; ## SECRET-DATA",
        "kqP5F3",
    ),
    (" ip ospf message-digest-key 1 md5 0sPf-k3y", "0sPf-k3y"),
    (" vrrp 1 authentication text vRrPk3y", "vRrPk3y"),
    ("tacacs-server host 10.9.9.9 key T4cacs+k", "T4cacs+k"),
    ("radius-server key 7 0011223344556677", "0011223344556677"),
    ("server-private 10.2.2.2 key R4dius", "R4dius"),
    ("crypto isakmp key Ik3Psk99 address 203.0.113.9", "Ik3Psk99"),
    (
        "pre-shared-key address 203.0.113.9 key Ik3Psk99",
        "Ik3Psk99",
    ),
    ("10.1.1.1 : PSK \"Ik3 Psk 99\"", "Ik3 Psk 99"),
    (
        "PrivateKey = yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=",
        "yAnz5TF",
    ),
    ("sshpass -p 'p4ss w0rd' ssh admin@10.0.0.1", "p4ss w0rd"),
    ("mysql -u root -ps3cretdb -h db1", "s3cretdb"),
    ("curl -u ana:s3cret99 https://api.example.com/", "s3cret99"),
    ("ldapsearch -x -D cn=a -w L4dapPw -b dc=x", "L4dapPw"),
    ("Authorization: Basic YW5hOnMzY3JldDk5", "YW5hOnMzY3JldDk5"),
    (
        "curl -H 'Authorization: Bearer abcdef0123456789abcdef' https://x/",
        "abcdef0123456789abcdef",
    ),
    ("X-Vault-Token: s.AbCdEf0123456789", "AbCdEf0123456789"),
    ("DB_PASSWORD=hunter2 ./run", "hunter2"),
    ("{\"user\":\"ana\",\"password\":\"hun ter2\"}", "hun ter2"),
    ("GET /v1/x?token=tok_12345&y=1", "tok_12345"),
    ("postgres://app:hunter2@db1:5432/x", "hunter2"),
    ("snmp://Zx9kPq@sw1", "Zx9kPq"),
    ("aws: AKIAIOSFODNN7EXAMPLE", "AKIAIOSFODNN7EXAMPLE"),
    (
        "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
        "wJalrXUtnFEMI",
    ),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "ghp_0123456789"),
    ("stats auth admin:Ha-pr0xy", "Ha-pr0xy"),
    (
        "dig -y hmac-sha256:upd:c2VjcmV0c2VjcmV0 @ns1 x axfr",
        "c2VjcmV0c2VjcmV0",
    ),
    (
        "key \"upd\" { algorithm hmac-sha256; secret \"c2VjcmV0c2VjcmV0\"; };",
        "c2VjcmV0c2VjcmV0",
    ),
    (
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "dozjgNryP4J3",
    ),
    ("saw n0c-R3ad/only in a log", "n0c-R3ad"),
    ("community%3Dn0c-R3ad%2Fonly", "R3ad%2Fonly"),
    ("6e30632d523361642f6f6e6c79", "6e30632d"),
    ("Set-Cookie: sid=9f8e7d6c5b4a; Path=/", "9f8e7d6c5b4a"),
];

/// Evidence that must survive word for word.
const HARMLESS: &[&str] = &[
    "64 bytes from 10.0.0.1: icmp_seq=1 ttl=63 time=0.412 ms",
    " 2  10.0.2.1 (10.0.2.1) [AS64500]  1.2 ms  1.3 ms *",
    "ether 52:54:00:12:34:56 txqueuelen 1000 (Ethernet)",
    "inet6 2001:db8::5054:ff:fe12:3456 prefixlen 64",
    "SHA256 Fingerprint=AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89:AB:CD:EF:01:23:45:67:89",
    "SHA256:Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6 ana@jump1 (ED25519)",
    "commit a0c3c0d5b1b2c3d4e5f60718293a4b5c6d7e8f90",
    "example.com. 300 IN RRSIG A 13 2 300 20261201000000 20261120000000 34505 example.com. kQ==",
    "router bgp 64500: community 64500:100 no-export",
    "Community: 64500:120 64500:300",
    "ping -c 5 -p ff 10.0.0.1",
    "ssh -p 2222 ana@10.0.0.1",
    "nmap -p 443,8443 10.0.0.0/24",
    "mkdir -p /var/tmp/x",
    "snmp timeout: 1.3.6.1.2.1.1.3.0 (no response from 10.0.0.1)",
    "the enable password is wrong, and the SNMP community string was rotated",
    "Password:",
    "password=$DB_PASSWORD token=${TOKEN} secret=<SECRET> key={{key}}",
    "https://api.example.com:8443/health?x=1",
    "ssh://git@github.com/x/y",
    "key chain ospf-keys",
    "TLS key exchange: X25519, certificate key: RSA 2048",
    "550e8400-e29b-41d4-a716-446655440000",
    "max_tokens: 100, keyboard: us, compass: north",
    "-----BEGIN CERTIFICATE-----",
];

#[test]
fn secrets_go() {
    let redactor = redactor();
    let mut left = Vec::new();
    for (line, secret) in SECRETS {
        let masked = redactor.raw(line).into_inner();
        if masked.contains(secret) || !masked.contains(PLACEHOLDER) {
            left.push(masked);
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

#[test]
fn evidence_stays() {
    let redactor = redactor();
    for line in HARMLESS {
        assert_eq!(redactor.raw(line).get(), line);
    }
}

#[test]
fn what_stands_around_a_secret_stays() {
    let redactor = redactor();
    let masked = redactor
        .raw("snmpwalk -v2c -c Zx9kPq 10.0.0.1 ifDescr")
        .into_inner();
    let mark = redactor.placeholder("Zx9kPq");
    assert_eq!(masked, format!("snmpwalk -v2c -c {mark} 10.0.0.1 ifDescr"));
    let masked = redactor.raw("password=\"Zx9kPq\" x").into_inner();
    assert_eq!(masked, format!("password=\"{mark}\" x"));
}

#[test]
fn equal_secrets_are_equal_and_keys_tell_incidents_apart() {
    let (a, b) = (
        redactor(),
        Redactor::new(Key::from_bytes([8; 32]), Secrets::new()),
    );
    assert_eq!(a.placeholder("hunter2"), a.placeholder("hunter2"));
    assert_ne!(a.placeholder("hunter2"), a.placeholder("hunter3"));
    assert_ne!(a.placeholder("hunter2"), b.placeholder("hunter2"));
    assert_eq!(format!("{:?}", a.key), "Key(***)");
}

#[test]
fn private_keys_go_over_many_lines() {
    let text = "before\n-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\nZXktdjEAAAAA\n\
                -----END OPENSSH PRIVATE KEY-----\nafter";
    let lines: Vec<SafeText> = text.split('\n').map(SafeText::from).collect();
    let masked = redactor().lines(&lines).into_inner();
    let shown: Vec<_> = masked.iter().map(SafeText::as_str).collect();
    assert_eq!(shown.len(), 3, "{shown:?}");
    assert!(shown[1].starts_with("-----BEGIN OPENSSH PRIVATE KEY----- ‹secret:"));
    assert_eq!((shown[0], shown[2]), ("before", "after"));
    let cut =
        redactor().raw("-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nMIIEvQ==\nping 10.0.0.1\n");
    assert!(!cut.get().contains("MIIEvQ"), "{cut:?}");
    assert!(cut.get().contains("ping 10.0.0.1"));
    let one_line =
        SafeText::new("k=-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY----- x");
    assert!(!redactor().text(&one_line).get().as_str().contains("MIIE"));
}

#[test]
fn every_text_of_an_event_is_masked() {
    let kinds = [
        EventKind::Note {
            note: NoteKind::Note,
            text: "password=hunter2".into(),
        },
        EventKind::Pinned {
            title: "x".into(),
            lines: vec!["a".into(), "password=hunter2".into()],
        },
        EventKind::CommandStarted {
            run: 1,
            command: "sshpass -p hunter2 ssh x".into(),
            host: "h".into(),
            step: None,
            timeout_s: 1,
        },
        EventKind::CommandEnded {
            run: 1,
            exit: Some(0),
            ended_by: None,
            took_ms: 1,
            output: vec!["token: hunter2".into()],
            cut_bytes: 0,
        },
        EventKind::Unknown(
            serde_json::from_str(r#"{"kind":"password=hunter2","x":["password=hunter2"]}"#)
                .unwrap(),
        ),
    ];
    for kind in kinds {
        let mut masked = redactor().event(kind.clone()).into_inner();
        if let EventKind::Unknown(map) = &mut masked {
            assert_eq!(map.remove("kind").unwrap(), "password=hunter2");
        }
        assert!(!format!("{masked:?}").contains("hunter2"), "{masked:?}");
        assert!(
            format!("{kind:?}").contains("hunter2"),
            "the control: it was there"
        );
    }
}

proptest! {
    #[test]
    fn twice_is_once_and_nothing_panics(
        picks in prop::collection::vec(0..SECRETS.len(), 1..4),
        noise in "\\PC{0,40}",
    ) {
        let mut lines: Vec<_> = picks.iter().map(|i| SECRETS[*i].0.to_owned()).collect();
        lines.push(noise);
        let once = redactor().raw(&lines.join("\n")).into_inner();
        prop_assert_eq!(redactor().raw(&once).into_inner(), once);
    }
}

#[test]
fn patterns_of_ones_own_hold_for_all_who_share_the_secrets() {
    let secrets = Secrets::new();
    let redactor = Redactor::new(Key::from_bytes([7; 32]), secrets.clone());
    assert_eq!(redactor.raw("ref TKT-12345 x").get(), "ref TKT-12345 x");
    secrets.add_pattern("ticket", "TKT-([0-9]+)").unwrap();
    secrets.add_pattern("whole", "Q[0-9]{4}").unwrap();
    let (masked, hits) = redactor.explained("ref TKT-12345 Q1234");
    let (one, two) = (redactor.placeholder("12345"), redactor.placeholder("Q1234"));
    assert_eq!(*masked.get(), format!("ref TKT-{one} {two}"));
    assert_eq!(hits[0].rule, "ticket");
    assert_eq!(redactor.raw(masked.get()), masked, "twice is once");
    assert!(secrets.add_pattern("bad", "(").is_err());
    assert!(secrets.add_pattern("all", "x*").is_err());
}
