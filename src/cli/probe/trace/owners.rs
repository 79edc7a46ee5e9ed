//! Whose the hops are: reverse names, autonomous systems, places, as far as they are known by the
//! time something is printed.
//!
//! The trace waits for no resolver. Hops are asked about as they answer, so names usually come
//! while later rounds are under way; those that don't are left out.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::TraceArgs;
use crate::cli::args::Common;
use crate::cli::probe::Voice;
use crate::cli::{CliError, setup, warn};
use crate::model::local::ResolverConfig;
use crate::model::observation::TraceRound;
use crate::model::origin::{Origin, OriginSources};
use crate::probe::origin::{Origins, Worker};

/// Addresses of one target that are watched; hops beyond that stay without an owner.
const MOST: usize = 2048;
/// Longest wait for tables that are still being read from this host's disk.
const READING: Duration = Duration::from_millis(500);

/// Where to look: what the configuration says, then what was typed.
///
/// # Errors
/// Usage: a named configuration that can't be used, a named table that can't be opened.
pub fn sources(common: &Common, args: &TraceArgs) -> Result<OriginSources, CliError> {
    let mut sources = match setup::load(common) {
        Ok(config) => {
            config.warnings.iter().for_each(warn);
            config.address_origin
        }
        Err(e) if common.config.is_some() => return Err(e),
        Err(e) => {
            warn(e);
            warn("the trace goes on without that file and asks no resolver about hops");
            // The file may have forbidden it.
            OriginSources {
                reverse_names: false,
                ..OriginSources::default()
            }
        }
    };
    for (option, given, place) in [
        ("--asn", &args.asn, &mut sources.asn),
        ("--geo", &args.geo, &mut sources.geo),
    ] {
        if let Some(path) = given {
            can_be_opened(path).map_err(|why| {
                CliError::usage(format!("cannot read {option} {}: {why}", path.display()))
            })?;
            *place = Some(path.clone());
        }
    }
    if args.no_names {
        sources.reverse_names = false;
        sources.dns_asn = false;
    }
    sources.dns_asn |= args.dns_asn;
    Ok(sources)
}

/// What was typed is told at once where it is wrong; a pipe is not opened for that.
fn can_be_opened(path: &Path) -> Result<(), String> {
    let meta = std::fs::metadata(path).map_err(|e| e.to_string())?;
    if meta.is_dir() {
        return Err("it is a folder; name the file in it".into());
    }
    if meta.is_file() {
        std::fs::File::open(path).map_err(|e| e.to_string())?;
    }
    Ok(())
}

/// What all targets of a run share.
#[derive(Debug)]
pub struct Owners {
    origins: Origins,
    /// Until the first target is traced.
    worker: Mutex<Option<Worker>>,
    tables: bool,
    warned: AtomicUsize,
}

impl Owners {
    /// Nothing is looked up yet.
    pub fn new(sources: OriginSources, common: &Common) -> Self {
        let tables = sources.asn.is_some() || sources.geo.is_some();
        let source = setup::source(common);
        let (origins, worker) = Origins::new(sources, Default::default(), source);
        Self {
            origins,
            worker: Mutex::new(Some(worker)),
            tables,
            warned: AtomicUsize::new(0),
        }
    }

    /// Starts reading tables and looking up, once. Needs a runtime.
    pub fn begin(&self, resolvers: &ResolverConfig) {
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(worker) = worker.take() {
            self.origins.set_resolvers(resolvers.clone());
            tokio::spawn(worker.run());
        }
    }

    /// Has an address looked up behind.
    pub fn ask(&self, addr: IpAddr) {
        self.origins.get(addr);
    }

    /// Waits for tables on this host, and for nobody on the network.
    async fn tables_read(&self) {
        if self.tables {
            let _ = tokio::time::timeout(READING, self.origins.tables_read()).await;
        }
    }

    /// Says what is wrong with the tables, once.
    fn warn(&self) {
        let problems = self.origins.problems();
        let told = self.warned.swap(problems.len(), Ordering::Relaxed);
        problems.iter().skip(told).for_each(warn);
    }
}

/// The addresses of one target's path with what is known of them.
#[derive(Debug)]
pub struct Known {
    owners: Arc<Owners>,
    origins: BTreeMap<IpAddr, Origin>,
}

impl Known {
    /// No address yet.
    pub fn new(owners: Arc<Owners>) -> Self {
        Self {
            owners,
            origins: BTreeMap::new(),
        }
    }

    /// Who looks up.
    pub fn owners(&self) -> Arc<Owners> {
        Arc::clone(&self.owners)
    }

    /// Notes the addresses of a round.
    pub fn learn(&mut self, round: &TraceRound) {
        for (from, _) in round.hops.iter().filter_map(|h| h.answer.from()) {
            if self.origins.len() < MOST {
                self.origins.entry(from).or_default();
            }
        }
    }

