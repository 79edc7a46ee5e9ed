//! Names and resolvers: what is wrong with them, and what only looks so.

use crate::lab::names::LAME;
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

#[test]
fn a_resolver_that_leaves_questions_unanswered() {
    on_each_user("questions lost", |lab| {
        let target = "dns:www.lab.test";
        lab.loses_questions(RESOLVER, 40);
        let seen = lab.check(&[target]);
        seen.expect_only("resolver-slow", target)
            .severity(&["warning"])
            .at("resolver", address(RESOLVER))
            .saying("unanswered");
        lab.unfilter(Role::Dns, "lostquestions");
        lab.check(&[target]).expect_healthy(target);
        lab.no_aaaa(RESOLVER);
        let seen = lab.check(&[target]);
        seen.expect_only("resolver-slow", target)
            .severity(&["warning"])
            .at("resolver", address(RESOLVER))
            .saying("AAAA");
        seen.expect_state(target, &["degraded"]);
    });
}

#[test]
fn a_name_that_one_resolver_does_not_know() {
    on_each_user("resolvers disagree", |lab| {
        lab.resolver_that_says("", &["www.lab.test"], "");
        lab.dig_must_say(RESOLVER_2, &["www.lab.test"], "status: NXDOMAIN");
        let target = "dns:www.lab.test";
        let seen = lab.check(&[target]);
        seen.expect_only("resolvers-disagree", target)
            .severity(&["warning"])
            .at("resolver", address(RESOLVER_2))
            .saying("NXDOMAIN");
        seen.expect_state(target, &["degraded"]);
    });
}

/// Two zones of the same name, one of them an older version.
#[test]
fn a_resolver_with_an_old_zone() {
    on_each_user("old zone", |lab| {
        let data = |serial: u32, address: &str| {
            format!(
                "local-zone: \"zone.lab.test.\" static\n\
                 local-data: \"zone.lab.test. 60 IN SOA ns.lab.test. ops.lab.test. {serial} 3600 900 86400 60\"\n\
                 local-data: \"www.zone.lab.test. 60 IN A {address}\"\n"
            )
        };
        let third = "10.71.5.64";
        lab.ip(Role::Dns, &format!("addr add {third}/24 dev l5\n"));
        lab.other_resolver(&data(7, "10.71.4.7"));
        lab.resolver_at("newer", third, &data(8, "10.71.4.8"));
        lab.dig_must_say(RESOLVER_2, &["www.zone.lab.test"], "10.71.4.7");
        lab.dig_must_say(third, &["www.zone.lab.test"], "10.71.4.8");
        lab.dig_must_say(RESOLVER_2, &["SOA", "www.zone.lab.test"], " 7 3600");
        lab.dig_must_say(third, &["SOA", "www.zone.lab.test"], " 8 3600");
        lab.resolvers(&[RESOLVER_2, third]);
        let target = "dns:www.zone.lab.test";
        lab.check(&[target])
            .expect_only("resolvers-disagree", target)
            .severity(&["warning"])
            .at("resolver", address(RESOLVER_2))
            .saying("serial 7");
    });
}

#[test]
fn round_robin_and_other_addresses_are_no_alarm() {
    on_each_user("round robin", |lab| {
        let data = "local-data: \"www.lab.test. 60 IN A 10.71.4.2\"\n\
                    local-data: \"www.lab.test. 60 IN A 10.71.4.3\"\n\
                    local-data: \"www.lab.test. 60 IN A 10.71.4.4\"\n";
        lab.resolver_that_says(data, &["www.lab.test"], "10.71.4.4");
        lab.check(&["dns:www.lab.test"])
            .expect_healthy("dns:www.lab.test");
    });
    on_each_user("content network", |lab| {
        let third = "10.71.5.64";
        let data = |net: u8| format!("local-data: \"www.lab.test. 60 IN A 198.51.{net}.7\"\n");
        lab.ip(Role::Dns, &format!("addr add {third}/24 dev l5\n"));
        lab.other_resolver(&data(1));
        lab.resolver_at("elsewhere", third, &data(2));
        lab.dig_must_say(RESOLVER_2, &["www.lab.test"], "198.51.1.7");
        lab.dig_must_say(third, &["www.lab.test"], "198.51.2.7");
        lab.resolvers(&[RESOLVER_2, third]);
        lab.check(&["dns:www.lab.test"])
            .expect_healthy("dns:www.lab.test");
    });
}

/// Asked as typed there is no such name; programs complete it.
#[test]
fn a_name_that_the_search_list_completes() {
    on_each_user("search list", |lab| {
        lab.serve_http();
        lab.search(&[RESOLVER], "lab.test");
        lab.dig_must_say(RESOLVER, &["www"], "status: NXDOMAIN");
        let seen = lab.check(&["www"]);
        seen.that(seen.alarms().is_empty(), "no alarm");
        seen.expect_state("www", &["ok"]);
    });
}

/// Questions that public resolvers refuse for good reasons.
#[test]
fn a_resolver_that_refuses_any_is_no_alarm() {
    on_each_user("ANY refused", |lab| {
        lab.other_resolver("deny-any: yes\nlocal-data: \"www.lab.test. 60 IN A 10.71.4.2\"\n");
        lab.dig_must_say(RESOLVER_2, &["AXFR", "lab.test"], "failed");
        lab.resolvers(&[RESOLVER_2]);
        lab.check(&["dns:www.lab.test"])
            .expect_healthy("dns:www.lab.test");
    });
}

#[test]
fn one_server_of_a_zone_is_lame() {
    on_each_user("lame delegation", |lab| {
        let name = lab.half_lame_name();
        lab.resolvers(&[RESOLVER_2]);
        let target = format!("dns:{name}");
        let seen = lab.check(&[&target]);
        seen.expect_only("lame-delegation", &target)
            .severity(&["warning"])
            .at("resolver", address(LAME))
            .saying("REFUSED");
        seen.expect_state(&target, &["degraded"]);
        // Its healthy neighbour, by the same servers.
        lab.check(&["dns:www.fine.test"])
            .expect_healthy("dns:www.fine.test");
        // From behind a firewall nobody can know.
        lab.only_the_resolver_may_ask();
        lab.check(&[&target]).expect_healthy(&target);
    });
}

#[test]
fn the_only_server_of_a_zone_is_lame() {
    on_each_user("dead delegation", |lab| {
        let name = lab.lame_name();
        lab.resolvers(&[RESOLVER_2]);
        for target in [name.to_owned(), format!("dns:{name}")] {
            let seen = lab.check(&[&target]);
            seen.expect_only("lame-delegation", &target)
                .severity(&["critical"])
                .at("resolver", address(LAME))
                .saying("SERVFAIL");
            seen.expect_state(&target, &["down"]);
        }
    });
}

fn address(text: &str) -> std::net::IpAddr {
    text.parse().expect("an address")
}
