//! A second way from `r1` to `r3`, beside `r2`.
//!
//! ```text
//!   r1 ──2── r2 ──3── r3
//!    └──6── r2b ──7──┘        10.71.6.0/24, 10.71.7.0/24, IPv4 only
//! ```

use std::net::IpAddr;

use super::plan::{Role, User, V4, address};
use super::{Lab, must};

/// The second router's address as seen from `src`.
pub fn other() -> IpAddr {
    address(V4, 6, 2)
}

impl Lab {
    fn ns_of_other(&self) -> String {
        format!("{}b", self.ns(Role::R2))
    }

    /// Builds the second way; nothing uses it yet.
    pub fn second_way(&mut self) {
        let ns = self.ns_of_other();
        must("ip", &["netns", "add", &ns], "");
        self.namespaces.push(ns.clone());
        let (r1, r3) = (self.ns(Role::R1), self.ns(Role::R3));
        let links = format!(
            "link add l6 netns {r1} type veth peer name l6 netns {ns}\n\
             link add l7 netns {ns} type veth peer name l7 netns {r3}\n"
        );
        must("ip", &["-batch", "-"], &links);
        let settings = [
            "net.ipv4.ip_forward=1",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.l6.rp_filter=0",
            "net.ipv4.conf.l7.rp_filter=0",
        ];
        let mut args = vec!["netns", "exec", &ns, "sysctl", "-q", "-w"];
        args.extend(settings);
        must("ip", &args, "");
        self.ip(Role::R1, "link set l6 up\naddr add 10.71.6.1/24 dev l6\n");
        self.ip(Role::R3, "link set l7 up\naddr add 10.71.7.2/24 dev l7\n");
        self.set(Role::R1, &["net.ipv4.conf.l6.rp_filter=0"]);
        self.set(Role::R3, &["net.ipv4.conf.l7.rp_filter=0"]);
        let other = "link set lo up\nlink set l6 up\nlink set l7 up\n\
             addr add 10.71.6.2/24 dev l6\naddr add 10.71.7.1/24 dev l7\n\
             route add default via 10.71.7.2\nroute add 10.71.1.0/24 via 10.71.6.1\n";
        must("ip", &["-n", &ns, "-batch", "-"], other);
    }

    /// `r1` sends everything the second way from now on.
    pub fn take_second_way(&self) {
        self.ip(Role::R1, "route replace default via 10.71.6.2\n");
        assert_eq!(
            self.hop(Role::Dst.addr(V4), 2),
            Some(other()),
            "the second way should be taken"
        );
    }

    /// `r1` spreads flows over both ways, by addresses and ports.
    pub fn balance(&self) {
        self.set(Role::R1, &["net.ipv4.fib_multipath_hash_policy=1"]);
        self.ip(
            Role::R1,
            "route replace default nexthop via 10.71.2.2 weight 1 nexthop via 10.71.6.2 weight 1\n",
        );
        let dst = Role::Dst.addr(V4).to_string();
        let src = address(V4, 1, 1).to_string();
        let via = |port: u16| {
            let port = port.to_string();
            let way = [
                "ip", "route", "get", &dst, "from", &src, "iif", "l1", "ipproto", "udp", "sport",
                "4000", "dport", &port,
            ];
            let out = self.exec(Role::R1, User::Root, &way);
            String::from_utf8_lossy(&out.stdout).into_owned()
        };
        let ways: Vec<String> = (33_434..33_498).map(via).collect();
        for way in ["via 10.71.2.2", "via 10.71.6.2"] {
            let taken = ways.iter().any(|w| w.contains(way));
            assert!(taken, "no flow goes {way}: {}", ways[0]);
        }
    }

    /// The second way forwards nothing towards `dst` any more and says nothing.
    pub fn kill_second_way(&self) {
        let table = "table inet dead {\nchain c {\ntype filter hook forward priority 0;\n\
             oifname l7 drop;\n}\n}\n";
        must(
            "ip",
            &["netns", "exec", &self.ns_of_other(), "nft", "-f", "-"],
            table,
        );
    }

    /// `r2` forwards nothing towards `dst` any more and says nothing.
    pub fn kill_first_way(&self) {
        self.filter(Role::R2, "dead", "forward priority 0", "oifname l3 drop;");
    }
}
