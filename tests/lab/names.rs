//! Names and resolvers that are broken, or only look so: a small internet of names in `dns`, with
//! NSD as authoritative server and unbound as resolver, each fault proved with `dig`.
//!
//! ```text
//! .60 NSD  .  test                       .54 unbound, recursive, validates
//! .61 NSD  fine.test  half.test  bogus.test
//! .62 NSD  nothing of these: lame        .63 nothing at all
//! ```

use std::process::Command;

use super::plan::{LINKS, RESOLVER, RESOLVER_2, Role, V4};
use super::proof::until;
use super::{Lab, must};

/// The server that zones are delegated to and that does not serve them.
pub const LAME: &str = "10.71.5.62";
/// Other servers of the small internet.
const TOP: &str = "10.71.5.60";
const ZONES: &str = "10.71.5.61";
/// Where nothing answers DNS.
const DEAD: &str = "10.71.5.63";

/// Zones of the small internet: name, and the servers that it is delegated to.
const DELEGATED: &[(&str, &[&str])] = &[
    ("fine", &[ZONES]),
    ("half", &[ZONES, LAME]),
    ("quiet", &[ZONES, DEAD]),
    ("lame", &[LAME]),
    ("bogus", &[ZONES]),
];

/// Delays every answer and asks the real server meanwhile: over UDP, and over TCP after the
/// handshake. `ARGV`: own address, server, seconds.
const RELAY: &str = r#"
use strict; use IO::Socket::INET; use IO::Select; use Time::HiRes 'sleep';
my ($own, $to, $delay) = @ARGV; $SIG{CHLD} = 'IGNORE';
my $udp = IO::Socket::INET->new(LocalAddr => $own, LocalPort => 53, Proto => 'udp') or die;
my $tcp = IO::Socket::INET->new(LocalAddr => $own, LocalPort => 53, Proto => 'tcp', Listen => 64, ReuseAddr => 1) or die;
sub full { my ($s, $n) = @_; my $all = ''; while (length $all < $n) { sysread($s, my $some, $n - length $all) or exit; $all .= $some } $all }
for (my $wait = IO::Select->new($udp, $tcp);;) { for my $s ($wait->can_read) {
  if ($s == $udp) { my $from = $udp->recv(my $q, 4096); next unless defined $from; next if fork;
    my $up = IO::Socket::INET->new(PeerAddr => $to, PeerPort => 53, Proto => 'udp') or die;
    sleep $delay; $up->send($q); $up->recv(my $a, 65535); $udp->send($a, 0, $from); exit }
  my $c = $tcp->accept or next; if (fork) { close $c; next }
  my $up = IO::Socket::INET->new(PeerAddr => $to, PeerPort => 53, Proto => 'tcp') or die;
  my $n = full($c, 2); my $q = full($c, unpack 'n', $n); sleep $delay; syswrite $up, $n . $q;
  $n = full($up, 2); syswrite $c, $n . full($up, unpack 'n', $n); exit } }
"#;

