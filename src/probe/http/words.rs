//! What went wrong with an exchange, in words.

use std::error::Error as _;

use crate::model::observation::Refusal;
use crate::model::text::SafeText;
use crate::probe::dial::{kernel_words, refusal_of};

use super::exchange::{MAX_FIELDS, MAX_HEAD};

fn io_error(e: &hyper::Error) -> Option<&std::io::Error> {
    let mut source = e.source();
    while let Some(inner) = source {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        source = inner.source();
    }
    None
}

/// TLS that ends without its goodbye, where the protocol above may take that for an end.
pub(super) fn is_bare_eof(e: &hyper::Error) -> bool {
    !e.is_incomplete_message()
        && io_error(e).is_some_and(|io| {
            io.kind() == std::io::ErrorKind::UnexpectedEof
                && io
                    .get_ref()
                    .is_some_and(|inner| inner.to_string().contains("close_notify"))
        })
}

/// A body that ends before its announced length or its last chunk.
fn is_early_end(e: &hyper::Error) -> bool {
    io_error(e).is_some_and(|io| io.kind() == std::io::ErrorKind::UnexpectedEof)
        || e.source()
            .is_some_and(|s| s.to_string().contains("end of file before message"))
}

/// An answer in the other version of HTTP than the one that was spoken.
pub(super) fn other_version(http2: bool, speaks: Option<&str>) -> Option<Refusal> {
    let asked = if http2 { "HTTP/2" } else { "HTTP/1.1" };
    let speaks = speaks.filter(|s| *s != asked)?;
    Some(Refusal::Protocol(SafeText::new(format!(
        "the answer is {speaks}, though {asked} was asked for"
    ))))
}

/// Whoever broke the exchange, in their own terms.
pub(super) fn refusal(e: &hyper::Error, http2: bool) -> Refusal {
    if let Some(io) = io_error(e) {
        if let Some(reset) = refusal_of(io) {
            return reset;
        }
        if io.raw_os_error().is_some() {
            return Refusal::Kernel(kernel_words(io));
        }
    }
    let deepest = || {
        let mut words = e.to_string();
        let mut source = e.source();
        while let Some(inner) = source {
            let said = inner.to_string();
            if !words.contains(&said) {
                words = format!("{words}: {said}");
            }
            source = inner.source();
        }
        words
    };
    let words = if http2 {
        http2_words(&deepest())
    } else if e.is_incomplete_message() || is_early_end(e) {
        "the connection was closed before the response was complete".to_owned()
    } else if e.is_parse_version_h2() {
        "the answer is HTTP/2, though HTTP/1.1 was asked for".to_owned()
    } else if e.is_parse() {
        format!(
            "the answer is not HTTP/1.1 ({e}; at most {MAX_HEAD} bytes and {MAX_FIELDS} header fields)"
        )
    } else {
        deepest()
    };
    Refusal::Protocol(SafeText::new(words))
}

/// The library's words are about "us"; these are about the server.
fn http2_words(said: &str) -> String {
    let who = if said.contains("frame with invalid size")
        || said.contains("PROTOCOL_ERROR") && !said.contains("received")
    {
        "the answer is not HTTP/2"
    } else if said.contains("connection error received") || said.contains("go away") {
        "the server ended the HTTP/2 connection (GOAWAY)"
    } else if said.contains("stream error received") {
        "the server reset the HTTP/2 stream"
    } else if said.contains("closed") || said.contains("broken pipe") {
        "the HTTP/2 connection was closed before the response was complete"
    } else {
        "HTTP/2 failed"
    };
    format!("{who} ({said})")
}
