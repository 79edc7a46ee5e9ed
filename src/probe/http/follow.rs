//! Redirects, where the user asks to follow them: each hop is an exchange of its own.
//!
//! Credentials stay with the origin they were given for. Loops, a way back to plain HTTP and
//! targets that can't be followed are named.

use std::net::{IpAddr, SocketAddr};
use std::time::Instant;

use hyper::Method;

use crate::model::observation::HttpSample;
use crate::model::target::{Host, Scheme, Target, TargetKind, Url};
use crate::model::text::SafeText;
use crate::model::time::Rtt;
use crate::net::source::Source;
use crate::probe::tls::Roots;

use super::plan::Plan;
use super::{Way, ask_and_locate, masked_url};

/// Redirects followed where the user gives no number, as most browsers do.
pub const USUAL: u32 = 20;

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
    /// The exchanges in their order, at least one.
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
    let mut plan = plan.with_secrets_of(start.url);
    let mut url = start.url.clone();
    let mut at = (start.addr, start.name);
    let mut seen: Vec<(Method, Url)> = Vec::new();
    let mut j = Journey {
        hops: Vec::new(),
        cut: None,
        notes: Vec::new(),
    };
    loop {
        seen.push((plan.method.clone(), url.clone()));
        let port = plan.proxy.as_ref().map_or(url.port, |p| p.port);
        let way = Way {
            dst: SocketAddr::new(at.0, port),
            asked: true,
            name: at.1,
            hop: j.hops.len() as u32,
            roots: net.roots,
            source: net.source,
        };
        let (sample, location) = ask_and_locate(&plan, &url, way).await;
        let status = sample.outcome.ok().map(|r| r.status);
        j.hops.push(sample);
        let (Some(status @ (301 | 302 | 303 | 307 | 308)), Some(location)) = (status, location)
        else {
            return j;
        };
        if most == 0 {
            return j;
        }
        let next = match join(&url, &location) {
            Ok(next) => next,
            Err(why) => {
                j.cut = Some(Cut::Unusable(SafeText::new(format!(
                    "the redirect to {} can't be followed: {why}",
                    masked_url(&location)
                ))));
                return j;
            }
        };
        change_method(&mut plan, status);
        let back = seen
            .iter()
            .position(|(m, u)| *m == plan.method && *u == next);
        j.cut = back
            .map(|i| Cut::Loop(looped(&url, &next, i, seen.len())))
            .or_else(|| {
                (j.hops.len() as u32 > most).then(|| {
                    Cut::TooMany(SafeText::new(format!(
                        "more than {most} redirects; the next one leads to {}",
                        masked_url(&next.to_string())
                    )))
                })
            });
        if j.cut.is_some() {
            return j;
        }
        cross(&mut plan, &url, &next, &mut j.notes);
        at = match whereto(&plan, &start, &next, at.0, &resolve).await {
            Ok(at) => at,
            Err(why) => {
                j.cut = Some(Cut::Unusable(SafeText::new(format!(
                    "the redirect to {} can't be followed: {why}",
                    masked_url(&next.to_string())
                ))));
                return j;
            }
        };
        url = next;
    }
}

fn looped(from: &Url, to: &Url, first: usize, hops: usize) -> SafeText {
    let to = masked_url(&to.to_string());
    SafeText::new(if hops - first == 1 {
        format!("redirect loop: {to} redirects to itself")
    } else {
        format!(
            "redirect loop of {} URLs: {} leads back to {to}",
            hops - first,
            masked_url(&from.to_string())
        )
    })
}

/// RFC 9110 15.4: 303 asks for a GET; 301 and 302 turn a POST into one, as every browser does.
fn change_method(plan: &mut Plan, status: u16) {
    let changes = match status {
        303 => plan.method != Method::HEAD,
        301 | 302 => plan.method == Method::POST,
        _ => false,
    };
    if changes {
        plan.method = Method::GET;
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

/// A reference to a URL, resolved against the one that it came from (RFC 3986 5.2).
///
/// # Errors
/// Says why the program can't go there.
pub fn join(base: &Url, reference: &str) -> Result<Url, String> {
    let reference = reference.trim();
    let reference = reference.split('#').next().unwrap_or_default();
    let scheme_end = reference.find(':').filter(|i| {
        reference.get(..*i).is_some_and(|s| {
            s.starts_with(|c: char| c.is_ascii_alphabetic())
                && s.chars()
                    .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
        })
    });
    let whole = if scheme_end.is_some() {
        reference.to_owned()
    } else if let Some(rest) = reference.strip_prefix("//") {
        format!("{}://{rest}", base.scheme.as_str())
    } else {
        let (path, query) = base
            .path
            .split_once('?')
            .map_or((base.path.as_str(), None), |(p, q)| (p, Some(q)));
        let path = match reference {
            "" => match query {
                Some(q) => format!("{path}?{q}"),
                None => path.to_owned(),
            },
            r if r.starts_with('/') => without_dots(r),
            r if r.starts_with('?') => format!("{path}{r}"),
            r => {
                let folder = path
                    .rfind('/')
                    .map_or("/", |i| path.get(..=i).unwrap_or("/"));
                without_dots(&format!("{folder}{r}"))
            }
        };
        let mut url = base.clone();
        if path.chars().any(|c| c.is_control() || c == ' ') {
            return Err("it holds a space or a control character".into());
        }
        url.path = path;
        return Ok(url);
    };
    match Target::parse(&whole).map(|t| t.kind) {
        Ok(TargetKind::Url(url)) => Ok(url),
        Ok(_) => Err("it is no http or https URL".into()),
        Err(e) => Err(e.why),
    }
}

/// RFC 3986 5.2.4, the query left alone.
fn without_dots(reference: &str) -> String {
    let (path, query) = match reference.find('?') {
        Some(i) => reference.split_at(i),
        None => (reference, ""),
    };
    let mut kept: Vec<&str> = Vec::new();
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    for (i, part) in parts.iter().enumerate() {
        let last = i + 1 == parts.len();
        match *part {
            "." if last => kept.push(""),
            "." => {}
            ".." => {
                kept.pop();
                if last {
                    kept.push("");
                }
            }
            part => kept.push(part),
        }
    }
    format!("/{}{query}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        match Target::parse(text).unwrap().kind {
            TargetKind::Url(u) => u,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn references_are_resolved_as_the_standard_says() {
        let base = url("http://a/b/c/d?q");
        for (reference, whole) in [
            ("g", "http://a/b/c/g"),
            ("./g", "http://a/b/c/g"),
            ("g/", "http://a/b/c/g/"),
            ("/g", "http://a/g"),
            ("//g", "http://g/"),
            ("?y", "http://a/b/c/d?y"),
            ("g?y/./x", "http://a/b/c/g?y/./x"),
            ("", "http://a/b/c/d?q"),
            (".", "http://a/b/c/"),
            ("..", "http://a/b/"),
            ("../../../g", "http://a/g"),
            ("g#s", "http://a/b/c/g"),
            ("HTTPS://B:8443/x", "https://b:8443/x"),
        ] {
            assert_eq!(
                join(&base, reference).map(|u| u.to_string()),
                Ok(whole.into())
            );
        }
        for bad in [
            "ftp://x/",
            "javascript:alert(1)",
            "http://",
            "/a b",
            "http://u:p@/",
        ] {
            assert!(join(&base, bad).is_err(), "{bad}");
        }
    }
}
