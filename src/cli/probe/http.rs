//! `warroom http`.

mod given;
mod lines;

use std::net::IpAddr;
use std::time::{Duration, Instant};

use clap::Args;
use serde_json::{Map, Value, json};

use super::session::{self, Repeat, Sample, Verdict, Voice, World};
use crate::cli::args::Common;
use crate::cli::check::summary;
use crate::cli::{CliError, Out};
use crate::model::observation::{Body, How, HttpSample, Method, Outcome, Refusal};
use crate::model::target::{Host, Scheme, Target, TargetKind, Url};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::probe::http::compare::differences;
use crate::probe::http::follow::{self, Journey, Net, Start, journey};
use crate::probe::http::{Plan, proxy};
use crate::probe::resolve::resolve;
use crate::probe::tls::Roots;
use given::{Given, ProxyChoice};

/// Longest wait in each phase.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Most addresses of a name that are compared.
const ADDRESSES: usize = 16;

/// Arguments of `warroom http`.
#[derive(Clone, Debug, Args)]
pub struct HttpArgs {
    /// What to ask for: a URL, a host or host:port
    #[arg(value_name = "TARGET", required = true)]
    pub targets: Vec<String>,
    /// Request method; GET, with --data POST
    #[arg(short = 'X', long, value_name = "METHOD")]
    pub method: Option<String>,
    /// Ask with HEAD and print the header fields
    #[arg(long, conflicts_with_all = ["method", "data"])]
    pub head: bool,
    /// Header field to send, or @FILE with one on each line
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE")]
    pub headers: Vec<String>,
    /// Request body, or @FILE
    #[arg(long, value_name = "TEXT")]
    pub data: Option<String>,
    /// Text or /regex/ that the body must hold
    #[arg(long, value_name = "TEXT")]
    pub body_match: Option<String>,
    /// Statuses that are good, like 200,3xx,400-403; without it all below 500
    #[arg(long, value_name = "LIST")]
    pub expect_status: Option<String>,
    /// Follow redirects, N at most
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "20", value_parser = clap::value_parser!(u32).range(0..=100))]
    pub follow: Option<u32>,
    /// Go through this HTTP proxy (env: the one that http_proxy, https_proxy, no_proxy name)
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,
    /// Offer HTTP/1.1 only
    #[arg(long = "http1.1", conflicts_with = "http2")]
    pub http1: bool,
    /// Offer HTTP/2 only; in the clear with prior knowledge
    #[arg(long)]
    pub http2: bool,
    /// Ask at each address of the name and compare
    #[arg(long, conflicts_with = "proxy")]
    pub all_addresses: bool,
    /// Use this address for a host, like api.example.com:10.0.0.7
    #[arg(long, value_name = "HOST[:PORT]:ADDRESS")]
    pub resolve: Vec<String>,
    /// Send headers, body and secrets of the URL even where the certificate is not good, and let
    /// its faults not count
    #[arg(short = 'k', long)]
    pub insecure: bool,
    /// Print the header fields of the response, secrets masked
    #[arg(long)]
    pub show_headers: bool,
    /// Most of the body to read, like 64k; 1M unless given
    #[arg(long, value_name = "SIZE", value_parser = given::size)]
    pub max_body: Option<usize>,
    /// Repetition and form.
    #[command(flatten)]
    pub repeat: Repeat,
}

/// Runs it.
///
/// # Errors
/// Usage, and what could not be run.
pub fn run(common: &Common, args: &HttpArgs, out: &mut Out) -> Result<u8, CliError> {
    let header = &[
        "address",
        "status",
        "total_ms",
        "result",
        "hop",
        "url",
        "protocol",
        "name_ms",
        "connect_ms",
        "proxy_ms",
        "tls_ms",
        "request_ms",
        "first_byte_ms",
        "body_ms",
        "kernel_rtt_ms",
        "body_bytes",
        "certificate",
    ];
    let roots = Roots::load(&common.ca).map_err(CliError::usage)?;
    let given = Given::read(args, args.repeat.timeout.unwrap_or(TIMEOUT))?;
    let args = args.clone();
    session::run(
        common,
        &args.repeat.clone(),
        "http",
        header,
        &args.targets.clone(),
        out,
        move |world, target, voice| {
            let run = Run {
                args: args.clone(),
                given: given.clone(),
                roots: roots.clone(),
                world,
                voice,
            };
            Box::pin(run.all(target))
        },
    )
}

