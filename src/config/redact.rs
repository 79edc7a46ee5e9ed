//! `[redact]`: secrets that only this user's tools and devices have.

use regex_lite::Regex;

use super::read::{Problems, Section};
use super::sections::elsewhere;
use super::{Config, Sourced, Surroundings};
use crate::model::secret::Secret;
use crate::model::text::SafeText;

/// `[redact]`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Redact {
    /// Patterns of one's own, tried after the built-in rules.
    pub patterns: Vec<Sourced<Pattern>>,
    /// Environment variables whose values are secrets.
    pub known_env: Vec<Sourced<String>>,
    /// Those values.
    pub known: Vec<Secret>,
}

/// A pattern of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    /// What it is called.
    pub name: String,
    /// A regular expression; its first group is the secret, or all of the match.
    pub regex: String,
}

pub(super) fn section(
    mut section: Section<'_>,
    around: &Surroundings,
    config: &mut Config,
    p: &mut Problems,
) {
    for name in section.strings("known_env", p) {
        match around.variable(&name.value).filter(|v| !v.is_empty()) {
            Some(value) => config.redact.known.push(Secret::new(value)),
            None => config.warnings.push(SafeText::new(format!(
                "{}: redact.known_env: the variable {} is not set, so its value is not masked",
                name.place, name.value
            ))),
        }
        let origin = name.origin();
        let value = name.value;
        config.redact.known_env.push(Sourced { value, origin });
    }
    for mut one in section.sections("patterns", p) {
        let (name, regex) = (one.string("name", p), one.string("regex", p));
        match (name, regex) {
            (Some(name), Some(regex)) => {
                let why = match Regex::new(&regex.value) {
                    Err(e) => Some(e.to_string()),
                    Ok(r) if r.is_match("") => {
                        Some("it matches the empty text, so everything".into())
                    }
                    Ok(_) if name.value.is_empty() => Some("give it a name".into()),
                    Ok(_) => None,
                };
                match why {
                    Some(why) => p.add(
                        &regex.place,
                        format!("redact.patterns \"{}\": regex: {why}", name.value),
                    ),
                    None => config.redact.patterns.push(Sourced {
                        origin: regex.origin(),
                        value: Pattern {
                            name: name.value,
                            regex: regex.value,
                        },
                    }),
                }
            }
            _ => p.add(
                &one.place,
                "redact.patterns: each one needs name = \"…\" and regex = '…'",
            ),
        }
        one.finish(elsewhere, p);
    }
    section.finish(elsewhere, p);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Surroundings, load_in};

    fn load(text: &str) -> Result<crate::config::Config, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("warroom.toml");
        std::fs::write(&file, text).unwrap();
        let around = Surroundings::of_process();
        load_in(Some(Path::new(&file)), &around).map_err(|e| e.to_string())
    }

    #[test]
    fn patterns_are_read_and_bad_ones_named() {
        let good =
            load("[redact]\npatterns = [{ name = 'ticket', regex = 'TKT-([0-9]+)' }]").unwrap();
        assert_eq!(good.redact.patterns[0].value.name, "ticket");
        let shown = crate::config::show::lines(&good).join("\n");
        assert!(shown.contains("TKT-"), "{shown}");
        for (regex, why) in [("(", "regex"), ("x*", "empty text")] {
            let bad = format!("[redact]\npatterns = [{{ name = 'ticket', regex = '{regex}' }}]");
            let said = load(&bad).unwrap_err();
            assert!(
                said.contains(":2:") && said.contains("ticket") && said.contains(why),
                "{said}"
            );
        }
        assert!(
            load("[redact]\npatterns = [{ name = 'x' }]")
                .unwrap_err()
                .contains("regex =")
        );
        assert!(
            load("[redact]\npattern = []")
                .unwrap_err()
                .contains("pattern")
        );
    }

    #[test]
    fn values_of_the_environment_are_known() {
        let path = std::env::var("PATH").unwrap();
        let config = load("[redact]\nknown_env = ['PATH', 'WARROOM_NO_SUCH_VARIABLE']").unwrap();
        assert!(config.secrets().iter().any(|s| s.expose() == path));
        let warned = config
            .warnings
            .iter()
            .any(|w| w.as_str().contains("NO_SUCH"));
        assert!(warned, "{:?}", config.warnings);
    }
}
