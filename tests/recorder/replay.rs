//! What is shown again is what was shown: the same screens from the record as from the probes.

use std::net::{IpAddr, Ipv4Addr};

use warroom::console::state::key::Key;
use warroom::console::state::message::Message;
use warroom::console::state::{App, AppInit, Settings};
use warroom::diagnose;
use warroom::engine::recorder::Sample;
use warroom::engine::replay::Archive;
use warroom::model::command::{Batch, Command as Asked, Verdicts};
use warroom::model::observation::{
    Body, Echo, HopAnswer, HopSample, How, Method, ObsId, Observation, Outcome, PingSample,
    Resolution, TraceRound,
};
use warroom::model::target::Target;
use warroom::model::thresholds::Thresholds;
use warroom::model::time::{Mono, Rtt, Stamp};
use warroom::model::travel::{Past, Step, Travel};
use warroom::model::window::Window;

use super::rig::*;

/// How long the session lasts, in seconds.
const SECONDS: u64 = 180;

struct Scene {
    base: Stamp,
    targets: Vec<Target>,
    dir: tempfile::TempDir,
    folder: Option<Folder>,
}

/// One moment of the session: what was seen in it and what was made of it.
struct Moment {
    at: Stamp,
    seen: Vec<Observation>,
    verdicts: Option<Verdicts>,
}

