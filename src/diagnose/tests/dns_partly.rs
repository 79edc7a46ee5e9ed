//! Resolvers that leave a part of the questions unanswered.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::Severity;
use crate::model::observation::ServerRole;

const Q: &str = "dns:api.example.com";
const NAME: &str = "api.example.com";

/// Questions for both types: one letter each round and type, `.` answered and `-` lost.
fn rounds(a: &str, aaaa: &str) -> Scene {
    rounds_in(Scene::host(Q), a, aaaa)
}

fn rounds_in(mut s: Scene, a: &str, aaaa: &str) -> Scene {
    for (a, aaaa) in a.chars().zip(aaaa.chars()) {
        for (rtype, letter) in [("A", a), ("AAAA", aaaa)] {
            let rcode = if letter == '.' { "NOERROR" } else { "-" };
            let role = ServerRole::Configured;
            s = s.asked(RESOLVER, role, (NAME, rtype), rcode, 1);
        }
    }
    s.over_tcp(RESOLVER, "NOERROR", 1)
}

#[test]
fn a_type_that_is_never_answered_makes_every_client_wait() {
    let s = rounds(".....", "-----");
    let j = s.judge();
    let x = j.only(code::RESOLVER_SLOW);
    assert_eq!(x.severity, Severity::Warning);
    assert!(
        x.summary.as_str().contains("never answers"),
        "{}",
        x.summary
    );
    assert!(x.summary.as_str().contains("api.example.com AAAA"));
    assert!(s.pending(Q).is_empty());
    // Too few to say so, and then it waits.
    let few = rounds("...", "---");
    few.judge().quiet();
    assert_eq!(few.pending(Q), ["dns"]);
    // The controls: it was answered once, or the other type is not answered either.
    let never = |a: &str, aaaa: &str| {
        let j = rounds(a, aaaa).judge();
        let said = j.get(code::RESOLVER_SLOW).map(|x| x.summary.to_string());
        said.is_some_and(|s| s.contains("never answers"))
    };
    assert!(never(".....", "-----"));
    assert!(!never(".....", "--.--"));
    assert!(!never(".----", "-----"));
}

#[test]
fn questions_that_are_lost_between_answered_ones_are_said_so() {
    let s = rounds(".-..-.", "..-...");
    let j = s.judge();
    let x = j.only(code::RESOLVER_SLOW);
    assert!(
        x.summary.as_str().contains("3 of 12 questions unanswered"),
        "{}",
        x.summary
    );
    assert!(s.pending(Q).is_empty());
    // One alone is chance, and is looked at until that is known.
    rounds(".-....", "......").judge().quiet();
    assert_eq!(rounds(".-..", "....").pending(Q), ["dns"]);
    assert!(rounds("......", "......").pending(Q).is_empty());
    // The way to everything loses packets: that is the fault.
    let both = Scene::of(&[Q, "10.0.5.2"]).look(|_| {});
    let lossy = rounds_in(both, ".-..-.", "..-...")
        .on("10.0.5.2")
        .at(0)
        .ping("10.0.5.2", 100, 200, |i| {
            if i % 4 == 0 { lost() } else { echo(3) }
        });
    let j = lossy.judge();
    assert!(j.get(code::PACKET_LOSS).is_some());
    assert!(j.get(code::RESOLVER_SLOW).is_none());
}
