//! Reading what a person typed, piece by piece.

use std::net::IpAddr;

use super::{Host, Scheme, Target, TargetId, TargetKind, Url};
use crate::model::mask;
use crate::model::secret::{MASK, Secret};
use crate::model::text::SafeText;

pub(super) fn strip_prefix_ci<'a>(s: &'a str, prefix: &str) -> Option<&'a str> {
    let head = s.get(..prefix.len())?;
    head.eq_ignore_ascii_case(prefix)
        .then(|| &s[prefix.len()..])
}

/// Masks what stands between `//` and the last `@` before the path; where a password holds what
/// would end the host, up to the last `@` of all.
pub(super) fn mask_userinfo(typed: &str) -> String {
    let start = typed.find("://").map_or(0, |at| at + 3);
    let (head, rest) = typed.split_at(start);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    let at = if is_cut_password(authority, tail) {
        rest.rfind('@')
    } else {
        authority.rfind('@')
    };
    match at {
        Some(i) => format!("{head}{MASK}{}", &rest[i..]),
        None => typed.to_owned(),
    }
}

/// Whether what stands before the path is a user and the start of a password, not a host and a
/// port.
fn is_cut_password(authority: &str, tail: &str) -> bool {
    let port = authority.rsplit_once(':').map(|(_, port)| port);
    !authority.contains('@')
        && !authority.starts_with('[')
        && tail.contains('@')
        && port.is_some_and(|p| !p.is_empty() && !p.chars().all(|c| c.is_ascii_digit()))
}

pub(super) fn parse_dns(rest: &str) -> Result<Target, String> {
    let (name, resolver) = match rest.split_once('@') {
        Some((name, at)) => {
            let (host, port) = parse_host_port(at)?;
            (name, Some((host, port.unwrap_or(53))))
        }
        None => (rest, None),
    };
    // The root has a name, too.
    let name = match name {
        "." => ".".to_owned(),
        name => parse_name(name)?,
    };
    let label = match &resolver {
        Some((h, 53)) => format!("dns:{name}@{h}"),
        Some((Host::Addr(IpAddr::V6(a)), p)) => format!("dns:{name}@[{a}]:{p}"),
        Some((h, p)) => format!("dns:{name}@{h}:{p}"),
        None => format!("dns:{name}"),
    };
    Ok(Target {
        id: TargetId(label.into()),
        kind: TargetKind::Dns { name, resolver },
        warning: None,
    })
}

pub(super) fn parse_snmp(rest: &str) -> Result<Target, String> {
    let rest = rest.trim_end_matches('/');
    let (community, at) = match rest.rsplit_once('@') {
        // The name of a target that was recorded: its community is to be had elsewhere.
        Some((MASK, at)) => (None, at),
        Some((c, at)) => (Some(Secret::new(c)), at),
        None => (None, rest),
    };
    let (host, port) = parse_host_port(at)?;
    let port = port.unwrap_or(161);
    let mask = if rest.contains('@') {
        format!("{MASK}@")
    } else {
        String::new()
    };
    let shown = match (&host, port) {
        (h, 161) => h.to_string(),
        (Host::Addr(IpAddr::V6(a)), p) => format!("[{a}]:{p}"),
        (h, p) => format!("{h}:{p}"),
    };
    let warning = community.as_ref().map(|_| {
        SafeText::new("the SNMP community was given on the command line, where every user of this host can read it; use WARROOM_SNMP_COMMUNITY, a file or warroom.toml")
    });
    Ok(Target {
        id: TargetId(format!("snmp://{mask}{shown}").into()),
        kind: TargetKind::Snmp {
            host,
            port,
            community,
        },
        warning,
    })
}