impl Scene {
    fn new() -> Self {
        let names = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];
        // On the steps that samples are kept in.
        let wall = Timestamp::from_second(Timestamp::now().as_second() + 2).unwrap();
        Self {
            base: Stamp {
                wall,
                mono: Mono(7_000_000_000),
            },
            targets: names.iter().map(|n| Target::parse(n).unwrap()).collect(),
            dir: tempfile::tempdir().unwrap(),
            folder: None,
        }
    }

    fn at(&self, ms: u64) -> Stamp {
        self.base
            .moved_to(self.base.mono.plus(Duration::from_millis(ms)))
    }

    /// All that happens. One target stops to answer after a minute, for a minute.
    fn moments(&self) -> Vec<Moment> {
        let mut window = Window::new(self.targets.iter().cloned());
        let mut told = Verdicts::default();
        let mut id = 0;
        let mut all = Vec::new();
        for second in 0..SECONDS {
            let mut seen = Vec::new();
            for (n, target) in self.targets.iter().enumerate() {
                let dst: IpAddr = Ipv4Addr::new(192, 0, 2, n as u8 + 1).into();
                let mut add = |ms: u64, method, body| {
                    id += 1;
                    seen.push(Observation {
                        id: ObsId(id),
                        at: self.at(second * 1000 + ms),
                        target: target.id.clone(),
                        how: How::best(method),
                        body,
                    });
                };
                if second == 0 {
                    let name = target.id.as_str().into();
                    let outcome = Outcome::Ok(vec![dst]);
                    add(
                        1,
                        Method::Literal,
                        Body::Resolve(Resolution { name, outcome }),
                    );
                }
                let dead = n == 1 && (60..120).contains(&second);
                let rtt = Rtt(2_000_000 + second * 7919 % 100 * 1000);
                let outcome = match dead {
                    true => Outcome::Timeout {
                        after: Rtt(400_000_000),
                    },
                    false => Outcome::Ok(Echo {
                        rtt,
                        reply_ttl: Some(60),
                        reply_tos: None,
                        corrupt: false,
                    }),
                };
                add(
                    500 + n as u64,
                    Method::IcmpDatagram,
                    Body::Ping(PingSample {
                        dst,
                        port: None,
                        seq: second as u32,
                        sent: self.at(second * 1000 + 100).mono,
                        size: None,
                        outcome,
                        afterwards: Default::default(),
                    }),
                );
                if second % 5 == 0 {
                    let gateway = HopAnswer::TimeExceeded {
                        from: "198.51.100.1".parse().unwrap(),
                        rtt: Rtt(900_000),
                        return_ttl: Some(64),
                    };
                    let end = match dead {
                        true => HopAnswer::Silent,
                        false => HopAnswer::Reached {
                            from: dst,
                            rtt,
                            return_ttl: Some(60),
                        },
                    };
                    let hops =
                        [(1, gateway), (2, end)].map(|(ttl, answer)| HopSample { ttl, answer });
                    let round = TraceRound::new(dst, second as u32 / 5, hops.to_vec());
                    add(700 + n as u64, Method::IcmpDatagram, Body::Trace(round));
                }
            }
            seen.sort_by_key(|o| o.at.mono);
            seen.iter().for_each(|o| window.take(o));
            let at = self.at(second * 1000 + 800);
            let judged = diagnose::judge(&window, &Thresholds::default(), at);
            let verdicts = Verdicts {
                findings: judged.findings,
                states: judged.states,
                ruled_out: judged.ruled_out,
                pending: Vec::new(),
                comparison: None,
            };
            let changed = verdicts != told;
            told = verdicts.clone();
            let verdicts = changed.then_some(verdicts);
            all.push(Moment { at, seen, verdicts });
        }
        all
    }

    fn record(&mut self) {
        let mut who = who("ana");
        who.targets = self.targets.iter().map(|t| t.id.clone()).collect();
        let mut rig = Rig::with(Place::New(store_in(self.dir.path())), who, Secrets::new());
        rig.note("keep it");
        for moment in self.moments() {
            let verdicts = moment
                .verdicts
                .map(|v| Sample::Judged(moment.at, Box::new(v)));
            let samples: Vec<_> = moment
                .seen
                .into_iter()
                .map(Sample::Seen)
                .chain(verdicts)
                .collect();
            rig.handle.samples(samples.into_iter());
        }
        let leave = rig.handle.flush_and_stop(Duration::from_secs(30));
        self.folder = leave.folder;
    }

    fn app(&self) -> App {
        App::new(AppInit {
            targets: self.targets.clone(),
            incident_name: "scene".into(),
            incident_dir: "scene".into(),
            who: "ana@jump1".into(),
            cwd: "/".into(),
            started: self.at(0),
            utf8: true,
            size: (120, 40),
            settings: Settings::default(),
        })
    }

    /// The console as it was after so many milliseconds.
    fn live(&self, until: u64) -> App {
        let mut app = self.app();
        self.feed(&mut app, 0, until);
        app.update(Message::Tick(self.at(until)));
        app
    }

    fn feed(&self, app: &mut App, after: u64, until: u64) {
        for moment in self.moments() {
            if moment.at.mono > self.at(after).mono && moment.at.mono <= self.at(until).mono {
                app.update(Message::Batch(Box::new(Batch {
                    at: moment.at,
                    observations: moment.seen,
                    events: Vec::new(),
                    verdicts: moment.verdicts,
                    notices: Vec::new(),
                })));
            }
        }
    }

    fn archive(&self) -> Archive {
        Archive::new(self.folder.as_ref().unwrap())
    }
}

/// Does what the console asks of the past, at once.
fn answer(app: &mut App, archive: &mut Archive, asked: Vec<Asked>, now: Stamp) {
    for command in asked {
        if let Asked::Travel(travel) = command {
            go(app, archive, travel, now);
        }
    }
}

fn go(app: &mut App, archive: &mut Archive, travel: Travel, now: Stamp) {
    archive.travel(travel, &mut |part| {
        tell(app, part.map_err(|why| panic!("{why}")).unwrap(), now);
        true
    });
}

fn tell(app: &mut App, part: Past, now: Stamp) {
    app.update(Message::Batch(Box::new(Batch {
        at: now,
        observations: Vec::new(),
        events: Vec::new(),
        verdicts: None,
        notices: vec![Notice::Past(Box::new(part))],
    })));
}

/// What the screens of targets say. The timeline and the end of the overview hold events, which
/// the two consoles got in different ways.
fn said(app: &mut App) -> Vec<String> {
    let mut all = Vec::new();
    for key in ['1', '2', '3', '4', '5', '6', '7'] {
        app.update(Message::Key(Key::Char(key)));
        let (_, lines) = app.pane_text(120);
        let lines = lines.iter().map(|l| l.as_str().to_owned());
        all.extend(lines.take_while(|l| !l.contains("TIMELINE")));
    }
    app.update(Message::Key(Key::Char('1')));
    all
}

