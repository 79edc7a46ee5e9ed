//! Where runbooks come from: the user's folder, `./runbooks`, the ones that are shipped, or a
//! path. Listing and opening read files and execute nothing.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Document, MAX_BYTES, RunbookError, document};
use crate::model::finding::Code;
use crate::model::runbook::Runbook;
use crate::model::text::SafeText;

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        &[$((
            $name,
            include_str!(concat!("../../runbooks/", $name, ".md")),
            include_str!(concat!("../../runbooks/", $name, ".test.toml")),
        )),*]
    };
}

/// Runbooks that come with the program: name, text, test file.
const SHIPPED: &[(&str, &str, &str)] = shipped![
    "first-five-minutes",
    "provider-outage",
    "route-instability",
    "firewall-performance",
    "dns-incident",
    "ddos-mitigation",
    "tls-certificate",
    "mtu-black-hole",
    "load-balancer",
    "vpn-tunnel",
    "path-loss-latency",
    "misconfiguration-rollback",
    "handover",
    "comms-cadence",
];
/// Largest test file in bytes.
const MAX_CASES: u64 = 4 * 1024 * 1024;
/// Most files of a folder that are listed.
const MAX_FILES: usize = 1000;

/// A runbook that can be opened.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Name to open it by.
    pub name: SafeText,
    /// Its title, or why it can't be read.
    pub title: Result<SafeText, SafeText>,
    /// Where it comes from: a path, or `shipped:NAME`.
    pub source: SafeText,
    /// Findings that suggest it.
    pub findings: Vec<Code>,
}

/// Where to look, in order: a runbook hides those of the same name further back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Library {
    folders: Vec<PathBuf>,
}

impl Library {
    /// `./runbooks`, then the user's folder (`$XDG_CONFIG_HOME/warroom/runbooks`), then what is
    /// shipped.
    pub fn standard() -> Self {
        let config = std::env::var_os("XDG_CONFIG_HOME")
            .map(PathBuf::from)
            .filter(|p| p.is_absolute());
        let home = std::env::var_os("HOME").map(|h| PathBuf::from(h).join(".config"));
        let own = config.or(home).map(|c| c.join("warroom").join("runbooks"));
        Self::of(
            std::iter::once(PathBuf::from("runbooks"))
                .chain(own)
                .collect(),
        )
    }

    /// These folders, then what is shipped.
    pub fn of(folders: Vec<PathBuf>) -> Self {
        Self { folders }
    }

    /// The same with a folder that is looked into first.
    #[must_use]
    pub fn behind(mut self, folder: PathBuf) -> Self {
        self.folders.insert(0, folder);
        self
    }

    /// Every runbook by name. A file that can't be read is listed with the reason.
    pub fn list(&self) -> Vec<Listed> {
        let mut found: BTreeMap<String, Listed> = BTreeMap::new();
        for folder in &self.folders {
            for path in markdown_files(folder) {
                let name = stem(&path);
                found.entry(name.clone()).or_insert_with(|| {
                    listed(&name, &path.to_string_lossy(), open_path(&path, &name))
                });
            }
        }
        for (name, text, _) in SHIPPED {
            found.entry((*name).to_owned()).or_insert_with(|| {
                let source = shipped_source(name);
                listed(name, &source, document(text.as_bytes(), name, &source))
            });
        }
        found.into_values().collect()
    }

    /// Opens a runbook by name, by `shipped:NAME`, or by path.
    pub fn open(&self, name: &str) -> Result<Runbook, RunbookError> {
        self.open_document(name).map(|d| d.runbook)
    }

    /// [`Library::open`] with what linting needs beside it.
    pub fn open_document(&self, name: &str) -> Result<Document, RunbookError> {
        let path = Path::new(name);
        if let Some(shipped) = name.strip_prefix("shipped:") {
            return open_shipped(shipped).unwrap_or_else(|| Err(self.not_found(name)));
        }
        if name.contains('/')
            || path
                .extension()
                .is_some_and(|e| is_markdown(&e.to_string_lossy()))
        {
            return open_path(path, &stem(path));
        }
        for folder in &self.folders {
            for extension in ["md", "markdown"] {
                let file = folder.join(format!("{name}.{extension}"));
                if file.is_file() {
                    return open_path(&file, name);
                }
            }
        }
        if let Some(shipped) = open_shipped(name) {
            return shipped;
        }
        if path.exists() {
            open_path(path, &stem(path))
        } else {
            Err(self.not_found(name))
        }
    }

