//! Paths as a Graphviz graph: who comes after whom, by which flow, how often.
//!
//! An address is one node however many TTLs it answers, so a loop looks like one. A silent hop is
//! a node of its own for each hop before it.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::model::observation::{HopAnswer, TraceRound};

/// A node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Node {
    /// This host.
    Here,
    /// Who answered.
    Addr(IpAddr),
    /// Nobody answered that TTL, behind that node.
    Silent(u8, Box<Node>),
    /// Nobody answered from that TTL on, behind that node.
    Nobody(u8, Box<Node>),
}

/// What a node is known by.
#[derive(Clone, Debug, Default)]
struct Facts {
    ttls: BTreeSet<u8>,
    answers: u32,
    rtt_ns: u64,
    reached: bool,
    /// What it said of going on.
    refused: BTreeSet<String>,
}

/// Rounds, folded.
#[derive(Clone, Debug, Default)]
pub(super) struct Graph {
    nodes: BTreeMap<Node, Facts>,
    /// Rounds of each flow that went from one to the other.
    edges: BTreeMap<(Node, Node), BTreeMap<u16, u32>>,
}

impl Graph {
    /// Files a round. Where it left out a TTL nothing is said of what lies between.
    pub(super) fn take(&mut self, round: &TraceRound) {
        self.nodes.entry(Node::Here).or_default();
        let last = round.hops.iter().rposition(|h| h.answer.from().is_some());
        let mut before = Some((0u8, Node::Here));
        for (at, hop) in round.hops.iter().enumerate() {
            let behind = before.take().filter(|(ttl, _)| ttl + 1 == hop.ttl);
            let node = match (hop.answer.from(), &behind) {
                (Some((addr, rtt)), _) => {
                    let facts = self.nodes.entry(Node::Addr(addr)).or_default();
                    facts.answers += 1;
                    facts.rtt_ns = facts.rtt_ns.saturating_add(rtt.0);
                    match hop.answer {
                        HopAnswer::Reached { .. } => facts.reached = true,
                        HopAnswer::Unreachable { error, .. } => {
                            facts.refused.insert(error.label());
                        }
                        HopAnswer::TimeExceeded { .. } | HopAnswer::Silent => {}
                    }
                    Node::Addr(addr)
                }
                // Silence somewhere: nobody knows behind whom.
                (None, None) => continue,
                (None, Some((_, behind))) if last.is_none_or(|last| at > last) => {
                    Node::Nobody(hop.ttl, Box::new(behind.clone()))
                }
                (None, Some((_, behind))) => Node::Silent(hop.ttl, Box::new(behind.clone())),
            };
            self.nodes
                .entry(node.clone())
                .or_default()
                .ttls
                .insert(hop.ttl);
            if let Some((_, behind)) = behind {
                let flows = self.edges.entry((behind, node.clone())).or_default();
                *flows.entry(round.flow).or_default() += 1;
            }
            if matches!(node, Node::Nobody(..)) {
                return;
            }
            before = Some((hop.ttl, node));
        }
    }

    /// The graph in the language of Graphviz.
    pub(super) fn lines(&self, target: &str, how: &str) -> Vec<String> {
        let mut lines = vec![
            format!("digraph {} {{", quoted(&format!("trace to {target}"))),
            "  rankdir=LR;".into(),
            "  node [shape=box, fontname=\"monospace\"];".into(),
            "  edge [fontname=\"monospace\"];".into(),
            format!("  label={};", quoted(&format!("{target}\n{how}"))),
        ];
        lines.extend(self.nodes.iter().map(|(node, facts)| shown(node, facts)));
        lines.extend(self.edges.iter().map(|((from, to), flows)| {
            let rounds: u32 = flows.values().sum();
            let by_flow: Vec<String> = flows
                .iter()
                .map(|(flow, n)| format!("flow {flow}: {n}"))
                .collect();
            format!(
                "  {} -> {} [label={}, weight={rounds}];",
                quoted(&name(from)),
                quoted(&name(to)),
                quoted(&by_flow.join("\n"))
            )
        }));
        lines.push("}".into());
        lines
    }
}

fn shown(node: &Node, facts: &Facts) -> String {
    let hops: Vec<String> = facts.ttls.iter().map(u8::to_string).collect();
    let hops = hops.join(", ");
    let (label, style) = match node {
        Node::Here => ("this host".to_owned(), ", shape=house"),
        Node::Silent(..) => (format!("hop {hops}\nsilent"), ", style=dashed"),
        Node::Nobody(..) => (format!("hop {hops} and on\nno answer"), ", style=dotted"),
        Node::Addr(addr) => {
            let mean = facts.rtt_ns as f64 / f64::from(facts.answers.max(1)) / 1e6;
            let mut label = format!(
                "{addr}\nhop {hops}\n{} answers, {mean:.2} ms",
                facts.answers
            );
            for said in &facts.refused {
                label.push_str(&format!("\n{said}"));
            }
            let style = match (facts.reached, facts.refused.is_empty()) {
                (true, _) => ", peripheries=2",
                (false, false) => ", color=red",
                (false, true) => "",
            };
            (label, style)
        }
    };
    format!(
        "  {} [label={}{style}];",
        quoted(&name(node)),
        quoted(&label)
    )
}

