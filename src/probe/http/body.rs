//! The body of a response: read up to a bound, hashed, searched, never decoded.

use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap};
use sha2::{Digest, Sha256};

use crate::model::observation::HttpBody;
use crate::model::text::SafeText;

use super::plan::Plan;
use super::words;

/// Bytes that are looked at to tell text from the rest, and most bytes of a line that is kept.
pub(super) const MAX_TEXT: usize = 1024;
/// Fewer bytes, or less time, say nothing of a rate.
const LEAST_FOR_RATE: (u64, Duration) = (16 * 1024, Duration::from_micros(500));

/// How reading ended.
#[derive(Debug)]
pub(super) enum End {
    /// All of it, or as much as was wanted.
    Whole,
    /// Nothing more came in time.
    Silence,
    /// The connection or the protocol broke.
    Broken(hyper::Error),
}

/// A body as far as it was read.
pub(super) struct Read {
    pub(super) kept: Vec<u8>,
    truncated: bool,
    pub(super) end: End,
}

/// Reads at most `most` bytes within `limit`.
pub(super) async fn read(mut body: Incoming, most: usize, limit: Duration) -> Read {
    let mut read = Read {
        kept: Vec::new(),
        truncated: false,
        end: End::Whole,
    };
    let deadline = tokio::time::Instant::now() + limit;
    loop {
        let frame = match tokio::time::timeout_at(deadline, body.frame()).await {
            Err(_) => {
                read.end = End::Silence;
                break;
            }
            Ok(None) => break,
            // Many servers end TLS without saying so; the body then ends with the connection.
            Ok(Some(Err(e))) if words::is_bare_eof(&e) => break,
            Ok(Some(Err(e))) => {
                read.end = End::Broken(e);
                break;
            }
            Ok(Some(Ok(frame))) => frame,
        };
        // Trailers are not kept; the bound on the head of a response holds for them, too.
        let Ok(data) = frame.into_data() else {
            continue;
        };
        let room = most - read.kept.len();
        read.kept
            .extend_from_slice(data.get(..data.len().min(room)).unwrap_or(&[]));
        if data.len() > room {
            read.truncated = true;
            break;
        }
    }
    read
}

impl Read {
    /// What is told of it. `took` is the time from the head of the response to the last byte.
    pub(super) fn describe(&self, plan: &Plan, headers: &HeaderMap, took: Duration) -> HttpBody {
        let encoding = headers
            .get(header::CONTENT_ENCODING)
            .filter(|v| !v.as_bytes().eq_ignore_ascii_case(b"identity"))
            .map(|v| SafeText::from_bytes_capped(v.as_bytes(), 64));
        let bytes = self.kept.len() as u64;
        let enough = bytes >= LEAST_FOR_RATE.0 && took >= LEAST_FOR_RATE.1;
        let wanted = plan.wanted.as_ref().filter(|_| encoding.is_none());
        HttpBody {
            bytes,
            announced: announced(headers),
            truncated: self.truncated,
            sha256: SafeText::new(hex(&Sha256::digest(&self.kept))),
            matched: wanted.map(|m| m.is_in(&self.kept)),
            encoding,
            rate_bytes_per_s: enough.then(|| (bytes as f64 / took.as_secs_f64()) as u64),
        }
    }

    /// The first line that is not empty, unless the body is binary.
    pub(super) fn first_line(&self, plan: &Plan, headers: &HeaderMap) -> Option<SafeText> {
        let kind = headers
            .get(header::CONTENT_TYPE)
            .map(|v| v.as_bytes().to_ascii_lowercase())
            .unwrap_or_default();
        let binary = [
            "image/",
            "audio/",
            "video/",
            "font/",
            "application/octet-stream",
        ];
        if binary.iter().any(|b| kind.starts_with(b.as_bytes()))
            || headers.contains_key(header::CONTENT_ENCODING)
            || self.kept.get(..self.kept.len().min(MAX_TEXT))?.contains(&0)
        {
            return None;
        }
        let line = self
            .kept
            .split(|b| *b == b'\n')
            .map(<[u8]>::trim_ascii)
            .find(|l| !l.is_empty())?;
        Some(plan.veil.text(line, MAX_TEXT))
    }
}

/// `Content-Length`.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers
        .get(header::CONTENT_LENGTH)?
        .to_str()
        .ok()?
        .parse()
        .ok()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
