//! `warroom dns`.

mod explain;
mod question;
mod text;
mod walk;
mod ways;
mod zone;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::Args;

use super::session::{self, Repeat, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::{CliError, Out};
use crate::model::observation::ServerRole;
use crate::model::target::{Host, Target, TargetKind};
use crate::probe::dns::{self, Options, types};
use crate::probe::tls::Roots;

/// Most record types asked for at once.
const MAX_TYPES: usize = 16;

/// Arguments of `warroom dns`.
#[derive(Clone, Debug, Default, Args)]
pub struct DnsArgs {
    /// What to ask for: a name, or name@resolver (host, address, address:port)
    #[arg(value_name = "NAME", required_unless_present = "reverse")]
    pub targets: Vec<String>,
    /// Record types, comma-separated, by name or as TYPE65; A unless given
    #[arg(short = 't', long = "type", value_name = "TYPE,…")]
    pub rtype: Option<String>,
    /// Ask for the name of an address (PTR); ADDRESS or ADDRESS@resolver
    #[arg(short = 'x', long, value_name = "ADDRESS")]
    pub reverse: Vec<String>,
    /// Ask over TCP
    #[arg(long, help_heading = "Transport")]
    pub tcp: bool,
    /// Ask over TLS (RFC 7858), port 853 unless given
    #[arg(
        long,
        value_name = "PORT",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "853",
        help_heading = "Transport"
    )]
    pub tls: Option<u16>,
    /// Ask over HTTPS (RFC 8484), /dns-query on port 443 unless given
    #[arg(
        long,
        value_name = "[:PORT][/PATH]",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "/dns-query",
        help_heading = "Transport"
    )]
    pub https: Option<String>,
    /// Ask over UDP, TCP, TLS and HTTPS, one after the other
    #[arg(long, help_heading = "Transport", conflicts_with = "tcp")]
    pub all_transports: bool,
    /// With --https or --all-transports: GET instead of POST
    #[arg(long, help_heading = "Transport")]
    pub get: bool,
    /// Name in the certificate, where the server is given by address
    #[arg(long, value_name = "NAME", help_heading = "Transport")]
    pub tls_name: Option<String>,
    /// Ask for signatures (DO) and judge their dates
    #[arg(long, help_heading = "Question")]
    pub dnssec: bool,
    /// Checking disabled (CD): the resolver is not to validate
    #[arg(long, help_heading = "Question")]
    pub cd: bool,
    /// Do not ask for recursion (RD off)
    #[arg(long, help_heading = "Question")]
    pub no_recurse: bool,
    /// UDP payload to announce by EDNS, in bytes; 0: no EDNS
    #[arg(long, value_name = "N", help_heading = "Question")]
    pub bufsize: Option<u16>,
    /// Walk down the delegations from the root servers, or from FROM (address or address:port; the
    /// port then goes for every server)
    #[arg(
        long,
        value_name = "FROM",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "",
        help_heading = "Where"
    )]
    pub trace: Option<String>,
    /// Ask every address of every name server of the zone, over UDP and TCP, and compare
    #[arg(long, visible_alias = "consistency", help_heading = "Where")]
    pub authoritative: bool,
    /// Say what this host's C library makes of the name: hosts file, nsswitch, search list
    #[arg(long, help_heading = "Where", conflicts_with_all = ["trace", "authoritative"])]
    pub explain: bool,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it. Exit 1 also where a certificate or a signature is at fault, servers disagree, or a
/// delegation is lame.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &DnsArgs, out: &mut Out) -> Result<u8, CliError> {
    let types = record_types(args)?;
    let ways = ways::Ways::of(args)?;
    // Reading the roots takes time: only where TLS is spoken.
    let roots = ways
        .secure()
        .then(|| Roots::load(&common.ca).map_err(CliError::usage))
        .transpose()?;
    let job = Job {
        args: args.clone(),
        types,
        ways,
        roots,
    };
    let header: &'static [&'static str] = if args.trace.is_some() && !args.authoritative {
        walk::HEADER
    } else if args.authoritative {
        zone::HEADER
    } else {
        question::HEADER
    };
    let typed = typed(args)?;
    session::run(
        common,
        &args.repeat,
        "dns",
        header,
        &typed,
        out,
        move |world, target, voice| Box::pin(work(job.clone(), world, target, voice)),
    )
}

/// What is to be done for each target.
#[derive(Clone)]
struct Job {
    args: DnsArgs,
    types: Vec<String>,
    ways: ways::Ways,
    roots: Option<Roots>,
}

impl Job {
    fn timeout(&self) -> Duration {
        self.args.repeat.timeout.unwrap_or(super::TIMEOUT)
    }

    /// How questions are asked, transport aside.
    fn options(&self, world: &World) -> Options {
        Options {
            timeout: self.timeout(),
            recurse: !self.args.no_recurse,
            dnssec: self.args.dnssec,
            cd: self.args.cd,
            edns_bytes: match self.args.bufsize {
                Some(0) => None,
                Some(n) => Some(n),
                None => Options::default().edns_bytes,
            },
            source: world.sockets.source().clone(),
            ..Options::default()
        }
    }

    /// Whether the user wrote the name with its final dot.
    fn absolute(&self, name: &str) -> bool {
        self.args.targets.iter().any(|t| {
            let t = t.split('@').next().unwrap_or(t);
            t.strip_suffix('.')
                .is_some_and(|t| t.trim_start_matches("dns:").eq_ignore_ascii_case(name))
        })
    }
}

