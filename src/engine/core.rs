//! The engine's loop: facts in, verdicts and batches out. It never waits on a probe, a disk or a
//! console.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::plan::{self, Reach, Task};
use super::schedule::{self, Fact, World};
use crate::diagnose::{self, Change, Facts, Ledger};
use crate::model::command::{Batch, Command, Verdicts};
use crate::model::event::EventKind;
use crate::model::finding::TargetState;
use crate::model::observation::{ObsId, Observation};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::window::Window;

/// How often the plan and the verdicts are looked at again.
const JUDGE_EVERY: Duration = Duration::from_millis(200);
/// Observations held back for a console that does not take its batches; the oldest are dropped
/// then, the window has them anyway.
const HELD: usize = 4096;

/// State of the loop.
pub struct Core {
    world: World,
    window: Window,
    reach: Reach,
    thresholds: Thresholds,
    seen: watch::Sender<Arc<Window>>,
    running: BTreeMap<Task, Running>,
    ledger: Ledger,
    states: BTreeMap<TargetId, TargetState>,
    next_id: u64,
    batch: Vec<Observation>,
    verdicts: Verdicts,
    told: Option<Verdicts>,
}

/// A probe under way.
struct Running {
    stop: CancellationToken,
    audience: watch::Sender<BTreeSet<TargetId>>,
}

impl Core {
    /// A loop that has not started.
    pub fn new(
        world: World,
        window: Window,
        reach: Reach,
        thresholds: Thresholds,
        seen: watch::Sender<Arc<Window>>,
    ) -> Self {
        Self {
            world,
            window,
            reach,
            thresholds,
            seen,
            running: BTreeMap::new(),
            ledger: Ledger::default(),
            states: BTreeMap::new(),
            next_id: 0,
            batch: Vec::new(),
            verdicts: Verdicts::default(),
            told: None,
        }
    }

    /// Runs until told to leave, or until nobody listens any more.
    pub async fn run(
        mut self,
        mut facts: mpsc::Receiver<Fact>,
        mut commands: mpsc::Receiver<Command>,
        batches: mpsc::Sender<Batch>,
        mut desk: Desk,
    ) {
        let mut ticks = interval(JUDGE_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Leave) | None => break,
                    Some(command) => desk.take(command, &self.window).await,
                },
                () = desk.work() => {}
                Some(fact) = facts.recv() => {
                    self.take(fact);
                    // Drain what is waiting: one look at the plan serves them all.
                    while let Ok(fact) = facts.try_recv() {
                        self.take(fact);
                    }
                }
                _ = ticks.tick() => {
                    self.replan();
                    self.judge(&mut desk);
                    desk.tick(&self.window, self.world.clock.mono());
                }
            }
            self.hand_over(&batches, &mut desk);
        }
        for probe in self.running.values() {
            probe.stop.cancel();
        }
        let last = desk.leave(&self.window, self.world.clock.now()).await;
        let mut batch = self.next_batch(last);
        batch.events.extend(desk.events());
        // The last words: whoever still listens gets them, nobody waits for one who does not.
        let _ = tokio::time::timeout(Duration::from_millis(200), batches.send(batch)).await;
    }

    /// One observation for each target that the fact is about.
    fn take(&mut self, fact: Fact) {
        for target in fact.targets {
            let obs = Observation {
                id: ObsId(self.next_id),
                at: fact.at,
                target,
                how: fact.how.clone(),
                body: fact.body.clone(),
            };
            self.next_id += 1;
            self.window.take(&obs);
            if self.batch.len() >= HELD {
                self.batch.drain(..HELD / 2);
            }
            self.batch.push(obs);
        }
    }

    fn replan(&mut self) {
        // Probes adapt to what was seen; a copy on each tick costs less than a lock on each probe.
        let _ = self.seen.send(Arc::new(self.window.clone()));
        let wanted = plan::wanted(&self.window, self.reach, self.world.clock.mono()).0;
        self.running.retain(|task, probe| {
            let keep = wanted.contains_key(task);
            if !keep {
                probe.stop.cancel();
            }
            keep
        });
        for (task, targets) in wanted {
            if let Some(probe) = self.running.get(&task) {
                probe.audience.send_if_modified(|now| {
                    let joined = !targets.is_subset(now);
                    *now = targets;
                    joined
                });
                continue;
            }
            let stop = CancellationToken::new();
            let (audience, listening) = watch::channel(targets);
            let world = World {
                audience: listening,
                ..self.world.clone()
            };
            schedule::start(task.clone(), world, stop.clone());
            self.running.insert(task, Running { stop, audience });
        }
    }

    fn judge(&mut self, desk: &mut Desk) {
        let now = self.world.clock.now();
        let judged = diagnose::judge(&self.window, &self.thresholds, now);
        let facts = Facts {
            window: &self.window,
            thresholds: &self.thresholds,
            now,
        };
        let pending = self
            .window
            .order
            .iter()
            .filter_map(|id| self.window.targets.get(id))
            .map(|t| {
                let missing = diagnose::pending(&facts, t, &judged.findings);
                (
                    t.target.id.clone(),
                    missing.into_iter().map(SafeText::from).collect(),
                )
            })
            .collect();
        for change in self.ledger.update(judged.findings, now) {
            match change {
                Change::Opened(mut finding) => {
                    finding.runbooks = desk.runbooks_for(&finding.code);
                    self.ledger
                        .name_runbooks(&finding.key(), finding.runbooks.clone());
                    desk.record(EventKind::FindingOpened {
                        finding: Box::new(finding),
                    });
                }
                Change::Changed(finding) => desk.record(EventKind::FindingOpened {
                    finding: Box::new(finding),
                }),
                Change::Cleared(finding) => desk.record(EventKind::FindingCleared {
                    finding: Box::new(finding),
                }),
            }
        }
        for (id, state) in &judged.states {
            let before = self.states.insert(id.clone(), state.clone());
            let same = before.is_some_and(|b| b.label() == state.label());
            if same || *state == TargetState::Learning {
                continue;
            }
            let why = match state {
                TargetState::Degraded(w) | TargetState::Down(w) | TargetState::Unknown(w) => {
                    w.clone()
                }
                TargetState::Learning | TargetState::Ok => SafeText::default(),
            };
            desk.record(EventKind::TargetState {
                target: id.clone(),
                state: state.label().into(),
                why,
            });
        }
        self.verdicts = Verdicts {
            findings: self.ledger.open(),
            states: judged.states,
            ruled_out: judged.ruled_out,
            pending,
        };
    }

    /// Gives the console what there is, if it has room; else it is collected further.
    fn hand_over(&mut self, batches: &mpsc::Sender<Batch>, desk: &mut Desk) {
        if self.batch.is_empty() && !desk.has_news() && self.told.as_ref() == Some(&self.verdicts) {
            return;
        }
        let Ok(room) = batches.try_reserve() else {
            return;
        };
        let notices = desk.notices();
        let mut batch = self.next_batch(notices);
        batch.events = desk.events();
        room.send(batch);
    }

    fn next_batch(&mut self, notices: Vec<crate::model::command::Notice>) -> Batch {
        let changed = self.told.as_ref() != Some(&self.verdicts);
        if changed {
            self.told = Some(self.verdicts.clone());
        }
        Batch {
            at: self.world.clock.now(),
            observations: std::mem::take(&mut self.batch),
            events: Vec::new(),
            verdicts: changed.then(|| self.verdicts.clone()),
            notices,
        }
    }
}
