//! Who an address belongs to: its reverse name, its autonomous system, roughly where it is.
//!
//! None of it is needed for a verdict; it helps a person who reads one.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::text::SafeText;

/// What is known of an address; each part for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Origin {
    /// Reverse name (PTR), which whoever holds the address block is free to invent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<SafeText>,
    /// Autonomous system that announces the address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<Asn>,
    /// Where a table says it is; for routers that is often where their owner lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<GeoPlace>,
}

/// An autonomous system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asn {
    /// Its number (RFC 6793). Where several announce the prefix, the first one.
    pub number: u32,
    /// The announced prefix, `203.0.113.0/24`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<SafeText>,
    /// Its name or that of its holder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<SafeText>,
}

/// A place on Earth.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct GeoPlace {
    /// Country: the ISO 3166 code where the table has it, else its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<SafeText>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<SafeText>,
}

impl Origin {
    /// Nothing is known.
    pub const fn is_empty(&self) -> bool {
        self.name.is_none() && self.asn.is_none() && self.place.is_none()
    }
}

impl fmt::Display for Asn {
    /// `AS64500 EXAMPLE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AS{}", self.number)?;
        match &self.name {
            Some(name) => write!(f, " {name}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for GeoPlace {
    /// `Berlin, DE`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.city, &self.country) {
            (Some(city), Some(country)) => write!(f, "{city}, {country}"),
            (Some(one), None) | (None, Some(one)) => write!(f, "{one}"),
            (None, None) => Ok(()),
        }
    }
}

impl fmt::Display for Origin {
    /// `core1.example.net · AS64500 EXAMPLE · Berlin, DE`, as far as it is known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.name.as_ref().map(ToString::to_string),
            self.asn.as_ref().map(ToString::to_string),
            self.place.as_ref().map(ToString::to_string),
        ];
        let known: Vec<String> = parts.into_iter().flatten().collect();
        f.write_str(&known.join(" · "))
    }
}

/// Where origins are looked up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginSources {
    /// Table of autonomous systems: `.mmdb` (MaxMind, IPinfo, DB-IP) or CAIDA's pfx2as text.
    pub asn: Option<PathBuf>,
    /// Table of places, `.mmdb`.
    pub geo: Option<PathBuf>,
    /// Whether the configured resolvers are asked for reverse names.
    pub reverse_names: bool,
    /// Whether they are asked for autonomous systems (Team Cymru's zones), which tells a third
    /// party what is looked at.
    pub dns_asn: bool,
}

impl Default for OriginSources {
    fn default() -> Self {
        Self {
            asn: None,
            geo: None,
            reverse_names: true,
            dns_asn: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_known_reads_as_one_line() {
        let mut origin = Origin::default();
        assert!(origin.is_empty() && origin.to_string().is_empty());
        origin.asn = Some(Asn {
            number: 64_500,
            prefix: None,
            name: Some("EXAMPLE".into()),
        });
        origin.place = Some(GeoPlace {
            country: Some("DE".into()),
            city: None,
        });
        assert_eq!(origin.to_string(), "AS64500 EXAMPLE · DE");
        origin.name = Some("r1.example.net".into());
        assert_eq!(origin.to_string(), "r1.example.net · AS64500 EXAMPLE · DE");
    }
}
