//! What runs for which target, rights and history.

use std::collections::BTreeSet;

use super::*;
use crate::diagnose::tests::scene::*;

const T: &str = "10.0.5.2";
const ALL: Reach = Reach {
    icmp_v4: true,
    icmp_v6: true,
};
const NONE: Reach = Reach {
    icmp_v4: false,
    icmp_v6: false,
};

fn tasks(s: &Scene, reach: Reach) -> BTreeSet<Task> {
    wanted(&s.window, reach, s.stamp().mono)
        .0
        .into_keys()
        .collect()
}

/// Ways in which the target itself is pinged.
fn pings(s: &Scene, reach: Reach) -> Vec<Via> {
    tasks(s, reach)
        .into_iter()
        .filter_map(|t| match t {
            Task::Ping { addr, via, .. } if addr == ip(T) => Some(via),
            _ => None,
        })
        .collect()
}

fn traces(s: &Scene, reach: Reach) -> Vec<Via> {
    tasks(s, reach)
        .into_iter()
        .filter_map(|t| match t {
            Task::Trace { via, .. } => Some(via),
            _ => None,
        })
        .collect()
}

/// Kinds of task and what they are about, in short.
fn shorts(s: &Scene, reach: Reach) -> Vec<String> {
    tasks(s, reach)
        .into_iter()
        .map(|t| match t {
            Task::Local => "local".into(),
            Task::Resolve(_) => "resolve".into(),
            Task::Ping {
                addr, via, slow, ..
            } => format!("ping {addr} {via:?} {slow}"),
            Task::Trace { via, .. } => format!("trace {via:?}"),
            Task::Ways { .. } => "ways".into(),
            Task::Pmtu { .. } => "pmtu".into(),
            Task::Tcp { dst, asked, .. } => format!("tcp {} {asked}", dst.port()),
            Task::Dns {
                server,
                named,
                name,
                ..
            } => format!("dns {} {named} {name}", server.ip()),
            Task::DnsTcp { server, named } => format!("dns over tcp {} {named}", server.ip()),
            Task::Authorities { name, rtype } => format!("authorities {name} {rtype}"),
            Task::DnsSerial { server, name, .. } => format!("dns serial {} {name}", server.ip()),
            Task::Tls { dst, asked, .. } => format!("tls {} {asked}", dst.port()),
            Task::Http { dst, asked, .. } => format!("http {} {asked}", dst.port()),
            Task::Devices(_) => "devices".into(),
        })
        .collect()
}

#[test]
fn nothing_but_the_tables_before_a_name_is_resolved() {
    let s = Scene::of(&["api.example.com"]);
    assert_eq!(shorts(&s, ALL), ["local", "resolve"]);
}

#[test]
fn this_host() {
    let s = Scene::of(&["local"]);
    assert_eq!(shorts(&s, ALL), ["local"]);
    let s = s.look(|_| {});
    let ping = |via| format!("ping {GATEWAY} {via} true");
    let dns = format!("dns {RESOLVER} false localhost");
    assert_eq!(
        shorts(&s, ALL),
        [
            "local".to_owned(),
            ping("Icmp"),
            dns.clone(),
            "devices".into()
        ]
    );
    assert!(shorts(&s, NONE).contains(&ping("Tcp(443)")));
    // With targets of their own the resolvers are asked for these.
    let s = Scene::of(&["local", T]).look(|_| {});
    assert!(!shorts(&s, ALL).contains(&dns));
}

#[test]
fn a_host_by_its_rights() {
    let s = Scene::host(T);
    let tcp = |p: u16| format!("tcp {p} false");
    let common = [tcp(22), tcp(80), tcp(443)];
    for (reach, via) in [(ALL, "Icmp"), (NONE, "Udp")] {
        let want: Vec<String> = [
            "local".to_owned(),
            "resolve".to_owned(),
            format!("ping {T} {via} false"),
            format!("trace {via}"),
        ]
        .into_iter()
        .chain((reach == ALL).then(|| "ways".to_owned()))
        .chain(common.clone())
        .collect();
        assert_eq!(shorts(&s, reach), want);
    }
    let half = Reach {
        icmp_v4: false,
        icmp_v6: true,
    };
    assert_eq!(pings(&s, half), [Via::Udp], "each family by its own right");
}

