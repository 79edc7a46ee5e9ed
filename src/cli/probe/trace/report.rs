//! What a trace prints: rows of the table, lines for people, the JSON document.

use std::net::IpAddr;

use serde_json::{Map, Value, json};
use unicode_width::UnicodeWidthStr;

use super::owners::Known;
use super::{TraceArgs, whose};
use crate::cli::check::summary;
use crate::cli::probe::Verdict;
use crate::model::observation::{HopAnswer, HopSample, How, Method, TraceRound};
use crate::model::origin::Origin;
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::window::{
    Balance, DeadFlow, FlowPath, Group, HopStats, PathWindow, Window, flow_lines, groups,
    return_hops,
};

/// Questions without an answer after which a flow is said not to arrive: each waited for its turn.
const ENOUGH: u32 = 1;

/// Cells of a row.
pub const HEADER: &[&str] = &[
    "destination",
    "method",
    "round",
    "ttl",
    "address",
    "rtt_ms",
    "result",
    "flow",
    "return_ttl",
    "icmp_type",
    "icmp_code",
    "extensions",
    "name",
    "asn",
    "as_name",
    "country",
    "city",
];

/// A row for each probe of a round.
pub fn rows(how: &How, round: &TraceRound, known: &Known) -> Vec<Vec<String>> {
    let row = |h: &HopSample| {
        let from = h.answer.from();
        let detail = round.details.iter().find(|d| d.ttl == h.ttl);
        let icmp = detail.and_then(|d| d.icmp);
        let back = match h.answer {
            HopAnswer::TimeExceeded { return_ttl, .. } | HopAnswer::Reached { return_ttl, .. } => {
                return_ttl
            }
            _ => None,
        };
        let number = |n: Option<u8>| n.map(|n| n.to_string()).unwrap_or_default();
        let extensions = detail.map(|d| &d.extensions).into_iter().flatten();
        let extensions: Vec<_> = extensions.map(ToString::to_string).collect();
        let origin = from.and_then(|(addr, _)| known.of(addr));
        let mut cells = vec![
            round.dst.to_string(),
            how.method.label().into(),
            round.round.to_string(),
            h.ttl.to_string(),
            from.map(|(a, _)| a.to_string()).unwrap_or_default(),
            from.map(|(_, rtt)| format!("{:.3}", rtt.as_ms()))
                .unwrap_or_default(),
            match h.answer {
                HopAnswer::TimeExceeded { .. } => "time exceeded".into(),
                HopAnswer::Reached { .. } => "reached".into(),
                HopAnswer::Unreachable { error, .. } => error.label(),
                HopAnswer::Silent => "silent".into(),
            },
            round.flow.to_string(),
            number(back),
            number(icmp.map(|(kind, _)| kind)),
            number(icmp.map(|(_, code)| code)),
            extensions.join("; "),
        ];
        cells.extend(owner(origin.unwrap_or(&Origin::default())));
        cells
    };
    round.hops.iter().map(row).collect()
}

fn owner(origin: &Origin) -> [String; 5] {
    let text = |t: Option<&SafeText>| t.map(ToString::to_string).unwrap_or_default();
    let (asn, place) = (origin.asn.as_ref(), origin.place.as_ref());
    [
        text(origin.name.as_ref()),
        asn.map(|a| a.number.to_string()).unwrap_or_default(),
        text(asn.and_then(|a| a.name.as_ref())),
        text(place.and_then(|p| p.country.as_ref())),
        text(place.and_then(|p| p.city.as_ref())),
    ]
}

/// An owner as it became known, a line of the JSON stream.
pub fn news(addr: IpAddr, origin: &Origin) -> Value {
    let mut value = json!(origin);
    if let Some(members) = value.as_object_mut() {
        members.insert("address".into(), json!(addr));
    }
    value
}

