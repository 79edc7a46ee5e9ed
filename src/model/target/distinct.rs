//! Targets that look alike once their secrets are masked.

use super::{Target, TargetId, TargetKind};

/// Each target once, in their order. URLs that differ in a masked secret only are two targets,
/// and the second goes by a number: `https://h/?token=*** (2)`. The number says nothing of the
/// secret, so it is good for one run only: it follows the order in which they were given.
pub fn distinct(targets: Vec<Target>) -> Vec<Target> {
    let mut out: Vec<Target> = Vec::new();
    let mut bare: Vec<TargetId> = Vec::new();
    for mut target in targets {
        let label = target.id.clone();
        let same = |(b, t): &(&TargetId, &Target)| **b == label && is_same(t, &target);
        if bare.iter().zip(&out).any(|pair| same(&pair)) {
            continue;
        }
        let alike = bare.iter().filter(|b| **b == label).count();
        if alike > 0 {
            target.id = TargetId(format!("{label} ({})", alike + 1).into());
        }
        bare.push(label);
        out.push(target);
    }
    out
}

fn is_same(a: &Target, b: &Target) -> bool {
    match (&a.kind, &b.kind) {
        (TargetKind::Url(a), TargetKind::Url(b)) => a == b,
        // A community is asked for with the first one given.
        _ => true,
    }
}

/// What a target is parsed from that was recorded by its name: the number of [`distinct`] is left
/// out.
pub fn recorded(id: &TargetId) -> &str {
    let text = id.as_str();
    match text.rsplit_once(" (") {
        Some((label, number)) if number.trim_end_matches(')').parse::<u32>().is_ok() => label,
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_in_a_secret_only_is_not_the_same() {
        let typed = [
            "https://h/?token=aaaa1&x=1",
            "https://h/?token=bbbb2&x=1",
            "https://h/?token=aaaa1&x=1",
            "https://h/?token=cccc3&x=1",
            "h:443",
            "h:443",
            "https://u:pass@h/",
            "https://u:other@h/",
            "snmp://one@sw",
            "snmp://two@sw",
        ];
        let parsed = typed.iter().map(|t| Target::parse(t).unwrap());
        let all = distinct(parsed.collect());
        let ids: Vec<&str> = all.iter().map(|t| t.id.as_str()).collect();
        let wanted = [
            "https://h/?token=***&x=1",
            "https://h/?token=***&x=1 (2)",
            "https://h/?token=***&x=1 (3)",
            "h:443",
            // User and password are not sent: the same question.
            "https://***@h/",
            "snmp://***@sw",
        ];
        assert_eq!(ids, wanted);
        assert_ne!(all[0].kind, all[1].kind);
        // Done twice it is the same.
        assert_eq!(distinct(all.clone()), all);
        assert_eq!(recorded(&all[1].id), ids[0]);
        assert_eq!(recorded(&all[3].id), "h:443");
    }
}
