//! Names and addresses of the lab.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A machine of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Where the program runs.
    Src,
    /// First router, the default gateway of `src`.
    R1,
    /// Second router.
    R2,
    /// Third router.
    R3,
    /// The service host, four hops away.
    Dst,
    /// The resolvers' host, beside the path, two hops away.
    Dns,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 6] = [
        Role::Src,
        Role::R1,
        Role::R2,
        Role::R3,
        Role::Dst,
        Role::Dns,
    ];

    /// Short name.
    pub const fn name(self) -> &'static str {
        match self {
            Role::Src => "src",
            Role::R1 => "r1",
            Role::R2 => "r2",
            Role::R3 => "r3",
            Role::Dst => "dst",
            Role::Dns => "dns",
        }
    }

    /// Distance from `src` in hops.
    pub const fn hop(self) -> u8 {
        match self {
            Role::Src => 0,
            Role::R1 => 1,
            Role::R2 | Role::Dns => 2,
            Role::R3 => 3,
            Role::Dst => 4,
        }
    }

    /// The address by which `src` sees it: of the interface towards `src`.
    pub fn addr(self, family: Family) -> IpAddr {
        match self {
            Role::Src => address(family, 1, 1),
            Role::Dns => address(family, 5, 2),
            r => address(family, r.hop(), 2),
        }
    }
}

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// The two families.
pub use Family::{V4, V6};

/// As whom the program under test runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// With every right in the namespace.
    Root,
    /// No root, no capabilities, and ICMP sockets closed by `ping_group_range`.
    Nobody,
    /// The same, and programs with rights of their own (`ping`) don't get them either.
    NobodyAlone,
}

impl User {
    /// For messages.
    pub const fn name(self) -> &'static str {
        match self {
            User::Root => "root",
            User::Nobody => "nobody",
            User::NobodyAlone => "nobody without helpers",
        }
    }

    /// The words before a command that make it run as this user.
    pub fn become_it(self) -> &'static [&'static str] {
        match self {
            User::Root => &[],
            User::Nobody => &[
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ],
            User::NobodyAlone => &[
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
                "--no-new-privs",
            ],
        }
    }
}

/// A cable. Its interface is called `l<number>` at both ends.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Its number, also in its addresses.
    pub number: u8,
    /// The end nearer to `src`: address `.1`.
    pub near: Role,
    /// The other end: address `.2`.
    pub far: Role,
}

/// The cables.
pub const LINKS: [Link; 5] = [
    Link {
        number: 1,
        near: Role::Src,
        far: Role::R1,
    },
    Link {
        number: 2,
        near: Role::R1,
        far: Role::R2,
    },
    Link {
        number: 3,
        near: Role::R2,
        far: Role::R3,
    },
    Link {
        number: 4,
        near: Role::R3,
        far: Role::Dst,
    },
    Link {
        number: 5,
        near: Role::R1,
        far: Role::Dns,
    },
];

/// The good resolver.
pub const RESOLVER: &str = "10.71.5.53";
/// A second resolver's address; scenarios say what is there.
pub const RESOLVER_2: &str = "10.71.5.54";
/// Router's end of nothing: an address of the first link where no host is.
pub const NO_SUCH_NEIGHBOUR: &str = "10.71.1.99";

/// Names that the good resolver knows, all of them the service host.
pub const NAMES: &[&str] = &[
    "www.lab.test",
    "expired.lab.test",
    "wrong-name.lab.test",
    "other-ca.lab.test",
];

/// An address of a link: `10.71.link.host` or `fd71:0:0:link::host`.
pub fn address(family: Family, link: u8, host: u8) -> IpAddr {
    match family {
        V4 => IpAddr::V4(Ipv4Addr::new(10, 71, link, host)),
        V6 => IpAddr::V6(Ipv6Addr::new(
            0xfd71,
            0,
            0,
            u16::from(link),
            0,
            0,
            0,
            u16::from(host),
        )),
    }
}

/// The source address of the lab's own tools on `src`; programs that don't ask for it get the
/// other one.
pub fn prover(family: Family) -> IpAddr {
    address(family, 1, 3)
}

/// The lines of `ip` that set a machine up: addresses and routes.
pub fn setup(role: Role) -> String {
    let mut lines = String::from("link set lo up\n");
    for l in LINKS {
        let host = match role {
            r if r == l.near => 1,
            r if r == l.far => 2,
            _ => continue,
        };
        let n = l.number;
        lines += &format!(
            "link set l{n} up\naddr add 10.71.{n}.{host}/24 dev l{n}\naddr add fd71:0:0:{n}::{host}/64 dev l{n} nodad\n"
        );
    }
    if role == Role::Src {
        lines += &format!(
            "addr add {}/24 dev l1 preferred_lft 0\naddr add {}/64 dev l1 nodad preferred_lft 0\n",
            prover(V4),
            prover(V6)
        );
    }
    if role == Role::Dns {
        lines += &format!("addr add {RESOLVER}/24 dev l5\naddr add {RESOLVER_2}/24 dev l5\n");
    }
    let mut via = |net: &str, link: u8, host: u8| {
        let (net4, net6) = match net {
            "default" => ("default".to_owned(), "default".to_owned()),
            n => (format!("10.71.{n}.0/24"), format!("fd71:0:0:{n}::/64")),
        };
        lines += &format!(
            "route add {net4} via 10.71.{link}.{host}\nroute add {net6} via fd71:0:0:{link}::{host}\n"
        );
    };
    match role {
        Role::Src => via("default", 1, 2),
        Role::R1 => via("default", 2, 2),
        Role::R2 => {
            via("default", 3, 2);
            via("1", 2, 1);
            via("5", 2, 1);
        }
        Role::R3 => via("default", 3, 1),
        Role::Dst => via("default", 4, 1),
        Role::Dns => via("default", 5, 1),
    }
    lines
}
