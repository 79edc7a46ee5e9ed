//! Themes: what each meaning looks like. A theme knows roles, never widgets; colour only
//! underlines a meaning that a symbol or a word already carries.
//!
//! A theme file is TOML with one table, `[roles]`: a role's name and its paint. Roles that a
//! file leaves out are plain text. This module must not know any terminal library.

use serde::Deserialize;

/// What a piece of text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text.
    #[default]
    Text,
    /// Users are cut off.
    Critical,
    /// Users suffer, or soon will.
    Warning,
    /// Firm and clean.
    Ok,
    /// Worth knowing.
    Info,
    /// It can't be known, and why.
    Unknown,
    /// There, but not what one looks for first.
    Muted,
    /// Names a screen, a section, a column.
    Title,
    /// The line that keys act on.
    Selected,
    /// A key to press.
    Key,
    /// Lines between sections.
    Border,
    /// Draws the eye: the current screen, the current step.
    Accent,
    /// Text being typed.
    Input,
    /// Not on disk yet.
    Pending,
    /// Done, saved, new.
    Added,
    /// Code, commands, addresses to copy.
    Code,
}

impl Role {
    /// Every role, in the order of the theme table.
    pub const ALL: [Role; 16] = [
        Role::Text,
        Role::Critical,
        Role::Warning,
        Role::Ok,
        Role::Info,
        Role::Unknown,
        Role::Muted,
        Role::Title,
        Role::Selected,
        Role::Key,
        Role::Border,
        Role::Accent,
        Role::Input,
        Role::Pending,
        Role::Added,
        Role::Code,
    ];

    /// Its name in theme files.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Text => "text",
            Role::Critical => "critical",
            Role::Warning => "warning",
            Role::Ok => "ok",
            Role::Info => "info",
            Role::Unknown => "unknown",
            Role::Muted => "muted",
            Role::Title => "title",
            Role::Selected => "selected",
            Role::Key => "key",
            Role::Border => "border",
            Role::Accent => "accent",
            Role::Input => "input",
            Role::Pending => "pending",
            Role::Added => "added",
            Role::Code => "code",
        }
    }
}

/// How many colours the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// None: attributes only.
    Mono,
    /// The sixteen of the terminal's own palette.
    Sixteen,
    /// The 256 of xterm.
    Full,
}

impl Depth {
    /// From the environment, as handed in: `NO_COLOR` (any value but an empty one turns colour
    /// off, <https://no-color.org>), `TERM` and `COLORTERM`.
    pub fn detect(no_color: Option<&str>, term: Option<&str>, colorterm: Option<&str>) -> Self {
        if no_color.is_some_and(|v| !v.is_empty()) {
            return Depth::Mono;
        }
        let term = term.unwrap_or("dumb");
        if term == "dumb" || term.starts_with("vt") || term.ends_with("-m") {
            return Depth::Mono;
        }
        let rich = colorterm.is_some_and(|c| !c.is_empty())
            || term.contains("256color")
            || term.contains("direct");
        if rich { Depth::Full } else { Depth::Sixteen }
    }
}

/// A colour of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// One of the sixteen: 0–7 normal, 8–15 bright, in the order of ANSI.
    Ansi(u8),
    /// One of the 256 of xterm.
    Indexed(u8),
}

/// What a role looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Paint {
    /// Foreground; `None` is the terminal's own.
    pub fg: Option<Colour>,
    /// Background; `None` is the terminal's own.
    pub bg: Option<Colour>,
    /// Bold.
    pub bold: bool,
    /// Dim.
    pub dim: bool,
    /// Italic.
    pub italic: bool,
    /// Underlined.
    pub underline: bool,
    /// Foreground and background exchanged.
    pub reverse: bool,
}

/// What all roles look like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Theme {
    paints: [Paint; Role::ALL.len()],
}

