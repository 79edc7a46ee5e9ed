//! Agents to ask: the real `snmpd` in a network namespace of its own, and scripted ones.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_snmp::message::CommunityMessage;
use async_snmp::{DecodeConfig, Oid, Pdu, ResponsePdu, Value, VarBind, Version};
use hyper::body::Bytes;
use warroom::device::Limits;
use warroom::device::snmp::{self, Known};
use warroom::model::device::{DeviceReport, SnmpAccess};
use warroom::model::observation::{How, Outcome};
use warroom::model::secret::Secret;
use warroom::model::target::Host;
use warroom::model::text::SafeText;

use super::skip;

/// The community that agents here accept.
pub const COMMUNITY: &str = "s3cr3t";
const INSIDE: &str = "WARROOM_TEST_INSIDE_NETNS";

/// Runs the calling test again in a network namespace of its own, in which only loopback is up.
/// True inside: the test goes on. False outside: the test was run inside, or recorded as skipped.
pub fn inside_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        run("ip", &["link", "set", "lo", "up"]);
        return true;
    }
    for program in ["/usr/sbin/snmpd", "/usr/bin/unshare"] {
        if !Path::new(program).exists() {
            return skip::skipped(test, &format!("{program} is not installed"));
        }
    }
    let flags: &[&str] = if skip::is_root() { &["-n"] } else { &["-Urn"] };
    let unshare = |args: &[&str]| {
        let mut command = Command::new("unshare");
        command.args(flags).args(args);
        command
    };
    let possible = unshare(&["ip", "link", "set", "lo", "up"]).output();
    if !possible.is_ok_and(|o| o.status.success()) {
        return skip::skipped(test, "no network namespace can be made here");
    }
    let exe = std::env::current_exe().unwrap();
    let output = unshare(&[exe.to_str().unwrap(), test, "--exact", "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    print!("{text}");
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{test} failed in its namespace:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// Runs a program that must succeed.
pub fn run(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {args:?}: {error}");
}

/// A real `snmpd`, ended when dropped.
pub struct Snmpd {
    child: Child,
    _dir: tempfile::TempDir,
    pub port: u16,
}

impl Snmpd {
    /// Starts one with `extra` lines of configuration and waits until it answers.
    pub fn start(extra: &[u8]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let conf = dir.path().join("snmpd.conf");
        let port = 16_161;
        let mut text = format!("rocommunity {COMMUNITY} 127.0.0.1\n").into_bytes();
        text.extend_from_slice(extra);
        std::fs::write(&conf, text).unwrap();
        std::fs::set_permissions(&conf, std::fs::Permissions::from_mode(0o600)).unwrap();
        let child = Command::new("/usr/sbin/snmpd")
            .args(["-f", "-C", "-c", conf.to_str().unwrap(), "-Lf"])
            .arg(dir.path().join("log"))
            .arg(format!("udp:127.0.0.1:{port}"))
            .env("SNMP_PERSISTENT_DIR", dir.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self {
            child,
            _dir: dir,
            port,
        };
        let deadline = Instant::now() + Duration::from_secs(20);
        let answers = || {
            let (_, report) = poll(port, COMMUNITY, &quick());
            matches!(report.outcome, Outcome::Ok(_))
        };
        while !answers() {
            assert!(Instant::now() < deadline, "snmpd did not answer in 20 s");
        }
        agent
    }
}

impl Drop for Snmpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Limits that keep tests of silence short.
pub fn quick() -> Limits {
    Limits {
        timeout: Duration::from_millis(300),
        retries: 1,
        ..Limits::default()
    }
}

/// An agent on loopback as the configuration would describe it.
pub fn access(port: u16, community: &str) -> SnmpAccess {
    SnmpAccess {
        host: Host::Addr(Ipv4Addr::LOCALHOST.into()),
        port,
        community: Secret::new(community),
    }
}

/// One poll of an agent on loopback.
pub fn poll(port: u16, community: &str, limits: &Limits) -> (How, DeviceReport) {
    poll_again(port, community, limits, &mut Known::default())
}

/// A further poll of an agent on loopback.
pub fn poll_again(
    port: u16,
    community: &str,
    limits: &Limits,
    known: &mut Known,
) -> (How, DeviceReport) {
    let name = SafeText::new("dev");
    let access = access(port, community);
    let no_names = async |_: Host| Err(SafeText::new("no names here"));
    block_on(snmp::poll(&name, &access, &no_names, limits, known))
}

pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

/// An agent that answers each request by a rule, in a thread that ends when this is dropped.
pub struct Scripted {
    pub port: u16,
    stop: Arc<AtomicBool>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Scripted {
    /// `answer` gets each request and who sent it, and gives the datagrams to send back.
    pub fn start(mut answer: impl FnMut(Pdu, SocketAddr) -> Vec<Bytes> + Send + 'static) -> Self {
        let socket = UdpSocket::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_millis(50)))
            .unwrap();
        let port = socket.local_addr().unwrap().port();
        let stop = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0u8; 65_536];
            while !seen.load(Ordering::Relaxed) {
                let Ok((length, from)) = socket.recv_from(&mut buffer) else {
                    continue;
                };
                let Some(pdu) = pdu_of(&buffer[..length]) else {
                    continue;
                };
                for datagram in answer(pdu, from) {
                    let _ = socket.send_to(&datagram, from);
                }
            }
        });
        Self {
            port,
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn pdu_of(datagram: &[u8]) -> Option<Pdu> {
    let bytes = Bytes::copy_from_slice(datagram);
    let message = CommunityMessage::decode(bytes, DecodeConfig::DEFAULT).ok()?;
    let (_, _, pdu) = message.value.into_parts();
    pdu.standard().cloned()
}

/// Request number and the first object asked for.
pub fn asked(request: &Pdu) -> (i32, Oid) {
    let (id, _, binds) = request.clone().into_raw_parts();
    (id, binds[0].oid.clone())
}

/// A good answer to request `id`.
pub fn answer(id: i32, binds: Vec<VarBind>) -> Bytes {
    answer_as(COMMUNITY, id, binds)
}

/// An answer under any community.
pub fn answer_as(community: &'static str, id: i32, binds: Vec<VarBind>) -> Bytes {
    let pdu = ResponsePdu::success(Version::V2c, id, binds).unwrap();
    let message = CommunityMessage::v2c(community, pdu.into_raw()).unwrap();
    message.encode().unwrap()
}

/// sysDescr, sysUpTime, sysName as a request for them wants them.
pub fn system(request: &Pdu, name: &'static [u8]) -> Vec<VarBind> {
    let (_, _, binds) = request.clone().into_raw_parts();
    let value = |oid: &Oid| match oid.arcs().get(7) {
        Some(3) => Value::TimeTicks(123_456),
        Some(5) => Value::OctetString(Bytes::from_static(name)),
        _ => Value::OctetString(Bytes::from_static(b"a scripted agent")),
    };
    binds
        .into_iter()
        .map(|b| VarBind::new(b.oid.clone(), value(&b.oid)))
        .collect()
}

/// Whether a request is for the system group.
pub fn is_system(oid: &Oid) -> bool {
    oid.arcs().starts_with(&[1, 3, 6, 1, 2, 1, 1])
}
