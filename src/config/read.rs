//! Reading TOML with positions: typed values out of tables, and a sentence for everything that
//! does not fit. Knows nothing of what the keys mean.

use std::fs::File;
use std::io::Read;
use std::ops::{Range, RangeInclusive};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::nearest::nearest;
use super::{ConfigError, Origin, Place, Problem};
use crate::model::text::SafeText;

/// No configuration is larger, in bytes.
const LARGEST: u64 = 1 << 20;
/// More problems than this are not listed; they tend to have one cause.
const MOST_PROBLEMS: usize = 20;

/// One file.
pub(super) struct Source {
    /// Folder that relative paths in the file are relative to.
    pub folder: PathBuf,
    /// Whether users other than its owner can read it.
    pub open_to_others: bool,
    shown: SafeText,
    pub text: String,
}

impl Source {
    /// Reads a file, which may be a pipe.
    pub fn open(path: &Path, shown: SafeText) -> Result<Self, ConfigError> {
        let unreadable = |why: String| ConfigError::Unreadable {
            file: shown.clone(),
            why: SafeText::new(why),
        };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(|e| unreadable(e.to_string()))?;
        let open_to_others = file
            .metadata()
            .is_ok_and(|m| m.is_file() && m.mode() & 0o044 != 0);
        file.take(LARGEST + 1)
            .read_to_end(&mut bytes)
            .map_err(|e| unreadable(e.to_string()))?;
        if bytes.len() as u64 > LARGEST {
            return Err(unreadable("it is larger than 1 MiB".into()));
        }
        let text = String::from_utf8(bytes).map_err(|e| {
            let at = e.utf8_error().valid_up_to();
            unreadable(format!("it is not UTF-8 text (byte {at})"))
        })?;
        let folder = path.parent().unwrap_or(Path::new("")).to_owned();
        Ok(Self {
            folder,
            open_to_others,
            shown,
            text,
        })
    }

    /// The whole file as a table.
    pub fn table(&self) -> Result<DeTable<'_>, Problem> {
        DeTable::parse(&self.text)
            .map(Spanned::into_inner)
            .map_err(|e| Problem {
                place: self.place(&e.span().unwrap_or(0..0)),
                // The message only: its Display would quote the line, which may hold a secret.
                what: SafeText::new(e.message().trim()),
            })
    }

    fn place(&self, span: &Range<usize>) -> Place {
        let before = self.text.get(..span.start).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Place {
            file: self.shown.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or("").chars().count() + 1,
        }
    }
}

/// A value with its place.
pub(super) struct At<T> {
    pub value: T,
    pub place: Place,
}

impl<T> At<T> {
    pub fn origin(&self) -> Origin {
        Origin::File(self.place.clone())
    }
}

/// What is wrong so far.
#[derive(Default)]
pub(super) struct Problems(Vec<Problem>);

impl Problems {
    pub fn add(&mut self, place: &Place, what: impl AsRef<str>) {
        if self.0.len() < MOST_PROBLEMS {
            self.0.push(Problem {
                place: place.clone(),
                what: SafeText::capped(what.as_ref(), 1024),
            });
        }
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn into_result(mut self) -> Result<(), ConfigError> {
        self.0.sort_by(|a, b| a.place.cmp(&b.place));
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ConfigError::Invalid(self.0))
        }
    }
}

struct Entry<'s> {
    key: String,
    key_place: Place,
    value: DeValue<'s>,
    place: Place,
}

/// A table whose keys are taken out one by one; what is left at the end is unknown.
pub(super) struct Section<'s> {
    source: &'s Source,
    /// Dotted name, empty for the file itself.
    name: String,
    /// Where it begins.
    pub place: Place,
    entries: Vec<Entry<'s>>,
    known: Vec<&'static str>,
}

impl<'s> Section<'s> {
    pub fn new(source: &'s Source, name: &str, place: Place, table: DeTable<'s>) -> Self {
        let entries = table.into_iter().map(|(key, value)| Entry {
            key_place: source.place(&key.span()),
            key: key.into_inner().into_owned(),
            place: source.place(&value.span()),
            value: value.into_inner(),
        });
        Self {
            source,
            name: name.to_owned(),
            place,
            entries: entries.collect(),
            known: Vec::new(),
        }
    }

    /// The file itself.
    pub fn root(source: &'s Source, table: DeTable<'s>) -> Self {
        Self::new(source, "", source.place(&(0..0)), table)
    }