#[test]
fn what_is_shown_again_is_what_was_shown() {
    let mut scene = Scene::new();
    scene.record();
    let mut archive = scene.archive();
    let mut replay = scene.app().for_replay();
    // Forward in steps, far forward, back: each from another place.
    let mut different = BTreeSet::new();
    for ms in [
        30_900, 31_900, 90_900, 150_900, 70_900, 10_900, 179_900, 179_900,
    ] {
        let to = scene.at(ms).wall;
        go(&mut replay, &mut archive, Travel::To(to), scene.at(0));
        let expected = said(&mut scene.live(ms));
        assert_eq!(said(&mut replay), expected, "after {ms} ms");
        different.insert(expected);
    }
    assert_eq!(
        different.len(),
        7,
        "instants that look the same prove little"
    );
    let down = different
        .iter()
        .any(|s| s.iter().any(|l| l.contains("down")));
    assert!(down, "the fault is among them: {different:?}");
}

#[test]
fn live_goes_on_behind_the_past_and_nothing_is_missed() {
    let mut scene = Scene::new();
    scene.record();
    let mut archive = scene.archive();
    let mut app = scene.live(50_900);
    let (asked, now) = (app.update(Message::Key(Key::Char(','))), scene.at(50_900));
    assert!(matches!(
        asked[..],
        [Asked::Travel(Travel::Step {
            by: Step::Minute,
            forward: false
        })]
    ));
    go(
        &mut app,
        &mut archive,
        Travel::To(scene.at(30_900).wall),
        now,
    );
    let past = said(&mut scene.live(30_900));
    assert_eq!(said(&mut app), past);
    // The fault begins meanwhile; the screen stays where it is, and says that there is news.
    scene.feed(&mut app, 50_900, 100_900);
    assert_eq!(said(&mut app), past);
    let (words, _) = app.past_words().unwrap();
    assert!(
        words.contains("PAST") && words.contains("NEW ALARM"),
        "{words}"
    );
    // A note is about the instant that is shown.
    for key in "nodd".chars().map(Key::Char).chain([Key::Enter]) {
        let asked = app.update(Message::Key(key));
        if let [Asked::Note { happened, text, .. }] = &asked[..] {
            assert_eq!(
                (text.as_str(), *happened),
                ("odd", Some(scene.at(30_900).wall))
            );
        }
    }
    // What is about now is refused, and what leads elsewhere is asked for.
    let asked = app.update(Message::Key(Key::Char('m')));
    assert!(asked.is_empty() && app.remark().unwrap().0.as_str().contains("back to now"));
    let asked = app.update(Message::Key(Key::Char('T')));
    assert_eq!(asked, [Asked::Travel(Travel::Leave)]);
    app.update(Message::Tick(scene.at(100_900)));
    assert_eq!(said(&mut app), said(&mut scene.live(100_900)));
    assert_eq!(app.past_words(), None);
}

