//! The engine's loop: facts in, verdicts and batches out. It never waits on a probe, a disk or a
//! console.

mod change;
mod samples;
mod targets;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use self::samples::Samples;
use super::Adopt;
use super::desk::Desk;
use super::origins::Owners;
use super::plan::{self, Reach, Task};
use super::schedule::{self, Fact, World};
use super::seen::Keeper;
use super::trial::Trials;
use crate::diagnose::{self, Change, Facts, Ledger};
use crate::model::command::{Batch, Command, Verdicts};
use crate::model::event::EventKind;
use crate::model::finding::TargetState;
use crate::model::observation::{Afterwards, Body, HopAnswer, ObsId, Observation};
use crate::model::target::TargetId;
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::Stamp;

/// Time between two looks at plan and verdicts while nothing is heard: silence is news as well.
const IDLE: Duration = Duration::from_secs(1);
/// The same while facts come in.
const STEADY: Duration = Duration::from_millis(200);
/// The same while every verdict is firm and all that comes in is as expected: no frame of a calm
/// screen comes sooner.
const CALM: Duration = Duration::from_millis(800);
/// The same while things begin to move: at the start, and after the plan has changed.
const LIVELY: Duration = Duration::from_millis(20);
/// How long they are thought to move.
const LIVELY_FOR: Duration = Duration::from_secs(2);
/// Share of a core that looking may take, as one in so many; with very many targets it is done
/// less often instead.
const ONE_IN: u32 = 100;
/// The longest time without a look while there is news.
const MOST: Duration = Duration::from_secs(2);
/// Time over which facts are gathered before they are looked at together.
const MOMENT: Duration = Duration::from_millis(25);
/// Observations held back for a console that does not take its batches; the oldest are dropped
/// then, the window has them anyway.
const HELD: usize = 4096;

/// State of the loop.
pub struct Core {
    world: World,
    window: Keeper,
    reach: Reach,
    thresholds: Thresholds,
    running: BTreeMap<Task, Running>,
    ledger: Ledger,
    owners: Option<Owners>,
    states: BTreeMap<TargetId, TargetState>,
    next_id: u64,
    batch: Vec<Observation>,
    verdicts: Verdicts,
    /// Whether they are others than the console knows.
    untold: bool,
    /// What is kept beside the events and was not handed to the recorder yet.
    samples: Samples,
    lively_until: Instant,
    /// Whether something came in since the last look that may change a verdict.
    stirred: bool,
    trials: Trials,
    /// When this session began.
    started: Stamp,
    /// What the last looks took; the least counts, since a stall of the host is no cost of ours.
    costs: [Duration; 3],
}

/// A probe under way.
struct Running {
    stop: CancellationToken,
    audience: watch::Sender<Arc<BTreeSet<TargetId>>>,
}

impl Core {
    /// A loop that has not started.
    pub fn new(
        world: World,
        window: Keeper,
        reach: Reach,
        thresholds: Thresholds,
        owners: Option<Owners>,
    ) -> Self {
        let started = world.clock.now();
        Self {
            world,
            window,
            reach,
            thresholds,
            running: BTreeMap::new(),
            ledger: Ledger::default(),
            owners,
            states: BTreeMap::new(),
            next_id: 0,
            batch: Vec::new(),
            verdicts: Verdicts::default(),
            untold: true,
            samples: Samples::default(),
            lively_until: Instant::now() + LIVELY_FOR,
            stirred: true,
            trials: Trials::default(),
            started,
            costs: [Duration::ZERO; 3],
        }
    }

    /// Runs until told to leave, or until nobody listens any more.
    pub async fn run(
        mut self,
        mut facts: mpsc::Receiver<Fact>,
        mut commands: mpsc::Receiver<Command>,
        batches: mpsc::Sender<Batch>,
        mut desk: Desk,
        adopt: Adopt,
    ) {
        let mut looked = Instant::now();
        let mut taken = looked;
        let mut news = true;
        self.samples.keep(desk.keeps_samples());
        loop {
            let next = looked + self.gap(news);
            // One waking serves all the facts of a moment.
            let gathered = taken + self.moment();
            let fact = async {
                sleep_until(gathered).await;
                facts.recv().await
            };
            tokio::select! {
                biased;
                command = commands.recv() => match command {
                    Some(Command::Leave) | None => break,
                    Some(Command::Flows { flows }) => {
                        self.world.flows.store(flows, Ordering::Relaxed);
                    }
                    Some(Command::AddTarget { ticket, target }) => {
                        self.add(*target, ticket, &adopt, &mut desk);
                    }
                    Some(Command::RemoveTarget { ticket, target }) => {
                        self.remove(target, ticket, &mut desk);
                    }
                    Some(Command::MarkChange { ticket, label }) => {
                        self.mark_change(ticket, label, &mut desk);
                    }
                    Some(Command::EndComparison { ticket }) => {
                        self.end_comparison(ticket, &mut desk);
                    }
                    Some(command) => {
                        if matches!(command, Command::Export { .. }) {
                            self.record_comparison(&mut desk);
                        }
                        desk.take(command, &self.world.seen).await;
                    }
                },
                () = desk.work() => self.hear_marks(&mut desk),
                () = sleep_until(next) => {
                    self.look(&mut desk);
                    (looked, news, self.stirred) = (Instant::now(), false, false);
                }
                Some(fact) = fact => {
                    self.take(fact);
                    // Drain what is waiting: one look at the plan serves them all.
                    while let Ok(fact) = facts.try_recv() {
                        self.take(fact);
                    }
                    self.window.tell();
                    self.samples.hand_over(&desk);
                    (taken, news) = (Instant::now(), true);
                    // What changes nothing waits for the look.
                    if self.is_calm() && !desk.has_news() {
                        continue;
                    }
                }
            }
            self.hand_over(&batches, &mut desk);
        }
        for probe in self.running.values() {
            probe.stop.cancel();
        }
        self.record_comparison(&mut desk);
        self.samples.last(self.world.clock.now(), &self.verdicts);
        self.samples.hand_over(&desk);
        let last = desk.leave(&self.world.seen).await;
        let mut batch = self.next_batch(last);
        batch.events.extend(desk.events());
        // The last words: whoever still listens gets them, nobody waits for one who does not.
        let _ = tokio::time::timeout(Duration::from_millis(200), batches.send(batch)).await;
    }

