use super::*;

fn facts(values: &[(&str, &str)], findings: &[&str], firm: bool) -> Facts {
    let mut facts = Facts {
        firm,
        findings: findings.iter().map(|c| Code::from_name(c)).collect(),
        ..Facts::default()
    };
    for (key, text) in values {
        facts.set_text(key, text).unwrap();
    }
    facts
}

#[test]
fn numbers_flags_and_words_are_compared_in_their_units() {
    let known = facts(
        &[
            ("ping.loss", "12 %"),
            ("ping.rtt", "0.2 s"),
            ("mtu.black_hole", "true"),
            ("dns.rcode", "SERVFAIL"),
        ],
        &[],
        true,
    );
    for (text, want) in [
        ("ping.loss >= 5 %", Verdict::True),
        ("ping.loss<5", Verdict::False),
        ("ping.rtt == 200 ms", Verdict::True),
        ("ping.rtt > 1 s", Verdict::False),
        ("mtu.black_hole", Verdict::True),
        ("not mtu.black_hole", Verdict::False),
        ("mtu.black_hole == false", Verdict::False),
        ("dns.rcode == servfail", Verdict::True),
        ("dns.rcode != \"NOERROR\"", Verdict::True),
        ("tls.days_left < 3 d", Verdict::Unknown),
    ] {
        assert_eq!(parse(text).unwrap().eval(&known), want, "{text}");
    }
    let of_ping = parse_of("loss < 20% && rtt <= 200ms", "ping").unwrap();
    assert_eq!(of_ping.eval(&known), Verdict::True);
}

#[test]
fn unknown_stays_unknown_unless_it_can_not_matter() {
    let known = facts(&[("ping.loss", "0")], &[], true);
    for (text, want) in [
        ("mtu.black_hole and ping.loss > 1 %", Verdict::False),
        ("mtu.black_hole and ping.loss < 1 %", Verdict::Unknown),
        ("mtu.black_hole or ping.loss < 1 %", Verdict::True),
        ("mtu.black_hole or ping.loss > 1 %", Verdict::Unknown),
        ("not mtu.black_hole", Verdict::Unknown),
        ("ruled_out(\"loss\")", Verdict::Unknown),
        ("not (mtu.black_hole and ping.loss > 1 %)", Verdict::True),
    ] {
        assert_eq!(parse(text).unwrap().eval(&known), want, "{text}");
    }
}

#[test]
fn a_finding_is_absent_only_where_it_was_judged() {
    let asked = parse("finding(\"packet-loss\", \"host-down\")").unwrap();
    assert_eq!(
        asked.eval(&facts(&[], &["host-down"], false)),
        Verdict::True
    );
    assert_eq!(asked.eval(&facts(&[], &[], true)), Verdict::False);
    assert_eq!(asked.eval(&facts(&[], &[], false)), Verdict::Unknown);
    // No device was asked: nothing is known of its load.
    let device = parse("finding(\"device-cpu-high\")").unwrap();
    let mut known = facts(&[], &[], true);
    assert_eq!(device.eval(&known), Verdict::Unknown);
    known.devices = true;
    assert_eq!(device.eval(&known), Verdict::False);
    known.unjudged.insert(Code::from_name("device-cpu-high"));
    assert_eq!(device.eval(&known), Verdict::Unknown);
}

#[test]
fn what_it_rests_on_is_told() {
    let c = parse("finding(\"packet-loss\") and ping.loss >= 5 % and tls.ok").unwrap();
    let known = facts(&[("ping.loss", "12.5 %")], &["packet-loss"], true);
    let measured = c.measured(&known);
    assert_eq!(
        measured,
        [
            "packet-loss is open",
            "ping.loss 12.5 %",
            "tls.ok not known"
        ]
    );
}

#[test]
fn small_numbers_are_not_rounded_to_nothing() {
    for (text, shown) in [
        ("0 ms", "ping.rtt 0 ms"),
        ("0.004 ms", "ping.rtt 0.004 ms"),
        ("0.05 ms", "ping.rtt 0.05 ms"),
        ("12.34 ms", "ping.rtt 12.3 ms"),
        ("1.2346 s", "ping.rtt 1235 ms"),
        ("30 ms", "ping.rtt 30 ms"),
    ] {
        let known = facts(&[("ping.rtt", text)], &[], true);
        assert_eq!(known.shown(name("ping.rtt").unwrap()), shown);
    }
}

#[test]
fn errors_say_where_and_what() {
    for (text, column, word) in [
        ("", 1, "expected finding"),
        ("finding(\"no-such\")", 9, "unknown finding"),
        ("ping.los < 1", 1, "there is ping.loss"),
        ("weather == fine", 1, "unknown name"),
        ("ping.rtt < 5", 13, "ms or s"),
        ("ping.loss < 5 ms", 15, "not counted"),
        ("mtu.black_hole < true", 17, "no order"),
        ("(ping.loss < 1", 15, "`)`"),
        ("ping.loss < 1 ping.loss", 15, "not counted"),
        ("tls.ok tls.ok", 8, "end"),
        ("ruled_out(\"weather\")", 11, "none of"),
        ("finding(\"x", 10, "no end"),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.message.contains(word), "{text}: {error}");
        assert_eq!(error.column, column, "{text}: {error}");
    }
    let deep = format!("{}tls.ok{}", "(".repeat(200), ")".repeat(200));
    assert!(parse(&deep).unwrap_err().message.contains("nested"));
    assert!(
        parse(&"not ".repeat(2000))
            .unwrap_err()
            .message
            .contains("longer")
    );
}
