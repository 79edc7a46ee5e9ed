//! What routers tell besides "time exceeded": codes, extensions of the ICMP message, and the
//! header of our packet as they saw it.

use std::fmt;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::text::SafeText;

/// What one hop said beyond its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HopDetail {
    /// Time to live of the probe.
    pub ttl: u8,
    /// ICMP type and code of what came back, where it was an ICMP error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<(u8, u8)>,
    /// Extension objects of the message (RFC 4884).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<IcmpExtension>,
    /// What of our packet's header the router saw changed, where the socket shows it (raw ICMP).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<HeaderChange>,
}

/// What of our packet's IP header was not as sent when it arrived at a router.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderChange {
    /// Time to live, where it had not run out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u8>,
    /// Type of service or traffic class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tos: Option<u8>,
    /// Source address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub src: Option<IpAddr>,
    /// Destination address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst: Option<IpAddr>,
}

/// Fields of a quoted IP header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotedHeader {
    /// Time to live as it arrived at the router; 1 where nobody meddles.
    pub ttl: u8,
    /// Type of service or traffic class as it arrived: DSCP (six bits) and ECN (two).
    pub tos: u8,
    /// Source address as it arrived.
    pub src: IpAddr,
    /// Destination address as it arrived.
    pub dst: IpAddr,
}

/// One extension object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IcmpExtension {
    /// MPLS label stack as it arrived at the router, outermost first (RFC 4950).
    Mpls(Vec<MplsLabel>),
    /// An interface of the router (RFC 5837).
    Interface(InterfaceInfo),
    /// Anything else.
    Other {
        /// Class-Num.
        class: u8,
        /// C-Type.
        kind: u8,
        /// Length of the content in bytes.
        bytes: u16,
    },
}

/// An entry of an MPLS label stack (RFC 3032).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MplsLabel {
    /// Label, 20 bits.
    pub label: u32,
    /// Traffic class, 3 bits (RFC 5462).
    pub class: u8,
    /// Last of the stack.
    pub bottom: bool,
    /// Time to live.
    pub ttl: u8,
}

/// An interface as a router describes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceInfo {
    /// Which interface it is.
    pub role: InterfaceRole,
    /// ifIndex.
    pub index: Option<u32>,
    /// Address.
    pub address: Option<IpAddr>,
    /// Name, ifName.
    pub name: Option<SafeText>,
    /// MTU in bytes.
    pub mtu: Option<u32>,
}

/// The part an interface has in what happened to our packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InterfaceRole {
    /// Our packet came in by it.
    Incoming,
    /// The part of a bundle by which our packet came in.
    SubIp,
    /// Our packet would have left by it.
    Outgoing,
    /// The next hop our packet would have gone to.
    NextHop,
}

impl fmt::Display for IcmpExtension {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mpls(stack) => {
                f.write_str("MPLS")?;
                for (i, l) in stack.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma} {}/{} TTL {}", l.label, l.class, l.ttl)?;
                }
                Ok(())
            }
            Self::Interface(i) => i.fmt(f),
            Self::Other { class, kind, bytes } => {
                write!(f, "extension class {class} type {kind}, {bytes} bytes")
            }
        }
    }
}

impl fmt::Display for InterfaceInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.role {
            InterfaceRole::Incoming => "in by",
            InterfaceRole::SubIp => "in by member",
            InterfaceRole::Outgoing => "out by",
            InterfaceRole::NextHop => "next hop",
        })?;
        if let Some(name) = &self.name {
            write!(f, " {name}")?;
        }
        if let Some(index) = self.index {
            write!(f, " ifIndex {index}")?;
        }
        if let Some(address) = self.address {
            write!(f, " {address}")?;
        }
        if let Some(mtu) = self.mtu {
            write!(f, " MTU {mtu}")?;
        }
        Ok(())
    }
}