#[test]
fn names_are_asked_of_each_resolver_unless_a_file_has_them() {
    let s = Scene::of(&["api.example.com"])
        .look(two_resolvers)
        .resolved(&[T]);
    let dns: Vec<_> = shorts(&s, ALL)
        .into_iter()
        .filter(|t| t.starts_with("dns"))
        .collect();
    assert_eq!(
        dns,
        [
            format!("dns {RESOLVER} false api.example.com"),
            "dns 10.0.9.54 false api.example.com".into()
        ]
    );
    let addrs = crate::model::observation::Resolution {
        name: "api.example.com".into(),
        outcome: Outcome::Ok(vec![ip(T)]),
    };
    let s = s.see(
        Method::HostsFile,
        crate::model::observation::Body::Resolve(addrs),
    );
    assert!(!shorts(&s, ALL).iter().any(|t| t.starts_with("dns")));
}

#[test]
fn dns_targets_and_devices() {
    let s = Scene::host("dns:api.example.com");
    assert_eq!(
        shorts(&s, ALL),
        [
            "local".to_owned(),
            format!("dns {RESOLVER} false api.example.com")
        ]
    );
    let s = Scene::host("dns:api.example.com@10.0.9.99");
    assert_eq!(
        shorts(&s, ALL),
        ["local", "resolve", "dns 10.0.9.99 true api.example.com"]
    );
    let s = Scene::host("snmp://10.0.1.3");
    assert_eq!(shorts(&s, ALL), ["local", "devices"]);
}

#[test]
fn an_unanswered_echo_is_helped_out_by_tcp() {
    let s = |answered: u32| {
        Scene::host(T)
            .tcp("10.0.5.2:443", false, 1, &open())
            .at(0)
            .ping(
                T,
                60,
                100,
                move |i| if i < answered { echo(3) } else { lost() },
            )
    };
    assert_eq!(pings(&s(60), ALL), [Via::Icmp]);
    assert_eq!(pings(&s(0), ALL), [Via::Icmp, Via::Tcp(443)]);
    assert_eq!(pings(&s(0).at(900), ALL), [Via::Icmp], "not at once");
    // TCP answered more than a second ago, no echo did: its silence need not be waited for.
    assert_eq!(pings(&s(0).at(1100), ALL), [Via::Icmp, Via::Tcp(443)]);
    assert_eq!(pings(&s(1).at(1100), ALL), [Via::Icmp]);
    // Answered once, and then no longer.
    assert_eq!(pings(&s(20), ALL), [Via::Icmp, Via::Tcp(443)]);
    assert_eq!(pings(&s(50), ALL), [Via::Icmp], "a second is no silence");
    // Lost now and then: perhaps they are rationed, and TCP is not.
    let now_and_then = Scene::host(T)
        .tcp("10.0.5.2:443", false, 1, &open())
        .at(0)
        .ping(T, 40, 100, |i| if i % 9 == 0 { lost() } else { echo(3) });
    assert_eq!(pings(&now_and_then, ALL), [Via::Icmp, Via::Tcp(443)]);
    // It stops when echoes are answered again.
    let back = s(20).ping(T, 1, 100, |_| echo(3));
    assert_eq!(pings(&back, ALL), [Via::Icmp]);
}

#[test]
fn without_rights_tcp_then_udp_then_the_hosts_own_ping() {
    let s = Scene::host(T);
    assert_eq!(pings(&s, NONE), [Via::Udp]);
    let udp_silent = s
        .clone()
        .pings(Method::UdpErrorQueue, T, 5, 1000, |_| lost());
    assert_eq!(pings(&udp_silent, NONE), [Via::Udp, Via::System]);
    // Somebody waits: once the path was looked along, silence of everything is enough.
    let traced = |last| s.clone().trace(T, 1, 1000, &[hop(GATEWAY), last]);
    assert_eq!(pings(&traced(SILENT), NONE), [Via::Udp, Via::System]);
    assert_eq!(pings(&traced(end(T)), NONE), [Via::Udp]);
    let udp_answers = s
        .clone()
        .pings(Method::UdpErrorQueue, T, 5, 1000, |_| echo(3));
    assert_eq!(pings(&udp_answers, NONE), [Via::Udp]);
    let closed = udp_silent.clone().tcp("10.0.5.2:22", false, 1, &reset());
    assert_eq!(pings(&closed, NONE), [Via::Tcp(22)], "a RST is an answer");
    let tcp = s.tcp("10.0.5.2:443", false, 1, &open());
    let falls = |answered: u32| {
        tcp.clone()
            .at(0)
            .pings(Method::TcpConnect, T, 60, 100, move |i| {
                if i < answered { echo(3) } else { lost() }
            })
    };
    assert_eq!(pings(&falls(60), NONE), [Via::Tcp(443)]);
    assert_eq!(pings(&falls(20), NONE), [Via::Udp, Via::Tcp(443)]);
    let all = falls(20)
        .at(2000)
        .pings(Method::UdpErrorQueue, T, 5, 1000, |_| lost());
    assert_eq!(pings(&all, NONE), [Via::Udp, Via::Tcp(443), Via::System]);
}