    /// What became known since the last time. Never waits.
    pub fn news(&mut self) -> Vec<(IpAddr, Origin)> {
        let mut news = Vec::new();
        for (addr, known) in &mut self.origins {
            if let Some(origin) = self.owners.origins.get(*addr).filter(|o| o != known) {
                known.clone_from(&origin);
                news.push((*addr, origin));
            }
        }
        news
    }

    /// Leaves a moment to tables that are not read yet, unless the user wants no more.
    pub async fn tables_read(&self, voice: &Voice) {
        if !self.origins.is_empty() {
            voice.unless_stopped(self.owners.tables_read()).await;
            self.owners.warn();
        }
    }

    /// What is known of an address.
    pub fn of(&self, addr: IpAddr) -> Option<&Origin> {
        self.origins.get(&addr).filter(|o| !o.is_empty())
    }

    /// All of which something is known.
    pub fn all(&self) -> impl Iterator<Item = (IpAddr, &Origin)> {
        let all = self.origins.iter().map(|(a, o)| (*a, o));
        all.filter(|(_, o)| !o.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        common: Common,
        #[command(flatten)]
        trace: TraceArgs,
    }

    fn from(config: &Path, typed: &[&str]) -> Result<OriginSources, CliError> {
        let fixed = ["trace", "192.0.2.1", "--config"];
        let typed = typed.iter().map(std::ffi::OsStr::new);
        let line = fixed.iter().map(std::ffi::OsStr::new);
        let line = Line::parse_from(line.chain([config.as_os_str()]).chain(typed));
        sources(&line.common, &line.trace)
    }

    #[test]
    fn what_is_typed_beats_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("warroom.toml");
        let mine = dir.path().join("mine");
        std::fs::write(&mine, "203.0.113.0\t24\t64500\n").unwrap();
        let mine = mine.to_str().unwrap();
        std::fs::write(
            &config,
            "[origin]\nasn = \"theirs\"\ngeo = \"places\"\ndns_asn = true\n",
        )
        .unwrap();
        let theirs = dir.path().join("theirs");
        let plain = from(&config, &[]).unwrap();
        assert_eq!(plain.asn.as_deref(), Some(theirs.as_path()));
        assert!(plain.reverse_names && plain.dns_asn);

        let typed = from(&config, &["-n", "--asn", mine]).unwrap();
        assert_eq!(typed.asn.as_deref(), Some(Path::new(mine)));
        assert_eq!(typed.geo, plain.geo, "the other one stays");
        assert!(!typed.reverse_names && !typed.dns_asn, "nobody is asked");
        let typed = from(&config, &["--no-names", "--dns-asn"]).unwrap();
        assert!(!typed.reverse_names && typed.dns_asn, "asked for by name");

        for (option, path) in [("--asn", "/nonexistent/table"), ("--geo", "/")] {
            let why = from(&config, &[option, path]).unwrap_err();
            assert_eq!(why.code, crate::cli::USAGE);
            assert!(why.message.contains(option) && why.message.contains(path));
        }
        std::fs::write(&config, "[origin]\nasm = 1\n").unwrap();
        assert_eq!(from(&config, &[]).unwrap_err().code, crate::cli::USAGE);
    }

    #[tokio::test]
    async fn tables_are_waited_for_and_resolvers_are_not() {
        let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let resolvers = ResolverConfig {
            servers: vec![silent.local_addr().unwrap()],
            ..ResolverConfig::default()
        };
        let dir = tempfile::tempdir().unwrap();
        let table = dir.path().join("pfx2as");
        std::fs::write(&table, "203.0.113.0\t24\t64500\n").unwrap();
        let sources = OriginSources {
            asn: Some(table),
            ..OriginSources::default()
        };
        let owners = Owners::new(sources, &Common::default());
        let at_once = || tokio::time::timeout(Duration::ZERO, owners.tables_read());
        // The control: nobody reads yet.
        at_once().await.expect_err("the tables are not read");

        let hops: Vec<IpAddr> = (1..=12).map(|n| IpAddr::from([203, 0, 113, n])).collect();
        hops.iter().for_each(|a| owners.ask(*a));
        owners.begin(&resolvers);
        let mut query = [0; 512];
        let asked = tokio::time::timeout(Duration::from_secs(60), silent.recv(&mut query));
        asked.await.expect("a resolver is asked").unwrap();
        // The question stays open, most hops have not even had their turn, and nothing is waited
        // for: all that the table knows is there.
        at_once().await.expect("the tables are read");
        for hop in hops {
            let origin = owners.origins.get(hop).expect("the table has it");
            assert_eq!(origin.asn.map(|a| a.number), Some(64_500));
            assert_eq!(origin.name, None);
        }
    }
}
