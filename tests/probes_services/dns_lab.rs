//! A small internet of names on loopback addresses, all on one high port, served by the servers
//! that the world uses: NSD for root and top, BIND for signed zones, Knot and NSD with different
//! copies of one zone, unbound as validating resolver with DoT and DoH.
//!
//! ```text
//! .1 NSD   .                            127.0.0.1 BIND  fine, expired, early, wrongds, mismatch
//! .2 .3 NSD  test                              .6       silent (UDP), closed (TCP)
//! .4 Knot  good.test serial 2024               .7 NSD   good.test serial 2023
//! .8       nothing                             .9       unbound
//! ```

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use warroom::model::observation::ServerRole;
use warroom::probe::dns::{Options, ask};

use crate::mint;
use crate::ports::free_port;
use crate::skip;
use crate::steady;

const TOOLS: [&str; 6] = [
    "nsd",
    "named",
    "knotd",
    "unbound",
    "dnssec-keygen",
    "dnssec-signzone",
];

pub struct Lab {
    net: [u8; 3],
    pub port: u16,
    dir: tempfile::TempDir,
    children: Vec<Child>,
    /// Hears and says nothing.
    _silent: UdpSocket,
}

impl Drop for Lab {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The lab, or `None` where its servers are not installed; that is recorded.
pub async fn start(what: &str) -> Option<Lab> {
    let lacking: Vec<&str> = TOOLS.into_iter().filter(|t| !installed(t)).collect();
    if !lacking.is_empty() {
        skip::skipped(what, &format!("needs {}", lacking.join(", ")));
        return None;
    }
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let n = std::process::id() * 8 + NEXT.fetch_add(1, Ordering::SeqCst) % 8;
    let net = [127, 64 + (n / 250 % 128) as u8, 1 + (n % 250) as u8];
    let dir = tempfile::tempdir().unwrap();
    let silent = free(IpAddr::from([net[0], net[1], net[2], 6]));
    let mut lab = Lab {
        net,
        port: silent.local_addr().unwrap().port(),
        dir,
        children: Vec::new(),
        _silent: silent,
    };
    lab.zones();
    lab.nsd("root", &[1], &[(".", "root.zone")]);
    lab.nsd("top", &[2, 3], &[("test", "test.zone")]);
    lab.nsd("good", &[7], &[("good.test", "good-old.zone")]);
    lab.knot();
    lab.certificates();
    lab.named();
    lab.unbound();
    for (host, zone) in [
        (1, "."),
        (2, "test"),
        (4, "good.test"),
        (5, "fine.test"),
        (7, "good.test"),
        (9, "fine.test"),
    ] {
        lab.until_answers(host, zone).await;
    }
    Some(lab)
}

/// A socket on a port that BIND can have on its address, with two free ones below it.
fn free(ip: IpAddr) -> UdpSocket {
    let mut run = [free_port(), free_port(), free_port()];
    for _ in 0..1000 {
        if run[0] + 1 == run[1] && run[1] + 1 == run[2] {
            return UdpSocket::bind((ip, run[2])).unwrap();
        }
        run = [run[1], run[2], free_port()];
    }
    panic!("no three ports are free");
}

fn installed(tool: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|dir: PathBuf| dir.join(tool).is_file())
}

fn tool(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/sbin:/sbin"));
    command
}

