//! Runs `warroom check … --json` in the lab and judges what it said.

use std::net::IpAddr;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Lab;
use super::plan::{Family, Role, User};
use super::score::{self, Sheet};

/// Fifteen seconds at most by its own account, and the last thing that was begun within them.
const LIMIT: Duration = Duration::from_secs(16);

/// What one run said.
pub struct Report {
    /// Exit status.
    pub status: Option<i32>,
    /// How long it took.
    pub took: Duration,
    /// Its JSON.
    pub json: Value,
    context: String,
    sheet: Option<Sheet>,
}

impl Lab {
    /// Runs `warroom check ARGS --json` in `src` as the lab's user.
    ///
    /// # Panics
    /// If it prints no JSON object, or takes too long.
    pub fn check(&self, args: &[&str]) -> Report {
        self.check_while(args, || ())
    }

    /// [`Lab::check`], with something that happens to the network meanwhile.
    ///
    /// # Panics
    /// See [`Lab::check`].
    pub fn check_while(&self, args: &[&str], event: impl FnOnce()) -> Report {
        self.check_within(LIMIT, args, event)
    }

    /// The same for what needs time by nature.
    ///
    /// # Panics
    /// See [`Lab::check`].
    pub fn check_within(&self, limit: Duration, args: &[&str], event: impl FnOnce()) -> Report {
        let program = self.dir().join("warroom").to_string_lossy().into_owned();
        let mut all = vec![program.as_str(), "check"];
        all.extend(args);
        all.push("--json");
        let program = self
            .command(Role::Src, self.user, 90, &all)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("a program that starts");
        let began = Instant::now();
        event();
        let fault_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let out = program.wait_with_output().expect("a program that ends");
        let context = format!(
            "warroom check {} --json as {}: {}\nstderr: {}\nstdout: {}",
            args.join(" "),
            self.user.name(),
            out.status,
            String::from_utf8_lossy(&out.stderr),
            String::from_utf8_lossy(&out.stdout)
        );
        if let Some(folder) = std::env::var_os("WARROOM_LAB_KEEP") {
            self.keep(&folder, &context);
        }
        let json: Value = serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|e| panic!("no JSON ({e}): {context}"));
        let took = |from: &str, to: &str| {
            let at = |name: &str| json[name].as_str()?.parse::<jiff::Timestamp>().ok();
            at(to)?.duration_since(at(from)?).try_into().ok()
        };
        let took =
            took("started", "finished").unwrap_or_else(|| panic!("no start or no end: {context}"));
        let report = Report {
            status: out.status.code(),
            took,
            json,
            context,
            sheet: Sheet::of_environment(),
        };
        report.score_run(args, self.user, fault_ms);
        report.that(report.json.is_object(), "one JSON object");
        report.that(took <= limit, "a verdict in time");
        report
    }

    /// Keeps what was said for a person to read.
    fn keep(&self, folder: &std::ffi::OsStr, text: &str) {
        let name = std::thread::current()
            .name()
            .unwrap_or("scenario")
            .replace([' ', ':'], "-");
        let _ = std::fs::write(
            std::path::Path::new(folder).join(format!("{name}.txt")),
            text,
        );
    }
}

impl Report {
    /// A report that no program printed, to try the judge on.
    pub fn made_up(status: i32, json: Value) -> Self {
        Self {
            status: Some(status),
            took: Duration::ZERO,
            context: format!("made up: {json}"),
            json,
            sheet: None,
        }
    }

    /// The same, with a score of its own, to try that on.
    pub fn made_up_for(sheet: Sheet, status: i32, json: Value) -> Self {
        let mut report = Self::made_up(status, json);
        report.sheet = Some(sheet);
        report.score_run(&["made-up"], User::Root, 0);
        report
    }

    fn score_run(&self, args: &[&str], user: User, fault_ms: u64) {
        let line = score::run(&self.json, &self.alarms(), args, user.name(), fault_ms);
        self.score("run", line);
    }

    fn score(&self, kind: &str, fields: Value) {
        if let Some(sheet) = &self.sheet {
            sheet.line(kind, fields);
        }
    }

    /// Panics with all that the program said unless `fact` holds.
    pub fn that(&self, fact: bool, expected: &str) {
        if !fact {
            self.score("failed", json!({ "expected": expected }));
        }
        assert!(fact, "expected: {expected}\n{}", self.context);
    }

    fn list(&self, name: &str) -> &[Value] {
        self.json[name].as_array().map_or(&[], Vec::as_slice)
    }

    /// Findings that wake people: severity warning or critical.
    pub fn alarms(&self) -> Vec<&Value> {
        self.list("findings")
            .iter()
            .filter(|f| f["severity"] != "info")
            .collect()
    }

