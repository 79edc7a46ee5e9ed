//! Redirects, where the user asks to follow them: each hop is an exchange of its own.
//!
//! Credentials stay with the origin they were given for. Loops, a way back to plain HTTP and
//! targets that can't be followed are named.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::model::observation::{How, HttpSample, Method};
use crate::model::service::{HttpRedirects, RedirectEnd};
use crate::model::target::{Host, Scheme, Url};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::source::Source;
use crate::probe::tls::Roots;

use super::plan::Plan;
use super::reference::join;
use super::{Way, ask_and_locate, masked_url};

/// Redirects followed where the user gives no number, as most browsers do.
pub const USUAL: u32 = 20;

/// Redirects that a watch follows: each of its probes makes five requests at most.
pub const WATCHED: u32 = 4;

/// More URLs of a chain are not written out.
const SHOWN: usize = 6;

/// What the exchanges of a journey have in common.
#[derive(Clone, Copy, Debug)]
pub struct Net<'a> {
    /// Whom TLS trusts.
    pub roots: &'a Roots,
    /// The way out of this host.
    pub source: &'a Source,
}

/// Where a journey begins.
#[derive(Clone, Debug)]
pub struct Start<'a> {
    /// What is asked for.
    pub url: &'a Url,
    /// The address of the URL's host (or of the proxy), used wherever that host comes up again.
    pub addr: IpAddr,
    /// How long its name took.
    pub name: Rtt,
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Journey {
    /// The exchanges in their order, at least one. The first one holds the way as a whole.
    pub hops: Vec<HttpSample>,
    /// Why it ended, where the last exchange is not the end of the redirects.
    pub cut: Option<Cut>,
    /// What a reader should know of the way: a downgrade, credentials that were held back.
    pub notes: Vec<SafeText>,
}

/// Why redirects were not followed to their end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The same request again: it would go on for ever.
    Loop(SafeText),
    /// More redirects than were to be followed.
    TooMany(SafeText),
    /// It leads to where the program can't go.
    Unusable(SafeText),
}

impl Cut {
    /// In words.
    pub const fn words(&self) -> &SafeText {
        match self {
            Cut::Loop(w) | Cut::TooMany(w) | Cut::Unusable(w) => w,
        }
    }
}

/// Asks, and follows up to `most` redirects. `resolve` gives the addresses of a host; the first
/// one is used.
pub async fn journey<R, F>(
    plan: &Plan,
    start: Start<'_>,
    most: u32,
    net: Net<'_>,
    resolve: R,
) -> Journey
where
    R: Fn(Host) -> F,
    F: Future<Output = Result<Vec<IpAddr>, SafeText>>,
{
    let mut traveller = Traveller::new(plan, start, most, net);
    while traveller.step(&resolve).await {}
    traveller.arrived()
}

/// Asks as [`super::get`] does, and sees where redirects lead: up to [`WATCHED`] of them, at the
/// same host and address only. The first exchange is what is told; with the way behind it. What
/// follows takes no longer than one exchange may.
pub async fn watch(
    url: &Url,
    dst: SocketAddr,
    asked: bool,
    net: Net<'_>,
    timeout: Duration,
) -> (How, Option<HttpSample>) {
    let plan = Plan::as_named(url, timeout);
    let start = Start {
        url,
        addr: dst.ip(),
        name: Rtt(0),
    };
    let mut traveller = Traveller::new(&plan, start, WATCHED, net);
    let elsewhere = |host: Host| async move {
        let words = format!("{host} is another host, which is not followed");
        Err::<Vec<IpAddr>, _>(SafeText::new(words))
    };
    if traveller.step(&elsewhere).await {
        let rest = async { while traveller.step(&elsewhere).await {} };
        // What did not come in time is not known, the way so far is.
        let _ = tokio::time::timeout(timeout, rest).await;
    }
    let first = traveller.arrived().hops.into_iter().next();
    let first = first.map(|sample| HttpSample { asked, ..sample });
    (How::best(Method::HttpRequest), first)
}