/// One target's exchanges.
struct Run {
    args: HttpArgs,
    given: Given,
    roots: Roots,
    world: World,
    voice: Voice,
}

impl Run {
    async fn all(self, target: Target) -> Result<Verdict, CliError> {
        let url = url(&target)?;
        let plan = self.plan(&url).await?;
        let started = Instant::now();
        let (addrs, note) = self.whereto(&plan, &url).await?;
        let mut name = Rtt::from_duration(started.elapsed());
        self.voice.note(note).await;
        let most = self.args.follow.unwrap_or(0);
        let interval = self.args.repeat.interval.unwrap_or(Duration::from_secs(1));
        let mut verdict = Verdict {
            good: true,
            ..Verdict::default()
        };
        let (mut samples, mut said) = (Vec::new(), Vec::new());
        let mut compared: Vec<HttpSample> = Vec::new();
        let (mut rounds, mut next) = (0, tokio::time::Instant::now());
        'rounds: while self.args.repeat.again(rounds, 1) && self.voice.wait_until(next).await {
            next += interval;
            rounds += 1;
            let mut round = Vec::new();
            for addr in &addrs {
                let start = Start {
                    url: &url,
                    addr: *addr,
                    name,
                };
                name = Rtt(0);
                let net = Net {
                    roots: &self.roots,
                    source: self.world.sockets.source(),
                };
                let going = journey(&plan, start, most, net, |host| self.addresses(host));
                let Some(j) = self.voice.unless_stopped(going).await else {
                    break 'rounds;
                };
                verdict.good &= self.tell(&j, &mut samples, &mut said).await;
                round.extend(j.hops.last().cloned());
            }
            compared = round;
        }
        self.compare(&compared, &mut verdict, &mut said);
        let port = plan.proxy.as_ref().map_or(url.port, |p| p.port);
        let dst = addrs.first().map(|a| std::net::SocketAddr::new(*a, port));
        verdict.json.insert("address".into(), json!(dst));
        verdict.json.insert("samples".into(), Value::Array(samples));
        verdict.json.insert("remarks".into(), json!(said));
        Ok(verdict)
    }

    /// Prints a journey; true if it ended as hoped.
    async fn tell(&self, j: &Journey, samples: &mut Vec<Value>, said: &mut Vec<String>) -> bool {
        for hop in &j.hops {
            samples.push(as_json(hop));
            self.voice
                .sample(Sample {
                    plain: Some(lines::of(hop)),
                    rows: vec![row(hop)],
                    how: How::best(Method::HttpRequest),
                    body: Body::Http(hop.clone()),
                })
                .await;
        }
        let mut remarks: Vec<String> = j.notes.iter().map(ToString::to_string).collect();
        let faulty = self.certificates(j, &mut remarks);
        remarks.extend(j.cut.as_ref().map(|c| c.words().to_string()));
        let complaint = j.hops.last().and_then(|s| self.given.complaint(s));
        // A missing response has been told already.
        let told = j.hops.last().is_some_and(|s| s.outcome.ok().is_none());
        remarks.extend(
            complaint
                .clone()
                .filter(|_| !told)
                .map(|c| format!("wrong: {c}")),
        );
        for remark in remarks {
            self.voice.note(remark.clone()).await;
            said.push(remark);
        }
        j.cut.is_none() && complaint.is_none() && !faulty
    }

    /// Sums up what is wrong with the certificates on the way; true if that counts.
    fn certificates(&self, j: &Journey, remarks: &mut Vec<String>) -> bool {
        let mut held_back = false;
        let mut faulty = false;
        for hop in &j.hops {
            let Some(d) = &hop.details else { continue };
            let codes: Vec<_> = lines::faults(d).iter().map(|f| f.code.as_str()).collect();
            if codes.is_empty() {
                continue;
            }
            let certificate = d.tls.as_ref().and_then(|t| t.certificate.as_ref());
            let good = certificate.is_none_or(|c| c.good);
            held_back |= !good && (!d.withheld.is_empty() || hop.outcome.ok().is_none());
            faulty |= !self.given.plan.insecure;
            if !self.given.plan.insecure {
                let what = format!(
                    "wrong: the certificate for {}: {}",
                    hop.url,
                    codes.join(", ")
                );
                // A host may come up several times.
                if !remarks.contains(&what) {
                    remarks.push(what);
                }
            }
        }
        if held_back && !self.given.plan.insecure {
            remarks.push("--insecure sends what was held back, whoever answers".into());
        }
        faulty
    }

    fn compare(&self, last: &[HttpSample], verdict: &mut Verdict, said: &mut Vec<String>) {
        if !self.args.all_addresses {
            return;
        }
        let all: Vec<&HttpSample> = last.iter().collect();
        let found = differences(&all);
        verdict.json.insert("differences".into(), json!(found));
        verdict.lines = match (all.len(), found.is_empty()) {
            (0 | 1, _) => vec!["one address only: nothing to compare".into()],
            (n, true) => vec![format!("all {n} addresses answer alike")],
            _ => found.clone(),
        };
        said.extend(found);
    }

    async fn plan(&self, url: &Url) -> Result<Plan, CliError> {
        let mut plan = self.given.plan.clone();
        let named = proxy::named_for(url, &proxy::environment);
        match (&self.given.proxy, named) {
            (ProxyChoice::This(p), _) => plan.set_proxy(p.clone()),
            (ProxyChoice::Environment, Some((name, value))) => {
                let p = proxy::Proxy::parse(&value)
                    .map_err(|e| CliError::usage(format!("{name}: {e}")))?;
                plan.set_proxy(p);
            }
            (ProxyChoice::Environment, None) => {
                let note = "the environment names no proxy for this URL; it goes without";
                self.voice.note(note).await;
            }
            (ProxyChoice::Without, Some((name, _))) => plan.proxy_unused = Some(name),
            (ProxyChoice::Without, None) => {}
        }
        Ok(plan)
    }

    /// The addresses that connections go to, and a line about them.
    async fn whereto(&self, plan: &Plan, url: &Url) -> Result<(Vec<IpAddr>, String), CliError> {
        let host = plan.proxy.as_ref().map_or(&url.host, |p| &p.host);
        let fixed = host
            .name()
            .map_or_else(Vec::new, |h| self.given.fixed_for(h, url.port));
        let (mut addrs, how) = if fixed.is_empty() {
            let (how, found) = self.resolve(host).await;
            let words =
                |w: SafeText| CliError::could_not_run(format!("cannot resolve {host}: {w}"));
            (found.map_err(words)?, how.method.label())
        } else {
            (fixed, "given")
        };
        let all = addrs.len();
        addrs.truncate(if self.args.all_addresses {
            ADDRESSES
        } else {
            1
        });
        let Some(first) = addrs.first() else {
            return Err(CliError::could_not_run(format!("{host} has no address")));
        };
        let from = crate::probe::local::route_exists(*first)
            .ok()
            .flatten()
            .map_or("nowhere: there is no route".to_owned(), |a| a.to_string());
        let list: Vec<_> = addrs.iter().map(ToString::to_string).collect();
        let role = if plan.proxy.is_some() { "proxy " } else { "" };
        let others = match all - addrs.len() {
            0 => String::new(),
            n => format!("; {n} more, --all-addresses asks each"),
        };
        let note = format!("{role}{} ({how}), from {from}{others}", list.join(" "));
        Ok((addrs, note))
    }

    async fn resolve(&self, host: &Host) -> (How, Result<Vec<IpAddr>, SafeText>) {
        let limit = self.given.plan.timeout;
        let family = self.world.common.family();
        let (how, found) = resolve(host, &self.world.resolvers, family, limit).await;
        let found = match found.outcome {
            Outcome::Ok(addrs) => Ok(addrs),
            Outcome::Refused {
                why: Refusal::Protocol(w),
                ..
            } => Err(w),
            Outcome::CannotTry { need } => Err(need),
            _ => Err("no resolver answered".into()),
        };
        (how, found)
    }

    /// Addresses of the host of a redirect.
    async fn addresses(&self, host: Host) -> Result<Vec<IpAddr>, SafeText> {
        let fixed = host.name().map_or_else(Vec::new, |h| {
            let entries = self.given.fixed.iter();
            let mine = entries.filter(|(name, ..)| name.eq_ignore_ascii_case(h));
            mine.map(|(_, _, a)| *a).collect()
        });
        if fixed.is_empty() {
            return self.resolve(&host).await.1;
        }
        Ok(fixed)
    }
}