pub(super) fn parse_url(scheme: Scheme, rest: &str) -> Result<Target, String> {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(end);
    if is_cut_password(authority, tail) {
        return Err("the user information holds '/', '?' or '#'; percent-encode it, or leave it out: it is not sent".into());
    }
    let (had_user, authority) = match authority.rsplit_once('@') {
        Some((_, a)) => (true, a),
        None => (false, authority),
    };
    let (host, port) = parse_host_port(authority)?;
    let path = tail.split('#').next().unwrap_or("");
    let path = if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    };
    if path.chars().any(|c| c.is_control() || c == ' ') {
        return Err("the path holds a space or a control character; percent-encode it".into());
    }
    let url = Url {
        scheme,
        host,
        port: port.unwrap_or(scheme.default_port()),
        path,
    };
    let secret = !mask::secrets(&url.path).is_empty();
    let warning = match (had_user, secret) {
        (true, _) => Some(SafeText::new(
            "user and password in the URL are masked and not sent: the HTTP probe sends no credentials",
        )),
        (_, true) => Some(SafeText::new(
            "the secret in the URL is masked in all that is shown, but every user of this host can read the command line; keep such a URL in warroom.toml",
        )),
        _ => None,
    };
    let shown = url.to_string();
    let label = if had_user {
        shown.replacen("://", &format!("://{MASK}@"), 1)
    } else {
        shown
    };
    Ok(Target {
        id: TargetId(label.into()),
        kind: TargetKind::Url(url),
        warning,
    })
}

/// Reads `host`, `host:port`, `v6` and `[v6]:port`.
///
/// # Errors
/// Says which part can't be right.
pub fn parse_host_port(s: &str) -> Result<(Host, Option<u16>), String> {
    if s.is_empty() {
        return Err("the host is missing".into());
    }
    if let Some(rest) = s.strip_prefix('[') {
        let (inner, tail) = rest
            .split_once(']')
            .ok_or("the ']' after the IPv6 address is missing")?;
        let addr: IpAddr = inner
            .parse()
            .map_err(|_| format!("'{inner}' is not an IPv6 address"))?;
        let port = match tail.strip_prefix(':') {
            Some(p) => Some(parse_port(p)?),
            None if tail.is_empty() => None,
            None => return Err(format!("'{tail}' after the address is not a port")),
        };
        return Ok((Host::Addr(checked_addr(addr)?), port));
    }
    if let Ok(addr) = s.parse::<IpAddr>() {
        return Ok((Host::Addr(checked_addr(addr)?), None));
    }
    let (host, port) = match s.rsplit_once(':') {
        Some((h, p)) if !h.contains(':') => (h, Some(parse_port(p)?)),
        Some(_) => {
            return Err("it is neither an IPv6 address nor host:port; write [address]:port".into());
        }
        None => (s, None),
    };
    if let Ok(addr) = host.parse::<IpAddr>() {
        return Ok((Host::Addr(checked_addr(addr)?), port));
    }
    Ok((Host::Name(parse_name(host)?), port))
}

pub(super) fn parse_port(p: &str) -> Result<u16, String> {
    match p.parse::<u16>() {
        Ok(n) if n > 0 => Ok(n),
        _ => Err(format!("'{p}' is not a port (1 to 65535)")),
    }
}

/// Addresses that nobody debugs with unicast probes are refused rather than probed.
pub(super) fn checked_addr(addr: IpAddr) -> Result<IpAddr, String> {
    let bad = match addr {
        IpAddr::V4(a) => {
            a.is_unspecified() || a.is_broadcast() || a.is_multicast() || a.octets()[0] == 0
        }
        IpAddr::V6(a) => a.is_unspecified() || a.is_multicast(),
    };
    if bad {
        return Err(format!(
            "{addr} is an unspecified, broadcast or multicast address"
        ));
    }
    Ok(addr)
}

/// A DNS name in presentation form: RFC 1035 lengths, no spaces or controls. Underscores are
/// allowed (service names); other characters are left to the resolver to refuse.
pub(super) fn parse_name(name: &str) -> Result<String, String> {
    let name = name.strip_suffix('.').unwrap_or(name);
    if name.is_empty() {
        return Err("the name is missing".into());
    }
    if name.len() > 253 {
        return Err("the name is longer than 253 octets".into());
    }
    if let Some(bad) = name
        .chars()
        .find(|c| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.')))
    {
        return Err(match bad {
            '/' => {
                "'/' is not part of a host name; for a URL start with http:// or https://".into()
            }
            c if !c.is_ascii() => "write an international name in its xn-- form".into(),
            c => format!("{:?} is not part of a host name", c),
        });
    }
    if name.starts_with('-') {
        return Err("a host name does not start with '-'".into());
    }
    if name.split('.').any(|l| l.is_empty() || l.len() > 63) {
        return Err("a label of the name is empty or longer than 63 octets".into());
    }
    if name
        .rsplit('.')
        .next()
        .is_some_and(|l| l.chars().all(|c| c.is_ascii_digit()))
    {
        return Err("it looks like an IPv4 address but is not one".into());
    }
    Ok(name.to_ascii_lowercase())
}
