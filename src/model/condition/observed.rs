//! What a window of observations says, as facts for conditions.

use std::time::Duration;

use super::names::name;
use super::parse::{ConditionError, literal};
use super::{Facts, Value};
use crate::model::finding::{Finding, RuledOut, TargetState};
use crate::model::observation::{Outcome, PmtuHow};
use crate::model::target::TargetId;
use crate::model::time::Rtt;
use crate::model::window::{TargetWindow, Window};

/// Loss is told from that many pings on.
const LEAST_PINGS: u32 = 10;
/// How far back loss is counted.
const RECENT: Duration = Duration::from_secs(60);

impl Facts {
    /// What is known of one target, and of this host.
    pub fn of(
        window: &Window,
        target: &TargetId,
        findings: &[Finding],
        state: Option<&TargetState>,
        ruled_out: &[RuledOut],
    ) -> Self {
        let mut facts = Facts {
            firm: matches!(
                state,
                Some(TargetState::Ok | TargetState::Degraded(_) | TargetState::Down(_))
            ),
            ..Facts::default()
        };
        // A fault of this host is everybody's.
        let this = |f: &&Finding| f.until.is_none() && (f.concerns(target) || is_here(f));
        facts.findings = findings
            .iter()
            .filter(this)
            .map(|f| f.code.clone())
            .collect();
        facts.clean = ruled_out
            .iter()
            .filter(|r| r.subject == *target)
            .map(|r| r.what.as_str().to_owned())
            .collect();
        if let Some(local) = &window.local {
            facts.flag(
                "local.default_route",
                !local.value.default_routes.is_empty(),
            );
        }
        if let Some(of) = window.targets.get(target) {
            facts.devices = !of.devices.is_empty();
            facts.ping(window, of);
            facts.services(of);
            facts.tls(window, of);
        }
        facts
    }

    /// Notes a value written as text: `("ping.loss", "12 %")`.
    pub fn set_text(&mut self, key: &str, text: &str) -> Result<(), ConditionError> {
        let Some(name) = name(key) else {
            return Err(ConditionError {
                column: 1,
                message: format!("unknown name `{key}`; docs/runbooks.md lists the names"),
            });
        };
        self.set(name, literal(name, text)?);
        Ok(())
    }

    fn note(&mut self, key: &str, value: Value) {
        if let Some(name) = name(key) {
            self.set(name, value);
        }
    }
    fn flag(&mut self, key: &str, value: bool) {
        self.note(key, Value::Flag(value));
    }
    fn number(&mut self, key: &str, value: Option<f64>) {
        if let Some(value) = value {
            self.note(key, Value::Number(value));
        }
    }
    fn slowest(&mut self, key: &str, all: impl Iterator<Item = Rtt>) {
        self.number(key, all.map(Rtt::as_ms).reduce(f64::max));
    }

    fn ping(&mut self, window: &Window, of: &TargetWindow) {
        let now = window.newest.map(|s| s.mono);
        let best: Vec<_> = of
            .addresses()
            .iter()
            .filter_map(|a| of.best_ping_of(*a))
            .map(|(_, series)| series)
            .collect();
        let loss = best.iter().filter_map(|series| {
            let (sent, lost) = series.loss_since(now?.minus(RECENT));
            (sent >= LEAST_PINGS).then(|| f64::from(lost) * 100.0 / f64::from(sent))
        });
        self.number("ping.loss", loss.reduce(f64::max));
        let rtts = |share: f64| {
            best.iter()
                .filter_map(move |s| s.quality().percentile(share))
        };
        self.slowest("ping.rtt", rtts(0.5));
        self.slowest(
            "ping.rtt_max",
            best.iter().filter_map(|s| s.quality().max()),
        );
        self.slowest(
            "ping.jitter",
            best.iter().filter_map(|s| s.quality().jitter()),
        );
        if let Some((_, path)) = of.best_path() {
            self.flag("path.reached", path.reached_ttl().is_some());
            let hops = path.reached_ttl().or_else(|| path.farthest());
            self.number("path.hops", hops.map(f64::from));
        }
        let measured: Vec<_> = of
            .pmtu
            .values()
            .filter_map(|recent| recent.last()?.value.outcome.ok())
            .collect();
        let size = measured.iter().map(|p| f64::from(p.mtu)).reduce(f64::min);
        self.number("mtu.size", size);
        if !measured.is_empty() {
            let silent = |how: &PmtuHow| matches!(how, PmtuHow::Silent { .. });
            self.flag("mtu.black_hole", measured.iter().any(|p| silent(&p.how)));
        }
    }

    fn services(&mut self, of: &TargetWindow) {
        let asked = || {
            let all = of.tcp.values().filter_map(|r| r.last());
            all.map(|d| &d.value).filter(|s| s.asked)
        };
        if asked().next().is_some() {
            self.flag("tcp.open", asked().all(|s| s.outcome.ok().is_some()));
            let refused = |o: &Outcome<Rtt>| matches!(o, Outcome::Refused { .. });
            self.flag("tcp.refused", asked().any(|s| refused(&s.outcome)));
            self.slowest(
                "tcp.connect",
                asked().filter_map(|s| s.outcome.ok().copied()),
            );
        }
        let answers = || of.dns.values().filter_map(|r| r.last()).map(|d| &d.value);
        let mut worst: Option<String> = None;
        for sample in answers() {
            let code = match &sample.outcome {
                Outcome::Ok(answer) => answer.rcode.to_string(),
                Outcome::Timeout { .. } => "TIMEOUT".to_owned(),
                Outcome::Refused { .. } | Outcome::CannotTry { .. } => continue,
            };
            // The first that is bad stands for all.
            if worst.as_ref().is_none_or(|w| w == "NOERROR") {
                worst = Some(code);
            }
        }
        if let Some(code) = worst {
            self.note("dns.rcode", Value::Text(code));
        }
        self.slowest(
            "dns.time",
            answers().filter_map(|s| Some(s.outcome.ok()?.rtt)),
        );
        let pages = || {
            let all = of.http.values().filter_map(|r| r.last());
            all.filter_map(|d| d.value.outcome.ok())
        };
        let status = pages().map(|p| f64::from(p.status)).reduce(f64::max);
        self.number("http.status", status);
        self.slowest("http.first_byte", pages().map(|p| p.phases.first_byte));
    }

    fn tls(&mut self, window: &Window, of: &TargetWindow) {
        let tried = || {
            let all = of.tls.values().filter_map(|r| r.last());
            all.map(|d| &d.value.outcome)
                .filter(|o| !matches!(o, Outcome::CannotTry { .. }))
        };
        if tried().next().is_none() {
            return;
        }
        let fine = |o: &Outcome<_>| matches!(o, Outcome::Ok(_));
        let faultless = tried().filter_map(Outcome::ok).all(|s| s.faults.is_empty());
        self.flag("tls.ok", tried().all(fine) && faultless);
        let sessions = || tried().filter_map(Outcome::ok);
        self.slowest("tls.handshake", sessions().map(|s| s.handshake));
        let Some(now) = window.newest.map(|s| s.wall) else {
            return;
        };
        let left = sessions().filter_map(|s| {
            let leaf = s.chain.first()?;
            Some(leaf.not_after.duration_since(now).as_secs_f64() / 86_400.0)
        });
        self.number("tls.days_left", left.reduce(f64::min));
    }
}

/// Whether a fault is at this host.
fn is_here(finding: &Finding) -> bool {
    use crate::model::catalogue;
    use crate::model::finding::PlaceKind;
    finding.location.kind == PlaceKind::Local || finding.code == catalogue::LOCAL_INTERFACE_DOWN
}
