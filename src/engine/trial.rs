//! A change under comparison: begun by its mark, as it comes back from the record; judged at each
//! look; ended by a person, or by the next mark.
//!
//! A mark of this session is compared with what this session measured before it. One of an earlier
//! session (a console that was killed, and started again) with what its mark has on record. One
//! that somebody else sets now, with what was measured *here*: other ways, other figures.

use std::sync::Arc;
use std::time::Duration;

use crate::diagnose::compare;
use crate::model::compare::{Comparison, Figures, Measure, Verdict};
use crate::model::event::{Event, EventId, EventKind};
use crate::model::finding::{Finding, Severity, TargetState};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::{Mono, Stamp};
use crate::model::window::Window;

/// Time between two judgements: figures change slowly, and sorting takes time.
const EVERY: Duration = Duration::from_secs(1);
/// A mark this old that nobody ended is of another shift: a console that starts now does not take
/// it up again.
const TOO_OLD: Duration = Duration::from_secs(3600);
/// Figures that go on record with a mark; phases of exchanges are the first to be left out.
const ON_RECORD: usize = 120;

/// The change that is compared, if any.
#[derive(Debug, Default)]
pub struct Trials {
    /// A mark of this session on its way to the record.
    asked: Option<Side>,
    now: Option<Trial>,
    /// Marks whose comparison has ended.
    ended: Vec<EventId>,
    judged_at: Option<Mono>,
}

/// What stands on the side before a mark.
#[derive(Clone, Debug)]
struct Side {
    at: Stamp,
    figures: Vec<Figures>,
    open: Vec<SafeText>,
    left_out: usize,
}

#[derive(Debug)]
struct Trial {
    mark: EventId,
    label: SafeText,
    before: Side,
    /// This session answers for it: it set the mark, or goes on for a session that did.
    own: bool,
    /// The verdict that is on record.
    recorded: Option<Verdict>,
    stands: Arc<Comparison>,
}

/// What a trial is judged by.
pub struct Look<'a> {
    /// What was seen.
    pub window: &'a Window,
    /// The numbers to decide by.
    pub thresholds: &'a Thresholds,
    /// Findings that are open.
    pub open: &'a [Finding],
    /// State of each target.
    pub states: &'a [(TargetId, TargetState)],
    /// Now.
    pub now: Stamp,
}

impl Trials {
    /// A mark is set now: what was measured up to here. To be recorded.
    pub fn mark(&mut self, label: SafeText, look: &Look<'_>) -> EventKind {
        let side = before(look, look.now);
        let kind = EventKind::ChangeMarked {
            label,
            before: on_record(&side.figures),
            open: side.open.clone(),
        };
        self.asked = Some(side);
        kind
    }

    /// A mark or a verdict was read back. `started` is when this session began.
    pub fn hear(&mut self, event: &Event, started: Stamp, look: &Look<'_>) {
        match &event.kind {
            EventKind::ChangeMarked {
                label,
                before,
                open,
            } => {
                let id = event.id();
                let known = self.now.as_ref().is_some_and(|t| t.mark == id);
                let ago = look.now.wall.duration_since(event.at);
                let forgotten = ago.unsigned_abs() > TOO_OLD;
                if known || forgotten || self.ended.contains(&id) {
                    return;
                }
                let asked = self.asked.take_if(|s| s.at.wall <= event.at);
                let mine = asked.is_some();
                let earlier = event.at < started.wall;
                let side = asked.unwrap_or_else(|| match earlier {
                    true => Side {
                        at: at_wall(look.now, event),
                        figures: before.clone(),
                        open: open.clone(),
                        left_out: 0,
                    },
                    false => self::before(look, at_wall(look.now, event)),
                });
                let stands = Arc::new(Comparison {
                    mark: id.clone(),
                    at: event.when(),
                    label: label.clone(),
                    rows: compare::compare(
                        look.window,
                        look.thresholds,
                        &side.figures,
                        side.at,
                        look.now,
                    ),
                    left_out: side.left_out,
                    cleared: Vec::new(),
                    opened: Vec::new(),
                });
                self.ended.extend(self.now.take().map(|t| t.mark));
                self.now = Some(Trial {
                    mark: id,
                    label: label.clone(),
                    before: side,
                    own: mine || earlier,
                    recorded: None,
                    stands,
                });
            }
            EventKind::ChangeJudged {
                mark,
                verdict,
                ended,
                ..
            } => {
                if let Some(trial) = self.now.as_mut().filter(|t| t.mark == *mark) {
                    trial.recorded = Some(*verdict);
                }
                if *ended {
                    self.now.take_if(|t| t.mark == *mark);
                    self.ended.push(mark.clone());
                }
            }
            _ => {}
        }
    }

