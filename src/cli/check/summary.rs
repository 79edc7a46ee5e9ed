//! What was seen of one target, a line for each kind of probe.

use crate::model::observation::{HopAnswer, HttpSample, Outcome, PmtuHow, Refusal};
use crate::model::service::{HttpRedirects, RedirectEnd};
use crate::model::target::TargetKind;
use crate::model::time::human;
use crate::model::window::{Group, PathWindow, TargetWindow, Window, flow_lines, groups};

/// Questions in vain after which the engine's other flows are said not to arrive.
const ENOUGH: u32 = 3;

type Lines = Vec<(&'static str, String)>;

/// Lines about a target.
pub fn target(t: &TargetWindow) -> Lines {
    let mut lines = Lines::new();
    if let Some(r) = &t.resolution {
        let text = match &r.value.outcome {
            Outcome::Ok(addrs)
                if r.value.name.as_str()
                    != addrs.first().map(ToString::to_string).unwrap_or_default() =>
            {
                let list: Vec<_> = addrs.iter().map(ToString::to_string).collect();
                Some(format!("{} ({})", list.join(", "), r.how.method.label()))
            }
            Outcome::Ok(_) => None,
            other => Some(refusal_text(other)),
        };
        lines.extend(text.map(|t| ("name", t)));
    }
    for addr in t.addresses() {
        lines.extend(ping(t, *addr));
    }
    // Other flows that were sent only to see whether they arrive are no path.
    for ((addr, _), p) in t.paths.iter().filter(|(_, p)| p.rounds() > 0) {
        path(&addr.to_string(), p, &mut lines);
    }
    lines.extend(mtu(t));
    lines.extend(tcp(t));
    lines.extend(dns(t));
    lines.extend(tls(t));
    lines.extend(http(t));
    lines.extend(devices(t));
    lines
}

/// Lines about this host.
pub fn local(window: &Window) -> Lines {
    let mut lines = Lines::new();
    let Some(l) = &window.local else { return lines };
    for i in l.value.interfaces.iter().filter(|i| !i.loopback) {
        let addrs: Vec<_> = i
            .addresses
            .iter()
            .map(|(a, len)| format!("{a}/{len}"))
            .collect();
        let state = match (i.up, i.carrier) {
            (true, true) => "up",
            (true, false) => "up, no carrier",
            _ => "down",
        };
        lines.push((
            "link",
            format!("{} {state}, MTU {}, {}", i.name, i.mtu, addrs.join(" ")),
        ));
    }
    for r in &l.value.default_routes {
        let via = r
            .gateway
            .map_or_else(|| "on link".to_owned(), |g| g.to_string());
        let neighbour = l
            .value
            .neighbours
            .iter()
            .find(|n| Some(n.addr) == r.gateway);
        let state = neighbour.map_or_else(String::new, |n| {
            format!(", neighbour {:?}", n.state).to_lowercase()
        });
        lines.push((
            "route",
            format!("default via {via} dev {}{state}", r.interface),
        ));
    }
    if l.value.default_routes.is_empty() {
        lines.push(("route", "no default route".into()));
    }
    if let Some(problem) = &l.value.resolvers.problem {
        lines.push(("dns", problem.to_string()));
    }
    if let Some(t) = window.targets.get(&crate::model::target::TargetId::local()) {
        lines.extend(dns(t));
        lines.extend(devices(t));
    }
    lines
}

/// A missing answer in words.
pub fn refusal_text<T>(o: &Outcome<T>) -> String {
    match o {
        Outcome::Ok(_) => "ok".into(),
        Outcome::Timeout { after } => format!("no answer within {after}"),
        Outcome::CannotTry { need } => format!("not tried: needs {need}"),
        Outcome::Refused { by, why, .. } => {
            let what = match why {
                Refusal::Icmp(e) => e.label(),
                Refusal::TcpReset => "connection refused (RST)".into(),
                Refusal::Kernel(w) | Refusal::Protocol(w) => w.to_string(),
            };
            by.map_or(what.clone(), |by| format!("{what}, says {by}"))
        }
    }
}

fn ping(t: &TargetWindow, addr: std::net::IpAddr) -> Lines {
    let Some(((_, method, port), s)) = t.best_ping_of(addr) else {
        return Lines::new();
    };
    let port = port.map_or(String::new(), |p| format!(" port {p}"));
    let lost = s.sent() - s.answered();
    let rtt = s.summary().map_or(String::new(), |r| {
        format!(
            ", RTT {} / {} / {} (median / p95 / max)",
            r.p50, r.p95, r.max
        )
    });
    let why = s
        .how()
        .and_then(|h| h.why_not_better.as_ref())
        .map_or(String::new(), |w| format!("; {w}"));
    vec![(
        "ping",
        format!(
            "{addr}: {lost} of {} lost{rtt}  [{}{port}{why}]",
            s.sent(),
            method.label()
        ),
    )]
}

/// Where it goes, and how it was traced.
pub fn path_head(addr: &str, p: &PathWindow) -> String {
    let reached = p.flows().find_map(|(_, f)| f.reached_ttl());
    let end = reached.map_or("not reached".to_owned(), |h| format!("{h} hops"));
    let how = p.how().map_or("", |h| h.method.label());
    let flows = match p.flows().count() {
        1 => String::new(),
        n => format!(", {n} flows"),
    };
    let rounds = match p.rounds() {
        1 => "1 round".to_owned(),
        n => format!("{n} rounds"),
    };
    format!("{addr}: {end}, {rounds}{flows}  [{how}]")
}

/// The hops of a path and the flows that do not arrive.
fn path(addr: &str, p: &PathWindow, lines: &mut Lines) {
    lines.push(("path", path_head(addr, p)));
    for (ttl, group) in groups(p) {
        lines.push(("", hop(ttl, &group)));
        let remarks = group.remarks.iter().map(|t| ("", format!("       {t}")));
        lines.extend(remarks);
    }
    lines.extend(flow_lines(p, ENOUGH).into_iter().map(|l| ("", l)));
}

/// One next hop: who it is, what was answered of what was asked, how quickly.
pub fn hop(ttl: u8, group: &Group) -> String {
    let who = group.addr.map_or("(silent)".to_owned(), |a| a.to_string());
    let h = &group.stats;
    let rtt = h
        .summary()
        .map_or(String::new(), |r| format!("  {}", r.p50));
    let said = match h.last {
        Some(HopAnswer::Unreachable { error, .. }) => format!("  {}", error.label()),
        _ => String::new(),
    };
    format!("{ttl:>3}  {who:<24} {}/{}{rtt}{said}", h.answered, h.sent)
}

fn mtu(t: &TargetWindow) -> Lines {
    let last = t
        .pmtu
        .iter()
        .filter_map(|(addr, r)| Some((addr, r.last()?)));
    last.flat_map(|(addr, d)| {
        let sample = &d.value;
        let text = match &sample.outcome {
            Outcome::Ok(p) => match &p.how {
                PmtuHow::FullSize => format!("{} bytes, the full first link", p.mtu),
                PmtuHow::AsAsked => format!("{} bytes pass, as asked", p.mtu),
                PmtuHow::TooBig { router, .. } => {
                    format!("{} bytes, announced by {router}", p.mtu)
                }
                PmtuHow::Told => format!("{} bytes, announced by a router", p.mtu),
                PmtuHow::NoLarger => {
                    format!("{} bytes pass, TCP sends no larger ones here", p.mtu)
                }
                PmtuHow::Silent { first_bad, .. } => {
                    format!("{} bytes; {first_bad} bytes vanish without a word", p.mtu)
                }
            },
            Outcome::CannotTry { need } => format!("unknown: {need}"),
            other => format!("unknown: {}", refusal_text(other)),
        };
        let mut lines = vec![("mtu", format!("{addr}: {text}  [{}]", d.how.method.label()))];
        let place = sample.outcome.ok().and_then(|p| p.how.place());
        lines.extend(place.map(|p| ("", format!("larger packets end {p}"))));
        for (claim, fault) in sample.false_claims() {
            lines.push(("", format!("router {} {fault}", claim.router)));
        }
        lines.extend(sample.tcp.map(|tcp| ("", tcp.words())));
        lines
    })
    .collect()
}

fn tcp(t: &TargetWindow) -> Lines {
    t.tcp
        .iter()
        .filter_map(|(dst, r)| {
            let d = r.last()?;
            let shown = d.value.asked || d.value.outcome.ok().is_some();
            let lost = d.value.details.as_ref().map_or(0, |x| x.syn_retransmits);
            let text = match &d.value.outcome {
                Outcome::Ok(rtt) if lost > 0 => {
                    format!("open after {rtt}, mostly the wait to send a lost SYN again")
                }
                Outcome::Ok(rtt) => format!("open, {rtt}"),
                other => refusal_text(other),
            };
            shown.then(|| ("tcp", format!("{dst}: {text}")))
        })
        .collect()
}

fn dns(t: &TargetWindow) -> Lines {
    t.dns
        .iter()
        .filter_map(|(k, r)| {
            let d = r.last()?;
            let text = match &d.value.outcome {
                Outcome::Ok(a) => {
                    let data: Vec<_> = a
                        .records
                        .iter()
                        .take(4)
                        .map(|x| x.data.to_string())
                        .collect();
                    format!("{} in {} {}", a.rcode, a.rtt, data.join(" "))
                }
                other => refusal_text(other),
            };
            let what = if d.value.liveness_only {
                String::new()
            } else {
                format!(" {} {}", k.name, k.rtype)
            };
            Some((
                "dns",
                format!("@{}{what}: {}", k.server.ip(), text.trim_end()),
            ))
        })
        .collect()
}

fn tls(t: &TargetWindow) -> Lines {
    let mut lines = Lines::new();
    for (dst, r) in &t.tls {
        let Some(d) = r.last() else { continue };
        match &d.value.outcome {
            Outcome::Ok(s) => {
                lines.push((
                    "tls",
                    format!(
                        "{dst}: {} {}, TCP {}, handshake {}; judged against {}",
                        s.version, s.cipher, s.connect, s.handshake, s.roots
                    ),
                ));
                if let Some(why) = &s.seen.unfinished {
                    lines.push(("", format!("the handshake did not end: {why}")));
                }
                for (i, c) in s.chain.iter().enumerate() {
                    let until = crate::model::time::date_time_utc(c.not_after);
                    lines.push((
                        "",
                        format!("{i:>3}  {} (issuer {}), until {until}", c.subject, c.issuer),
                    ));
                }
            }
            other => lines.push(("tls", format!("{dst}: {}", refusal_text(other)))),
        }
    }
    lines
}

fn http(t: &TargetWindow) -> Lines {
    t.http
        .values()
        .filter_map(|r| r.last())
        .map(|d| ("http", http_line(&d.value)))
        .collect()
}

/// One HTTP exchange in a line.
pub fn http_line(s: &HttpSample) -> String {
    let d = s.details.as_ref();
    match &s.outcome {
        Outcome::Ok(r) => {
            let p = r.phases;
            let to = r
                .location
                .as_ref()
                .map_or(String::new(), |l| format!(" -> {l}"));
            let unused = d
                .and_then(|d| d.proxy_unused.as_ref())
                .map_or(String::new(), |v| {
                    format!("; the proxy of {v} was not used")
                });
            let redirects = d.and_then(|d| d.redirects.as_ref());
            let led = redirects.map_or(String::new(), redirects_text);
            format!(
                "{} {}{to}{led} in {} (connect {}, TLS {}, first byte {}, body {}){unused}",
                s.url,
                r.status,
                p.total(),
                p.connect,
                p.tls,
                p.first_byte,
                p.body
            )
        }
        other => {
            let how_far = d
                .and_then(|d| d.stopped.as_ref())
                .map_or(String::new(), |w| format!("; {w}"));
            format!("{}: {}{how_far}", s.url, refusal_text(other))
        }
    }
}

/// Where redirects led, behind the first `Location`.
fn redirects_text(r: &HttpRedirects) -> String {
    let last = || r.urls.last().map_or("", |u| u.as_str());
    match r.end {
        RedirectEnd::Loop { .. } => {
            let n = r.members().map_or(0, <[_]>::len);
            format!(" (in a circle of {n})")
        }
        RedirectEnd::TooMany => format!(" (and on, {} redirects without an end)", r.urls.len()),
        RedirectEnd::Arrived => {
            let status = r.status.map_or(String::new(), |s| format!(": {s}"));
            format!(" (and so to {}{status})", last())
        }
        RedirectEnd::Away | RedirectEnd::Unknown => String::new(),
    }
}

fn devices(t: &TargetWindow) -> Lines {
    use crate::model::device::DeviceAnswer;
    let own = matches!(t.target.kind, TargetKind::Snmp { .. } | TargetKind::Local);
    t.devices
        .iter()
        .filter(|_| own)
        .filter_map(|((name, _), r)| {
            let d = r.polls.last()?;
            let text = match &d.value.outcome {
                Outcome::Ok(DeviceAnswer::Snmp(s)) => {
                    let up = s.interfaces.iter().filter(|i| i.oper_status == 1).count();
                    let since = human(std::time::Duration::from_millis(
                        u64::from(s.uptime_ticks) * 10,
                    ));
                    let mut text = format!(
                        "{} ({}), agent up {since}, {up} of {} interfaces up",
                        s.name,
                        s.description,
                        s.interfaces.len()
                    );
                    for vital in s.vitals() {
                        text.push_str(", ");
                        text.push_str(&vital);
                    }
                    text
                }
                Outcome::Ok(DeviceAnswer::Health(h)) => {
                    format!("health {} in {} ms", h.status, h.took_ms)
                }
                other => refusal_text(other),
            };
            Some(("device", format!("{name}: {text}")))
        })
        .collect()
}