impl Lab {
    pub fn ip(&self, host: u8) -> IpAddr {
        // BIND listens on addresses that an interface has; of the loopback's it is this one.
        if host == 5 {
            return Ipv4Addr::LOCALHOST.into();
        }
        Ipv4Addr::new(self.net[0], self.net[1], self.net[2], host).into()
    }
    pub fn at(&self, host: u8) -> SocketAddr {
        SocketAddr::new(self.ip(host), self.port)
    }
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    /// Port of DoT and DoH; they are on other addresses than plain DNS but the same everywhere.
    pub fn tls_port(&self) -> u16 {
        self.port - 1
    }
    pub fn https_port(&self) -> u16 {
        self.port - 2
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    fn run(&self, command: &mut Command) -> String {
        let out: Output = command.current_dir(self.dir.path()).output().unwrap();
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(out.status.success(), "{command:?}: {said}");
        String::from_utf8_lossy(&out.stdout).trim().to_owned()
    }

    fn spawn(&mut self, command: &mut Command, log: &str) {
        let log = std::fs::File::create(self.path(log)).unwrap();
        let child = command
            .current_dir(self.dir.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|e| panic!("{command:?}: {e}"));
        self.children.push(child);
    }

    async fn until_answers(&mut self, host: u8, zone: &str) {
        let deadline = Instant::now() + Duration::from_secs(60);
        let options = Options::within(Duration::from_millis(500));
        loop {
            let (_, s) = ask(self.at(host), ServerRole::Named, zone, "SOA", &options).await;
            let code = s.outcome.ok().map(|a| a.rcode.to_string());
            if code.as_deref() == Some("NOERROR") {
                return;
            }
            if Instant::now() > deadline {
                let logs: String = [
                    "nsd-root", "nsd-top", "nsd-good", "knot", "named", "unbound",
                ]
                .iter()
                .map(|l| {
                    let text = std::fs::read_to_string(self.path(&format!("{l}.log")));
                    format!("== {l}\n{}\n", text.unwrap_or_default())
                })
                .collect();
                panic!("{} does not answer: {s:?}\n{logs}", self.at(host));
            }
            // A closed port refuses at once.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Writes and signs the zones.
    fn zones(&self) {
        let head = |zone: &str, serial: u32| {
            format!(
                "$ORIGIN {zone}\n$TTL 300\n@ SOA ns1.test. admin.test. {serial} 3600 600 86400 60\n"
            )
        };
        let ip = |h| self.ip(h);
        let root = head(".", 1)
            + &format!(
                "@ NS a.lab-root.\na.lab-root. A {}\ntest. NS ns1.test.\ntest. NS ns2.test.\n\
                 ns1.test. A {}\nns2.test. A {}\nother. NS ns.elsewhere.test.\n\
                 circle. NS ns.round.\nround. NS ns.circle.\n",
                ip(1),
                ip(2),
                ip(3)
            );
        self.write("root.zone", &root);

        let mut test = head("test.", 100);
        write!(
            test,
            "@ NS ns1\n@ NS ns2\nns1 A {}\nns2 A {}\nns.elsewhere A {}\nns5 A {}\n\
             www CNAME www.good\nroundabout CNAME www.other.\n\
             good NS ns1.good\ngood NS ns2.good\nns1.good A {}\nns2.good A {}\n\
             lame NS ns1.lame\nlame NS ns2.lame\nns1.lame A {}\nns2.lame A {}\n\
             mismatch NS ns1.mismatch\nns1.mismatch A {}\nnoglue NS ns.noglue\n\
             dead NS ns.dead\nns.dead A {}\n",
            ip(2),
            ip(3),
            ip(5),
            ip(5),
            ip(4),
            ip(7),
            ip(5),
            ip(6),
            ip(5),
            ip(6)
        )
        .unwrap();
        for (zone, from, to) in [
            ("fine", "now-3600", "now+2592000"),
            ("soon", "now-3600", "now+86400"),
            ("expired", "20200101000000", "20200201000000"),
            ("early", "now+864000", "now+2592000"),
            ("wrongds", "now-3600", "now+2592000"),
        ] {
            let ds = self.signed(zone, from, to);
            let ds = if zone == "wrongds" {
                // A key that the zone does not have.
                format!("{zone} DS 4711 13 2 {}\n", "ab".repeat(32))
            } else {
                ds
            };
            writeln!(test, "{zone} NS ns5\n{ds}").unwrap();
        }
        self.write("top.zone", &test);
        self.keys_of("test");
        self.sign("test", "top.zone", "test.zone", "now-3600", "now+2592000");
        for (file, serial, addr) in [
            ("good.zone", 2024, "10.1.1.4"),
            ("good-old.zone", 2023, "10.1.1.3"),
        ] {
            let zone = head("good.test.", serial)
                + &format!(
                    "@ NS ns1\n@ NS ns2\nns1 A {}\nns2 A {}\nwww A {addr}\nsame A 10.1.1.9\n",
                    ip(4),
                    ip(7)
                );
            let zone = (0..12).fold(zone, |zone, n| {
                zone + &format!("big TXT \"{n} {}\"\n", "x".repeat(80))
            });
            self.write(file, &zone);
        }
        let mismatch =
            head("mismatch.test.", 5) + "@ NS ns1\n@ NS ns9\nns9 A 127.0.0.9\nwww A 10.1.1.6\n";
        let mismatch = mismatch + &format!("ns1 A {}\n", ip(5));
        self.write("mismatch.zone", &mismatch);
        let other = head("other.", 6) + "@ NS ns.elsewhere.test.\nwww A 10.1.1.7\n";
        self.write("other.zone", &other);
    }

    /// A zone signed for a time; its DS records as the parent has them.
    fn signed(&self, zone: &str, from: &str, to: &str) -> String {
        let name = format!("{zone}.test");
        let text = format!(
            "$ORIGIN {name}.\n$TTL 300\n@ SOA ns5.test. admin.test. 9 3600 600 86400 60\n\
             @ NS ns5.test.\nwww A 10.1.1.5\n* TXT \"wild\"\n"
        );
        self.write(&format!("{zone}.zone"), &text);
        self.keys_of(&name);
        self.sign(
            &name,
            &format!("{zone}.zone"),
            &format!("{zone}.signed"),
            from,
            to,
        );
        let ds = std::fs::read_to_string(self.path(&format!("dsset-{name}."))).unwrap();
        ds.lines()
            .map(|l| format!("{l}\n").replace('\t', " "))
            .collect()
    }

    fn keys_of(&self, zone: &str) {
        for flag in [&["-f", "KSK"][..], &[]] {
            let mut keygen = tool("dnssec-keygen");
            keygen
                .args(["-q", "-a", "ECDSAP256SHA256"])
                .args(flag)
                .arg(zone);
            self.run(&mut keygen);
        }
    }

    fn sign(&self, zone: &str, file: &str, signed: &str, from: &str, to: &str) {
        let mut sign = tool("dnssec-signzone");
        sign.args(["-q", "-S", "-P", "-o", zone, "-s", from, "-e", to, "-f"])
            .arg(self.path(signed))
            .arg(self.path(file));
        self.run(&mut sign);
    }

    fn nsd(&mut self, name: &str, hosts: &[u8], zones: &[(&str, &str)]) {
        let dir = self.dir.path().display().to_string();
        let mut conf = String::from("server:\n");
        for host in hosts {
            writeln!(conf, "  ip-address: {}@{}", self.ip(*host), self.port).unwrap();
        }
        write!(
            conf,
            "  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{dir}\"\n  database: \"\"\n  \
             pidfile: \"{dir}/{name}.pid\"\n  xfrdfile: \"{dir}/{name}.xfrd\"\n  \
             zonelistfile: \"{dir}/{name}.list\"\n  xfrdir: \"{dir}\"\n  server-count: 1\n\
             remote-control:\n  control-enable: no\n"
        )
        .unwrap();
        for (zone, file) in zones {
            write!(conf, "zone:\n  name: \"{zone}\"\n  zonefile: \"{file}\"\n").unwrap();
        }
        let path = self.write(&format!("nsd-{name}.conf"), &conf);
        let mut nsd = tool("nsd");
        nsd.arg("-d").arg("-c").arg(path);
        self.spawn(&mut nsd, &format!("nsd-{name}.log"));
    }

    fn knot(&mut self) {
        let dir = self.dir.path().display().to_string();
        std::fs::create_dir(self.path("knot")).unwrap();
        let conf = format!(
            "server:\n  rundir: \"{dir}/knot\"\n  listen: {}@{}\n  nsid: \"knot-lab\"\n  \
             udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
             database:\n  storage: \"{dir}/knot\"\nlog:\n  - target: stderr\n    any: info\n\
             zone:\n  - domain: good.test\n    file: \"{dir}/good.zone\"\n",
            self.ip(4),
            self.port
        );
        let path = self.write("knot.conf", &conf);
        let mut knot = tool("knotd");
        knot.arg("-c").arg(path);
        self.spawn(&mut knot, "knot.log");
    }

    /// `ca.pem`, and a certificate for `dns.lab`.
    fn certificates(&self) {
        let ca = mint::ca("Names Lab CA").self_signed();
        let server = mint::server(&["dns.lab"]).signed_by(&ca);
        self.write("ca.pem", &ca.cert.pem());
        self.write("server.pem", &server.cert.pem());
        self.write("server.key", &server.key.serialize_pem());
    }

    fn named(&mut self) {
        let (dir, ip) = (self.dir.path().display().to_string(), self.ip(5));
        let mut conf = format!(
            "options {{ directory \"{dir}\"; listen-on port {} {{ {ip}; }};\n\
             listen-on port {} tls lab {{ {ip}; }};\n\
             listen-on port {} tls lab http default {{ {ip}; }};\n\
             listen-on-v6 {{ none; }}; recursion no; notify no; dnssec-validation no; pid-file none;\n\
             session-keyfile none; lock-file none; }};\ncontrols {{ }};\n\
             tls lab {{ key-file \"{dir}/server.key\"; cert-file \"{dir}/server.pem\"; }};\n",
            self.port,
            self.tls_port(),
            self.https_port()
        );
        for zone in ["fine", "soon", "expired", "early", "wrongds"] {
            writeln!(
                conf,
                "zone \"{zone}.test\" {{ type primary; file \"{zone}.signed\"; }};"
            )
            .unwrap();
        }
        for (zone, file) in [("mismatch.test", "mismatch"), ("other", "other")] {
            writeln!(
                conf,
                "zone \"{zone}\" {{ type primary; file \"{file}.zone\"; }};"
            )
            .unwrap();
        }
        let path = self.write("named.conf", &conf);
        let mut named = tool("named");
        named.args(["-g", "-n", "1", "-c"]).arg(path);
        self.spawn(&mut named, "named.log");
    }

    fn unbound(&mut self) {
        let (dir, ip) = (self.dir.path().display().to_string(), self.ip(9));
        let mut conf = format!(
            "server:\n  interface: {ip}@{}\n  interface: {ip}@{}\n  interface: {ip}@{}\n  \
             tls-port: {}\n  https-port: {}\n  tls-service-key: \"{dir}/server.key\"\n  \
             tls-service-pem: \"{dir}/server.pem\"\n  do-daemonize: no\n  use-syslog: no\n  \
             logfile: \"\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  directory: \"{dir}\"\n  \
             num-threads: 1\n  module-config: \"validator iterator\"\n  ede: yes\n  \
             do-not-query-localhost: no\n  access-control: 127.0.0.0/8 allow\n  \
             local-zone: \"test.\" nodefault\n  target-fetch-policy: \"0 0 0 0 0\"\n",
            self.port,
            self.tls_port(),
            self.https_port(),
            self.tls_port(),
            self.https_port()
        );
        for zone in ["fine", "soon", "expired", "early"] {
            let ds = std::fs::read_to_string(self.path(&format!("dsset-{zone}.test."))).unwrap();
            for line in ds.lines() {
                let line = line.replace('\t', " ");
                writeln!(conf, "  trust-anchor: \"{line}\"").unwrap();
            }
        }
        conf.push_str("remote-control:\n  control-enable: no\n");
        for (zone, host) in [
            (".", 1),
            ("test", 2),
            ("good.test", 4),
            ("fine.test", 5),
            ("soon.test", 5),
            ("expired.test", 5),
            ("early.test", 5),
            // It refuses, which leaves the resolver without an answer.
            ("nothing.test", 7),
        ] {
            writeln!(
                conf,
                "stub-zone:\n  name: \"{zone}\"\n  stub-addr: {}@{}\n  stub-first: no",
                self.ip(host),
                self.port
            )
            .unwrap();
        }
        let path = self.write("unbound.conf", &conf);
        let mut unbound = tool("unbound");
        unbound.args(["-d", "-c"]).arg(path);
        self.spawn(&mut unbound, "unbound.log");
    }

    /// Runs the program and returns its exit status and what it printed. What failed while this
    /// machine stood still says nothing, and is done again.
    pub fn warroom(&self, args: &[&str]) -> (i32, String) {
        steady::watch();
        for _ in 0..2 {
            let from = Instant::now();
            let (code, text) = self.warroom_once(args);
            let Some(why) = steady::disturbed_since(from).filter(|_| code != 0) else {
                return (code, text);
            };
            println!("done again: {why}\n{text}");
            steady::wait();
        }
        self.warroom_once(args)
    }

    fn warroom_once(&self, args: &[&str]) -> (i32, String) {
        let out = Command::new(env!("CARGO_BIN_EXE_warroom"))
            .args(args)
            .arg("--ca")
            .arg(self.path("ca.pem"))
            .env("WARROOM_STATE", self.path("state"))
            .env("HOME", self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned();
        let errors = String::from_utf8_lossy(&out.stderr);
        (out.status.code().unwrap_or(-1), format!("{text}{errors}"))
    }
}
