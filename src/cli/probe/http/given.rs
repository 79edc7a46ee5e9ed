//! What the arguments of `warroom http` ask for.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::time::Duration;

use super::HttpArgs;
use crate::cli::CliError;
use crate::model::observation::HttpSample;
use crate::probe::http::proxy::Proxy;
use crate::probe::http::{LARGEST_BODY, Matcher, Plan, Versions};

/// Most body bytes read unless the user says otherwise.
const MAX_BODY: usize = 1 << 20;
/// Largest file sent as a request body or read for headers, in bytes.
const LARGEST_FILE: u64 = 16 << 20;

/// Arguments, understood.
#[derive(Clone, Debug)]
pub(super) struct Given {
    pub(super) plan: Plan,
    pub(super) proxy: ProxyChoice,
    pub(super) expected: Option<Vec<RangeInclusive<u16>>>,
    pub(super) fixed: Vec<(String, Option<u16>, IpAddr)>,
}

/// Which proxy.
#[derive(Clone, Debug)]
pub(super) enum ProxyChoice {
    Without,
    Environment,
    This(Proxy),
}

impl Given {
    /// Reads the arguments, and the files that they name.
    pub(super) fn read(args: &HttpArgs, timeout: Duration) -> Result<Self, CliError> {
        let mut plan = Plan::get(timeout);
        plan.max_body = args.max_body.unwrap_or(MAX_BODY);
        plan.insecure = args.insecure;
        plan.keep_headers = args.show_headers || args.head;
        plan.versions = match (args.http1, args.http2) {
            (true, _) => Versions::Http1,
            (_, true) => Versions::Http2,
            _ => Versions::Any,
        };
        if let Some(data) = &args.data {
            plan.body = match data.strip_prefix('@') {
                Some(file) => file_bytes(file)?.into(),
                None => data.clone().into_bytes().into(),
            };
        }
        let usual = match (args.head, &args.data) {
            (true, _) => "HEAD",
            (_, Some(_)) => "POST",
            _ => "GET",
        };
        plan.set_method(args.method.as_deref().unwrap_or(usual))
            .map_err(CliError::usage)?;
        for typed in &args.headers {
            headers(&mut plan, typed)?;
        }
        if args.data.is_some() && !args.headers.iter().any(|h| is_content_type(h)) {
            plan.header("Content-Type: application/x-www-form-urlencoded")
                .map_err(CliError::usage)?;
        }
        if let Some(typed) = &args.body_match {
            plan.wanted = Some(Matcher::parse(typed).map_err(CliError::usage)?);
        }
        let proxy = match args.proxy.as_deref() {
            None => ProxyChoice::Without,
            Some("env") => ProxyChoice::Environment,
            Some(typed) => ProxyChoice::This(Proxy::parse(typed).map_err(CliError::usage)?),
        };
        let expected = args.expect_status.as_deref().map(statuses).transpose();
        let fixed: Result<Vec<_>, _> = args.resolve.iter().map(|t| fixed(t)).collect();
        Ok(Self {
            plan,
            proxy,
            expected: expected.map_err(CliError::usage)?,
            fixed: fixed.map_err(CliError::usage)?,
        })
    }

    /// Addresses that the user gave for a host.
    pub(super) fn fixed_for(&self, host: &str, port: u16) -> Vec<IpAddr> {
        self.fixed
            .iter()
            .filter(|(h, p, _)| h.eq_ignore_ascii_case(host) && p.is_none_or(|p| p == port))
            .map(|(_, _, a)| *a)
            .collect()
    }

    /// Why a last exchange is not as hoped; `None` if it is.
    pub(super) fn complaint(&self, s: &HttpSample) -> Option<String> {
        let Some(r) = s.outcome.ok() else {
            return Some("no whole response".into());
        };
        match &self.expected {
            Some(list) if !list.iter().any(|range| range.contains(&r.status)) => {
                return Some(format!("status {} is not one that was expected", r.status));
            }
            None if r.status >= 500 => return Some(format!("status {}", r.status)),
            _ => {}
        }
        self.plan.wanted.as_ref()?;
        let body = s.details.as_ref().and_then(|d| d.body.as_ref());
        match body.and_then(|b| b.matched) {
            Some(true) => None,
            Some(false) if body.is_some_and(|b| b.truncated) => Some(format!(
                "the first {} bytes of the body do not match; --max-body reads more",
                r.body_bytes
            )),
            Some(false) => Some("the body does not match".into()),
            None => {
                Some("the body is compressed, which is not undone, so it was not searched".into())
            }
        }
    }
}

