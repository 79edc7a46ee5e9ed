//! What can break in the lab. Each fault is proved with stock tools as it is made, so that a
//! scenario can't pass (or fail) because the fault was not there.

use std::net::IpAddr;

use super::Lab;
use super::plan::{Family, LINKS, NO_SUCH_NEIGHBOUR, RESOLVER_2, Role, User, V4, V6, address};

/// Neighbour discovery must go on, or a fault on packets becomes a fault of the link.
const KEEP_ND: &str = "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept;";

impl Lab {
    /// Loses that share of what travels towards `dst` on a link, whatever the protocol.
    pub fn loss(&self, link: u8, percent: u8) {
        let far = LINKS[usize::from(link) - 1].far;
        self.filter(
            far,
            "loss",
            "prerouting priority -300",
            &format!("{KEEP_ND} iifname l{link} numgen random mod 100 < {percent} drop;"),
        );
        let seen = self.ping(Role::Dst.addr(V4), &["-c", "100", "-i", "0.01", "-W", "1"]);
        let lost = seen.sent - seen.received;
        assert!(
            (1..100).contains(&lost),
            "{percent} % should be lost: {}",
            seen.said
        );
        let before = LINKS[usize::from(link) - 1].near;
        if before != Role::Src {
            let seen = self.ping(before.addr(V4), &["-c", "50", "-i", "0.01", "-W", "1"]);
            assert_eq!(
                seen.sent, seen.received,
                "nothing should be lost before the link: {}",
                seen.said
            );
        }
    }