fn url(target: &Target) -> Result<Url, CliError> {
    if let TargetKind::Url(u) = &target.kind {
        return Ok(u.clone());
    }
    let Some(host) = target.host() else {
        return Err(CliError::usage(format!(
            "{} names no host; give a URL, a host, an address or host:port",
            target.id
        )));
    };
    let port = target.tcp_port().unwrap_or(443);
    Ok(Url {
        scheme: if matches!(port, 443 | 8443) {
            Scheme::Https
        } else {
            Scheme::Http
        },
        host: host.clone(),
        port,
        path: "/".into(),
    })
}

/// The sample, with what a program would have to compute.
fn as_json(s: &HttpSample) -> Value {
    let mut object = match json!(s) {
        Value::Object(map) => map,
        _ => Map::new(),
    };
    let response = s.outcome.ok();
    object.insert("status".into(), json!(response.map(|r| r.status)));
    if let Some(d) = &s.details {
        object.insert("total_ms".into(), json!(d.phases.total().as_ms()));
        object.insert("phases_ms".into(), lines::phases_ms(d.phases));
        object.insert("kernel_rtt_ms".into(), json!(d.kernel_rtt.map(Rtt::as_ms)));
        object.insert("slowest".into(), json!(response.and(lines::slowest(d))));
    }
    Value::Object(object)
}