/// Why a theme can't be used.
#[derive(Debug, thiserror::Error)]
pub enum ThemeError {
    /// The file is not TOML of the right shape.
    #[error("cannot read the theme: {0}; it needs one table [roles], see themes/default.toml")]
    Toml(#[from] toml::de::Error),
    /// A role that does not exist.
    #[error("the theme names a role '{0}' that does not exist; roles are {1}")]
    Role(String, String),
    /// A colour that does not exist.
    #[error(
        "the theme gives role '{role}' the colour '{colour}'; use black, red, green, yellow, blue, magenta, cyan, white, each also with bright-, or a number from 0 to 255 in fg256/bg256"
    )]
    Colour {
        /// The role.
        role: String,
        /// What was written.
        colour: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ThemeFile {
    roles: std::collections::BTreeMap<String, PaintFile>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct PaintFile {
    fg: Option<String>,
    bg: Option<String>,
    fg256: Option<u8>,
    bg256: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underline: bool,
    reverse: bool,
}

const DEFAULT: &str = include_str!("../../themes/default.toml");
const MONO: &str = include_str!("../../themes/mono.toml");

impl Theme {
    /// The theme for a terminal of that depth: `default`, or `mono` where there are no colours.
    pub fn for_depth(depth: Depth) -> Self {
        let text = if depth == Depth::Mono { MONO } else { DEFAULT };
        // Both files are part of the program and a test parses them; plain text is still usable.
        Self::parse(text, depth).unwrap_or(Self {
            paints: [Paint::default(); Role::ALL.len()],
        })
    }

    /// A shipped theme by name, or a theme file by path.
    ///
    /// # Errors
    /// There is no such theme, or the file can't be used; names it and what there is.
    pub fn named(name: &str, depth: Depth) -> Result<Self, String> {
        match name {
            "default" => Ok(Self::for_depth(depth)),
            "mono" => Ok(Self::for_depth(Depth::Mono)),
            path if path.contains('/') || path.ends_with(".toml") => {
                let text = std::fs::read_to_string(path)
                    .map_err(|e| format!("cannot read the theme {path}: {e}"))?;
                Self::parse(&text, depth).map_err(|e| format!("{path}: {e}"))
            }
            other => Err(format!(
                "there is no theme '{other}'; use default, mono or the path of a theme file"
            )),
        }
    }

    /// Reads a theme file for a terminal of that depth.
    ///
    /// # Errors
    /// Says which role or colour is wrong.
    pub fn parse(text: &str, depth: Depth) -> Result<Self, ThemeError> {
        let file: ThemeFile = toml::from_str(text)?;
        let mut paints = [Paint::default(); Role::ALL.len()];
        for (name, entry) in &file.roles {
            let Some(slot) = Role::ALL.iter().position(|r| r.name() == name) else {
                let known: Vec<_> = Role::ALL.iter().map(|r| r.name()).collect();
                return Err(ThemeError::Role(name.clone(), known.join(", ")));
            };
            paints[slot] = paint(name, entry, depth)?;
        }
        Ok(Self { paints })
    }

    /// What a role looks like.
    pub fn paint(&self, role: Role) -> Paint {
        self.paints[role as usize]
    }
}

fn paint(role: &str, entry: &PaintFile, depth: Depth) -> Result<Paint, ThemeError> {
    let pick = |plain: &Option<String>, rich: Option<u8>| -> Result<Option<Colour>, ThemeError> {
        let plain = match plain {
            Some(word) => Some(ansi(word).ok_or_else(|| ThemeError::Colour {
                role: role.to_owned(),
                colour: word.clone(),
            })?),
            None => None,
        };
        Ok(match depth {
            Depth::Mono => None,
            Depth::Sixteen => plain.map(Colour::Ansi),
            Depth::Full => rich.map(Colour::Indexed).or(plain.map(Colour::Ansi)),
        })
    };
    Ok(Paint {
        fg: pick(&entry.fg, entry.fg256)?,
        bg: pick(&entry.bg, entry.bg256)?,
        bold: entry.bold,
        dim: entry.dim,
        italic: entry.italic,
        underline: entry.underline,
        reverse: entry.reverse,
    })
}

fn ansi(word: &str) -> Option<u8> {
    const NAMES: [&str; 8] = [
        "black", "red", "green", "yellow", "blue", "magenta", "cyan", "white",
    ];
    let (bright, base) = match word.strip_prefix("bright-") {
        Some(base) => (8, base),
        None => (0, word),
    };
    let at = NAMES.iter().position(|n| *n == base)?;
    u8::try_from(at).ok().map(|n| n + bright)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shipped_themes_paint_every_role_that_matters() {
        for text in [DEFAULT, MONO] {
            let theme = Theme::parse(text, Depth::Full).unwrap();
            for role in Role::ALL {
                let plain = matches!(role, Role::Text | Role::Info | Role::Code | Role::Ok);
                assert!(plain || theme.paint(role) != Paint::default(), "{role:?}");
            }
        }
    }

    #[test]
    fn roles_and_table_agree() {
        for (i, role) in Role::ALL.iter().enumerate() {
            assert_eq!(*role as usize, i);
        }
    }

    #[test]
    fn mono_has_no_colour_at_all() {
        for theme in [
            Theme::for_depth(Depth::Mono),
            Theme::parse(DEFAULT, Depth::Mono).unwrap(),
        ] {
            for role in Role::ALL {
                let p = theme.paint(role);
                assert_eq!((p.fg, p.bg), (None, None), "{role:?}");
            }
        }
        assert!(
            Theme::for_depth(Depth::Sixteen)
                .paint(Role::Critical)
                .fg
                .is_some()
        );
    }

    #[test]
    fn wrong_files_say_what_is_wrong() {
        let said = |text: &str| Theme::parse(text, Depth::Full).unwrap_err().to_string();
        assert!(said("[roles]\ncritcal = {}").contains("'critcal'"));
        assert!(said("[roles]\ncritical = { fg = \"pink\" }").contains("'pink'"));
        assert!(said("roles = 3").contains("[roles]"));
    }

    #[test]
    fn depth_follows_the_environment() {
        let d = Depth::detect;
        assert_eq!(d(Some("1"), Some("xterm-256color"), None), Depth::Mono);
        assert_eq!(d(Some(""), Some("xterm-256color"), None), Depth::Full);
        assert_eq!(d(None, Some("vt100"), None), Depth::Mono);
        assert_eq!(d(None, Some("screen"), None), Depth::Sixteen);
        assert_eq!(d(None, Some("linux"), Some("truecolor")), Depth::Full);
        assert_eq!(d(None, None, None), Depth::Mono);
    }
}