/// What the first round says at once where the destination does not answer.
pub fn early(round: &TraceRound) -> Option<String> {
    if round.reached().is_some() {
        return None;
    }
    let last = round.hops.iter().rev().find_map(|h| {
        let (from, _) = h.answer.from()?;
        Some((h.ttl, from))
    });
    Some(match last {
        Some((ttl, from)) => format!(
            "first round: {} does not answer; the last that does is {from} at hop {ttl}",
            round.dst
        ),
        None => "first round: nobody answers, not even the first hop".into(),
    })
}

/// Summary and document.
pub fn verdict(window: &Window, known: &Known, args: &TraceArgs, keeps_flows: bool) -> Verdict {
    let Some(t) = window.targets.values().next() else {
        return Verdict::default();
    };
    let mut lines = Vec::new();
    // With several targets each line begins with one.
    let columns = match args.targets.len() {
        1 => whose::COLUMNS,
        _ => whose::COLUMNS.saturating_sub(t.target.id.as_str().width() + 2),
    };
    let mut paths = Vec::new();
    let mut good = false;
    for ((addr, method), p) in &t.paths {
        let dead = p.dead_flows(ENOUGH);
        good |= dead.is_empty() && p.flows().any(|(_, f)| f.reached_ttl().is_some());
        if args.wide {
            lines.extend(wide(*addr, p, known));
        } else {
            lines.extend(plain(*addr, p, known, columns));
        }
        let unseen = (args.tos.is_some() || args.dscp.is_some()) && *method != Method::IcmpRaw;
        if unseen {
            lines.push(
                "whether DSCP and ECN arrive unchanged is unknown: only raw ICMP (root or \
                 CAP_NET_RAW) shows what routers saw"
                    .into(),
            );
        }
        let why = p.how().and_then(|h| h.why_not_better.as_ref());
        lines.extend(why.map(|why| format!("not a better way because: {why}")));
        paths.push(json!({
            "address": addr,
            "method": method,
            "why_not_better": why,
            "rounds": p.rounds(),
            "reached_ttl": p.reached_ttl(),
            "keeps_flows": keeps_flows,
            "hops": p.flows().next().map(|(_, f)| hops(f, p)),
            "flows": p.flows().map(|(n, f)| flow(n, f, p, args)).collect::<Vec<_>>(),
            "dead_flows": dead.iter().map(dead_flow).collect::<Vec<_>>(),
        }));
    }
    let mut doc = Map::new();
    doc.insert("paths".into(), json!(paths));
    let origins = known.all().map(|(a, o)| (a.to_string(), json!(o)));
    doc.insert("origins".into(), origins.collect::<Map<_, _>>().into());
    Verdict {
        good,
        lines,
        json: doc,
    }
}

fn flow(number: u16, f: &FlowPath, p: &PathWindow, args: &TraceArgs) -> Value {
    json!({
        "flow": number,
        "source_port": args.source_port.and_then(|port| port.checked_add(number)),
        "rounds": f.rounds(),
        "reached_ttl": f.reached_ttl(),
        "hops": hops(f, p),
    })
}

fn dead_flow(d: &DeadFlow) -> Value {
    json!({
        "flow": d.flow,
        "last_ttl": d.last.map(|(ttl, _)| ttl),
        "last_address": d.last.map(|(_, addr)| addr),
        "last_is_shared": d.shared,
        "others_go_on_to": d.living,
    })
}

fn hops(f: &FlowPath, p: &PathWindow) -> Vec<Value> {
    let hop = |(ttl, h): (u8, &HopStats)| {
        let addresses: Vec<_> = h.addresses.iter().map(|(a, _)| a).collect();
        let hints: Vec<_> = f.hints(ttl).iter().map(ToString::to_string).collect();
        let said = match h.last {
            Some(HopAnswer::Unreachable { error, .. }) => Some(error.label()),
            _ => None,
        };
        json!({
            "ttl": ttl,
            "sent": h.sent,
            "answered": h.answered,
            "addresses": addresses,
            "rtt_ms": rtt(h),
            "unreachable": said,
            "balance": match p.balance(ttl) {
                Balance::Single => "single",
                Balance::PerFlow => "per-flow",
                Balance::PerPacket => "per-packet",
                Balance::Changed => "changed",
            },
            "return_ttl": h.return_ttl(),
            "return_hops": h.return_ttl().map(return_hops),
            "hints": hints,
            "detail": h.detail,
        })
    };
    f.hops().map(hop).collect()
}

