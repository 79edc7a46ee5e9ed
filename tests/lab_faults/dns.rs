//! Names and resolvers: what is wrong with them, and what only looks so.

use crate::lab::on_each_user;
use crate::lab::plan::{RESOLVER, RESOLVER_2, Role};

#[test]
fn signatures_that_have_expired() {
    on_each_user("DNSSEC bogus", |lab| {
        let name = lab.bogus_name();
        lab.resolvers(&[RESOLVER_2]);
        for target in [name.to_owned(), format!("dns:{name}")] {
            let seen = lab.check(&[&target]);
            seen.expect_only("dnssec-bogus", &target)
                .severity(&["critical"])
                .of_kind("endpoint")
                .saying("expired");
            seen.expect_state(&target, &["down"]);
        }
    });
}

#[test]
fn a_resolver_without_tcp() {
    on_each_user("DNS over TCP blocked", |lab| {
        for (refuse, word) in [(false, "silence"), (true, "refused")] {
            lab.no_tcp(RESOLVER, refuse);
            let seen = lab.check(&["dns:www.lab.test"]);
            seen.expect_only("dns-tcp-blocked", "dns:www.lab.test")
                .severity(&["warning"])
                .at("resolver", address(RESOLVER))
                .saying(word);
            seen.expect_state("dns:www.lab.test", &["degraded"]);
            lab.unfilter(Role::Dns, "notcp1071553");
        }
        lab.check(&["dns:www.lab.test"])
            .expect_healthy("dns:www.lab.test");
    });
}

#[test]
fn a_truncated_answer_that_can_not_be_had() {
    on_each_user("truncated and no TCP", |lab| {
        lab.large_answers();
        lab.resolvers(&[RESOLVER_2]);
        lab.check(&["dns:large.lab.test"])
            .expect_healthy("dns:large.lab.test");
        lab.no_tcp(RESOLVER_2, false);
        let seen = lab.check(&["dns:large.lab.test"]);
        seen.expect_only("dns-tcp-blocked", "dns:large.lab.test")
            .severity(&["critical"])
            .at("resolver", address(RESOLVER_2))
            .saying("truncated");
        seen.expect_state("dns:large.lab.test", &["down"]);
    });
}

/// Connections open, and the large answers that are sent over them vanish.
#[test]
fn a_black_hole_on_the_way_to_the_resolver() {
    on_each_user("black hole before the resolver", |lab| {
        lab.large_answers();
        lab.large_packets_vanish(5, 1200);
        lab.dig_must_say(RESOLVER_2, &["+tcp", "large.lab.test"], "timed out");
        lab.dig_must_say(RESOLVER_2, &["+tcp", "ns.lab.test"], "status: NOERROR");
        let target = format!("dns:large.lab.test@{RESOLVER_2}");
        lab.check(&[&target])
            .expect_only("pmtu-black-hole", &target)
            .severity(&["critical"]);
    });
}

#[test]
fn a_resolver_that_is_slow_itself() {
    on_each_user("resolver slow", |lab| {
        lab.slow_resolver(450);
        lab.resolvers(&[RESOLVER_2, RESOLVER]);
        let seen = lab.check(&["dns:www.lab.test"]);
        seen.expect_only("resolver-slow", "dns:www.lab.test")
            .severity(&["warning"])
            .at("resolver", address(RESOLVER_2))
            .saying(RESOLVER);
        seen.expect_state("dns:www.lab.test", &["degraded"]);
    });
}

#[test]
fn a_resolver_that_is_slow_but_fine() {
    on_each_user("resolver slow but fine", |lab| {
        lab.slow_resolver(130);
        lab.resolvers(&[RESOLVER_2]);
        lab.check(&["dns:www.lab.test"])
            .expect_healthy("dns:www.lab.test");
    });
}

fn address(text: &str) -> std::net::IpAddr {
    text.parse().expect("an address")
}
