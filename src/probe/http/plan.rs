//! What is to be asked, and what is to be looked for in the answer.

use std::time::Duration;

use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderName, HeaderValue};
use regex_lite::Regex;

use super::proxy::{self, Proxy};
use super::veil::Veil;
use crate::model::mask::{self, is_secret};
use crate::model::target::Url;
use crate::model::text::SafeText;

/// Most body bytes read by a plan that says nothing else.
pub const MAX_BODY: usize = 64 * 1024;
/// No plan may read more into memory.
pub const LARGEST_BODY: usize = 64 * 1024 * 1024;

/// Which versions of HTTP are offered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Versions {
    /// HTTP/2 and HTTP/1.1 over TLS, as ALPN decides; HTTP/1.1 in the clear.
    #[default]
    Any,
    /// HTTP/1.1 only.
    Http1,
    /// HTTP/2 only; in the clear with prior knowledge (RFC 9113 3.3).
    Http2,
}

impl Versions {
    /// For ALPN.
    pub(super) const fn alpn(self) -> &'static [&'static [u8]] {
        match self {
            Versions::Any => &[b"h2", b"http/1.1"],
            Versions::Http1 => &[b"http/1.1"],
            Versions::Http2 => &[b"h2"],
        }
    }
}

/// What a body must hold.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// This text.
    Text(String),
    /// Something of this pattern. The engine takes linear time, whatever the pattern.
    Pattern(Regex),
}

impl Matcher {
    /// Reads `TEXT` or `/regex/`.
    ///
    /// # Errors
    /// What is wrong with the pattern.
    pub fn parse(typed: &str) -> Result<Self, PlanError> {
        match typed.strip_prefix('/').and_then(|t| t.strip_suffix('/')) {
            Some(pattern) if !pattern.is_empty() => match Regex::new(pattern) {
                Ok(regex) => Ok(Matcher::Pattern(regex)),
                Err(e) => Err(PlanError(format!("the pattern /{pattern}/ is wrong: {e}"))),
            },
            _ if typed.is_empty() => Err(PlanError("the text to match is empty".into())),
            _ => Ok(Matcher::Text(typed.to_owned())),
        }
    }

    pub(super) fn is_in(&self, body: &[u8]) -> bool {
        match self {
            Matcher::Text(t) => body.windows(t.len()).any(|w| w == t.as_bytes()),
            Matcher::Pattern(r) => r.is_match(&String::from_utf8_lossy(body)),
        }
    }
}

/// A request that HTTP or this program does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PlanError(pub String);

/// A request and its bounds. The default is a GET without anything.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Request method.
    pub method: Method,
    /// Fields of the user's own. Not for `Debug`: they hold credentials; see [`Plan::header`].
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Body.
    pub body: Bytes,
    /// Versions offered.
    pub versions: Versions,
    /// Proxy to go through.
    pub proxy: Option<Proxy>,
    /// Environment variable that names a proxy which is not used.
    pub proxy_unused: Option<&'static str>,
    /// Most body bytes read.
    pub max_body: usize,
    /// Whether to keep all fields of the response.
    pub keep_headers: bool,
    /// What to look for in the body.
    pub wanted: Option<Matcher>,
    /// Longest time of each phase.
    pub timeout: Duration,
    /// Whether what the user gave is sent over a connection whose certificate is not good.
    pub insecure: bool,
    pub(super) veil: Veil,
}

impl Plan {
    /// A GET whose every phase takes at most `timeout`.
    pub fn get(timeout: Duration) -> Self {
        Self {
            method: Method::GET,
            headers: Vec::new(),
            body: Bytes::new(),
            versions: Versions::Any,
            proxy: None,
            proxy_unused: None,
            max_body: MAX_BODY,
            keep_headers: false,
            wanted: None,
            timeout,
            insecure: false,
            veil: Veil::default(),
        }
    }

    /// The same for `url`, without a proxy, with a note where the environment names one.
    pub(super) fn as_named(url: &Url, timeout: Duration) -> Self {
        let mut plan = Self::get(timeout);
        plan.proxy_unused = proxy::named_for(url, &proxy::environment).map(|(name, _)| name);
        plan
    }

    /// Sets the method.
    ///
    /// # Errors
    /// Not a token, or CONNECT, which is for proxies.
    pub fn set_method(&mut self, name: &str) -> Result<(), PlanError> {
        let name = name.to_ascii_uppercase();
        self.method = match Method::from_bytes(name.as_bytes()) {
            Ok(Method::CONNECT) => {
                return Err(PlanError("CONNECT is for proxies; use --proxy".into()));
            }
            Ok(method) => method,
            Err(_) => return Err(PlanError("that is not an HTTP method".into())),
        };
        Ok(())
    }