/// A journey on its way.
struct Traveller<'a> {
    plan: Plan,
    start: Start<'a>,
    most: u32,
    net: Net<'a>,
    /// What is asked for next, and where.
    url: Url,
    at: (IpAddr, Rtt),
    seen: Vec<(hyper::Method, Url)>,
    end: RedirectEnd,
    journey: Journey,
}

impl<'a> Traveller<'a> {
    fn new(plan: &Plan, start: Start<'a>, most: u32, net: Net<'a>) -> Self {
        Self {
            plan: plan.with_secrets_of(start.url),
            most,
            net,
            url: start.url.clone(),
            at: (start.addr, start.name),
            seen: Vec::new(),
            end: RedirectEnd::Unknown,
            start,
            journey: Journey {
                hops: Vec::new(),
                cut: None,
                notes: Vec::new(),
            },
        }
    }

    /// One exchange; true if there is another one to come.
    async fn step<R, F>(&mut self, resolve: &R) -> bool
    where
        R: Fn(Host) -> F,
        F: Future<Output = Result<Vec<IpAddr>, SafeText>>,
    {
        let port = self.plan.proxy.as_ref().map_or(self.url.port, |p| p.port);
        let way = Way {
            dst: SocketAddr::new(self.at.0, port),
            asked: true,
            name: self.at.1,
            hop: self.journey.hops.len() as u32,
            roots: self.net.roots,
            source: self.net.source,
        };
        let (sample, location) = ask_and_locate(&self.plan, &self.url, way).await;
        let status = sample.outcome.ok().map(|r| r.status);
        self.seen.push((self.plan.method.clone(), self.url.clone()));
        self.journey.hops.push(sample);
        let (Some(status @ (301 | 302 | 303 | 307 | 308)), Some(location)) = (status, location)
        else {
            self.end = RedirectEnd::Arrived;
            return false;
        };
        if self.most == 0 {
            return false;
        }
        let next = match join(&self.url, &location) {
            Ok(next) => next,
            Err(why) => return self.lost(&location, &why),
        };
        change_method(&mut self.plan, status);
        if self.is_enough(&next) {
            return false;
        }
        cross(&mut self.plan, &self.url, &next, &mut self.journey.notes);
        match whereto(&self.plan, &self.start, &next, self.at.0, resolve).await {
            Ok(at) => self.at = at,
            Err(why) => return self.lost(&next.to_string(), why.as_str()),
        }
        self.url = next;
        true
    }

    fn lost(&mut self, location: &str, why: &str) -> bool {
        self.end = RedirectEnd::Away;
        self.journey.cut = Some(Cut::Unusable(SafeText::new(format!(
            "the redirect to {} can't be followed: {why}",
            masked_url(location)
        ))));
        false
    }

    /// Whether the next request would be one of those before, or one too many.
    fn is_enough(&mut self, next: &Url) -> bool {
        let mut back = self.seen.iter();
        let back = back.position(|(m, u)| *m == self.plan.method && u == next);
        let last = masked_url(&next.to_string());
        if let Some(from) = back {
            let cookies = self.sets_cookie(from);
            let way = self.way_from(from);
            let mut words = match way.as_slice() {
                [one] => format!("redirect loop: {one} redirects to itself"),
                _ => format!(
                    "redirect loop of {} URLs: {} -> {last}",
                    way.len(),
                    chain(&way)
                ),
            };
            if cookies {
                words.push_str(
                    "; it sets a cookie, which is not kept here: a browser may get out of it",
                );
            }
            self.end = RedirectEnd::Loop { from, cookies };
            self.journey.cut = Some(Cut::Loop(SafeText::new(words)));
            return true;
        }
        if self.journey.hops.len() as u32 <= self.most {
            return false;
        }
        self.end = RedirectEnd::TooMany;
        self.journey.cut = Some(Cut::TooMany(SafeText::new(format!(
            "more than {} redirects, no end in sight: {}; the next one leads to {last}",
            self.most,
            chain(&self.way_from(0))
        ))));
        true
    }

