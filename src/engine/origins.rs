//! Who the hops belong to, for the console to show: reverse names, autonomous systems, places.
//!
//! Nothing waits for it. Addresses are noted as traceroutes find them, what is known of them is
//! read once a second, and only what is new is told; the look-ups themselves are made behind
//! (see [`crate::probe::origin`]).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use crate::model::command::Notice;
use crate::model::observation::Body;
use crate::model::origin::{Origin, OriginSources};
use crate::model::time::Mono;
use crate::model::window::Window;
use crate::net::source::Source;
use crate::probe::origin::{Origins, Worker};

/// Addresses that are watched; hops beyond that stay without an owner.
const MOST: usize = 2048;
/// Time between two readings.
const EVERY: Duration = Duration::from_secs(1);

/// The addresses seen, with what was told of each.
pub struct Owners {
    origins: Origins,
    /// Until it is started: tables are large, and a session without a path needs none.
    worker: Option<Worker>,
    told: BTreeMap<IpAddr, Origin>,
    read: Option<Mono>,
    problems: usize,
}

impl Owners {
    /// Nothing is looked up before the first hop is known.
    pub fn new(sources: OriginSources, source: Source) -> Self {
        let (origins, worker) = Origins::new(sources, Default::default(), source);
        Self {
            origins,
            worker: Some(worker),
            told: BTreeMap::new(),
            read: None,
            problems: 0,
        }
    }

    /// Notes the addresses of a round.
    pub fn learn(&mut self, body: &Body) {
        let Body::Trace(round) = body else { return };
        for (from, _) in round.hops.iter().filter_map(|h| h.answer.from()) {
            if self.told.len() < MOST {
                self.told.entry(from).or_default();
            }
        }
    }

    /// What became known since the last time. Needs a runtime.
    pub fn news(&mut self, window: &Window, now: Mono) -> Vec<Notice> {
        let due = self.read.is_none_or(|read| now.since(read) >= EVERY);
        // Resolvers are known with the first look at this host; before that all would be silent.
        let Some(local) = window.local.as_ref().filter(|_| due) else {
            return Vec::new();
        };
        if self.told.is_empty() {
            return Vec::new();
        }
        self.read = Some(now);
        self.origins.set_resolvers(local.value.resolvers.clone());
        if let Some(worker) = self.worker.take() {
            tokio::spawn(worker.run());
        }
        let mut news = Vec::new();
        for (addr, told) in &mut self.told {
            if let Some(origin) = self.origins.get(*addr).filter(|o| o != told) {
                told.clone_from(&origin);
                news.push((*addr, origin));
            }
        }
        let problems = self.origins.problems();
        let fresh = problems.iter().skip(self.problems);
        let mut notices: Vec<Notice> = fresh.cloned().map(Notice::Failed).collect();
        self.problems = problems.len();
        if !news.is_empty() {
            notices.push(Notice::Origins(news));
        }
        notices
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::local::{LocalState, ResolverConfig};
    use crate::model::observation::{
        HopAnswer, HopSample, How, Method, ObsId, Observation, TraceRound,
    };
    use crate::model::target::{Target, TargetId};
    use crate::model::time::{Rtt, Stamp};

    fn round(from: IpAddr) -> Body {
        let answer = HopAnswer::TimeExceeded {
            from,
            rtt: Rtt(1000),
            return_ttl: None,
        };
        let hop = HopSample { ttl: 1, answer };
        Body::Trace(TraceRound::new(IpAddr::from([192, 0, 2, 9]), 0, vec![hop]))
    }

    fn looked_at() -> Window {
        let mut window = Window::new([Target::local()]);
        window.take(&Observation {
            id: ObsId(0),
            at: Stamp::at_millis(0),
            target: TargetId::local(),
            how: How::best(Method::LocalTables),
            body: Body::Local(LocalState {
                resolvers: ResolverConfig::default(),
                ..LocalState::default()
            }),
        });
        window
    }

    #[tokio::test]
    async fn what_tables_say_is_told_once_and_nothing_before_it_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("pfx2as");
        std::fs::write(&table, "203.0.113.0\t24\t64500\n").unwrap();
        let sources = OriginSources {
            asn: Some(table),
            reverse_names: false,
            ..OriginSources::default()
        };
        let mut owners = Owners::new(sources, Source::default());
        let window = looked_at();
        assert_eq!(owners.news(&window, Mono(0)), [], "no hop is known");
        let hop = IpAddr::from([203, 0, 113, 7]);
        owners.learn(&round(hop));
        owners.learn(&round(IpAddr::from([198, 51, 100, 1])));
        assert_eq!(owners.news(&Window::default(), Mono(0)), [], "no resolvers");
        let mut told = Vec::new();
        for second in 0..600 {
            told.extend(owners.news(&window, Mono::from_millis(second * 1000)));
            if !told.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let [Notice::Origins(list)] = told.as_slice() else {
            panic!("{told:?}");
        };
        assert_eq!(list.len(), 1, "the other is in no table: {list:?}");
        assert_eq!(list[0].0, hop);
        assert_eq!(list[0].1.asn.as_ref().map(|a| a.number), Some(64_500));
        assert_eq!(owners.news(&window, Mono::from_millis(9_000_000)), []);
    }

    #[tokio::test]
    async fn a_table_that_cannot_be_used_is_said_once() {
        let sources = OriginSources {
            asn: Some("/nonexistent/table".into()),
            reverse_names: false,
            ..OriginSources::default()
        };
        let mut owners = Owners::new(sources, Source::default());
        owners.learn(&round(IpAddr::from([203, 0, 113, 7])));
        let window = looked_at();
        let mut told = Vec::new();
        for second in 0..600 {
            told.extend(owners.news(&window, Mono::from_millis(second * 1000)));
            if second > 2 && !told.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(
            matches!(&told[0], Notice::Failed(why) if why.as_str().contains("/nonexistent/table"))
        );
    }
}