    /// Judges anew, if it is time; what is to be recorded then.
    pub fn look(&mut self, look: &Look<'_>) -> Option<EventKind> {
        let trial = self.now.as_mut()?;
        let since = self.judged_at.map(|at| look.now.mono.since(at));
        if since.is_some_and(|s| s < EVERY) {
            return None;
        }
        self.judged_at = Some(look.now.mono);
        trial.judge(look);
        let verdict = trial.stands.verdict();
        let news = trial.own && verdict.is_firm() && trial.recorded != Some(verdict);
        news.then(|| trial.record(false))
    }

    /// What is to be recorded if a person ends it; `None` where nothing is compared.
    pub fn end(&mut self, look: &Look<'_>) -> Option<EventKind> {
        let trial = self.now.as_mut()?;
        trial.judge(look);
        let kind = trial.record(true);
        self.ended.extend(self.now.take().map(|t| t.mark));
        Some(kind)
    }

    /// What is to be recorded before somebody reads the record: the figures as they stand.
    pub fn stand(&mut self, look: &Look<'_>) -> Option<EventKind> {
        let trial = self.now.as_mut().filter(|t| t.own)?;
        trial.judge(look);
        Some(trial.record(false))
    }

    /// How it stands.
    pub fn comparison(&self) -> Option<Arc<Comparison>> {
        self.now.as_ref().map(|t| Arc::clone(&t.stands))
    }
}

impl Trial {
    fn judge(&mut self, look: &Look<'_>) {
        let open = alarms(look.open);
        // What is still being learned, or is watched no more, has not ended.
        let unsettled: Vec<&TargetId> = look
            .states
            .iter()
            .filter(|(_, s)| *s == TargetState::Learning)
            .map(|(id, _)| id)
            .collect();
        let watched = |name: &SafeText| {
            let of = |id: &TargetId| {
                let of = format!(" of {}", words(id));
                name.as_str().ends_with(&of) || name.as_str().contains(&format!("{of} ("))
            };
            look.states.iter().any(|(id, _)| of(id)) && !unsettled.iter().any(|id| of(id))
        };
        let before = &self.before;
        let gone = before.open.iter().filter(|n| !open.contains(n));
        let cleared = gone.filter(|n| watched(n)).cloned().collect();
        let opened = open.iter().filter(|n| !before.open.contains(n));
        self.stands = Arc::new(Comparison {
            mark: self.mark.clone(),
            at: self.stands.at,
            label: self.label.clone(),
            rows: compare::compare(
                look.window,
                look.thresholds,
                &before.figures,
                before.at,
                look.now,
            ),
            left_out: before.left_out,
            cleared,
            opened: opened.cloned().collect(),
        });
    }

    fn record(&mut self, ended: bool) -> EventKind {
        let verdict = self.stands.verdict();
        self.recorded = Some(verdict);
        let after: Vec<Figures> = self.stands.rows.iter().map(|r| r.after.clone()).collect();
        EventKind::ChangeJudged {
            mark: self.mark.clone(),
            verdict,
            sentence: self.stands.sentence(),
            after: on_record(&after),
            ended,
        }
    }
}

fn before(look: &Look<'_>, at: Stamp) -> Side {
    let (ids, left_out) = compare::chosen(look.window, look.open);
    Side {
        at,
        figures: compare::before(look.window, &ids, look.open, at),
        open: alarms(look.open),
        left_out,
    }
}

/// Alarms that are open, in a few words each.
fn alarms(open: &[Finding]) -> Vec<SafeText> {
    let alarms = open.iter().filter(|f| f.severity > Severity::Info);
    alarms.map(compare::alarm).collect()
}

fn words(id: &TargetId) -> &str {
    match *id == TargetId::local() {
        true => "this host",
        false => id.as_str(),
    }
}

/// The mark of another session in the time of this one.
fn at_wall(now: Stamp, event: &Event) -> Stamp {
    let ago = Duration::try_from(now.wall.duration_since(event.at)).unwrap_or_default();
    Stamp {
        wall: event.at,
        mono: now.mono.minus(ago),
    }
}