    /// Whether a finding of that code is among all of them.
    pub fn mentions(&self, code: &str) -> bool {
        self.list("findings").iter().any(|f| f["code"] == code)
    }

    /// The finding of that code, whatever its severity; null if there is none.
    pub fn info(&self, code: &str) -> &Value {
        let mut all = self.list("findings").iter();
        all.find(|f| f["code"] == code).unwrap_or(&Value::Null)
    }

    /// No alarm, exit status 0, and that state of the target.
    pub fn expect_quiet(&self, target: &str, state: &str) {
        self.expect_no_alarm();
        self.expect_state(target, &[state]);
    }

    /// No alarm, exit status 0.
    pub fn expect_no_alarm(&self) {
        self.score("expect", json!({ "codes": [] }));
        self.that(
            self.alarms().is_empty(),
            "no finding of severity warning or critical",
        );
        self.that(self.status == Some(0), "exit status 0");
    }

    /// No alarm about the target; there may be some about others.
    pub fn expect_no_alarm_about(&self, target: &str) {
        self.score("expect", json!({ "codes": [], "about": target }));
        let about = self.alarms().iter().any(|a| a["subject"] == target);
        self.that(!about, &format!("no alarm about {target}"));
    }

    /// No alarm, exit status 0, target ok.
    pub fn expect_healthy(&self, target: &str) {
        self.expect_quiet(target, "ok");
        let clean = self
            .list("ruled_out")
            .iter()
            .any(|r| r["subject"] == target);
        self.that(clean, "a line of what was ruled out for the target");
    }

    /// The target is in one of those states.
    pub fn expect_state(&self, target: &str, states: &[&str]) {
        let said = self
            .list("targets")
            .iter()
            .find(|t| t["target"] == target)
            .map(|t| t["state"].clone());
        self.that(said.is_some(), &format!("target {target} in targets[]"));
        let said = said.unwrap_or_default();
        let fits = said.as_str().is_some_and(|s| states.contains(&s));
        self.that(
            fits,
            &format!("state of {target}: {}, not {said}", states.join(" or ")),
        );
    }

    /// Exactly one alarm, of that code, exit status 1.
    pub fn expect_code(&self, code: &str) -> Found<'_> {
        let [found] = self.expect_codes([code]);
        found
    }

    /// Exactly these alarms, in the order given here, exit status 1.
    pub fn expect_codes<const N: usize>(&self, codes: [&str; N]) -> [Found<'_>; N] {
        self.score("expect", json!({ "codes": codes.as_slice() }));
        let alarms = self.alarms();
        let said: Vec<&str> = alarms
            .iter()
            .map(|a| a["code"].as_str().unwrap_or("?"))
            .collect();
        let same = |code: &&str| {
            let times = |all: &[&str]| all.iter().filter(|c| *c == code).count();
            times(&said) == times(&codes)
        };
        let fits = said.len() == N && codes.iter().all(same);
        self.that(fits, &format!("the alarms {codes:?} alone, not {said:?}"));
        self.that(self.status == Some(1), "exit status 1");
        codes.map(|code| Found {
            report: self,
            json: alarms
                .iter()
                .find(|a| a["code"] == code)
                .copied()
                .unwrap_or(&Value::Null),
        })
    }

    /// The same, about that target.
    pub fn expect_only(&self, code: &str, target: &str) -> Found<'_> {
        self.expect_code(code).about(target)
    }

    /// All that every run prints, by name and type.
    pub fn expect_schema(&self, user: User) {
        let top = &self.json;
        self.that(top["schema"] == "warroom.check/1", "schema warroom.check/1");
        for name in ["started", "finished"] {
            let is_utc = top[name]
                .as_str()
                .is_some_and(|t| t.ends_with('Z') && t.parse::<jiff::Timestamp>().is_ok());
            self.that(is_utc, &format!("{name}: an instant in UTC"));
        }
        for name in ["host", "user"] {
            self.that(
                top["vantage"][name].is_string(),
                &format!("vantage.{name}: text"),
            );
        }
        self.that(
            !top["vantage"]["privileges"].is_null(),
            "vantage.privileges",
        );
        let said = top["vantage"]["user"].as_str().unwrap_or_default();
        self.that(
            said == if user == User::Root { "root" } else { "nobody" },
            "vantage.user: who ran it",
        );
        for name in ["targets", "findings", "ruled_out"] {
            self.that(top[name].is_array(), &format!("{name}: a list"));
        }
        for f in self.list("findings") {
            for name in ["code", "severity", "subject", "summary", "since"] {
                self.that(f[name].is_string(), &format!("findings[].{name}: text"));
            }
            let confidence = f["confidence"].as_f64().unwrap_or(-1.0);
            self.that(
                (0.0..=1.0).contains(&confidence),
                "findings[].confidence: 0 to 1",
            );
            self.that(
                f["opened_after_ms"].as_u64().is_some_and(|ms| ms < 16_000),
                "findings[].opened_after_ms: a time within the run",
            );
            for name in ["evidence", "reproduce", "runbooks"] {
                self.that(f[name].is_array(), &format!("findings[].{name}: a list"));
            }
            self.that(
                f["evidence"].as_array().is_some_and(|e| !e.is_empty()),
                "findings[].evidence: not empty",
            );
            let place = f["location"].as_object();
            for name in [
                "kind",
                "hop",
                "address",
                "name",
                "to_hop",
                "to_address",
                "to_name",
                "also",
            ] {
                self.that(
                    place.is_some_and(|p| p.contains_key(name)),
                    &format!("findings[].location.{name}"),
                );
            }
        }
        for alarm in self.alarms() {
            self.that(
                alarm["reproduce"].as_array().is_some_and(|r| !r.is_empty()),
                "findings[].reproduce: not empty for an alarm",
            );
        }
    }
}

