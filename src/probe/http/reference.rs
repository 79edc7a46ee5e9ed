//! Where a redirect leads: a reference resolved against the URL that it came from.

use crate::model::target::{Target, TargetKind, Url};

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