fn on_record(figures: &[Figures]) -> Vec<Figures> {
    let phase = |f: &&Figures| matches!(f.measure, Measure::Phase(_));
    if figures.len() <= ON_RECORD {
        return figures.to_vec();
    }
    let whole = figures.iter().filter(|f| !phase(f));
    whole.take(ON_RECORD).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::tests::scene::*;
    use crate::model::event::{FORMAT, WriterId};

    const T: &str = "10.0.5.2";

    /// A world in which one target loses every second ping until the mark, and none after it.
    struct Night {
        scene: Scene,
        trials: Trials,
        seq: u64,
    }

    impl Night {
        fn new() -> Self {
            let scene = Scene::host(T).at(0).ping(T, 60, 1000, |n| match n % 2 {
                0 => lost(),
                _ => echo(3),
            });
            Self {
                scene,
                trials: Trials::default(),
                seq: 0,
            }
        }

        fn with<R>(&mut self, f: impl FnOnce(&mut Trials, &Look<'_>) -> R) -> R {
            let mut judged = self.scene.judge();
            // Pings alone leave much to be learned; that is not what these nights are about.
            for (_, state) in &mut judged.states {
                *state = TargetState::Ok;
            }
            let look = Look {
                window: &self.scene.window,
                thresholds: &Thresholds::default(),
                open: &judged.findings,
                states: &judged.states,
                now: self.scene.stamp(),
            };
            f(&mut self.trials, &look)
        }

        fn event(&mut self, writer: &str, kind: EventKind) -> Event {
            self.seq += 1;
            let at = self.scene.stamp();
            Event {
                v: FORMAT,
                seq: self.seq,
                writer: WriterId(writer.into()),
                at: at.wall,
                mono: at.mono,
                happened: None,
                prev: "00".into(),
                kind,
            }
        }

        fn hear(&mut self, event: &Event, started_ms: u64) {
            let started = Stamp::at_millis(started_ms);
            self.with(|t, look| t.hear(event, started, look));
        }

        fn mark(&mut self) -> Event {
            let kind = self.with(|t, look| t.mark("roll back 31".into(), look));
            let event = self.event("ana@jump1-1", kind);
            self.hear(&event, 0);
            event
        }

        fn well(&mut self, seconds: u32) {
            let scene = self.scene.clone();
            self.scene = scene.ping(T, seconds, 1000, |_| echo(3));
        }

        fn verdict(&self) -> Option<Verdict> {
            self.trials.comparison().map(|c| c.verdict())
        }
    }

    fn judged(kind: Option<EventKind>) -> (Verdict, String, bool) {
        match kind {
            Some(EventKind::ChangeJudged {
                verdict,
                sentence,
                ended,
                ..
            }) => (verdict, sentence.to_string(), ended),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_firm_verdict_goes_on_record_once_and_a_person_ends_it() {
        let mut night = Night::new();
        let mark = night.mark();
        let EventKind::ChangeMarked { before, open, .. } = &mark.kind else {
            panic!("{mark:?}");
        };
        assert!(before[0].asked > 50 && open[0].as_str().contains("packet-loss"));
        // Read back once more when it is saved: still one comparison.
        night.hear(&mark, 0);
        night.well(10);
        assert_eq!(night.with(Trials::look), None);
        assert_eq!(night.verdict(), Some(Verdict::Early));
        night.well(70);
        let (verdict, sentence, ended) = judged(night.with(Trials::look));
        assert_eq!((verdict, ended), (Verdict::Better, false));
        assert!(
            sentence.starts_with("better: loss of 10.0.5.2 5"),
            "{sentence}"
        );
        assert!(
            sentence.contains("; cleared since: packet-loss of 10.0.5.2"),
            "{sentence}"
        );
        night.well(2);
        assert_eq!(night.with(Trials::look), None, "said once");
        let (verdict, _, ended) = judged(night.with(Trials::end));
        assert_eq!((verdict, ended), (Verdict::Better, true));
        assert!(night.trials.comparison().is_none());
        // Its own mark, read again, begins nothing anew.
        night.hear(&mark, 0);
        assert!(night.trials.comparison().is_none());
    }

    #[test]
    fn a_session_that_goes_on_compares_with_what_the_mark_has_on_record() {
        let mut first = Night::new();
        let mark = first.mark();
        // Another process: it has seen nothing of what was before.
        let mut second = Night::new();
        second.scene = Scene::host(T).at(61_000).ping(T, 40, 1000, |_| echo(3));
        second.hear(&mark, 60_500);
        second.well(60);
        let (verdict, ..) = judged(second.with(Trials::look));
        assert_eq!(verdict, Verdict::Better);
        // A mark of last night is left alone.
        let mut third = Night::new();
        third.scene = Scene::host(T).at(8_000_000).ping(T, 40, 1000, |_| echo(3));
        third.hear(&mark, 7_999_000);
        assert!(third.trials.comparison().is_none());
    }

    #[test]
    fn a_mark_that_somebody_else_sets_is_judged_from_here_and_recorded_there() {
        let mut night = Night::new();
        let kind = EventKind::ChangeMarked {
            label: "ben's".into(),
            before: Vec::new(),
            open: Vec::new(),
        };
        let theirs = night.event("ben@jump2-9", kind);
        night.hear(&theirs, 0);
        night.well(80);
        assert_eq!(night.with(Trials::look), None, "ben's console records it");
        assert_eq!(night.verdict(), Some(Verdict::Better));
        let end = EventKind::ChangeJudged {
            mark: theirs.id(),
            verdict: Verdict::Better,
            sentence: "better".into(),
            after: Vec::new(),
            ended: true,
        };
        let end = night.event("ben@jump2-9", end);
        night.hear(&end, 0);
        assert!(night.trials.comparison().is_none());
        assert_eq!(night.with(Trials::end), None);
    }
}