/// The one finding of a scenario.
pub struct Found<'a> {
    report: &'a Report,
    /// As it was printed.
    pub json: &'a Value,
}

impl Found<'_> {
    fn place(&self, name: &str, expected: &Value, said: &Value) {
        let code = self.json["code"].clone();
        let right = expected == said;
        self.report.score(
            "place",
            json!({ "code": code, "field": name, "expected": expected, "said": said, "right": right }),
        );
    }

    /// About that target.
    pub fn about(self, target: &str) -> Self {
        let said = &self.json["subject"];
        self.place("subject", &target.into(), said);
        self.report
            .that(said == target, &format!("subject {target}"));
        self
    }

    /// Its time to the verdict is not counted, and why: by its nature it needs longer.
    pub fn slow_by_nature(self, why: &str) -> Self {
        let code = self.json["code"].clone();
        self.report
            .score("slow", json!({ "code": code, "why": why }));
        self
    }

    fn field(&self, name: &str, expected: &Value) {
        let said = &self.json["location"][name];
        self.place(name, expected, said);
        self.report.that(
            said == expected,
            &format!("location.{name} {expected}, not {said}"),
        );
    }

    /// Severity.
    pub fn severity(self, allowed: &[&str]) -> Self {
        let fits = self.json["severity"]
            .as_str()
            .is_some_and(|s| allowed.contains(&s));
        self.report
            .that(fits, &format!("severity {}", allowed.join(" or ")));
        self
    }

    /// At a place of that kind, wherever it is.
    pub fn of_kind(self, kind: &str) -> Self {
        self.field("kind", &kind.into());
        self
    }

    /// At this host itself.
    pub fn at_local(self) -> Self {
        self.field("kind", &"local".into());
        self
    }

    /// At a place of that kind with that address.
    pub fn at(self, kind: &str, address: IpAddr) -> Self {
        self.field("kind", &kind.into());
        self.field("address", &address.to_string().into());
        self
    }

    /// At a router.
    pub fn at_router(self, router: Role, family: Family) -> Self {
        self.field("hop", &router.hop().into());
        self.at("hop", router.addr(family))
    }

    /// Between two neighbours.
    pub fn between(self, good: Role, bad: Role, family: Family) -> Self {
        let this = self.after(good, family);
        this.field("to_hop", &bad.hop().into());
        this.field("to_address", &bad.addr(family).to_string().into());
        this
    }

    /// After the last good router; what follows is silent.
    pub fn before_silence(self, good: Role, family: Family) -> Self {
        let this = self.after(good, family);
        this.field("to_address", &Value::Null);
        this
    }

    /// On the link after that router.
    pub fn after(self, good: Role, family: Family) -> Self {
        self.field("kind", &"link".into());
        self.field("hop", &good.hop().into());
        self.field("address", &good.addr(family).to_string().into());
        self
    }

    /// Somewhere in its summary and evidence, `text` is said.
    pub fn saying(self, text: &str) -> Self {
        let said = format!("{} {}", self.json["summary"], self.json["evidence"]);
        self.report.that(
            said.contains(text),
            &format!("'{text}' in summary or evidence"),
        );
        self
    }

    /// `also` names the router.
    pub fn also(self, router: IpAddr) -> Self {
        let named = self.json["location"]["also"]
            .as_array()
            .is_some_and(|a| a.contains(&router.to_string().into()));
        let also = &self.json["location"]["also"];
        let member = if named {
            router.to_string().into()
        } else {
            also.clone()
        };
        self.place("also", &router.to_string().into(), &member);
        self.report
            .that(named, &format!("{router} in location.also"));
        self
    }
}