    /// Adds a field as typed, `Name: value`. True if it holds a secret, which is masked from then
    /// on in all that is shown.
    ///
    /// # Errors
    /// Says what is wrong without repeating the value.
    pub fn header(&mut self, typed: &str) -> Result<bool, PlanError> {
        let Some((name, value)) = typed.split_once(':') else {
            return Err(PlanError("a header is written 'Name: value'".into()));
        };
        let wrong = |what: &str| PlanError(format!("the header {:?}: {what}", name.trim()));
        let field = HeaderName::from_bytes(name.trim().as_bytes())
            .map_err(|_| wrong("that is not a name of a header"))?;
        if [
            "connection",
            "content-length",
            "transfer-encoding",
            "upgrade",
            "te",
        ]
        .contains(&field.as_str())
        {
            return Err(wrong("it belongs to the connection, the program sets it"));
        }
        let mut value_ok = HeaderValue::from_str(value.trim())
            .map_err(|_| wrong("its value holds characters that HTTP does not allow"))?;
        let secret = is_secret(field.as_str());
        if secret {
            self.veil.add(value);
            value_ok.set_sensitive(true);
        }
        self.headers.push((field, value_ok));
        Ok(secret)
    }

    /// Sets the proxy and hides its credentials.
    pub fn set_proxy(&mut self, proxy: Proxy) {
        for secret in proxy.secrets() {
            self.veil.add(&secret);
        }
        self.proxy = Some(proxy);
    }

    /// The plan for a redirect that leads to another origin: no credentials go there.
    pub(super) fn without_credentials(&self) -> Self {
        let mut plan = self.clone();
        plan.headers
            .retain(|(name, _)| !is_secret(name.as_str()) && name != HOST);
        plan
    }

    /// The secrets of a URL that the user gave are hidden, too.
    pub(super) fn with_secrets_of(&self, url: &Url) -> Self {
        let mut plan = self.clone();
        for secret in mask::secrets(&url.path) {
            plan.veil.add(secret.expose());
        }
        plan
    }

    /// The plan for a server whose certificate is not good, and the fields that are left out: all
    /// that the user gave but `Host`, without which it would be another question.
    ///
    /// # Errors
    /// What can't be left out.
    pub(super) fn without_what_was_given(
        &self,
        url: &Url,
    ) -> Result<(Self, Vec<SafeText>), &'static str> {
        if !self.body.is_empty() {
            return Err("the request has a body");
        }
        if self.veil.hides(&url.path) {
            return Err("the URL holds a secret");
        }
        let mut plan = self.clone();
        plan.headers.retain(|(name, _)| name == HOST);
        let mut left_out: Vec<SafeText> = Vec::new();
        for (name, _) in self.headers.iter().filter(|(name, _)| name != HOST) {
            let name = SafeText::capped(name.as_str(), 255);
            if !left_out.contains(&name) {
                left_out.push(name);
            }
        }
        Ok((plan, left_out))
    }

    pub(super) fn has_credentials(&self) -> bool {
        self.headers
            .iter()
            .any(|(name, _)| is_secret(name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_checked_and_secrets_known() {
        let mut plan = Plan::get(Duration::from_secs(1));
        assert_eq!(plan.header("Accept: text/html"), Ok(false));
        assert_eq!(plan.header("authorization: Bearer abcdef"), Ok(true));
        assert!(!format!("{plan:?}").contains("abcdef"));
        for bad in ["x", "a b: c", "x: a\nb", "Connection: close", ": x"] {
            let e = plan.header(bad).unwrap_err().to_string();
            assert!(!e.contains('\n'), "{e}");
        }
        assert!(plan.has_credentials());
        assert!(!plan.without_credentials().has_credentials());
        assert!(plan.set_method("connect").is_err() && plan.set_method("a b").is_err());
    }

    #[test]
    fn bodies_are_searched_for_text_and_patterns() {
        let body = b"{\"status\": \"up\", \xff}";
        for (typed, found) in [
            ("\"up\"", true),
            ("down", false),
            ("/status.: .(up|ok)/", true),
            ("/^up/", false),
            ("/", false),
        ] {
            assert_eq!(Matcher::parse(typed).unwrap().is_in(body), found, "{typed}");
        }
        assert!(Matcher::parse("/(/").is_err() && Matcher::parse("").is_err());
    }
}