fn is_content_type(header: &str) -> bool {
    header
        .split(':')
        .next()
        .is_some_and(|n| n.trim().eq_ignore_ascii_case("content-type"))
}

fn headers(plan: &mut Plan, typed: &str) -> Result<(), CliError> {
    if let Some(file) = typed.strip_prefix('@') {
        let bytes = file_bytes(file)?;
        let text = String::from_utf8_lossy(&bytes);
        for line in text.lines().filter(|l| !l.trim().is_empty()) {
            plan.header(line).map_err(CliError::usage)?;
        }
    } else if plan.header(typed).map_err(CliError::usage)? {
        crate::cli::warn(
            "a secret was given on the command line, where every user of this host can read it; \
             put the header in a file and use -H @FILE",
        );
    }
    Ok(())
}

fn file_bytes(file: &str) -> Result<Vec<u8>, CliError> {
    use std::io::Read;
    let fail = |e: std::io::Error| CliError::usage(format!("cannot read {file}: {e}"));
    let mut bytes = Vec::new();
    std::fs::File::open(Path::new(file))
        .map_err(fail)?
        .take(LARGEST_FILE + 1)
        .read_to_end(&mut bytes)
        .map_err(fail)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(CliError::usage(format!("{file} is larger than 16 MiB")));
    }
    Ok(bytes)
}

/// `200`, `2xx`, `200-299`, several with commas.
fn statuses(typed: &str) -> Result<Vec<RangeInclusive<u16>>, String> {
    let wrong = |part: &str| {
        format!("'{part}' is not a status; write 200, 2xx or 200-299, several with commas")
    };
    let one = |text: &str| text.parse::<u16>().ok().filter(|n| (100..=999).contains(n));
    let each = typed.split(',').map(str::trim).map(|part| {
        let class = part.strip_suffix("xx").or_else(|| part.strip_suffix("XX"));
        if let Some(class) = class {
            let first = one(&format!("{class}00")).ok_or_else(|| wrong(part))?;
            return Ok(first..=first + 99);
        }
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        match (one(from), one(to)) {
            (Some(from), Some(to)) if from <= to => Ok(from..=to),
            _ => Err(wrong(part)),
        }
    });
    each.collect()
}

/// `HOST:ADDRESS` or `HOST:PORT:ADDRESS`.
fn fixed(typed: &str) -> Result<(String, Option<u16>, IpAddr), String> {
    let wrong = || format!("'{typed}' is not HOST:ADDRESS or HOST:PORT:ADDRESS");
    let (host, rest) = typed.split_once(':').ok_or_else(wrong)?;
    let addr = |text: &str| {
        text.trim_start_matches('[')
            .trim_end_matches(']')
            .parse::<IpAddr>()
            .ok()
    };
    if host.is_empty() {
        return Err(wrong());
    }
    if let Some(a) = addr(rest) {
        return Ok((host.to_owned(), None, a));
    }
    let (port, rest) = rest.split_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let a = addr(rest).ok_or_else(wrong)?;
    Ok((host.to_owned(), Some(port), a))
}

/// A size in bytes: `4096`, `64k`, `1M`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let (digits, unit) = match text.char_indices().last() {
        Some((i, 'k' | 'K')) => (text.get(..i).unwrap_or_default(), 1 << 10),
        Some((i, 'm' | 'M')) => (text.get(..i).unwrap_or_default(), 1 << 20),
        _ => (text, 1),
    };
    let n = digits
        .parse::<usize>()
        .ok()
        .and_then(|n| n.checked_mul(unit));
    n.filter(|n| (1..=LARGEST_BODY).contains(n))
        .ok_or_else(|| "give a size between 1 and 64M, like 64k".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_sizes_and_addresses_are_read() {
        assert_eq!(
            statuses("200, 3xx,400-403").unwrap(),
            [200..=200, 300..=399, 400..=403]
        );
        for bad in ["", "2x", "20", "300-200", "abc", "1000"] {
            assert!(statuses(bad).is_err(), "{bad}");
        }
        assert_eq!(
            (size("64k"), size("1M"), size("12")),
            (Ok(65_536), Ok(1 << 20), Ok(12))
        );
        assert!(size("0").is_err() && size("1G").is_err() && size("k").is_err());
        let v6: IpAddr = "fd00::1".parse().unwrap();
        assert_eq!(fixed("h:fd00::1").unwrap(), ("h".into(), None, v6));
        assert_eq!(
            fixed("h:443:[fd00::1]").unwrap(),
            ("h".into(), Some(443), v6)
        );
        assert!(
            fixed("h").is_err() && fixed(":10.0.0.1").is_err() && fixed("h:x:1.1.1.1").is_err()
        );
    }
}
