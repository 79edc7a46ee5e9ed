//! Runbooks: the list, the open one, where somebody is in it, and the command it runs.

use std::collections::VecDeque;

use super::app::App;
use super::layer::{Confirm, Layer, Plan};
use super::screen::Screen;
use crate::model::command::{Command, Ticket};
use crate::model::event::StepMark;
use crate::model::finding::Finding;
use crate::model::runbook::{CommandText, Fence, Runbook, Step};
use crate::model::text::SafeText;
use crate::model::time::Stamp;

use super::input::Input;

/// Lines of a command's output kept for the screen; the recorder keeps its own copy.
const OUTPUT_KEPT: usize = 2000;

/// Who asks for a runbook; what is nearest to what the person looks at comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Suggested {
    /// The selected finding, or one of the current target.
    Here,
    /// Another open finding.
    Elsewhere,
    /// Nobody.
    No,
}

/// One runbook of the list.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Name to open it by.
    pub name: SafeText,
    /// Title.
    pub title: SafeText,
    /// Where it comes from.
    pub source: SafeText,
    /// Who asks for it.
    pub suggested: Suggested,
}

/// What the runbook screen knows.
#[derive(Debug, Default)]
pub struct Runbooks {
    /// All there are, `None` before they were listed.
    pub list: Option<Vec<Listed>>,
    /// The open one.
    pub open: Option<Box<Runbook>>,
    /// Whether the list is shown although one is open.
    pub picking: bool,
    /// Selected line of the list.
    pub picked: usize,
    /// Current step.
    pub step: usize,
    /// Current command of the step.
    pub fence: usize,
    /// First line of the step shown.
    pub scroll: usize,
    /// Option moved to, of which decision: step and option.
    pub choice: Option<(usize, usize)>,
    /// Heading to begin at in the one being opened: its anchor.
    pub wanted: Option<String>,
    /// Name being opened.
    pub opening: Option<SafeText>,
}

/// A command that runs or ran.
#[derive(Debug)]
pub struct Run {
    /// What runs.
    pub script: SafeText,
    /// Its output as it came.
    pub lines: VecDeque<SafeText>,
    /// Lines that are no longer kept.
    pub dropped: usize,
    /// When it was confirmed.
    pub started: Stamp,
    /// How it ended.
    pub ended: Option<SafeText>,
}

impl Run {
    /// Takes a line of output; the oldest goes when there are too many.
    pub fn line(&mut self, line: SafeText) {
        if self.lines.len() == OUTPUT_KEPT {
            self.lines.pop_front();
            self.dropped += 1;
        }
        self.lines.push_back(line);
    }
}

impl Runbooks {
    /// Whether the list is what is shown.
    pub fn shows_list(&self) -> bool {
        self.picking || self.open.is_none()
    }
    /// The current step.
    pub fn current(&self) -> Option<&Step> {
        self.open.as_ref()?.steps.get(self.step)
    }
    /// Fences of the current step that can be run, or that say why not.
    pub fn fences(&self) -> Vec<&Fence> {
        let offered = |f: &&Fence| f.command.is_some() || f.not_runnable.is_some();
        // The console's own probes answer theirs.
        let fences = self.current().into_iter().flat_map(Step::fences);
        fences
            .filter(offered)
            .filter(|f| f.checks.is_empty())
            .collect()
    }
    /// How many options or commands of the current step there are to move among.
    pub fn aside(&self) -> usize {
        let options = self.current().map_or(0, |s| s.choices.len());
        if options > 0 {
            options
        } else {
            self.fences().len()
        }
    }
}

impl App {
    /// The list of runbooks: those of the selected finding first, then those of the others.
    pub(super) fn list_runbooks(&mut self, list: Vec<(SafeText, SafeText, SafeText)>) {
        let target = self.current_id();
        let here = |f: &&Finding| match self.selected_finding() {
            Some(selected) => selected.key() == f.key(),
            None => target.is_some_and(|id| f.concerns(id)),
        };
        let named = |name: &SafeText| {
            let all = self.verdicts.findings.iter();
            let mut naming = all.filter(|f| f.runbooks.contains(name)).peekable();
            match (naming.peek().is_some(), naming.any(|f| here(&f))) {
                (_, true) => Suggested::Here,
                (true, false) => Suggested::Elsewhere,
                (false, false) => Suggested::No,
            }
        };
        let mut list: Vec<Listed> = list
            .into_iter()
            .map(|(name, title, source)| Listed {
                suggested: named(&name),
                name,
                title,
                source,
            })
            .collect();
        list.sort_by_key(|l| l.suggested);
        self.runbooks.list = Some(list);
    }

