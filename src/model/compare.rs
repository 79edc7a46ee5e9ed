//! Before and after a change: what was measured on both sides, how sure that is, and the verdict.
//!
//! The judging is done in [`crate::diagnose`]; here is what there is to say, and in what words.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::EventId;
use super::stats::{median_ranks, percent, wilson};
use super::target::TargetId;
use super::text::SafeText;
use super::time::Rtt;

/// Figures that one sentence tells.
const TOLD: usize = 4;

/// What a change brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Better than before, and chance is excluded.
    Better,
    /// Worse, and chance is excluded.
    Worse,
    /// Some of it better, some worse.
    Mixed,
    /// A difference that matters would have shown by now.
    Same,
    /// Chance is not excluded yet.
    Early,
    /// There is too little from before the change: it will never be known.
    Blind,
}

impl Verdict {
    /// In words.
    pub const fn label(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Mixed => "better and worse",
            Verdict::Same => "no difference seen",
            Verdict::Early => "too early to tell",
            Verdict::Blind => "too little before",
        }
    }

    /// Whether more of the same evidence is not needed.
    pub const fn is_firm(self) -> bool {
        !matches!(self, Verdict::Early | Verdict::Blind)
    }

    /// One verdict of several: what is known to have changed counts most, then what is open.
    pub fn of_all(all: impl IntoIterator<Item = Verdict>) -> Verdict {
        let all: Vec<_> = all.into_iter().collect();
        let has = |v: Verdict| all.contains(&v);
        match (
            has(Verdict::Better) || has(Verdict::Mixed),
            has(Verdict::Worse) || has(Verdict::Mixed),
        ) {
            (true, true) => Verdict::Mixed,
            (true, false) => Verdict::Better,
            (false, true) => Verdict::Worse,
            _ if has(Verdict::Early) || all.is_empty() => Verdict::Early,
            _ if has(Verdict::Same) => Verdict::Same,
            _ => Verdict::Blind,
        }
    }
}

/// What is measured of a target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Pings: loss and round-trip time.
    Ping,
    /// Questions to a DNS server: those without a good answer, and the time of the others.
    Dns(SafeText),
    /// HTTP exchanges: those that fail, and the whole time of the others.
    Http,
    /// A phase of those exchanges; tells where the time went, and counts for no verdict.
    Phase(SafeText),
}

impl Measure {
    /// What its failures are called.
    pub fn failures(&self) -> &'static str {
        match self {
            Measure::Ping => "loss",
            Measure::Dns(_) => "failed answers",
            Measure::Http | Measure::Phase(_) => "failed requests",
        }
    }

    /// What its times are called.
    pub fn times(&self) -> String {
        match self {
            Measure::Ping => "RTT".into(),
            Measure::Dns(server) => format!("DNS {server}"),
            Measure::Http => "HTTP".into(),
            Measure::Phase(name) => name.to_string(),
        }
    }
}

/// The middle of some times, and between what the true one lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Middle {
    /// Times.
    pub count: u32,
    /// Their median.
    pub mid: Rtt,
    /// Its 95 % interval, whatever the distribution; `None` for fewer than six.
    pub between: Option<(Rtt, Rtt)>,
}

impl Middle {
    /// Of these times; `None` of none.
    pub fn of(times: impl IntoIterator<Item = Rtt>) -> Option<Self> {
        let mut sorted: Vec<Rtt> = times.into_iter().collect();
        sorted.sort_unstable();
        let between = median_ranks(sorted.len())
            .and_then(|(low, high)| Some((*sorted.get(low)?, *sorted.get(high)?)));
        Some(Self {
            count: u32::try_from(sorted.len()).unwrap_or(u32::MAX),
            mid: *sorted.get(sorted.len().checked_sub(1)? / 2)?,
            between,
        })
    }

    /// `12.1 ms (11.9–12.4)`.
    pub fn words(&self) -> String {
        match self.between {
            Some((low, high)) => {
                format!("{} ({:.1}–{:.1})", self.mid, low.as_ms(), high.as_ms())
            }
            None => format!("{} (n {})", self.mid, self.count),
        }
    }
}