impl Lab {
    /// A resolver at [`RESOLVER_2`] that has a small internet of names behind it.
    pub fn small_internet(&mut self) {
        for server in [TOP, ZONES, LAME, DEAD] {
            self.ip(Role::Dns, &format!("addr add {server}/24 dev l5\n"));
        }
        let head = |zone: &str| {
            format!("$ORIGIN {zone}\n$TTL 300\n@ SOA ns.test. ops.test. 7 3600 900 86400 60\n")
        };
        let top = head(".")
            + &format!("@ NS ns.top.\ntest. NS ns.test.\nns.test. A {TOP}\nns.top. A {TOP}\n");
        let mut test = head("test.") + &format!("@ NS ns\nns A {TOP}\n");
        let mut own = Vec::new();
        for (zone, servers) in DELEGATED {
            let mut text = head(&format!("{zone}.test."));
            for (i, server) in servers.iter().enumerate() {
                let line =
                    format!("{zone}.test. NS ns{i}.{zone}.test.\nns{i}.{zone}.test. A {server}\n");
                test += &line;
                text += &line;
            }
            text += &format!("www A {}\n", Role::Dst.addr(V4));
            self.file(&format!("{zone}.test.zone"), &text);
            if servers.contains(&ZONES) {
                own.push((format!("{zone}.test"), format!("{zone}.test.zone")));
            }
        }
        let ds = self.sign_long_ago("bogus.test");
        self.file("top.zone", &top);
        self.file("test.zone", &test);
        self.file("other.zone", &(head("other.") + "@ NS ns.test.\n"));
        own.retain(|(zone, _)| zone != "bogus.test");
        own.push(("bogus.test".into(), "bogus.test.signed".into()));
        self.nsd(
            "top",
            TOP,
            &[
                (".".into(), "top.zone".into()),
                ("test".into(), "test.zone".into()),
            ],
        );
        self.nsd("zones", ZONES, &own);
        self.nsd("lame", LAME, &[("other".into(), "other.zone".into())]);
        self.filter(
            Role::Dns,
            "dead63",
            "input priority 0",
            &format!("ip daddr {DEAD} drop;"),
        );
        let hints = self.file(
            "hints",
            &format!(". 3600 NS ns.top.\nns.top. 3600 A {TOP}\n"),
        );
        self.unbound(
            "recursive",
            RESOLVER_2,
            &format!(
                "module-config: \"validator iterator\"\nroot-hints: \"{}\"\nlocal-zone: \"test.\" nodefault\n\
                 trust-anchor: \"{ds}\"\nede: yes\nval-log-level: 2\nqname-minimisation: no\n\
                 private-domain: \"test.\"\nverbosity: 2\noutgoing-interface: {RESOLVER_2}\n",
                hints.display()
            ),
        );
        self.until_resolver_answers(RESOLVER_2);
        until("the small internet to work", || {
            let said = self.dig(RESOLVER_2, "www.fine.test");
            if said.contains("status: NOERROR") && said.contains(&Role::Dst.addr(V4).to_string()) {
                Ok(())
            } else {
                Err(format!("{said}\n{}", self.logs()))
            }
        });
    }

    /// Signs a zone of [`DELEGATED`] so that its signatures have expired; its DS record.
    fn sign_long_ago(&self, zone: &str) -> String {
        let dir = self.dir();
        let run = |args: &[&str]| {
            let out = Command::new(args[0])
                .args(&args[1..])
                .current_dir(dir)
                .output();
            let out = out.unwrap_or_else(|e| panic!("cannot start {}: {e}", args[0]));
            assert!(
                out.status.success(),
                "{args:?}: {}",
                String::from_utf8_lossy(&out.stderr)
            );
        };
        run(&[
            "dnssec-keygen",
            "-q",
            "-a",
            "ECDSAP256SHA256",
            "-f",
            "KSK",
            zone,
        ]);
        run(&["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", zone]);
        let (file, signed) = (format!("{zone}.zone"), format!("{zone}.signed"));
        run(&[
            "dnssec-signzone",
            "-q",
            "-S",
            "-P",
            "-o",
            zone,
            "-s",
            "20200101000000",
            "-e",
            "20200201000000",
            "-f",
            &signed,
            &file,
        ]);
        let ds = std::fs::read_to_string(dir.join(format!("dsset-{zone}."))).expect("a DS record");
        ds.lines().next().expect("a DS record").replace('\t', " ")
    }

    fn nsd(&mut self, name: &str, address: &str, zones: &[(String, String)]) {
        let dir = self.dir().to_string_lossy().into_owned();
        let mut conf = format!(
            "server:\n ip-address: {address}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{dir}\"\n database: \"\"\n \
             pidfile: \"{dir}/nsd-{name}.pid\"\n xfrdfile: \"{dir}/nsd-{name}.xfrd\"\n zonelistfile: \"{dir}/nsd-{name}.list\"\n \
             xfrdir: \"{dir}\"\n server-count: 1\nremote-control:\n control-enable: no\n"
        );
        for (zone, file) in zones {
            conf += &format!("zone:\n name: \"{zone}\"\n zonefile: \"{file}\"\n");
        }
        let path = self.file(&format!("nsd-{name}.conf"), &conf);
        self.serve(Role::Dns, &["nsd", "-d", "-c", &path.to_string_lossy()]);
    }