    /// The URLs from that hop on, masked.
    fn way_from(&self, from: usize) -> Vec<String> {
        let hops = self.journey.hops.iter().skip(from);
        hops.map(|h| h.url.to_string()).collect()
    }

    fn sets_cookie(&self, from: usize) -> bool {
        let mut hops = self.journey.hops.iter().skip(from);
        hops.any(|h| h.details.as_ref().is_some_and(|d| d.sets_cookie))
    }

    /// The journey, with the whole way in its first exchange where there were redirects.
    fn arrived(mut self) -> Journey {
        let urls: Vec<SafeText> = self.journey.hops.iter().map(|h| h.url.clone()).collect();
        let followed =
            urls.len() > 1 || !matches!(self.end, RedirectEnd::Arrived | RedirectEnd::Unknown);
        let status = self.journey.hops.last().and_then(|h| h.outcome.ok());
        let status = status.map(|r| r.status);
        let first = self.journey.hops.first_mut();
        if let Some(d) = first.and_then(|h| h.details.as_mut()).filter(|_| followed) {
            d.redirects = Some(HttpRedirects {
                urls,
                end: self.end,
                status,
            });
        }
        self.journey
    }
}

/// URLs one after the other; of many the first and the last ones.
fn chain(way: &[String]) -> String {
    match way {
        [first, second, .., before, last] if way.len() > SHOWN => {
            let between = way.len() - 4;
            format!("{first} -> {second} -> ({between} more) -> {before} -> {last}")
        }
        _ => way.join(" -> "),
    }
}

/// RFC 9110 15.4: 303 asks for a GET; 301 and 302 turn a POST into one, as every browser does.
fn change_method(plan: &mut Plan, status: u16) {
    let changes = match status {
        303 => plan.method != hyper::Method::HEAD,
        301 | 302 => plan.method == hyper::Method::POST,
        _ => false,
    };
    if changes {
        plan.method = hyper::Method::GET;
        plan.body = hyper::body::Bytes::new();
        plan.headers
            .retain(|(name, _)| name != hyper::header::CONTENT_TYPE);
    }
}

fn cross(plan: &mut Plan, from: &Url, to: &Url, notes: &mut Vec<SafeText>) {
    if (from.scheme, to.scheme) == (Scheme::Https, Scheme::Http) {
        notes.push(SafeText::new(format!(
            "downgrade: {} redirects to plain http, {}",
            masked_url(&from.to_string()),
            masked_url(&to.to_string())
        )));
    }
    let other = (from.scheme, &from.host, from.port) != (to.scheme, &to.host, to.port);
    if other {
        if plan.has_credentials() {
            notes.push(SafeText::new(format!(
                "credentials were not sent on to {}",
                to.host
            )));
        }
        *plan = plan.without_credentials();
    }
}

/// The address of the next hop and how long its name took.
async fn whereto<R, F>(
    plan: &Plan,
    start: &Start<'_>,
    next: &Url,
    now: IpAddr,
    resolve: &R,
) -> Result<(IpAddr, Rtt), SafeText>
where
    R: Fn(Host) -> F,
    F: Future<Output = Result<Vec<IpAddr>, SafeText>>,
{
    if plan.proxy.is_some() {
        return Ok((now, Rtt(0)));
    }
    if next.host == start.url.host {
        return Ok((start.addr, Rtt(0)));
    }
    let started = Instant::now();
    let found = resolve(next.host.clone()).await?;
    let addr = found.first().copied();
    addr.map(|a| (a, Rtt::from_duration(started.elapsed())))
        .ok_or_else(|| SafeText::new(format!("{} has no address", next.host)))
}