#[test]
fn a_port_that_ceased_to_answer_gives_way_to_one_that_goes_on() {
    let s = Scene::host("10.0.5.2:8080")
        .tcp("10.0.5.2:8080", true, 2, &open())
        .tcp("10.0.5.2:80", false, 2, &reset());
    assert_eq!(pings(&s, NONE), [Via::Tcp(8080)]);
    let one = s.tcp("10.0.5.2:8080", true, 1, &lost());
    assert_eq!(pings(&one, NONE), [Via::Tcp(8080)]);
    let gone = one.tcp("10.0.5.2:8080", true, 1, &lost());
    assert_eq!(pings(&gone, NONE), [Via::Tcp(80)]);
}

#[test]
fn the_port_that_was_asked_for_comes_first_and_others_when_it_is_silent() {
    let t = "10.0.5.2:8080";
    let tcp = |s: &Scene| -> Vec<String> {
        shorts(s, ALL)
            .into_iter()
            .filter(|t| t.starts_with("tcp"))
            .collect()
    };
    let s = Scene::host(t);
    assert_eq!(tcp(&s), ["tcp 8080 true"]);
    assert_eq!(tcp(&s.clone().tcp(t, true, 2, &reset())), ["tcp 8080 true"]);
    assert_eq!(tcp(&s.tcp(t, true, 2, &lost())).len(), 4);
}

#[test]
fn a_silent_port_is_traced_even_if_it_was_open_before() {
    let t = "10.0.5.2:8080";
    let s = Scene::host(t);
    assert_eq!(traces(&s, NONE), [Via::Udp]);
    let filtered = s.tcp(t, true, 2, &open()).tcp(t, true, 2, &lost());
    assert_eq!(traces(&filtered, NONE), [Via::Udp, Via::Tcp(8080)]);
}

#[test]
fn a_trace_in_vain_is_helped_out_by_tcp() {
    let s = Scene::host(T).trace(T, 3, 1000, &[hop(GATEWAY), SILENT]);
    assert_eq!(traces(&s, ALL), [Via::Icmp], "no port answers");
    let s = s.tcp("10.0.5.2:22", false, 1, &reset());
    assert_eq!(traces(&s, ALL), [Via::Icmp, Via::Tcp(22)]);
    let reached = s.trace(T, 1, 1000, &[hop(GATEWAY), end(T)]);
    assert_eq!(traces(&reached, ALL), [Via::Icmp]);
}

#[test]
fn the_path_mtu_waits_for_an_answer() {
    let has = |s: &Scene| shorts(s, ALL).contains(&"pmtu".to_owned());
    assert!(has(&Scene::host(T).ping(T, 1, 100, |_| echo(3))));
    assert!(
        !has(&Scene::host(T).trace(T, 3, 1000, &[SILENT])),
        "nobody there"
    );
}

#[test]
fn services_follow_the_ports_that_are_open() {
    let of = |s: &Scene| -> Vec<String> {
        shorts(s, ALL)
            .into_iter()
            .filter(|t| t.starts_with("tls") || t.starts_with("http"))
            .collect()
    };
    let host = Scene::host(T);
    assert!(of(&host).is_empty());
    let web = host.clone().tcp("10.0.5.2:80", false, 1, &open());
    assert_eq!(of(&web), ["http 80 false"]);
    let both = web.tcp("10.0.5.2:443", false, 1, &open());
    assert_eq!(of(&both), ["tls 443 false", "http 443 false"]);
    let closed = host.tcp("10.0.5.2:443", false, 1, &reset());
    assert!(of(&closed).is_empty());
    let url = |u, port: &str| Scene::host(u).tcp(port, true, 1, &open());
    assert_eq!(
        of(&url("https://10.0.5.2:8443/", "10.0.5.2:8443")),
        ["tls 8443 true", "http 8443 true"]
    );
    assert_eq!(
        of(&url("http://10.0.5.2/", "10.0.5.2:80")),
        ["http 80 true"]
    );
    assert_eq!(of(&url("10.0.5.2:993", "10.0.5.2:993")), ["tls 993 true"]);
    assert!(of(&url("10.0.5.2:5432", "10.0.5.2:5432")).is_empty());
}