fn rtt(h: &HopStats) -> Value {
    let last = h.rtts.back().map(|r| r.as_ms());
    h.summary().map_or(Value::Null, |r| {
        json!({
            "last": last,
            "min": r.min.as_ms(),
            "p50": r.p50.as_ms(),
            "mean": r.mean.as_ms(),
            "max": r.max.as_ms(),
            "stdev": r.stdev.as_ms(),
            "jitter": h.jitter().map(Rtt::as_ms),
        })
    })
}

/// A row for each hop and next hop, no wider than the report.
fn plain(addr: IpAddr, p: &PathWindow, known: &Known, columns: usize) -> Vec<String> {
    let mut lines = vec![summary::path_head(&addr.to_string(), p)];
    for (ttl, group) in groups(p) {
        let row = summary::hop(ttl, &group);
        lines.extend(match group.addr.and_then(|a| known.of(a)) {
            Some(origin) => whose::beside(row, origin, columns),
            None => vec![row],
        });
        let indent = whose::INDENT;
        lines.extend(group.remarks.iter().map(|t| format!("{:indent$}{t}", "")));
        lines.extend(others(&group, known).flat_map(|(addr, origin)| {
            let row = format!("{:indent$}{addr}", "");
            whose::beside(row, origin, columns)
        }));
    }
    lines.extend(flow_lines(p, ENOUGH));
    lines
}

/// The further addresses within a row that somebody is known to own.
fn others<'a>(group: &'a Group, known: &'a Known) -> impl Iterator<Item = (IpAddr, &'a Origin)> {
    let all = group.stats.addresses.iter().map(|(a, _)| *a);
    let further = all.filter(|a| Some(*a) != group.addr);
    further.filter_map(|a| Some((a, known.of(a)?)))
}

/// The table with all the numbers, times in milliseconds, a row for each hop and next hop; owners
/// stand behind it, as long as they are.
fn wide(addr: IpAddr, p: &PathWindow, known: &Known) -> Vec<String> {
    let mut lines = vec![
        summary::path_head(&addr.to_string(), p),
        format!(
            "{:>3} {:<24} {:>6} {:>4} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6}",
            "hop", "address", "loss%", "sent", "last", "avg", "best", "worst", "stdev", "jitter"
        ),
    ];
    for (ttl, group) in groups(p) {
        let who = group.addr.map_or("(silent)".to_owned(), |a| a.to_string());
        let origin = group.addr.and_then(|a| known.of(a));
        let owner = origin.map_or(String::new(), |o| format!("  {}", whose::whole(o)));
        let h = &group.stats;
        let ms = |r: Option<Rtt>| r.map_or("-".to_owned(), |r| format!("{:.3}", r.as_ms()));
        let r = h.summary();
        lines.push(format!(
            "{ttl:>3} {who:<24} {:>6.1} {:>4} {:>7} {:>7} {:>7} {:>7} {:>6} {:>6}{owner}",
            h.loss() * 100.0,
            h.sent,
            ms(h.rtts.back().copied()),
            ms(r.map(|r| r.mean)),
            ms(r.map(|r| r.min)),
            ms(r.map(|r| r.max)),
            ms(r.map(|r| r.stdev)),
            ms(h.jitter()),
        ));
        lines.extend(group.remarks.iter().map(|t| format!("      {t}")));
        let further = others(&group, known);
        lines.extend(further.map(|(a, o)| format!("      {a} {}", whose::whole(o))));
    }
    lines.extend(flow_lines(p, ENOUGH));
    lines
}