async fn work(job: Job, world: World, target: Target, voice: Voice) -> Result<Verdict, CliError> {
    let TargetKind::Dns { name, resolver } = &target.kind else {
        return Err(CliError::usage(format!("{} is not a name", target.id)));
    };
    if job.args.explain {
        return explain::run(&job, &world, &voice, name, &target).await;
    }
    if job.args.authoritative {
        return zone::run(&job, &world, &voice, name, &target).await;
    }
    if job.args.trace.is_some() {
        return walk::run(&job, &world, &voice, name).await;
    }
    let servers = servers(&job, &world, &voice, &target).await?;
    let host = resolver.as_ref().map(|(h, _)| h.clone());
    question::run(&job, &world, &voice, name, servers, host).await
}

/// Whom to ask, with the port as typed.
struct Servers {
    list: Vec<SocketAddr>,
    role: ServerRole,
}

async fn servers(
    job: &Job,
    world: &World,
    voice: &Voice,
    target: &Target,
) -> Result<Servers, CliError> {
    let TargetKind::Dns { name, resolver } = &target.kind else {
        return Err(CliError::usage(format!("{} is not a name", target.id)));
    };
    match resolver {
        Some((_, port)) => {
            let (addr, line) = world.address(target, job.timeout()).await?;
            voice.note(line).await;
            Ok(Servers {
                list: vec![SocketAddr::new(addr, *port)],
                role: ServerRole::Named,
            })
        }
        None => {
            if let Some(problem) = &world.resolvers.problem {
                return Err(CliError::could_not_run(format!(
                    "{problem}; name a resolver: warroom dns {name}@ADDRESS"
                )));
            }
            Ok(Servers {
                list: world.resolvers.servers.clone(),
                role: ServerRole::Configured,
            })
        }
    }
}

fn record_types(args: &DnsArgs) -> Result<Vec<String>, CliError> {
    let usual = if args.targets.is_empty() { "PTR" } else { "A" };
    let given = args.rtype.as_deref().unwrap_or(usual);
    let mut all: Vec<String> = Vec::new();
    for word in given.split(',').map(str::trim).filter(|w| !w.is_empty()) {
        let Some(rtype) = types::parse(word) else {
            return Err(CliError::usage(format!(
                "'{}' is not a record type to ask for; give a name like AAAA or a number like TYPE65",
                crate::model::text::SafeText::capped(word, 40)
            )));
        };
        let rtype = types::print(rtype);
        if !all.contains(&rtype) {
            all.push(rtype);
        }
    }
    if all.is_empty() || all.len() > MAX_TYPES {
        return Err(CliError::usage(format!(
            "give between 1 and {MAX_TYPES} record types"
        )));
    }
    Ok(all)
}

/// The targets as the parser of targets takes them.
fn typed(args: &DnsArgs) -> Result<Vec<String>, CliError> {
    let named = args.targets.iter().map(|t| match t.get(..4) {
        Some(head) if head.eq_ignore_ascii_case("dns:") => t.clone(),
        _ => format!("dns:{t}"),
    });
    let mut all: Vec<String> = named.collect();
    for text in &args.reverse {
        let (addr, at) = match text.split_once('@') {
            Some((addr, at)) => (addr, format!("@{at}")),
            None => (text.as_str(), String::new()),
        };
        let addr: IpAddr = addr.parse().map_err(|_| {
            CliError::usage(format!(
                "'{}' is not an address to look up the name of",
                crate::model::text::SafeText::capped(addr, 60)
            ))
        })?;
        all.push(format!("dns:{}{at}", dns::reverse_name(addr)));
    }
    Ok(all)
}

/// The types asked for this name: PTR for names made of addresses given with -x.
fn types_for<'j>(job: &'j Job, name: &str) -> Vec<&'j str> {
    let reversed = job.args.rtype.is_none()
        && !job.args.reverse.is_empty()
        && (name.ends_with(".in-addr.arpa") || name.ends_with(".ip6.arpa"));
    if reversed {
        vec!["PTR"]
    } else {
        job.types.iter().map(String::as_str).collect()
    }
}

/// The host whose name a certificate is judged against.
fn judged_name(job: &Job, host: Option<&Host>, server: SocketAddr) -> Result<Host, CliError> {
    match &job.args.tls_name {
        Some(name) => crate::model::target::parse_host_port(name)
            .map(|(host, _)| host)
            .map_err(|why| CliError::usage(format!("--tls-name: {why}"))),
        None => Ok(host.cloned().unwrap_or(Host::Addr(server.ip()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(targets: &[&str], reverse: &[&str], rtype: Option<&str>) -> DnsArgs {
        let owned = |all: &[&str]| all.iter().map(|t| (*t).to_owned()).collect();
        DnsArgs {
            targets: owned(targets),
            reverse: owned(reverse),
            rtype: rtype.map(str::to_owned),
            ..DnsArgs::default()
        }
    }

    #[test]
    fn types_and_targets_as_typed() {
        let types = |t| record_types(&args(&["x"], &[], t));
        assert_eq!(types(None).unwrap(), ["A"]);
        assert_eq!(
            types(Some("aaaa, type65,MX,aaaa")).unwrap(),
            ["AAAA", "HTTPS", "MX"]
        );
        for wrong in ["", ",", "AXFR", "bogus", "A,TYPE70000"] {
            assert!(types(Some(wrong)).is_err(), "{wrong}");
        }
        let all = typed(&args(&["x@::1", "DNS:y"], &["10.0.0.1@ns", "::1"], None)).unwrap();
        assert_eq!(
            all[..3],
            ["dns:x@::1", "DNS:y", "dns:1.0.0.10.in-addr.arpa@ns"]
        );
        assert!(all[3].ends_with(".ip6.arpa"));
        assert!(typed(&args(&[], &["ten"], None)).is_err());
    }
}