/// What a node is called within the graph.
fn name(node: &Node) -> String {
    match node {
        Node::Here => "this host".into(),
        Node::Addr(addr) => addr.to_string(),
        Node::Silent(ttl, behind) => format!("silent {ttl} behind {}", name(behind)),
        Node::Nobody(ttl, behind) => format!("nobody {ttl} behind {}", name(behind)),
    }
}

/// A quoted string of the language. It knows `\"` and, in labels, escapes of its own.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::observation::{HopSample, IcmpError};
    use crate::model::time::Rtt;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn hop(last: u8) -> HopAnswer {
        HopAnswer::TimeExceeded {
            from: ip(last),
            rtt: Rtt(1_000_000),
            return_ttl: None,
        }
    }

    fn end(last: u8) -> HopAnswer {
        HopAnswer::Reached {
            from: ip(last),
            rtt: Rtt(2_000_000),
            return_ttl: None,
        }
    }

    fn graph(rounds: &[(u16, &[(u8, HopAnswer)])]) -> Vec<String> {
        let mut graph = Graph::default();
        for (n, (flow, hops)) in rounds.iter().enumerate() {
            let hops = hops.iter().map(|(ttl, answer)| HopSample {
                ttl: *ttl,
                answer: *answer,
            });
            let mut round = TraceRound::new(ip(9), n as u32, hops.collect());
            round.flow = *flow;
            graph.take(&round);
        }
        graph.lines("t", "by test")
    }

    fn edges(lines: &[String]) -> Vec<String> {
        let edges = lines.iter().filter_map(|l| l.split_once(", weight"));
        let edges = edges.map(|(edge, _)| edge.trim().replace('"', ""));
        edges.collect()
    }

    #[test]
    fn flows_part_and_meet_again() {
        let one: &[(u8, HopAnswer)] = &[(1, hop(1)), (2, hop(2)), (3, end(9))];
        let other: &[(u8, HopAnswer)] = &[(1, hop(1)), (2, hop(3)), (3, end(9))];
        let lines = graph(&[(0, one), (1, other), (0, one)]);
        let wanted = [
            "this host -> 10.0.0.1 [label=flow 0: 2\\nflow 1: 1",
            "10.0.0.1 -> 10.0.0.2 [label=flow 0: 2",
            "10.0.0.1 -> 10.0.0.3 [label=flow 1: 1",
            "10.0.0.2 -> 10.0.0.9 [label=flow 0: 2",
            "10.0.0.3 -> 10.0.0.9 [label=flow 1: 1",
        ];
        assert_eq!(edges(&lines), wanted);
        assert!(
            lines
                .iter()
                .any(|l| l.contains("\"10.0.0.9\" [") && l.contains("peripheries=2"))
        );
    }

    #[test]
    fn silence_has_its_place_and_what_was_not_asked_has_none() {
        let silent = HopAnswer::Silent;
        let refused = HopAnswer::Unreachable {
            from: ip(5),
            rtt: Rtt(1),
            error: IcmpError::HostUnreachable,
        };
        for (hops, wanted) in [
            (
                vec![
                    (1, hop(1)),
                    (2, silent),
                    (3, hop(3)),
                    (4, silent),
                    (5, silent),
                ],
                vec![
                    "this host -> 10.0.0.1 [label=flow 0: 1",
                    "10.0.0.1 -> silent 2 behind 10.0.0.1 [label=flow 0: 1",
                    "10.0.0.3 -> nobody 4 behind 10.0.0.3 [label=flow 0: 1",
                    "silent 2 behind 10.0.0.1 -> 10.0.0.3 [label=flow 0: 1",
                ],
            ),
            (
                vec![(1, silent), (2, silent)],
                vec!["this host -> nobody 1 behind this host [label=flow 0: 1"],
            ),
            // A loop is one in the graph, too.
            (
                vec![(1, hop(1)), (2, hop(2)), (3, hop(1)), (4, hop(2))],
                vec![
                    "this host -> 10.0.0.1 [label=flow 0: 1",
                    "10.0.0.1 -> 10.0.0.2 [label=flow 0: 2",
                    "10.0.0.2 -> 10.0.0.1 [label=flow 0: 1",
                ],
            ),
            // The TTLs between were not asked in this round.
            (vec![(2, hop(2)), (4, hop(4)), (6, silent)], vec![]),
            (
                vec![(1, hop(1)), (2, refused)],
                vec![
                    "this host -> 10.0.0.1 [label=flow 0: 1",
                    "10.0.0.1 -> 10.0.0.5 [label=flow 0: 1",
                ],
            ),
        ] {
            assert_eq!(edges(&graph(&[(0, &hops)])), wanted, "{hops:?}");
        }
    }

    #[test]
    fn texts_can_not_end_their_quotes() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
        let mut graph = Graph::default();
        graph.take(&TraceRound::new(ip(9), 0, Vec::new()));
        let lines = graph.lines("http://h/\"];}\\", "x");
        assert_eq!(lines[0], r#"digraph "trace to http://h/\"];}\\" {"#);
    }
}