    /// Names of the runbooks that a finding suggests, the one to open first: what a folder of
    /// one's own holds before what is shipped, and what names the code earlier before what names
    /// it later.
    pub fn for_code(&self, code: &Code) -> Vec<SafeText> {
        let place = |r: &Listed| {
            let at = r.findings.iter().position(|c| c == code)?;
            Some((r.source.as_str().starts_with("shipped:"), at))
        };
        let listed = self.list().into_iter();
        let mut named: Vec<_> = listed.filter_map(|r| Some((place(&r)?, r.name))).collect();
        named.sort();
        named.into_iter().map(|(_, name)| name).collect()
    }

    fn not_found(&self, name: &str) -> RunbookError {
        let mut looked: Vec<String> = self
            .folders
            .iter()
            .map(|f| f.display().to_string())
            .collect();
        looked.push("the shipped ones".into());
        RunbookError::NotFound {
            name: SafeText::capped(name, 256),
            looked: SafeText::new(looked.join(", ")),
        }
    }
}

/// Names of the shipped runbooks that a finding suggests; reads no folder.
pub fn shipped_for(code: &Code) -> Vec<SafeText> {
    Library::of(Vec::new()).for_code(code)
}

/// The test file of an opened runbook, and the folder that its recordings are in: the file
/// `NAME.test.toml` beside it. `None` if there is none.
pub fn cases_of(runbook: &Runbook) -> Result<Option<(String, PathBuf)>, RunbookError> {
    let source = runbook.source.as_str();
    if let Some(name) = source.strip_prefix("shipped:") {
        let found = SHIPPED.iter().find(|(n, _, _)| *n == name);
        return Ok(found.map(|(_, _, cases)| ((*cases).to_owned(), PathBuf::new())));
    }
    let path = Path::new(source).with_extension("test.toml");
    let unreadable = |error| RunbookError::Unreadable {
        source_name: SafeText::new(path.to_string_lossy()),
        error,
    };
    let meta = match std::fs::metadata(&path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(unreadable(e)),
    };
    if !meta.is_file() || meta.len() > MAX_CASES {
        return Err(unreadable(std::io::Error::other(
            "it is not a regular file of at most 4 MiB",
        )));
    }
    let text = std::fs::read_to_string(&path).map_err(unreadable)?;
    let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
    Ok(Some((text, folder)))
}

fn shipped_source(name: &str) -> String {
    format!("shipped:{name}")
}

fn open_shipped(name: &str) -> Option<Result<Document, RunbookError>> {
    let (name, text, _) = SHIPPED.iter().find(|(n, _, _)| *n == name)?;
    Some(document(text.as_bytes(), name, &shipped_source(name)))
}

fn open_path(path: &Path, name: &str) -> Result<Document, RunbookError> {
    let source = path.to_string_lossy();
    let unreadable = |error| RunbookError::Unreadable {
        source_name: SafeText::new(&source),
        error,
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        let error = std::io::Error::other("it is not a regular file");
        return Err(RunbookError::Unreadable {
            source_name: SafeText::new(&source),
            error,
        });
    }
    if meta.len() > MAX_BYTES as u64 {
        return Err(RunbookError::TooBig {
            source_name: SafeText::new(&source),
            bytes: meta.len(),
        });
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    // The file may grow while it is read; one byte more than allowed is noticed by the parser.
    file.take(MAX_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    document(&bytes, name, &source)
}

fn listed(name: &str, source: &str, read: Result<Document, RunbookError>) -> Listed {
    let findings = read
        .as_ref()
        .map(|d| d.runbook.findings.clone())
        .unwrap_or_default();
    Listed {
        name: SafeText::new(name),
        title: read
            .map(|d| d.runbook.title)
            .map_err(|e| SafeText::new(e.to_string())),
        source: SafeText::new(source),
        findings,
    }
}

fn markdown_files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|e| e.path())
        .filter(|p| {
            p.extension()
                .is_some_and(|e| is_markdown(&e.to_string_lossy()))
                && p.is_file()
        })
        .filter(|p| !stem(p).eq_ignore_ascii_case("readme"))
        .take(MAX_FILES)
        .collect();
    files.sort();
    files
}

fn is_markdown(extension: &str) -> bool {
    extension.eq_ignore_ascii_case("md") || extension.eq_ignore_ascii_case("markdown")
}

fn stem(path: &Path) -> String {
    path.file_stem().map_or_else(
        || "runbook".to_owned(),
        |s| s.to_string_lossy().into_owned(),
    )
}
