//! `warroom tls TARGET…`: servers.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::super::session::{Sample, Verdict, Voice, World};
use super::{TlsArgs, report, words};
use crate::cli::CliError;
use crate::cli::probe::{TIMEOUT, summary_lines};
use crate::model::observation::Body;
use crate::model::target::{Host, Target};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::model::window::Window;
use crate::probe::tls::{self, Ask, Probed, Roots, Scan, Sni};

/// Most addresses of one name that are asked.
const MAX_ADDRESSES: usize = 32;

/// What is known of one address.
pub(super) struct Seen {
    pub dst: SocketAddr,
    /// How long the name took.
    pub resolve: Rtt,
    pub probed: Probed,
    pub scan: Option<Scan>,
    pub resumed: Option<tls::Resumed>,
}

impl Seen {
    fn good(&self) -> bool {
        let ok = self.probed.sample.outcome.ok();
        ok.is_some_and(|s| s.faults.is_empty())
            && self.probed.expiring.is_empty()
            && self
                .scan
                .as_ref()
                .is_none_or(|s| s.old().is_empty() && s.weak().is_empty())
    }
}

/// The question that the options make; without a target's host the options alone are checked.
///
/// # Errors
/// Usage.
pub(super) fn question(args: &TlsArgs, host: Option<&Host>, port: u16) -> Result<Ask, CliError> {
    let sni = match args.sni.as_deref() {
        None => Sni::Auto,
        Some("none") => Sni::Off,
        Some(name) => match super::file::parse_name(name)? {
            Host::Name(n) => Sni::Name(n),
            Host::Addr(_) => {
                return Err(CliError::usage(
                    "--sni: a server name is no address (RFC 6066 3)",
                ));
            }
        },
    };
    let named = args
        .name
        .as_deref()
        .map(super::file::parse_name)
        .transpose()?;
    let name = match (named, &sni, host) {
        (Some(n), ..) => n,
        (None, Sni::Name(n), _) => Host::Name(n.clone()),
        (None, _, Some(h)) => h.clone(),
        (None, _, None) => Host::Name("localhost".into()),
    };
    // Who judges by another name still greets the target by its own.
    let sni = match (sni, &args.name, host) {
        (Sni::Auto, Some(_), Some(Host::Name(h))) => Sni::Name(h.clone()),
        (other, ..) => other,
    };
    let mut ask = Ask::new(name, args.repeat.timeout.unwrap_or(TIMEOUT));
    ask.sni = sni;
    ask.starttls = args.starttls.at(port);
    ask.alpn = args.alpn.as_deref().map(protocols).transpose()?;
    Ok(ask)
}

fn protocols(list: &str) -> Result<Vec<Vec<u8>>, CliError> {
    let names = list.split(',').map(str::trim).filter(|p| !p.is_empty());
    names
        .map(|p| {
            if p.len() <= 255 {
                Ok(p.as_bytes().to_vec())
            } else {
                Err(CliError::usage(
                    "--alpn: a protocol's name has 255 octets at most",
                ))
            }
        })
        .collect()
}

/// Probes one target.
///
/// # Errors
/// What it could not do without.
pub(super) async fn judge(
    args: TlsArgs,
    roots: Roots,
    world: World,
    target: Target,
    voice: Voice,
) -> Result<Verdict, CliError> {
    let timeout = args.repeat.timeout.unwrap_or(TIMEOUT);
    let interval = args.repeat.interval.unwrap_or(Duration::from_secs(1));
    let port = target.tcp_port().unwrap_or(443);
    let mut ask = question(&args, target.host(), port)?;
    ask.source = world.sockets.source().clone();
    let began = Instant::now();
    let (how, _, mut addrs) = world.addresses(&target, timeout).await?;
    let resolve = Rtt::from_duration(began.elapsed());
    addrs.truncate(if args.all_addresses { MAX_ADDRESSES } else { 1 });
    let listed: Vec<_> = addrs.iter().map(ToString::to_string).collect();
    voice
        .note(format!("{} ({})", listed.join(" "), how.method.label()))
        .await;
    let mut verdict = Verdict {
        good: true,
        ..Verdict::default()
    };
    let mut samples = Vec::new();
    let mut window = Window::new([target.clone()]);
    let mut seen: Vec<Seen> = Vec::new();
    let mut next = tokio::time::Instant::now();
    let mut round = 0;
    'rounds: while args.repeat.again(round, 1) && voice.wait_until(next).await {
        next += interval;
        round += 1;
        seen.clear();
        for addr in &addrs {
            let dst = SocketAddr::new(*addr, port);
            let asked = tls::probe(&ask, dst, &roots);
            let Some((how, probed)) = voice.unless_stopped(asked).await else {
                break 'rounds;
            };
            samples.push(json!(probed.sample));
            let obs = voice
                .sample(Sample {
                    plain: None,
                    rows: vec![words::row(&probed)],
                    how,
                    body: Body::Tls(probed.sample.clone()),
                })
                .await;
            window.take(&obs);
            let one = Seen {
                dst,
                resolve,
                probed,
                scan: None,
                resumed: None,
            };
            verdict.good &= one.good();
            seen.push(one);
        }
    }
    for one in &mut seen {
        if voice.stopped() {
            break;
        }
        more(&args, &ask, &roots, one, &voice).await;
        verdict.good &= one.good();
    }
    verdict.lines = summary_lines(&window, &["tls"]);
    for one in &seen {
        if seen.len() > 1 {
            verdict.lines.push(format!("{}:", one.dst));
        }
        verdict.lines.extend(words::details(one));
    }
    verdict.lines.extend(words::comparison(&seen));
    verdict.json = members(&seen, samples);
    if let Some(path) = &args.export {
        verdict.lines.push(export(path, &seen)?);
    }
    Ok(verdict)
}

/// What was asked for beyond one handshake.
async fn more(args: &TlsArgs, ask: &Ask, roots: &Roots, one: &mut Seen, voice: &Voice) {
    // A server that did not even connect is not asked a hundred times.
    let connected = one.probed.sample.outcome.ok().is_some();
    if args.resume && connected {
        one.resumed = voice
            .unless_stopped(tls::resumes(ask, one.dst, roots))
            .await;
    }
    if args.versions || args.ciphers {
        one.scan = voice
            .unless_stopped(tls::scan(ask, one.dst, args.ciphers))
            .await;
    }
}

fn members(seen: &[Seen], samples: Vec<Value>) -> Map<String, Value> {
    let mut all: Vec<Map<String, Value>> = seen.iter().map(report::address).collect();
    let mut object = all.first().cloned().unwrap_or_default();
    object.insert("samples".into(), json!(samples));
    if all.len() > 1 {
        let leaf = |i: usize| seen.get(i).and_then(|s| s.probed.chain.first());
        for (i, one) in all.iter_mut().enumerate() {
            one.insert("same_certificate".into(), json!(leaf(i) == leaf(0)));
        }
        object.insert("addresses".into(), json!(all));
    }
    object
}

fn export(path: &std::path::Path, seen: &[Seen]) -> Result<String, CliError> {
    let file = SafeText::new(path.to_string_lossy());
    let chain = seen.iter().map(|s| &s.probed.chain).find(|c| !c.is_empty());
    let Some(chain) = chain else {
        return Err(CliError::could_not_run(format!(
            "nothing to write to {file}: no chain was presented"
        )));
    };
    std::fs::write(path, tls::to_pem(chain))
        .map_err(|e| CliError::could_not_run(format!("cannot write {file}: {e}")))?;
    Ok(format!("wrote {} certificates to {file}", chain.len()))
}
