//! What the terminal can do, from the environment alone: nothing is ever asked of the terminal,
//! because its answer would arrive among the keys.

use crate::config::theme::Depth;

/// What may be written to this terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The locale says UTF-8; otherwise write ASCII only.
    pub utf8: bool,
    /// Colours.
    pub depth: Depth,
    /// The terminal can address cells at all. False for `TERM=dumb` and no TERM.
    pub full_screen: bool,
}

impl Facts {
    /// From the process's environment.
    pub fn from_env() -> Self {
        Self::read(|name| std::env::var_os(name)?.into_string().ok())
    }

    /// From any environment. A variable that is set but empty counts as not set.
    pub fn read(var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|v| !v.is_empty());
        let term = set("TERM").unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set);
        Self {
            utf8: locale.is_some_and(|l| is_utf8(&l)),
            depth: Depth::detect(
                set("NO_COLOR").as_deref(),
                Some(&term),
                set("COLORTERM").as_deref(),
            ),
            full_screen: !matches!(term.as_str(), "" | "dumb" | "unknown"),
        }
    }
}

fn is_utf8(locale: &str) -> bool {
    let lower = locale.to_ascii_lowercase();
    lower.contains("utf-8") || lower.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(vars: &[(&str, &str)]) -> Facts {
        Facts::read(|name| {
            let (_, value) = vars.iter().find(|(n, _)| *n == name)?;
            Some((*value).to_owned())
        })
    }

    #[test]
    fn depth_by_term_and_colorterm() {
        let depth = |term, colorterm| facts(&[("TERM", term), ("COLORTERM", colorterm)]).depth;
        assert_eq!(depth("xterm-256color", ""), Depth::Full, "empty is unset");
        assert_eq!(depth("xterm", "truecolor"), Depth::Full);
        assert_eq!(depth("linux", ""), Depth::Sixteen);
        assert_eq!(depth("screen", ""), Depth::Sixteen);
        assert_eq!(depth("vt100", ""), Depth::Mono);
        assert_eq!(depth("\x1b]0;x\x07", ""), Depth::Sixteen);
    }

    #[test]
    fn no_color_wins_unless_empty() {
        let with = |v| facts(&[("TERM", "xterm-256color"), ("NO_COLOR", v)]).depth;
        assert_eq!(with("1"), Depth::Mono);
        assert_eq!(with(""), Depth::Full);
    }

    #[test]
    fn the_first_locale_that_is_set_decides() {
        assert!(facts(&[("LANG", "en_GB.UTF-8")]).utf8);
        assert!(facts(&[("LC_ALL", ""), ("LANG", "C.utf8")]).utf8);
        assert!(!facts(&[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")]).utf8);
        assert!(!facts(&[("LC_CTYPE", "de_DE.ISO-8859-1"), ("LANG", "C.UTF-8")]).utf8);
        assert!(!facts(&[]).utf8);
    }

    #[test]
    fn dumb_and_unset_have_no_full_screen() {
        for term in ["", "dumb", "unknown"] {
            assert!(!facts(&[("TERM", term)]).full_screen, "{term}");
        }
        assert!(!facts(&[]).full_screen);
        assert!(facts(&[("TERM", "vt100")]).full_screen);
    }
}
