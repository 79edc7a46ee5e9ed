//! Large echoes that vanish alone: a host or a filter drops them, and nothing else.

use warroom::model::observation::{How, Method, PmtuHow, PmtuSample};
use warroom::net::pace::Budget;
use warroom::probe::pmtu::{Ask, measure};
use warroom::sys::privileges::Rights;

use super::lab::{Lab, User, dst, lab, sockets};

fn drops_large_echoes(lab: &Lab) {
    lab.drop_at(
        "dst",
        "input",
        "ip",
        "ip length > 1000 icmp type echo-request",
    );
    lab.drop_at(
        "dst",
        "input",
        "ip6",
        "ip6 length > 1000 icmpv6 type echo-request",
    );
}

fn once(lab: &Lab, v6: bool) -> (How, PmtuSample) {
    lab.within("src", User::Root, || async move {
        let (rights, budget) = (Rights::detect(), Budget::new());
        let ask = Ask::default();
        measure(dst(v6), &sockets(), &rights, &budget, &ask).await
    })
}

#[test]
fn large_echoes_that_vanish_alone_are_no_black_hole() {
    let Some(lab) = lab(1500) else { return };
    drops_large_echoes(&lab);
    for v6 in [false, true] {
        let (how, sample) = once(&lab, v6);
        let pmtu = sample.outcome.ok().expect("measured");
        assert_eq!((pmtu.mtu, pmtu.how.clone()), (1500, PmtuHow::FullSize));
        assert_eq!(how.method, Method::UdpErrorQueue, "{how:?}");
        let why = how.why_not_better.expect("said");
        assert!(why.as_str().contains("answers no"), "{why}");
    }
}

/// The control: what no other packet denies stays a black hole.
#[test]
fn where_nothing_else_answers_the_echoes_are_believed() {
    let Some(lab) = lab(1500) else { return };
    drops_large_echoes(&lab);
    for family in ["ip", "ip6"] {
        lab.drop_at("dst", "input", family, "udp dport 1-65535");
    }
    let (how, sample) = once(&lab, false);
    assert_eq!(how.method, Method::IcmpRaw);
    let pmtu = sample.outcome.ok().expect("measured");
    assert_eq!(pmtu.mtu, 1000);
    assert!(matches!(pmtu.how, PmtuHow::Silent { .. }), "{pmtu:?}");
}