    /// A runbook was read: shows it from the first step that is not marked.
    pub(super) fn runbook_opened(&mut self, runbook: Box<Runbook>) {
        let marked = |step: &Step| {
            let key = (runbook.sha256.clone(), step.id.as_str().to_owned());
            self.incident.steps.contains_key(&key)
        };
        let first = runbook.steps.iter().position(|s| !marked(s)).unwrap_or(0);
        let books = &mut self.runbooks;
        // Ids are the anchor of the heading and a number.
        let under = books.wanted.take().map(|anchor| format!("{anchor}-1"));
        let under = under.and_then(|id| runbook.steps.iter().position(|s| s.id.as_str() == id));
        books.open = Some(runbook);
        books.opening = None;
        books.picking = false;
        books.step = under.unwrap_or(first);
        books.fence = 0;
        books.scroll = 0;
        books.choice = None;
    }

    /// Goes to the runbook screen; asks for the list if nobody did yet.
    pub(super) fn show_runbooks(&mut self) -> Vec<Command> {
        self.screen = Screen::Runbook;
        // Findings change, so the list is asked for each time it is shown.
        if self.runbooks.shows_list() {
            vec![Command::ListRunbooks]
        } else {
            Vec::new()
        }
    }

    /// Opens a runbook by name.
    pub(super) fn open_runbook(&mut self, name: SafeText) -> Vec<Command> {
        self.screen = Screen::Runbook;
        self.runbooks.wanted = None;
        let open = self.runbooks.open.as_ref();
        if open.is_some_and(|r| r.name == name) {
            self.runbooks.picking = false;
            return Vec::new();
        }
        self.runbooks.opening = Some(name.clone());
        vec![Command::OpenRunbook {
            name: name.as_str().to_owned(),
        }]
    }

    /// Opens a runbook before the first frame.
    pub fn begin_with(&mut self, name: SafeText) -> Vec<Command> {
        self.open_runbook(name)
    }

    /// Enter on a step: its command, if it has one that can run.
    pub(super) fn try_command(&mut self) -> Vec<Command> {
        if self.running() {
            self.layers.push(Layer::Output { back: 0 });
            return Vec::new();
        }
        if self.decided().is_some() {
            return self.decide_here();
        }
        let fences = self.runbooks.fences();
        let Some(fence) = fences.get(self.runbooks.fence.min(fences.len().saturating_sub(1)))
        else {
            self.say(
                "this step has no command: read it, do it, then x (done)",
                false,
            );
            return Vec::new();
        };
        let Some(command) = &fence.command else {
            let why = fence.not_runnable.clone().unwrap_or_default();
            self.say(format!("not offered to run: {why}"), true);
            return Vec::new();
        };
        let plan = self.plan(fence, command);
        self.ask_next(plan, 0)
    }

    fn plan(&self, fence: &Fence, command: &CommandText) -> Plan {
        Plan {
            script: command.script.clone(),
            needs: command.needs.clone(),
            step: self
                .runbooks
                .current()
                .map(|s| s.id.clone())
                .unwrap_or_default(),
            timeout_s: fence.timeout_s,
            risk: fence.risk,
            name: self.run_on(),
        }
    }

    /// What must be typed before something dangerous runs: the target, else this host.
    fn run_on(&self) -> SafeText {
        self.current_id()
            .map_or_else(|| self.init.who.clone(), |t| SafeText::new(t.as_str()))
    }

    /// Asks for the first parameter from `from` on that nobody gave yet, else shows the command.
    pub(super) fn ask_next(&mut self, plan: Plan, from: usize) -> Vec<Command> {
        let missing = plan
            .needs
            .iter()
            .enumerate()
            .skip(from)
            .find(|(_, (name, _))| !self.parameters.contains_key(name));
        if let Some((nth, (name, _))) = missing {
            let input = Input::with(&self.prefill(name).unwrap_or_default());
            self.layers.push(Layer::Parameter { plan, nth, input });
            return Vec::new();
        }
        let env = plan
            .needs
            .iter()
            .map(|(name, var)| {
                let value = self.parameters.get(name).cloned().unwrap_or_default();
                (var.clone(), value)
            })
            .collect();
        self.layers.push(Layer::ConfirmRun(Confirm {
            plan,
            env,
            since: None,
            typed: Input::default(),
            scroll: 0,
        }));
        Vec::new()
    }

