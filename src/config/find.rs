//! Which file is read, and whether it may be.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::ConfigError;
use crate::model::text::SafeText;

/// Name of the file beside you and in the configuration folder.
pub const FILE_NAME: &str = "warroom.toml";

/// What loading depends on beside the arguments; a value, so that tests need no process of
/// their own.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Working directory.
    pub directory: PathBuf,
    /// `$XDG_CONFIG_HOME`, normally `~/.config`; `None` if there is no home.
    pub config_home: Option<PathBuf>,
    /// The home folder, for `~/` in paths.
    pub home: Option<PathBuf>,
    /// Effective user id.
    pub uid: u32,
    /// Variables that stand before those of the process.
    pub variables: HashMap<String, String>,
    /// Whether variables of the process count too.
    pub use_environment: bool,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_process() -> Self {
        let xdg = etcetera::base_strategy::Xdg::new().ok();
        Self {
            directory: PathBuf::from("."),
            config_home: xdg.as_ref().map(BaseStrategy::config_dir),
            home: xdg.as_ref().map(|x| x.home_dir().to_owned()),
            uid: nix::unistd::geteuid().as_raw(),
            variables: HashMap::new(),
            use_environment: true,
        }
    }

    /// An environment variable, if it is set and UTF-8.
    pub fn variable(&self, name: &str) -> Option<String> {
        match self.variables.get(name) {
            Some(value) => Some(value.clone()),
            None if self.use_environment => std::env::var(name).ok(),
            None => None,
        }
    }
}

/// A file that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// To open.
    pub path: PathBuf,
    /// To show: as the user would name it.
    pub shown: SafeText,
}

/// The outcome of looking.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// The file to read.
    pub file: Option<Found>,
    /// Why a file that is there is not read.
    pub warning: Option<SafeText>,
}

/// Where [`find`] looks without an explicit file, first to last.
pub fn places(around: &Surroundings) -> Vec<Found> {
    let beside = Found {
        path: around.directory.join(FILE_NAME),
        shown: SafeText::new(format!("./{FILE_NAME}")),
    };
    let home = around.config_home.as_ref().map(|dir| {
        let path = dir.join("warroom").join(FILE_NAME);
        Found {
            shown: shown(&path),
            path,
        }
    });
    [beside].into_iter().chain(home).collect()
}

/// Finds the file to read. One that lies beside you but belongs to somebody else, or that
/// everybody may write, is left alone with a warning: it could make the console read files and
/// send what is in them.
///
/// # Errors
/// If `explicit` does not exist.
pub fn find(explicit: Option<&Path>, around: &Surroundings) -> Result<Search, ConfigError> {
    if let Some(path) = explicit {
        if let Err(e) = std::fs::metadata(path) {
            return Err(ConfigError::Unreadable {
                file: shown(path),
                why: SafeText::new(format!("{e}; check the path given with --config")),
            });
        }
        return Ok(Search {
            file: Some(Found {
                path: path.to_owned(),
                shown: shown(path),
            }),
            warning: None,
        });
    }
    let mut search = Search::default();
    for (i, place) in places(around).into_iter().enumerate() {
        let Ok(meta) = std::fs::metadata(&place.path) else {
            continue;
        };
        if i == 0
            && let Some(why) = distrust(&meta, around.uid)
        {
            search.warning = Some(SafeText::new(format!(
                "{} is not read: {why}; if you trust it, give it with --config",
                place.shown
            )));
            continue;
        }
        search.file = Some(place);
        break;
    }
    Ok(search)
}

fn distrust(meta: &std::fs::Metadata, uid: u32) -> Option<String> {
    if meta.uid() != uid && meta.uid() != 0 {
        return Some(format!("it belongs to another user (uid {})", meta.uid()));
    }
    if meta.mode() & 0o002 != 0 {
        return Some("every user may write it".into());
    }
    None
}

/// A path as text.
pub fn shown(path: &Path) -> SafeText {
    use std::os::unix::ffi::OsStrExt;
    SafeText::from_bytes(path.as_os_str().as_bytes())
}