    /// A router that sends hardly any ICMP errors (one in three seconds) but forwards well.
    pub fn icmp_rate_limit(&self, router: Role) {
        self.filter(router, "ratelimit", "output priority 0", "icmp type time-exceeded limit rate 20/minute burst 1 packets accept; icmp type time-exceeded drop;
               icmpv6 type time-exceeded limit rate 20/minute burst 1 packets accept; icmpv6 type time-exceeded drop;");
        let dst = Role::Dst.addr(V4);
        let ttl = router.hop().to_string();
        let seen = self.ping(dst, &["-c", "5", "-i", "0.1", "-W", "1", "-t", &ttl]);
        let answers = seen.said.matches("Time to live exceeded").count();
        assert!(
            answers <= 2,
            "{answers} answers of 5 are not rate-limited: {}",
            seen.said
        );
        let seen = self.ping(dst, &["-c", "50", "-i", "0.01", "-W", "1"]);
        assert_eq!(seen.received, 50, "the path should be clean: {}", seen.said);
    }

    /// A router that sends no ICMP errors at all but forwards well.
    pub fn silent(&self, router: Role) {
        self.filter(router, "silent", "output priority 0", "icmp type { time-exceeded, destination-unreachable } drop; icmpv6 type { time-exceeded, destination-unreachable } drop;");
        let dst = Role::Dst.addr(V4);
        assert_eq!(
            self.hop(dst, router.hop()),
            None,
            "{} should be silent",
            router.name()
        );
        self.must_answer(dst);
    }

    /// A link takes smaller packets from now on; its near end says so to those who send larger ones.
    pub fn mtu(&self, link: u8, bytes: u16) {
        let l = LINKS[usize::from(link) - 1];
        for role in [l.near, l.far] {
            self.ip(role, &format!("link set l{link} mtu {bytes}\n"));
        }
        let said = self.ping_df(Role::Dst.addr(V4), 1500);
        assert!(
            said.contains("Frag needed") || said.contains("message too long"),
            "no word of the smaller MTU: {said}"
        );
        self.forget_mtu();
    }

    /// The same, but nobody is told: the ICMP message is lost, in both families.
    pub fn mtu_black_hole(&self, link: u8, bytes: u16) {
        let l = LINKS[usize::from(link) - 1];
        self.filter(
            l.near,
            "ptb",
            "output priority 0",
            "icmp type destination-unreachable icmp code 4 drop; icmpv6 type packet-too-big drop;",
        );
        for role in [l.near, l.far] {
            self.ip(role, &format!("link set l{link} mtu {bytes}\n"));
        }
        for family in [V4, V6] {
            let dst = Role::Dst.addr(family);
            let fits = self.ping_df(dst, bytes);
            assert!(
                fits.contains(" 1 received"),
                "{bytes} bytes should pass: {fits}"
            );
            let large = self.ping_df(dst, bytes + 1);
            assert!(
                large.contains(" 0 received") && !large.contains("mtu"),
                "one byte more should vanish: {large}"
            );
        }
        self.forget_mtu();
    }

    /// One echo request of that size (with IP header) that must not be fragmented.
    fn ping_df(&self, target: IpAddr, bytes: u16) -> String {
        let headers = if target.is_ipv4() { 28 } else { 48 };
        self.ping(
            target,
            &[
                "-c",
                "1",
                "-W",
                "1",
                "-M",
                "do",
                "-s",
                &(bytes - headers).to_string(),
            ],
        )
        .said
    }

    fn forget_mtu(&self) {
        self.ip(Role::Src, "route flush cache\n");
        self.ip6(Role::Src, "route flush cache\n");
    }

    /// An address on the last link where there is no host: the last router's ARP or ND fails.
    pub fn dead_host(&self, family: Family) -> IpAddr {
        let dead = address(family, 4, 99);
        let seen = self.ping(dead, &["-c", "1", "-W", "5"]);
        let reporter = format!("From {}", Role::R3.addr(family));
        assert!(
            seen.received == 0 && seen.said.contains(&reporter),
            "the last router should report the dead host: {}",
            seen.said
        );
        dead
    }

    /// A router forwards nothing towards `dst` any more and says nothing.
    pub fn swallow(&self, router: Role) {
        let out = router.hop() + 1;
        self.filter(
            router,
            "swallow",
            "forward priority 0",
            &format!("oifname l{out} drop;"),
        );
        self.must_not_answer(Role::Dst.addr(V4));
        assert_eq!(
            self.hop(Role::Dst.addr(V4), router.hop()),
            Some(router.addr(V4)),
            "the router itself should answer"
        );
    }

    /// The near end of a link is shut down: its router has no route any more and says so.
    pub fn link_down(&self, link: u8) {
        let near = LINKS[usize::from(link) - 1].near;
        self.ip(near, &format!("link set l{link} down\n"));
        let seen = self.must_not_answer(Role::Dst.addr(V4));
        assert!(
            seen.said.contains("Destination Net Unreachable"),
            "the router should say so: {}",
            seen.said
        );
    }

    /// The service host's end of the last link loses its carrier: a host that was switched off.
    pub fn host_off(&self) {
        self.ip(Role::Dst, "link set l4 down\n");
        self.must_not_answer(Role::Dst.addr(V4));
    }

    /// `r2` and `r3` send an address to each other for ever.
    pub fn routing_loop(&self, family: Family) -> IpAddr {
        let lost = address(family, 66, 2);
        // `r2` sends everything unknown to `r3`, and `r3` back.
        // In IPv6, `r2` answers what comes back to it from that side's address.
        let back = match family {
            V4 => Role::R2.addr(V4),
            V6 => address(V6, 3, 1),
        };
        for (ttl, expected) in [
            (2, Role::R2.addr(family)),
            (3, Role::R3.addr(family)),
            (4, back),
            (5, Role::R3.addr(family)),
            (6, back),
        ] {
            assert_eq!(self.hop(lost, ttl), Some(expected), "no loop at TTL {ttl}");
        }
        lost
    }

    /// A router has no route to an address and says so at once.
    pub fn unreachable_route(&self, router: Role) -> IpAddr {
        let lost = address(V4, 77, 2);
        self.ip(router, "route add unreachable 10.71.77.0/24\n");
        let seen = self.ping(lost, &["-c", "1", "-W", "2"]);
        let reporter = format!("From {}", router.addr(V4));
        assert!(
            seen.said.contains(&reporter) && seen.said.contains("Unreachable"),
            "the router should say so: {}",
            seen.said
        );
        lost
    }

    /// A router swallows one TCP port.
    pub fn filter_port(&self, router: Role, port: u16) {
        self.filter(
            router,
            "filterport",
            "forward priority 0",
            &format!("tcp dport {port} drop;"),
        );
        let url = format!("http://{}:{port}/", Role::Dst.addr(V4));
        self.must_say(&["curl", "-sS", "-m", "1", &url], "timed out");
        self.must_answer(Role::Dst.addr(V4));
    }

    /// The service host ignores ping and nothing else.
    pub fn ignore_ping(&self) {
        self.filter(
            Role::Dst,
            "noping",
            "input priority 0",
            "icmp type echo-request drop; icmpv6 type echo-request drop;",
        );
        self.must_not_answer(Role::Dst.addr(V4));
    }

    /// The service host answers five pings a second, and everything else as it should.
    pub fn ration_ping(&self) {
        self.filter(
            Role::Dst,
            "rationed",
            "input priority 0",
            "icmp type echo-request limit rate 5/second burst 5 packets accept; \
             icmp type echo-request drop;",
        );
        let seen = self.ping(Role::Dst.addr(V4), &["-c", "60", "-i", "0.02", "-W", "1"]);
        assert!(
            (1..40).contains(&seen.received),
            "most should be swallowed: {}",
            seen.said
        );
    }

    /// The service host answers ping and nothing else.
    pub fn only_ping(&self) {
        self.filter(
            Role::Dst,
            "onlyping",
            "input priority 0",
            &format!(
                "icmp type echo-request accept; icmpv6 type echo-request accept; {KEEP_ND} drop;"
            ),
        );
        let dst = Role::Dst.addr(V4);
        self.must_answer(dst);
        self.must_say(
            &["curl", "-sS", "-m", "1", &format!("http://{dst}/")],
            "timed out",
        );
    }

    /// The second resolver's address swallows questions.
    pub fn dead_resolver(&self) {
        self.filter(
            Role::Dns,
            "deadns",
            "input priority 0",
            &format!("ip daddr {RESOLVER_2} th dport 53 drop;"),
        );
        let said = self.dig(RESOLVER_2, "www.lab.test");
        assert!(
            said.contains("no servers could be reached") || said.contains("timed out"),
            "the resolver should be dead: {said}"
        );
    }

    /// `src` has no default route, in both families.
    pub fn no_default_route(&self) {
        self.ip(Role::Src, "route del default\n");
        self.ip6(Role::Src, "route del default\n");
        self.must_say(
            &["ping", "-n", "-c", "1", &Role::Dst.addr(V4).to_string()],
            "unreachable",
        );
    }

    /// The default gateway of IPv4 is an address where nobody answers ARP; IPv6 is well.
    pub fn dead_gateway(&self) -> IpAddr {
        self.ip(
            Role::Src,
            &format!("route replace default via {NO_SUCH_NEIGHBOUR}\n"),
        );
        let seen = self.ping(Role::Dst.addr(V4), &["-c", "1", "-W", "5"]);
        assert!(
            seen.received == 0 && seen.said.contains("Host Unreachable"),
            "ARP should fail: {}",
            seen.said
        );
        self.must_answer(Role::Dst.addr(V6));
        NO_SUCH_NEIGHBOUR.parse().expect("an address")
    }

    /// The first router goes deaf and dumb towards `src` from one moment to the next, while all
    /// neighbour entries are still good. IPv6 is well.
    pub fn deafen_gateway(&self) {
        let rules = "add table netdev deaf
            add chain netdev deaf in { type filter hook ingress device l1 priority 0; }
            add rule netdev deaf in ether type != ip6 drop";
        self.exec(Role::R1, User::Root, &["nft", rules]);
        self.must_not_answer(Role::Dst.addr(V4));
    }

    /// The default gateway of IPv6 is an address where nobody answers; IPv4 is well.
    pub fn dead_gateway_v6(&self) {
        self.ip6(Role::Src, "route replace default via fd71:0:0:1::99\n");
        self.must_answer(Role::Dst.addr(V4));
        let seen = self.ping(Role::Dst.addr(V6), &["-c", "1", "-W", "5"]);
        assert_eq!(seen.received, 0, "ND should fail: {}", seen.said);
    }

    /// The program's user really has no way to send ICMP itself.
    pub fn prove_rights(&self) {
        let out = self.exec(
            Role::Src,
            self.user,
            &[
                "cat",
                "/proc/sys/net/ipv4/ping_group_range",
                "/proc/self/status",
            ],
        );
        let said = String::from_utf8_lossy(&out.stdout).into_owned();
        assert!(
            self.user == User::Root || said.starts_with("1\t0"),
            "ICMP sockets should be closed: {said}"
        );
        let none = said.contains("CapEff:\t0000000000000000");
        assert_eq!(none, self.user != User::Root, "wrong rights: {said}");
    }
}