    /// Asks for the values of the command on top again, offering those given.
    pub(super) fn edit_values(&mut self) -> Vec<Command> {
        if !matches!(self.layers.last(), Some(Layer::ConfirmRun(_))) {
            return Vec::new();
        }
        let Some(Layer::ConfirmRun(confirm)) = self.layers.pop() else {
            return Vec::new();
        };
        for (name, _) in &confirm.plan.needs {
            if let Some(value) = self.parameters.remove(name) {
                self.former.insert(name.clone(), value);
            }
        }
        self.ask_next(confirm.plan, 0)
    }

    /// Runs what was confirmed.
    pub(super) fn run_confirmed(&mut self, confirm: Confirm) -> Vec<Command> {
        if let Some(why) = confirm.hidden() {
            self.say(why, true);
            return Vec::new();
        }
        let first = confirm.plan.script.lines().next().unwrap_or_default();
        self.run = Some(Run {
            script: SafeText::new(first),
            lines: VecDeque::new(),
            dropped: 0,
            started: self.now,
            ended: None,
        });
        self.layers.push(Layer::Output { back: 0 });
        vec![Command::Run {
            ticket: self.outbox.ticket(),
            script: confirm.plan.script,
            env: confirm.env,
            step: Some(confirm.plan.step),
            timeout_s: confirm.plan.timeout_s,
        }]
    }

    /// Marks the current step and goes to the next one.
    pub(super) fn mark_step(
        &mut self,
        step: usize,
        mark: StepMark,
        reason: Option<SafeText>,
    ) -> Vec<Command> {
        let Some(book) = &self.runbooks.open else {
            return Vec::new();
        };
        let Some(at) = book.steps.get(step) else {
            return Vec::new();
        };
        let (sha256, id, title) = (book.sha256.clone(), at.id.clone(), at.title.clone());
        let count = book.steps.len();
        let ticket: Ticket = self.outbox.send("step", title.clone(), self.now);
        if step + 1 < count {
            self.runbooks.step = step + 1;
            self.runbooks.fence = 0;
            self.runbooks.scroll = 0;
        } else {
            self.say("that was the last step", false);
        }
        vec![Command::MarkStep {
            ticket,
            sha256,
            step: id,
            title,
            mark,
            reason,
        }]
    }

    /// A first guess at a parameter, from what the console knows.
    fn prefill(&self, name: &str) -> Option<String> {
        if let Some(former) = self.former.get(name) {
            return Some(former.clone());
        }
        let target = self.current()?;
        let host = target.target.host().map(ToString::to_string);
        let finding = self.selected_finding().or_else(|| {
            let subject = self.current_id()?;
            self.verdicts
                .findings
                .iter()
                .find(|f| f.subject == *subject)
        });
        let local = self.window.local.as_ref().map(|l| &l.value);
        match name {
            "url" => Some(target.target.id.to_string()),
            "target" | "host" | "hostname" | "name" | "domain" | "fqdn" | "dst" | "destination"
            | "server_name" => host,
            "ip" | "address" | "addr" => {
                target.addresses().first().map(ToString::to_string).or(host)
            }
            "port" => target.target.tcp_port().map(|p| p.to_string()),
            "hop" | "router" => finding?.location.address.map(|a| a.to_string()),
            "gateway" => local?
                .default_routes
                .iter()
                .find_map(|r| r.gateway)
                .map(|g| g.to_string()),
            "interface" | "iface" | "dev" => local?
                .default_routes
                .first()
                .map(|r| r.interface.to_string()),
            "resolver" | "nameserver" | "dns_server" => {
                local?.resolvers.servers.first().map(|s| s.ip().to_string())
            }
            "mtu" | "size" => target
                .pmtu
                .values()
                .filter_map(|r| r.last()?.value.outcome.ok().map(|p| p.mtu))
                .min()
                .map(|m| m.to_string()),
            _ => None,
        }
    }
}
