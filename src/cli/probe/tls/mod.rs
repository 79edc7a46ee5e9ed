//! `warroom tls`: servers and files.

mod file;
mod live;
mod report;
mod words;

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::session::{self, Repeat};
use crate::cli::args::Common;
use crate::cli::{CliError, Out};
use crate::model::tls::TlsFault;
use crate::probe::tls::{Roots, StartTls};

/// Arguments of `warroom tls`.
#[derive(Clone, Debug, Args)]
pub struct TlsArgs {
    /// What to judge: a host, host:port or a URL
    #[arg(value_name = "TARGET", required_unless_present = "pem")]
    pub targets: Vec<String>,
    /// Judge the chain in this file (PEM in any order, or DER; - reads standard input) instead of
    /// a server's
    #[arg(long, value_name = "FILE", conflicts_with = "targets")]
    pub pem: Option<PathBuf>,
    /// Judge the certificate for this name or address instead of the target's
    #[arg(long, value_name = "HOST")]
    pub name: Option<String>,
    /// Trust the certificates in this PEM file only, not the system roots (may be given again)
    #[arg(long, value_name = "FILE")]
    pub roots: Vec<PathBuf>,
    /// Judge as of this time: RFC 3339 or a date
    #[arg(long, value_name = "TIME", requires = "pem")]
    pub at: Option<String>,
    /// Server name in the hello (SNI), or none; judged by, too, unless --name says otherwise
    #[arg(long, value_name = "NAME|none")]
    pub sni: Option<String>,
    /// Ask for TLS in the clear first; auto goes by the port (25, 587, 143, 110, 389, 5432, 3306)
    #[arg(long, value_name = "PROTOCOL", default_value = "auto")]
    pub starttls: Start,
    /// Protocols to offer (ALPN), like h2,http/1.1; an empty list offers none
    #[arg(long, value_name = "LIST")]
    pub alpn: Option<String>,
    /// Ask for each version from TLS 1.0 to 1.3
    #[arg(long)]
    pub versions: bool,
    /// Ask for each cipher suite of each version (at most 100 hellos, 40 a second)
    #[arg(long)]
    pub ciphers: bool,
    /// Handshake again with what the first one left: is the session resumed?
    #[arg(long)]
    pub resume: bool,
    /// Ask every address of the name and compare
    #[arg(long)]
    pub all_addresses: bool,
    /// Write the chain as presented to this file (PEM)
    #[arg(long, value_name = "FILE", conflicts_with = "pem")]
    pub export: Option<PathBuf>,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// How TLS is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Start {
    /// By the port.
    Auto,
    /// At once.
    None,
    /// Mail.
    Smtp,
    /// Mailboxes.
    Imap,
    /// Mailboxes.
    Pop3,
    /// Directories.
    Ldap,
    /// PostgreSQL.
    Postgres,
    /// MySQL and MariaDB.
    Mysql,
}

impl Start {
    /// The protocol to start with at this port.
    pub const fn at(self, port: u16) -> Option<StartTls> {
        match self {
            Self::Auto => StartTls::by_port(port),
            Self::None => None,
            Self::Smtp => Some(StartTls::Smtp),
            Self::Imap => Some(StartTls::Imap),
            Self::Pop3 => Some(StartTls::Pop3),
            Self::Ldap => Some(StartTls::Ldap),
            Self::Postgres => Some(StartTls::Postgres),
            Self::Mysql => Some(StartTls::Mysql),
        }
    }
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &TlsArgs, out: &mut Out) -> Result<u8, CliError> {
    if let Some(path) = &args.pem {
        return file::run(common, args, path, out);
    }
    if args.export.is_some() && args.targets.len() > 1 {
        return Err(CliError::usage("--export takes the chain of one target"));
    }
    let header = &["address", "version", "cipher", "not_after", "result"];
    let roots = roots(common, args)?;
    // Faulty options are told before anything is sent.
    live::question(args, None, 443)?;
    let given = args.clone();
    session::run(
        common,
        &args.repeat,
        "tls",
        header,
        &args.targets,
        out,
        move |world, target, voice| {
            Box::pin(live::judge(
                given.clone(),
                roots.clone(),
                world,
                target,
                voice,
            ))
        },
    )
}

/// What is trusted: the system's roots and `--ca`, or what `--roots` says and nothing else.
fn roots(common: &Common, args: &TlsArgs) -> Result<Roots, CliError> {
    if args.roots.is_empty() {
        return Roots::load(&common.ca).map_err(CliError::usage);
    }
    let files: Vec<PathBuf> = args.roots.iter().chain(&common.ca).cloned().collect();
    Roots::only(&files).map_err(CliError::usage)
}

/// A fault in words.
pub(super) fn fault_text(f: &TlsFault) -> String {
    f.detail()
}