    fn take(&mut self, key: &'static str) -> Option<Entry<'s>> {
        self.known.push(key);
        let i = self.entries.iter().position(|e| e.key == key)?;
        Some(self.entries.remove(i))
    }

    /// Whether a key is there and was not taken yet.
    pub fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|e| e.key == key)
    }

    /// The full name of a key of this table.
    pub fn full(&self, key: &str) -> String {
        if self.name.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.name)
        }
    }

    fn wrong_type(&self, key: &str, wanted: &str, entry: &Entry<'_>, problems: &mut Problems) {
        problems.add(
            &entry.place,
            format!(
                "{} must be {wanted}, not {}",
                self.full(key),
                type_name(&entry.value)
            ),
        );
    }

    pub fn string(&mut self, key: &'static str, problems: &mut Problems) -> Option<At<String>> {
        let entry = self.take(key)?;
        match entry.value {
            DeValue::String(s) => Some(At {
                value: s.into_owned(),
                place: entry.place,
            }),
            _ => {
                self.wrong_type(key, "a string", &entry, problems);
                None
            }
        }
    }

    pub fn strings(&mut self, key: &'static str, problems: &mut Problems) -> Vec<At<String>> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let DeValue::Array(items) = entry.value else {
            self.wrong_type(key, "an array of strings", &entry, problems);
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            let place = self.source.place(&item.span());
            match item.into_inner() {
                DeValue::String(s) => out.push(At {
                    value: s.into_owned(),
                    place,
                }),
                other => problems.add(
                    &place,
                    format!(
                        "{} must hold strings, not {}",
                        self.full(key),
                        type_name(&other)
                    ),
                ),
            }
        }
        out
    }

    /// Yes or no.
    pub fn boolean(&mut self, key: &'static str, problems: &mut Problems) -> Option<At<bool>> {
        let entry = self.take(key)?;
        match entry.value {
            DeValue::Boolean(value) => Some(At {
                value,
                place: entry.place,
            }),
            _ => {
                self.wrong_type(key, "true or false", &entry, problems);
                None
            }
        }
    }

    /// A whole number from 1.
    pub fn count(&mut self, key: &'static str, problems: &mut Problems) -> Option<At<u32>> {
        self.whole(key, 1..=u32::MAX, problems)
    }

    /// A whole number within bounds.
    pub fn whole(
        &mut self,
        key: &'static str,
        bounds: RangeInclusive<u32>,
        problems: &mut Problems,
    ) -> Option<At<u32>> {
        let entry = self.take(key)?;
        let DeValue::Integer(n) = &entry.value else {
            self.wrong_type(key, "a whole number", &entry, problems);
            return None;
        };
        match u32::from_str_radix(n.as_str(), n.radix()) {
            Ok(value) if bounds.contains(&value) => Some(At {
                value,
                place: entry.place,
            }),
            _ => {
                let (from, to) = (bounds.start(), bounds.end());
                let what = format!("{} must be between {from} and {to}", self.full(key));
                problems.add(&entry.place, what);
                None
            }
        }
    }

    /// A share between 0 and 1.
    pub fn share(&mut self, key: &'static str, problems: &mut Problems) -> Option<At<f64>> {
        let entry = self.take(key)?;
        let value = match &entry.value {
            DeValue::Float(f) => f.as_str().replace('_', "").parse().ok(),
            DeValue::Integer(n) => n.as_str().parse().ok(),
            _ => {
                self.wrong_type(key, "a number between 0 and 1", &entry, problems);
                return None;
            }
        };
        match value {
            Some(value) if (0.0..=1.0).contains(&value) => Some(At {
                value,
                place: entry.place,
            }),
            _ => {
                let what = format!("{} must be between 0 and 1 (0.05 is 5 %)", self.full(key));
                problems.add(&entry.place, what);
                None
            }
        }
    }

    /// A table, as a section of its own.
    pub fn section(&mut self, key: &'static str, problems: &mut Problems) -> Option<Section<'s>> {
        let entry = self.take(key)?;
        match entry.value {
            DeValue::Table(table) => {
                let name = self.full(key);
                Some(Section::new(self.source, &name, entry.key_place, table))
            }
            _ => {
                let wanted = format!("a table ([{key}])");
                self.wrong_type(key, &wanted, &entry, problems);
                None
            }
        }
    }

    /// An array of tables, each as a section of its own.
    pub fn sections(&mut self, key: &'static str, problems: &mut Problems) -> Vec<Section<'s>> {
        let Some(entry) = self.take(key) else {
            return Vec::new();
        };
        let wanted = format!("an array of tables ([[{key}]])");
        let DeValue::Array(items) = entry.value else {
            self.wrong_type(key, &wanted, &entry, problems);
            return Vec::new();
        };
        let mut out = Vec::new();
        for item in items {
            let place = self.source.place(&item.span());
            match item.into_inner() {
                DeValue::Table(table) => {
                    out.push(Section::new(self.source, key, place, table));
                }
                other => problems.add(
                    &place,
                    format!("{key} must be {wanted}, not {}", type_name(&other)),
                ),
            }
        }
        out
    }

    /// Every entry of a table whose keys are the user's: each a string or an array of strings.
    pub fn lists(mut self, problems: &mut Problems) -> Vec<(String, At<Vec<String>>)> {
        let mut out = Vec::new();
        for entry in std::mem::take(&mut self.entries) {
            let one = |v: &DeValue<'_>| match v {
                DeValue::String(s) => Some(s.to_string()),
                _ => None,
            };
            let value = match &entry.value {
                DeValue::Array(items) => items.iter().map(|i| one(i.get_ref())).collect(),
                single => one(single).map(|s| vec![s]),
            };
            match value {
                Some(value) => {
                    let place = entry.place;
                    out.push((entry.key, At { value, place }));
                }
                None => self.wrong_type(
                    &entry.key,
                    "a string or an array of strings",
                    &entry,
                    problems,
                ),
            }
        }
        out.sort_by(|a, b| a.1.place.cmp(&b.1.place));
        out
    }

    /// Reports every key that nobody asked for. `elsewhere` finds the section that has a key.
    pub fn finish(self, elsewhere: impl Fn(&str) -> Option<&'static str>, problems: &mut Problems) {
        for entry in &self.entries {
            let whose = if self.name.is_empty() {
                String::new()
            } else {
                format!(" in [{}]", self.name)
            };
            let advice = if let Some(near) = nearest(&entry.key, &self.known) {
                format!("; did you mean '{near}'?")
            } else if let Some(section) = elsewhere(&entry.key) {
                format!("; it belongs in {section}")
            } else {
                format!("; known here: {}", self.known.join(", "))
            };
            let what = format!("unknown key '{}'{whose}{advice}", entry.key);
            problems.add(&entry.key_place, what);
        }
    }
}

fn type_name(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "an array",
        DeValue::Table(_) => "a table",
    }
}