/// Figures of one measure over a stretch of time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Of which target.
    pub target: TargetId,
    /// What was measured.
    pub measure: Measure,
    /// By what way, and where to.
    pub how: SafeText,
    /// How often.
    pub asked: u32,
    /// How many of these failed; `None` where a failure proves nothing (rationed answers).
    pub failed: Option<u32>,
    /// Times of those that did not.
    pub time: Option<Middle>,
}

impl Figures {
    /// 95 % interval of the share that fails.
    pub fn share(&self) -> Option<(f64, f64)> {
        Some(wilson(self.failed?, self.asked)).filter(|_| self.asked > 0)
    }

    /// `20 % of 60 (12–32)`.
    pub fn share_words(&self) -> Option<String> {
        let (low, high) = self.share()?;
        let share = f64::from(self.failed?) / f64::from(self.asked);
        let bound = |x: f64| percent(x).trim_end_matches(" %").to_owned();
        Some(format!(
            "{} of {} ({}–{})",
            percent(share),
            self.asked,
            bound(low),
            bound(high)
        ))
    }
}

/// One measure before and after.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// Up to the mark.
    pub before: Figures,
    /// Since then; the same measure of the same target.
    pub after: Figures,
    /// Verdict on the share that fails; `None` where it proves nothing.
    pub share: Option<Verdict>,
    /// Verdict on the times; `None` where there are none on either side.
    pub time: Option<Verdict>,
}

impl Compared {
    /// Verdict on both.
    pub fn verdict(&self) -> Verdict {
        Verdict::of_all(self.share.into_iter().chain(self.time))
    }

    /// Whether it counts for the verdict on the change.
    pub fn counts(&self) -> bool {
        !matches!(self.before.measure, Measure::Phase(_))
    }

    /// What is different, a phrase each: `loss of api 20 % of 60 (12–32) → 0 % of 80 (0–4.6)`.
    fn phrases(&self) -> Vec<(Verdict, String)> {
        let (measure, target) = (&self.before.measure, name(&self.before.target));
        let mut out = Vec::new();
        if let (Some(v), Some(before), Some(after)) = (
            self.share,
            self.before.share_words(),
            self.after.share_words(),
        ) {
            let what = measure.failures();
            let at = match measure {
                Measure::Dns(server) => format!("{target} at {server}"),
                _ => target.to_owned(),
            };
            out.push((v, format!("{what} of {at} {before} → {after}")));
        }
        if let (Some(v), Some(before), Some(after)) = (self.time, self.before.time, self.after.time)
        {
            let what = measure.times();
            let (before, after) = (before.words(), after.words());
            out.push((v, format!("{what} of {target} {before} → {after}")));
        }
        out
    }
}

fn name(id: &TargetId) -> &str {
    match *id == TargetId::local() {
        true => "this host",
        false => id.as_str(),
    }
}

/// A change under comparison, as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The mark.
    pub mark: EventId,
    /// When.
    pub at: Timestamp,
    /// What was changed; may be empty.
    pub label: SafeText,
    /// All that is measured on both sides, in the order of the targets.
    pub rows: Vec<Compared>,
    /// Targets that are left out because there are too many.
    pub left_out: usize,
    /// Alarms that were open at the mark and have cleared.
    pub cleared: Vec<SafeText>,
    /// Alarms that opened since.
    pub opened: Vec<SafeText>,
}

impl Comparison {
    /// Verdict on the change.
    pub fn verdict(&self) -> Verdict {
        let counting = self.rows.iter().filter(|r| r.counts());
        Verdict::of_all(counting.map(Compared::verdict))
    }

    /// What was measured of one target.
    pub fn of<'a>(&'a self, target: &'a TargetId) -> impl Iterator<Item = &'a Compared> {
        self.rows.iter().filter(|r| r.before.target == *target)
    }

    /// Verdict on one target; `None` where nothing of it is compared.
    pub fn verdict_of(&self, target: &TargetId) -> Option<Verdict> {
        let mut counting = self.of(target).filter(|r| r.counts()).peekable();
        counting.peek()?;
        Some(Verdict::of_all(counting.map(Compared::verdict)))
    }