    /// `dig` with words of one's own.
    pub fn dig_with(&self, server: &str, words: &[&str]) -> String {
        let at = format!("@{server}");
        let mut args = vec!["dig", "+tries=1", "+timeout=3", &at];
        args.extend(words);
        self.say(&args)
    }

    /// Panics if `dig` does not say `word`.
    pub fn dig_must_say(&self, server: &str, words: &[&str], word: &str) {
        let said = self.dig_with(server, words);
        assert!(
            said.contains(word),
            "'{word}' was expected of dig @{server} {words:?}:\n{said}\n{}",
            self.logs()
        );
    }

    /// The signatures of a name have expired: the validating resolver refuses to resolve it.
    pub fn bogus_name(&mut self) -> &'static str {
        self.small_internet();
        self.dig_must_say(RESOLVER_2, &["www.bogus.test"], "status: SERVFAIL");
        self.dig_must_say(RESOLVER_2, &["www.bogus.test", "+cd"], "status: NOERROR");
        self.dig_must_say(RESOLVER_2, &["www.fine.test"], "status: NOERROR");
        "www.bogus.test"
    }

    /// A name whose only name server does not serve its zone.
    pub fn lame_name(&mut self) -> &'static str {
        self.small_internet();
        self.dig_must_say(LAME, &["+norecurse", "www.lame.test"], "status: REFUSED");
        self.dig_must_say(RESOLVER_2, &["www.lame.test"], "status: SERVFAIL");
        self.dig_must_say(RESOLVER_2, &["www.lame.test", "+cd"], "status: SERVFAIL");
        "www.lame.test"
    }

    /// A name one of whose two name servers does not serve its zone.
    pub fn half_lame_name(&mut self) -> &'static str {
        self.small_internet();
        self.dig_must_say(LAME, &["+norecurse", "www.half.test"], "status: REFUSED");
        self.dig_must_say(ZONES, &["+norecurse", "www.half.test"], "flags: qr aa;");
        self.dig_must_say(RESOLVER_2, &["www.half.test"], "status: NOERROR");
        "www.half.test"
    }

    /// Nobody on the resolvers' host but the resolver itself can be asked: as behind a firewall
    /// that lets only the resolver out.
    pub fn only_the_resolver_may_ask(&self) {
        self.filter(
            Role::R1,
            "onlyresolver",
            "forward priority 0",
            &format!("ip daddr {{ {TOP}, {ZONES}, {LAME}, {DEAD} }} drop;"),
        );
        self.dig_must_say(ZONES, &["www.half.test"], "timed out");
        self.dig_must_say(RESOLVER_2, &["www.half.test"], "status: NOERROR");
    }

    /// A resolver does not take TCP: its host says nothing, or refuses.
    pub fn no_tcp(&self, resolver: &str, refuse: bool) {
        let verdict = if refuse {
            "reject with tcp reset"
        } else {
            "drop"
        };
        self.filter(
            Role::Dns,
            &format!("notcp{}", resolver.replace('.', "")),
            "input priority 0",
            &format!("ip daddr {resolver} tcp dport 53 {verdict};"),
        );
        self.dig_must_say(resolver, &["ns.lab.test"], "status: NOERROR");
        let word = if refuse { "refused" } else { "timed out" };
        self.dig_must_say(resolver, &["+tcp", "ns.lab.test"], word);
    }

    /// Of the questions that a resolver is asked over UDP that share in a hundred is lost.
    pub fn loses_questions(&self, resolver: &str, percent: u8) {
        let rule =
            format!("ip daddr {resolver} udp dport 53 numgen random mod 100 < {percent} drop;");
        self.filter(Role::Dns, "lostquestions", "input priority 0", &rule);
        let once = ["+tries=1", "+time=1", "ns.lab.test"];
        let answered = (0..20)
            .filter(|_| self.dig_with(resolver, &once).contains("status: NOERROR"))
            .count();
        assert!((1..20).contains(&answered), "{answered} of 20 answered");
    }

    /// A resolver never answers questions for the AAAA record of `www.lab.test`, as some filters do.
    pub fn no_aaaa(&self, resolver: &str) {
        // The type follows 8 bytes of UDP, 12 of the header and 14 of the name (RFC 1035 4.1.2).
        let rule = format!("ip daddr {resolver} udp dport 53 @th,272,16 28 drop;");
        self.filter(Role::Dns, "noaaaa", "input priority 0", &rule);
        self.dig_must_say(resolver, &["-t", "A", "www.lab.test"], "status: NOERROR");
        self.dig_must_say(resolver, &["-t", "AAAA", "www.lab.test"], "timed out");
    }

    /// A resolver at [`RESOLVER_2`] whose answer for `large.lab.test` does not fit a UDP packet.
    pub fn large_answers(&mut self) {
        let all: String = (1..=150)
            .map(|i| format!("local-data: \"large.lab.test. 60 IN A 10.71.200.{i}\"\n"))
            .collect();
        self.other_resolver(&all);
        self.dig_must_say(
            RESOLVER_2,
            &["+ignore", "large.lab.test"],
            "flags: qr aa tc",
        );
        self.dig_must_say(RESOLVER_2, &["large.lab.test"], "10.71.200.150");
    }

    /// A link takes no larger packets any more in either direction, and nobody is told.
    pub fn large_packets_vanish(&self, link: u8, bytes: u16) {
        let l = LINKS[usize::from(link) - 1];
        for role in [l.near, l.far] {
            self.filter(
                role,
                "large",
                "prerouting priority -300",
                &format!("iifname l{link} meta length > {bytes} drop;"),
            );
        }
    }

    /// A resolver at [`RESOLVER_2`] that takes so long for every answer.
    pub fn slow_resolver(&mut self, millis: u32) {
        let script = self.file("relay.pl", RELAY).to_string_lossy().into_owned();
        let seconds = format!("{:.3}", f64::from(millis) / 1000.0);
        self.serve(
            Role::Dns,
            &["perl", &script, RESOLVER_2, RESOLVER, &seconds],
        );
        self.until_resolver_answers(RESOLVER_2);
        for words in [&["ns.lab.test"][..], &["+tcp", "ns.lab.test"]] {
            let said = self.dig_with(RESOLVER_2, words);
            let took = said.lines().find_map(|l| l.strip_prefix(";; Query time: "));
            let took = took.and_then(|t| t.split(' ').next()?.parse::<u32>().ok());
            assert!(
                took.is_some_and(|t| t * 10 >= millis * 9),
                "{millis} ms were expected:\n{said}"
            );
        }
    }

    /// A resolver at [`RESOLVER_2`] with data of its own beside the root of all names.
    pub fn other_resolver(&mut self, data: &str) {
        self.resolver_at("other", RESOLVER_2, data);
    }

    /// The same anywhere.
    pub fn resolver_at(&mut self, name: &str, address: &str, data: &str) {
        let root = "local-zone: \".\" static\nlocal-data: \". 3600 IN NS ns.lab.test.\"\n\
            local-data: \". 3600 IN SOA ns.lab.test. ops.lab.test. 1 3600 900 86400 60\"\n\
            local-data: \"ns.lab.test. 60 IN A 10.71.5.54\"\n";
        self.unbound(name, address, &format!("{root}{data}"));
        self.until_resolver_answers(address);
    }

    /// A second resolver that knows addresses of its own for `www.lab.test`; both are proved.
    pub fn resolver_that_says(&mut self, data: &str, question: &[&str], word: &str) {
        self.other_resolver(data);
        self.resolvers(&[RESOLVER, RESOLVER_2]);
        self.dig_must_say(RESOLVER_2, question, word);
        self.dig_must_say(RESOLVER, question, "status: NOERROR");
    }

    /// The hosts' search list.
    pub fn search(&self, resolvers: &[&str], domain: &str) {
        let mut text = format!("search {domain}\n");
        for r in resolvers {
            text += &format!("nameserver {r}\n");
        }
        self.file("resolv.conf", &text);
    }

    /// A packet filter of the lab is taken away again.
    pub fn unfilter(&self, role: Role, name: &str) {
        let ns = self.ns(role);
        must(
            "ip",
            &["netns", "exec", &ns, "nft", "delete", "table", "inet", name],
            "",
        );
    }
}
