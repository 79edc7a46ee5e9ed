//! What a walk finds.

use std::net::{IpAddr, SocketAddr};

use serde::Serialize;

use crate::model::observation::Method;
use crate::model::service::DnssecFault;
use crate::model::text::SafeText;

/// Where the addresses of a name server came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AddressFrom {
    /// The table of root servers, or the server that the user named.
    Start,
    /// The referral itself.
    Glue,
    /// Looked up by a walk of its own: the referral had none.
    LookedUp,
    /// There are none to be found.
    Nowhere,
}

/// One name server of a delegation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NameServer {
    /// Its name.
    pub name: SafeText,
    /// Its addresses of the families wanted.
    pub addresses: Vec<IpAddr>,
    /// Where they came from.
    pub from: AddressFrom,
    /// True if its name is within the delegated zone, so that it cannot be found without glue.
    pub needs_glue: bool,
}

/// What one server said to the question of the walk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    /// It refers to the servers of a zone below.
    Referral {
        /// The zone.
        zone: SafeText,
    },
    /// It has the records.
    Answer,
    /// The name is an alias of one that must be looked for elsewhere.
    Alias {
        /// The other name.
        to: SafeText,
    },
    /// The name has no records of this type.
    NoData,
    /// The name does not exist.
    NoName,
    /// It does not serve the zone that is delegated to it.
    Lame {
        /// How that shows.
        why: SafeText,
    },
    /// It was asked twice and said nothing.
    Silent,
    /// It cannot be asked: somebody refuses, or what it sends is not DNS.
    Refused {
        /// In words.
        why: SafeText,
    },
}

impl Said {
    /// Whether the walk can go on from here or ends well.
    pub const fn is_use(&self) -> bool {
        !matches!(
            self,
            Self::Lame { .. } | Self::Silent | Self::Refused { .. }
        )
    }
}

/// One server asked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Asked {
    /// Its name.
    pub name: SafeText,
    /// Its address.
    pub server: SocketAddr,
    /// How it was asked.
    pub method: Method,
    /// Time to the answer in milliseconds.
    pub rtt_ms: Option<f64>,
    /// What it said.
    pub said: Said,
}

/// A DS record at the parent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ds {
    /// Tag of the key that it stands for.
    pub key_tag: u16,
    /// Algorithm by its number.
    pub algorithm: u8,
    /// Digest type by its number.
    pub digest_type: u8,
}

/// Something wrong at a cut.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutFault {
    /// A server does not serve the zone, or does not answer.
    Lame {
        /// Its name.
        name: SafeText,
        /// Its address.
        server: SocketAddr,
        /// What it does instead.
        why: SafeText,
    },
    /// A name server without an address.
    NoAddress {
        /// Its name.
        name: SafeText,
        /// Why there is none.
        why: SafeText,
    },
    /// The parent's list of name servers and the zone's own differ.
    NsMismatch {
        /// Named by the parent only.
        parent_only: Vec<SafeText>,
        /// Named by the zone only.
        zone_only: Vec<SafeText>,
    },
    /// Something wrong with its DNSSEC.
    Dnssec {
        /// What.
        fault: DnssecFault,
    },
}

/// One zone on the way down.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Cut {
    /// The name looked for at this point; another one after an alias.
    pub name: SafeText,
    /// The zone, `.` for the root.
    pub zone: SafeText,
    /// Its servers as the parent names them.
    pub servers: Vec<NameServer>,
    /// DS records at the parent; `None` where the parent was not seen.
    pub ds: Option<Vec<Ds>>,
    /// Servers asked, in the order of the delegation.
    pub asked: Vec<Asked>,
    /// What is wrong.
    pub faults: Vec<CutFault>,
}

/// How a walk ended.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With records; the last sample holds them.
    Answer,
    /// The name has no records of the type.
    NoData,
    /// The name does not exist.
    NoName,
    /// No server of this zone is of use.
    Dead {
        /// The zone.
        zone: SafeText,
    },
    /// The walk was ended because it went on too long.
    TooLong {
        /// What there was too much of.
        why: SafeText,
    },
}