    /// The verdict with the figures it rests on, and what became of the alarms.
    pub fn sentence(&self) -> SafeText {
        let mut said = self.verdict().label().to_owned();
        let rows = self.rows.iter().filter(|r| r.counts());
        let phrases: Vec<_> = rows.flat_map(Compared::phrases).collect();
        let of = |wanted: &[Verdict]| -> Vec<&str> {
            let all = phrases.iter().filter(|(v, _)| wanted.contains(v));
            all.map(|(_, words)| words.as_str()).collect()
        };
        // What is worse comes first: it may have to be undone.
        let changed = [of(&[Verdict::Worse]), of(&[Verdict::Better])].concat();
        let told = match changed.is_empty() {
            true => of(&[Verdict::Early, Verdict::Same]),
            false => changed,
        };
        if !told.is_empty() {
            let shown = told.get(..TOLD).unwrap_or(&told).join("; ");
            said.push_str(&format!(": {shown}"));
        }
        let left = told.len().saturating_sub(TOLD);
        if left > 0 {
            said.push_str(&format!("; and {left} more figures"));
        }
        let alarms = |names: &[SafeText]| -> String {
            let shown: Vec<_> = names.iter().take(TOLD).map(|n| n.as_str()).collect();
            let more = names.len().saturating_sub(TOLD);
            match more {
                0 => shown.join(", "),
                n => format!("{} and {n} more", shown.join(", ")),
            }
        };
        if !self.cleared.is_empty() {
            said.push_str(&format!("; cleared since: {}", alarms(&self.cleared)));
        }
        if !self.opened.is_empty() {
            said.push_str(&format!("; opened since: {}", alarms(&self.opened)));
        }
        SafeText::capped(&said, 4096)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verdicts_add_up() {
        use Verdict::*;
        for (all, one) in [
            (vec![], Early),
            (vec![Same, Same], Same),
            (vec![Same, Blind], Same),
            (vec![Blind], Blind),
            (vec![Same, Early], Early),
            (vec![Better, Early, Same], Better),
            (vec![Worse, Blind], Worse),
            (vec![Better, Worse], Mixed),
            (vec![Mixed, Same], Mixed),
        ] {
            assert_eq!(Verdict::of_all(all.clone()), one, "{all:?}");
        }
    }

    fn figures(asked: u32, failed: u32, ms: &[u64]) -> Figures {
        Figures {
            target: TargetId("api".into()),
            measure: Measure::Ping,
            how: "ICMP raw".into(),
            asked,
            failed: Some(failed),
            time: Middle::of(ms.iter().map(|ms| Rtt(ms * 1_000_000))),
        }
    }

    #[test]
    fn the_sentence_holds_both_sides_and_their_uncertainty() {
        let row = Compared {
            before: figures(60, 12, &[10; 48]),
            after: figures(80, 0, &[10, 11, 12, 13, 14, 15]),
            share: Some(Verdict::Better),
            time: Some(Verdict::Same),
        };
        let c = Comparison {
            mark: EventId("w:1".into()),
            at: Timestamp::UNIX_EPOCH,
            label: SafeText::default(),
            rows: vec![row],
            left_out: 0,
            cleared: vec!["packet-loss of api".into()],
            opened: Vec::new(),
        };
        assert_eq!(
            c.sentence().as_str(),
            "better: loss of api 20 % of 60 (12–32) → 0 % of 80 (0–4.6); \
             cleared since: packet-loss of api"
        );
        assert_eq!(c.verdict_of(&TargetId("api".into())), Some(Verdict::Better));
        assert_eq!(c.verdict_of(&TargetId("db".into())), None);
    }

    #[test]
    fn few_times_are_not_bounded() {
        let few = Middle::of([1, 2, 3].map(|ms| Rtt(ms * 1_000_000))).unwrap();
        assert_eq!((few.mid, few.between), (Rtt(2_000_000), None));
        assert_eq!(few.words(), "2.00 ms (n 3)");
        assert_eq!(Middle::of([]), None);
    }
}