#[test]
fn hops_are_pinged_only_while_the_target_loses() {
    let hops = |s: &Scene, reach| -> Vec<String> {
        shorts(s, reach)
            .into_iter()
            .filter(|t| t.starts_with("ping") && !t.contains(T))
            .collect()
    };
    let s = |lossy: bool| {
        Scene::host(T)
            .trace(T, 3, 1000, &[hop(GATEWAY), SILENT, hop("10.0.3.1"), end(T)])
            .at(0)
            .ping(T, 40, 100, move |i| {
                if lossy && i % 8 == 0 { lost() } else { echo(3) }
            })
    };
    assert!(hops(&s(false), ALL).is_empty());
    let icmp = |a: &str| format!("ping {a} Icmp false");
    assert_eq!(hops(&s(true), ALL), [icmp(GATEWAY), icmp("10.0.3.1")]);
    assert!(hops(&s(true).at(70_000), ALL).is_empty(), "over");
}

#[test]
fn a_dead_resolver_does_not_stop_the_probes_of_what_is_known() {
    let s = Scene::of(&["api.example.com"])
        .look(|_| {})
        .resolved(&[T])
        .unresolved("nobody answers");
    assert_eq!(pings(&s, ALL), [Via::Icmp]);
}

#[test]
fn targets_at_one_address_share_what_is_asked_of_it() {
    let port = format!("{T}:8080");
    let s = Scene::of(&[T, &port]).look(|_| {});
    let plan = wanted(&s.window, NONE, s.stamp().mono);
    let audience = |want: &dyn Fn(&Task) -> bool| -> Vec<usize> {
        let found = plan.0.iter().filter(|(task, _)| want(task));
        found.map(|(_, ids)| ids.len()).collect()
    };
    assert_eq!(audience(&|t| matches!(t, Task::Trace { .. })), [2]);
    assert_eq!(audience(&|t| matches!(t, Task::Ping { .. })), [2]);
    let own_port = |t: &Task| matches!(t, Task::Tcp { dst, .. } if dst.port() == 8080);
    assert_eq!(audience(&own_port), [1], "the other did not ask for it");
}

#[test]
fn where_a_port_answers_now_and_then_several_flows_are_traced() {
    let s = Scene::host(T).tcp("10.0.5.2:443", false, 2, &open());
    assert_eq!(traces(&s, ALL), [Via::Icmp]);
    // Another port that is silent is filtered.
    let s = s.tcp("10.0.5.2:80", false, 3, &lost());
    assert_eq!(traces(&s, ALL), [Via::Icmp]);
    assert!(!s.pending(T).contains(&"flows"));
    let s = s.tcp("10.0.5.2:443", false, 1, &lost());
    assert_eq!(traces(&s, ALL), [Via::Icmp]);
    assert!(shorts(&s, ALL).contains(&"ways".into()));
    assert!(s.pending(T).contains(&"flows"), "{:?}", s.pending(T));
    assert_eq!(traces(&s, NONE), [Via::Udp]);
    assert!(shorts(&s, NONE).contains(&"ways".into()));
    let calm = Scene::host(T).tcp("10.0.5.2:443", false, 2, &open());
    assert!(!shorts(&calm, NONE).contains(&"ways".into()));
}

#[test]
fn servers_that_answer_are_asked_over_tcp_once_for_all() {
    let other = "dns:b.example.com";
    let s = Scene::of(&["dns:api.example.com", other]).look(two_resolvers);
    let over_tcp = |s: &Scene| -> Vec<String> {
        let all = shorts(s, ALL).into_iter();
        all.filter(|t| t.starts_with("dns over tcp")).collect()
    };
    let s = s.dns(RESOLVER, "api.example.com", "-", 1);
    assert!(over_tcp(&s).is_empty(), "one that is silent is left alone");
    let s = s.dns(RESOLVER, "api.example.com", "SERVFAIL", 1);
    let s = s.on(other).dns(RESOLVER, "b.example.com", "NOERROR", 1);
    assert_eq!(over_tcp(&s), [format!("dns over tcp {RESOLVER} false")]);
    let s = s.dns("10.0.9.54", "b.example.com", "NOERROR", 1);
    assert_eq!(over_tcp(&s).len(), 2);
}

#[test]
fn serials_are_asked_where_resolvers_differ() {
    let s = Scene::host("dns:api.example.com").look(two_resolvers);
    let s = s.dns(RESOLVER, "api.example.com", "NOERROR", 1);
    let serials = |s: &Scene| {
        let all = shorts(s, ALL).into_iter();
        all.filter(|t| t.starts_with("dns serial")).count()
    };
    let same = s.clone().dns("10.0.9.54", "api.example.com", "NOERROR", 1);
    assert_eq!(serials(&same), 0);
    let other = s.dns("10.0.9.54", "api.example.com", "NXDOMAIN", 1);
    assert_eq!(serials(&other), 2);
}
