//! `warroom tls --pem FILE`: a chain in a file, judged without a network.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::TlsArgs;
use super::report;
use crate::cli::args::Common;
use crate::cli::{CliError, FOUND, HEALTHY, Out};
use crate::model::target::{Host, parse_host_port};
use crate::model::text::SafeText;
use crate::model::time::date_time_utc;
use crate::probe::tls::{self, Bundle, Judgement, Question, Roots};
use crate::sys::clock::Clock;

/// Runs it.
///
/// # Errors
/// Usage, and a file that cannot be judged.
pub fn run(common: &Common, args: &TlsArgs, path: &Path, out: &mut Out) -> Result<u8, CliError> {
    if args.repeat.stream_json || args.repeat.csv {
        return Err(CliError::usage(
            "a file is judged once: print it plain or with --json",
        ));
    }
    let roots = super::roots(common, args)?;
    let name = args.name.as_deref().map(parse_name).transpose()?;
    let at = match args.at.as_deref() {
        Some(text) => parse_time(text)?,
        None => Clock::start().now().wall,
    };
    let held = read(path)?;
    let judged = tls::judge_all(&Question {
        chain: &held.certs,
        name: name.as_ref(),
        roots: &roots,
        at,
        any_order: true,
        by_clock: args.at.is_none(),
    });
    let warnings = warnings(&held);
    for w in &warnings {
        crate::cli::warn(w);
    }
    if args.repeat.json {
        let doc = document(path, args, &held, &judged, &roots, at, &warnings);
        out.line(serde_json::to_string_pretty(&doc).unwrap_or_default());
    } else {
        plain(path, args, &held, &judged, &roots, at, out);
    }
    let bad = !judged.faults.is_empty() || !judged.expiring.is_empty() || !held.broken.is_empty();
    Ok(if bad { FOUND } else { HEALTHY })
}

/// A name or an address to judge by; a port behind it is ignored.
pub(super) fn parse_name(text: &str) -> Result<Host, CliError> {
    if let Ok(addr) = text.trim_matches(['[', ']']).parse() {
        return Ok(Host::Addr(addr));
    }
    parse_host_port(text)
        .map(|(host, _)| host)
        .map_err(|why| CliError::usage(format!("--name {}: {why}", SafeText::capped(text, 255))))
}

/// RFC 3339; without a zone UTC is meant, and a date is its first instant.
fn parse_time(text: &str) -> Result<Timestamp, CliError> {
    let bad = || {
        CliError::usage(format!(
            "--at {}: give a time like 2026-06-01T12:00:00Z or a date like 2026-06-01",
            SafeText::capped(text, 64)
        ))
    };
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let time: jiff::civil::DateTime = text.parse().map_err(|_| bad())?;
    time.to_zoned(jiff::tz::TimeZone::UTC)
        .map(|z| z.timestamp())
        .map_err(|_| bad())
}

fn read(path: &Path) -> Result<Bundle, CliError> {
    let file = SafeText::new(path.to_string_lossy());
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin()
            .take(tls::MAX_BYTES)
            .read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|f| f.take(tls::MAX_BYTES).read_to_end(&mut bytes))
    };
    read.map_err(|e| CliError::could_not_run(format!("cannot read {file}: {e}")))?;
    let held = tls::bundle(&bytes);
    if held.certs.is_empty() && held.broken.is_empty() {
        let why = if held.private_keys > 0 {
            "it holds a private key and no certificate; name the file with the chain"
        } else if held.others.iter().any(|l| l == "PKCS7" || l == "CMS") {
            "it is PKCS #7; convert it with openssl pkcs7 -print_certs"
        } else if held.others.iter().any(|l| l.contains("REQUEST")) {
            "it is a request, which no CA has signed yet"
        } else if bytes.is_empty() {
            "it is empty"
        } else {
            "there is no -----BEGIN CERTIFICATE----- in it, and it is not one DER certificate"
        };
        return Err(CliError::could_not_run(format!(
            "cannot judge {file}: {why}"
        )));
    }
    Ok(held)
}

fn warnings(held: &Bundle) -> Vec<String> {
    let mut warnings = Vec::new();
    if held.private_keys > 0 {
        warnings.push(format!(
            "the file holds {} private key{}; it was not read, but it does not belong in a file that is handed around",
            held.private_keys,
            if held.private_keys == 1 { "" } else { "s" }
        ));
    }
    for (number, why) in held.broken.iter().take(8) {
        warnings.push(format!("block {number} of the file is left out: {why}"));
    }
    warnings
}

fn document(
    path: &Path,
    args: &TlsArgs,
    held: &Bundle,
    judged: &Judgement,
    roots: &Roots,
    at: Timestamp,
    warnings: &[String],
) -> Value {
    let chain: Vec<Value> = (0..)
        .zip(&held.certs)
        .take(tls::MAX_CHAIN)
        .map(|(i, c)| report::certificate(i, c))
        .collect();
    json!({
        "schema": "warroom.tls/1",
        "file": SafeText::new(path.to_string_lossy()),
        "name": args.name.as_deref().map(|n| SafeText::capped(n, 255)),
        "at": at,
        "roots": roots.describe(),
        "good": judged.faults.is_empty() && judged.expiring.is_empty() && held.broken.is_empty(),
        "trusted": judged.trusted() && !held.certs.is_empty(),
        "leaf": judged.leaf,
        "path": judged.path,
        "root": judged.root,
        "chain": chain,
        "faults": report::faults(judged),
        "notes": judged.notes,
        "warnings": warnings,
    })
}

fn plain(
    path: &Path,
    args: &TlsArgs,
    held: &Bundle,
    judged: &Judgement,
    roots: &Roots,
    at: Timestamp,
    out: &mut Out,
) {
    let file = SafeText::new(path.to_string_lossy());
    let name = args
        .name
        .as_deref()
        .map_or("any name".into(), |n| SafeText::capped(n, 255));
    out.line(format!("{file} for {name} at {}", date_time_utc(at)));
    out.line(format!("judged against {}", roots.describe()));
    for (i, der) in held.certs.iter().enumerate().take(tls::MAX_CHAIN) {
        for line in report::lines(i, i == judged.leaf, der) {
            out.line(line);
        }
    }
    if let Some(root) = &judged.root {
        out.line(format!("trusted by {root}"));
    }
    for line in report::verdict(judged) {
        out.line(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_as_people_write_them() {
        for (text, want) in [
            ("2026-06-01", "2026-06-01T00:00:00Z"),
            ("2026-06-01T12:00:00Z", "2026-06-01T12:00:00Z"),
            ("2026-06-01T12:00", "2026-06-01T12:00:00Z"),
            ("2026-06-01T12:00:00+02:00", "2026-06-01T10:00:00Z"),
        ] {
            assert_eq!(parse_time(text).unwrap().to_string(), want);
        }
        for text in ["", "tomorrow", "2026-13-01", "12:00"] {
            assert_eq!(parse_time(text).unwrap_err().code, 2, "{text}");
        }
    }

    #[test]
    fn names_and_addresses() {
        assert_eq!(
            parse_name("API.example.com.").unwrap(),
            Host::Name("api.example.com".into())
        );
        for text in ["fd00::1", "[fd00::1]"] {
            assert_eq!(
                parse_name(text).unwrap(),
                Host::Addr("fd00::1".parse().unwrap())
            );
        }
        assert_eq!(parse_name("a b").unwrap_err().code, 2);
    }
}