#[test]
fn steps_lead_to_events_minutes_and_findings() {
    let mut scene = Scene::new();
    scene.record();
    let mut archive = scene.archive();
    let mut app = scene.app().for_replay();
    let (first, last) = archive.span().unwrap().unwrap();
    let now = scene.at(0);
    go(&mut app, &mut archive, Travel::To(last), now);
    let at = |app: &App| app.past_at().unwrap().wall;
    assert_eq!(at(&app), last);
    answer(
        &mut app,
        &mut archive,
        vec![Asked::Travel(Travel::Step {
            by: Step::Minute,
            forward: false,
        })],
        now,
    );
    assert_eq!(last.duration_since(at(&app)).as_secs(), 60);
    // Beyond the beginning there is nothing.
    for _ in 0..20 {
        go(
            &mut app,
            &mut archive,
            Travel::Step {
                by: Step::Minute,
                forward: false,
            },
            now,
        );
    }
    assert_eq!(at(&app), first);
    assert_eq!(
        app.incident().timeline.len(),
        1,
        "only that somebody joined"
    );
    go(
        &mut app,
        &mut archive,
        Travel::Step {
            by: Step::Event,
            forward: true,
        },
        now,
    );
    assert_eq!(texts(&app.incident().timeline), ["keep it"]);
    // Playing goes on by itself, and stands still at the end.
    go(
        &mut app,
        &mut archive,
        Travel::To(scene.at(20_000).wall),
        now,
    );
    go(&mut app, &mut archive, Travel::Play(100), now);
    assert_eq!(archive.speed(), 100);
    let before = at(&app);
    archive.play(Duration::from_millis(200), &mut |part| {
        tell(&mut app, part.unwrap(), now);
        true
    });
    assert_eq!(at(&app).duration_since(before).as_secs(), 20);
    archive.play(Duration::from_secs(60), &mut |part| {
        tell(&mut app, part.unwrap(), now);
        true
    });
    assert_eq!((archive.speed(), at(&app)), (0, last));
}

#[test]
fn a_record_without_samples_shows_its_events_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut rig = Rig::start(Place::New(store_in(dir.path())), "ana");
    rig.note("keep it");
    let folder = rig
        .handle
        .flush_and_stop(Duration::from_secs(30))
        .folder
        .unwrap();
    let mut archive = Archive::new(&folder);
    let scene = Scene::new();
    let mut app = scene.app().for_replay();
    let (_, last) = archive.span().unwrap().unwrap();
    go(&mut app, &mut archive, Travel::To(last), scene.at(0));
    assert_eq!(texts(&app.incident().timeline), ["keep it"]);
    assert!(
        app.remark()
            .unwrap()
            .0
            .as_str()
            .contains("no samples were kept")
    );
}

/// A record is evidence for a runbook: the same decision leads elsewhere before, and in, a fault.
#[test]
fn a_runbook_is_tested_against_an_instant_of_a_record() {
    use warroom::cli::runbook::{Outcome as Left, RunbookCommand, run};
    use warroom::runbook::library::Library;

    let mut scene = Scene::new();
    scene.record();
    let book = scene.dir.path().join("x.md");
    let text = "# A\n\nDecision: lost?\n\n- yes → [B](#b) <!-- when: ping.loss >= 20 % -->\n\
                - no → [C](#c)\n\n## B\n\n1. b\n\n## C\n\n1. c\n";
    std::fs::write(&book, text).unwrap();
    let folder = &scene.folder.as_ref().unwrap().path;
    let tested = |ms: u64, target: &str, way: &str| {
        let (folder, at) = (folder.display(), scene.at(ms).wall);
        let case = format!(
            "[[case]]\nname = \"x\"\nobservations = \"{folder}\"\nat = \"{at}\"\n\
             target = \"{target}\"\npath = [\"{way}\"]\n"
        );
        std::fs::write(scene.dir.path().join("x.test.toml"), case).unwrap();
        let names = vec![book.to_str().unwrap().to_owned()];
        let mut out = Vec::new();
        let command = RunbookCommand::Test { names };
        let left = run(&command, &Library::of(Vec::new()), &mut out).unwrap();
        (left, String::from_utf8(out).unwrap())
    };
    for (ms, target, way) in [
        (50_900, "192.0.2.2", "#c"),
        (100_900, "192.0.2.2", "#b"),
        (100_900, "192.0.2.1", "#c"),
    ] {
        let (left, said) = tested(ms, target, way);
        assert_eq!(left, Left::Done(0), "{ms} {target}: {said}");
    }
    let (left, said) = tested(100_900, "192.0.2.2", "#c");
    assert!(said.contains("took #b, expected #c"), "{said}");
    assert_eq!(left, Left::Done(1));
    let (_, said) = tested(100_900, "192.0.2.9", "#c");
    assert!(said.contains("is not about 192.0.2.9"), "{said}");
}