    /// One observation for each target that the fact is about.
    fn take(&mut self, fact: Fact) {
        if let Some(owners) = &mut self.owners {
            owners.learn(&fact.body);
        }
        self.stirred |= !is_as_expected(&fact.body);
        let mut window = self.window.write();
        for target in fact.targets.iter().cloned() {
            let obs = Observation {
                id: ObsId(self.next_id),
                at: fact.at,
                target,
                how: fact.how.clone(),
                body: fact.body.clone(),
            };
            self.next_id += 1;
            window.take(&obs);
            self.samples.seen(&obs);
            if self.batch.len() >= HELD {
                self.batch.drain(..HELD / 2);
            }
            self.batch.push(obs);
        }
    }

    /// How long facts are gathered: not long enough for anybody to notice.
    fn moment(&self) -> Duration {
        if Instant::now() < self.lively_until {
            MOMENT / 5
        } else {
            MOMENT
        }
    }

    /// Whether nothing that came in can change what is known, and nobody waits for a verdict.
    fn is_calm(&self) -> bool {
        !self.stirred
            && Instant::now() >= self.lively_until
            && self.batch.len() < HELD / 8
            && self.verdicts.pending.iter().all(|(_, p)| p.is_empty())
    }

    /// How long after the last look the next one is due.
    fn gap(&self, news: bool) -> Duration {
        let wanted = match (news, Instant::now() < self.lively_until) {
            (true, true) => LIVELY,
            (true, false) if self.is_calm() => CALM,
            (true, false) => STEADY,
            (false, _) => IDLE,
        };
        let cost = self.costs.iter().min().copied().unwrap_or_default();
        wanted.max(cost * ONE_IN).min(wanted.max(MOST))
    }

    fn look(&mut self, desk: &mut Desk) {
        let begun = Instant::now();
        self.replan();
        self.judge(desk);
        self.look_at_change(desk);
        let now = self.world.clock.mono();
        if let Some(owners) = &mut self.owners {
            let news = owners.news(&self.window.borrow(), now);
            self.samples.owners(self.world.clock.now(), &news);
            desk.tell(news);
        }
        desk.tick(&self.window.borrow(), now);
        self.samples.hand_over(desk);
        self.costs.rotate_right(1);
        self.costs[0] = begun.elapsed();
    }

    fn replan(&mut self) {
        let now = self.world.clock.mono();
        let wanted = plan::wanted(&self.window.borrow(), self.reach, now)
            .only(self.world.probes)
            .0;
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
                    if targets != **now {
                        *now = Arc::new(targets);
                    }
                    joined
                });
                continue;
            }
            self.lively_until = Instant::now() + LIVELY_FOR;
            let stop = CancellationToken::new();
            let (audience, listening) = watch::channel(Arc::new(targets));
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
        let window = self.window.borrow();
        let mut judged = diagnose::judge(&window, &self.thresholds, now);
        let facts = Facts {
            window: &window,
            thresholds: &self.thresholds,
            now,
        };
        let pending = window
            .order
            .iter()
            .filter_map(|id| window.targets.get(id))
            .map(|t| {
                let missing = diagnose::pending(&facts, t, &judged.findings);
                (
                    t.target.id.clone(),
                    missing
                        .into_iter()
                        .filter(|what| self.world.probes.can_tell(what))
                        .map(Cow::Borrowed)
                        .collect(),
                )
            })
            .collect();
        judged.findings = self.ledger.gather(&window, judged.findings);
        drop(window);
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
        self.ledger.hold(&mut judged.states);
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
        let verdicts = Verdicts {
            findings: self.ledger.open(),
            states: judged.states,
            ruled_out: judged.ruled_out,
            pending,
            comparison: self.verdicts.comparison.clone(),
        };
        self.untold |= verdicts != self.verdicts;
        self.samples.judged(now, &verdicts);
        self.verdicts = verdicts;
    }

    /// Gives the console what there is, if it has room; else it is collected further.
    fn hand_over(&mut self, batches: &mpsc::Sender<Batch>, desk: &mut Desk) {
        if self.batch.is_empty() && !desk.has_news() && !self.untold {
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
        let changed = std::mem::take(&mut self.untold);
        Batch {
            at: self.world.clock.now(),
            observations: std::mem::take(&mut self.batch),
            events: Vec::new(),
            verdicts: changed.then(|| self.verdicts.clone()),
            notices,
        }
    }
}

/// An answer like the ones before. Whatever else it is may matter at once.
fn is_as_expected(body: &Body) -> bool {
    match body {
        Body::Ping(p) => p.outcome.ok().is_some() && p.afterwards == Afterwards::default(),
        Body::Trace(r) => !r
            .hops
            .iter()
            .any(|h| matches!(h.answer, HopAnswer::Unreachable { .. })),
        Body::Local(_) => true,
        _ => false,
    }
}
