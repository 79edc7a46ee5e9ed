//! The arguments, declared once: parser, help, completions and man page agree.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::probe::resolve::Family;
use crate::probe::trace::MOST_FLOWS;

/// The terminal console an on-call engineer opens when the pager goes off.
///
/// Without a subcommand it opens the console on the targets given: a host, an address, host:port,
/// a URL, dns:name, dns:name@resolver or snmp://host. Without a target it asks whether it is us:
/// interfaces, default gateway, configured resolvers.
#[derive(Debug, Parser)]
#[command(name = "warroom", version, subcommand_negates_reqs = true)]
pub struct Cli {
    /// Options that every subcommand knows.
    #[command(flatten)]
    pub common: Common,
    /// Options of the console itself.
    #[command(flatten)]
    pub console: ConsoleArgs,
    /// Subcommand.
    #[command(subcommand)]
    pub command: Option<Sub>,
}

/// Options that every subcommand knows.
#[derive(Clone, Debug, Default, Args)]
pub struct Common {
    /// Use IPv4 only
    #[arg(short = '4', long, global = true, conflicts_with = "ipv6")]
    pub ipv4: bool,
    /// Use IPv6 only
    #[arg(short = '6', long, global = true)]
    pub ipv6: bool,
    /// Send from this address
    #[arg(long, value_name = "ADDRESS", global = true)]
    pub source: Option<IpAddr>,
    /// Send through this interface
    #[arg(long, value_name = "NAME", global = true)]
    pub interface: Option<String>,
    /// Trust the certificates in this PEM file beside the system roots (may be given again)
    #[arg(long, value_name = "FILE", global = true)]
    pub ca: Vec<PathBuf>,
    /// Read this configuration instead of ./warroom.toml or the one in the XDG config folder
    #[arg(long, value_name = "FILE", global = true)]
    pub config: Option<PathBuf>,
    /// Keep incidents here instead of the XDG state folder
    #[arg(long, value_name = "DIR", global = true, env = "WARROOM_STATE")]
    pub state: Option<PathBuf>,
}

impl Common {
    /// Families asked for.
    pub fn family(&self) -> Family {
        match (self.ipv4, self.ipv6) {
            (true, _) => Family::V4,
            (_, true) => Family::V6,
            _ => Family::Any,
        }
    }
}

/// What the engine may do, of console and check alike.
#[derive(Clone, Debug, Args)]
pub struct WatchArgs {
    /// Packets a second that all targets share
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rate: u32,
    /// Only these probes, with commas: ping, trace, mtu, tcp, dns, tls, http, device
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub probes: Vec<String>,
    /// Flows of each traced path, to tell parallel paths apart (1 to 16; default 1)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(MOST_FLOWS)))]
    pub flows: Option<u16>,
}

impl Default for WatchArgs {
    fn default() -> Self {
        Self {
            rate: 200,
            probes: Vec::new(),
            flows: None,
        }
    }
}

/// Options of the console.
#[derive(Clone, Debug, Default, Args)]
pub struct ConsoleArgs {
    /// Pace and probes.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// What to look at
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Title of a new incident
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// Open a new incident even if one of the same targets is open
    #[arg(long)]
    pub new: bool,
    /// Mask this host and the first N hops on the screen, for sharing it; `H` shows them again
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    pub hide_hops: Option<u8>,
    /// Colours and symbols: default, light, mono
    #[arg(long, value_name = "NAME")]
    pub theme: Option<String>,
    /// Runbook to begin with.
    #[arg(long, value_name = "NAME")]
    pub runbook: Option<String>,
}

/// Subcommands.
#[derive(Debug, Subcommand)]
pub enum Sub {
    /// Probe the targets, print what was seen and the findings; exit 1 if something is wrong
    Check(CheckArgs),
    /// Ping a target
    Ping(super::probe::ping::PingArgs),
    /// Trace the path to a target
    Trace(super::probe::trace::TraceArgs),
    /// Ask each configured resolver (or the one after @) for a name
    Dns(super::probe::dns::DnsArgs),
    /// Show and judge the certificate chain that a server presents
    Tls(super::probe::tls::TlsArgs),
    /// Measure the path MTU to a target
    Mtu(super::probe::mtu::MtuArgs),
    /// Connect to a TCP port
    Tcp(super::probe::tcp::TcpArgs),
    /// Make one HTTP request and time its phases
    Http(super::probe::http::HttpArgs),
    /// Incidents: list, show, note, resume, export, verify
    Incident {
        /// What to do.
        #[command(subcommand)]
        command: super::incident::IncidentCommand,
    },
    /// Look at a recorded incident in the console, at any instant of it
    Replay(super::replay::ReplayArgs),
    /// Runbooks: list, show, lint, test, new, run
    Runbook {
        /// What to do.
        #[command(subcommand)]
        command: super::runbook::RunbookCommand,
    },
    /// Devices: SNMP agents and health URLs
    Device {
        /// What to do.
        #[command(subcommand)]
        command: super::device::DeviceCommand,
    },
    /// The configuration in force, with the origin of each value
    Config {
        /// What to do.
        #[command(subcommand)]
        command: super::config::ConfigCommand,
    },
    /// Say what a finding means, what it rests on, what could fool it and what to do
    Explain {
        /// Code of the finding; without it all are listed
        code: Option<String>,
    },
    /// Mask secrets in a file or in what is piped in, or show what would be masked
    Redact(super::redact::RedactArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the man page
    Man,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
pub struct CheckArgs {
    /// Pace and probes.
    #[command(flatten)]
    pub watch: WatchArgs,
    /// What to look at; without a target: is it us?
    #[arg(value_name = "TARGET")]
    pub targets: Vec<String>,
    /// Print JSON (schema warroom.check/1)
    #[arg(long)]
    pub json: bool,
    /// Print metrics for Prometheus, for the textfile collector of the node exporter
    #[arg(long, conflicts_with = "json")]
    pub prometheus: bool,
    /// Look for exactly this long, like 10s or 2m; without it until the verdict is firm, 15 s at most
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub duration: Option<std::time::Duration>,
}

/// A time as a person types it, between 1 ms and a day.
pub fn parse_duration(text: &str) -> Result<std::time::Duration, String> {
    let d = crate::config::duration::parse(text)?;
    let most = std::time::Duration::from_secs(24 * 3600);
    if d.is_zero() || d > most {
        return Err("give a time between 1ms and 24h, like 10s".into());
    }
    Ok(d)
}
