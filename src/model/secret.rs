//! A value that must never be shown: a community, a password, a token.

use std::fmt;

/// A secret as the user gave it. `Debug` masks it, there is no `Display` and no serialisation;
/// whoever needs the value calls [`Secret::expose`], which is easy to find.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret(String);

/// What stands where a secret was.
pub const MASK: &str = "***";

impl Secret {
    /// Takes a secret in.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }
    /// The value itself; only for the protocol that needs it and for the redactor.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(MASK)
    }
}