fn row(s: &HttpSample) -> Vec<String> {
    let answer = s.outcome.ok();
    let ms = |r: Rtt| format!("{:.3}", r.as_ms());
    let mut cells = vec![
        s.dst.to_string(),
        answer.map(|r| r.status.to_string()).unwrap_or_default(),
        answer.map(|r| ms(r.phases.total())).unwrap_or_default(),
        answer.map_or_else(|| summary::refusal_text(&s.outcome), |_| "ok".into()),
    ];
    let Some(d) = &s.details else {
        return cells;
    };
    cells.push(d.hop.to_string());
    cells.push(s.url.to_string());
    cells.push(answer.map(|r| r.version.to_string()).unwrap_or_default());
    cells.extend(d.phases.parts().map(|(_, t)| ms(t)));
    cells.push(d.kernel_rtt.map(ms).unwrap_or_default());
    cells.push(
        d.body
            .as_ref()
            .map(|b| b.bytes.to_string())
            .unwrap_or_default(),
    );
    let judged = d.tls.as_ref().is_some_and(|t| t.certificate.is_some());
    let codes: Vec<_> = lines::faults(d).iter().map(|f| f.code.as_str()).collect();
    cells.push(match (judged, codes.is_empty()) {
        (false, _) => String::new(),
        (true, true) => "ok".into(),
        (true, false) => codes.join(" "),
    });
    cells
}

/// The usual number of redirects is the same wherever it is written.
const _: () = assert!(follow::USUAL == 20);
