//! Stock commands that show the same as a finding, to paste to a provider.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::model::secret::MASK;

/// `ping` and `traceroute` of an address.
pub fn reach(dst: IpAddr) -> Vec<String> {
    vec![
        format!("ping -n -c 10 {dst}"),
        format!("traceroute -n {dst}"),
    ]
}

/// `mtr` report for loss.
pub fn loss(dst: IpAddr) -> Vec<String> {
    vec![
        format!("ping -n -c 100 -i 0.2 {dst}"),
        format!("mtr -n -r -c 60 {dst}"),
    ]
}

/// Traceroutes whose probes take different ways where loads are balanced.
pub fn flows(dst: IpAddr) -> Vec<String> {
    vec![
        format!("traceroute -n -q 10 {dst}"),
        format!("warroom trace --flows 8 {dst}"),
    ]
}

/// The counters of an interface beside pings.
pub fn load(interface: &str, dst: IpAddr) -> Vec<String> {
    vec![
        format!("ip -s -h link show dev '{}'", quoted(interface)),
        format!("ping -n -c 60 -i 0.5 {dst}"),
    ]
}

/// Pings with DF of the last good and the first bad packet size.
pub fn mtu(dst: IpAddr, good: u32, bad: u32) -> Vec<String> {
    let header = if dst.is_ipv6() { 48 } else { 28 };
    [good, bad]
        .map(|size| {
            format!(
                "ping -n -M do -c 4 -s {} {dst}",
                size.saturating_sub(header)
            )
        })
        .into()
}

/// The search by data over TCP, where pings are not answered.
pub fn mtu_by_tcp(dst: IpAddr, port: u16) -> Vec<String> {
    vec![format!("warroom mtu --tcp {}", SocketAddr::new(dst, port))]
}

/// One question at one resolver.
pub fn dns(server: SocketAddr, name: &str, rtype: &str) -> Vec<String> {
    let port = if server.port() == 53 {
        String::new()
    } else {
        format!(" -p {}", server.port())
    };
    vec![format!(
        "dig @{}{port} {name} {rtype} +tries=1 +time=2",
        server.ip()
    )]
}

/// One question at one resolver, over UDP and over TCP.
pub fn dns_tcp(server: SocketAddr, name: &str, rtype: &str) -> Vec<String> {
    let plain = dns(server, name, rtype);
    let over_tcp = plain
        .iter()
        .map(|l| format!("{l} +tcp"))
        .collect::<Vec<_>>();
    [plain, over_tcp].concat()
}

/// One question at a server of the zone itself.
pub fn authority(server: SocketAddr, name: &str, rtype: &str) -> Vec<String> {
    let plain = dns(server, name, rtype).into_iter();
    plain.map(|l| format!("{l} +norecurse")).collect()
}

/// One question with validation and without, and what a validator of one's own says.
pub fn dnssec(server: SocketAddr, name: &str, rtype: &str) -> Vec<String> {
    let mut lines: Vec<String> = ["+dnssec", "+dnssec +cd"]
        .iter()
        .flat_map(|how| {
            dns(server, name, rtype)
                .into_iter()
                .map(move |l| format!("{l} {how}"))
        })
        .collect();
    lines.push(format!(
        "delv @{} -p {} {name} {rtype}",
        server.ip(),
        server.port()
    ));
    lines
}

/// A TCP connection.
pub fn tcp(dst: SocketAddr) -> Vec<String> {
    vec![format!("nc -v -z -w 3 {} {}", dst.ip(), dst.port())]
}

/// A TLS handshake with the chain shown.
pub fn tls(dst: SocketAddr, name: &str) -> Vec<String> {
    vec![format!(
        "openssl s_client -connect {dst} -servername {name} -showcerts </dev/null | openssl x509 -noout -subject -issuer -dates -ext subjectAltName"
    )]
}

/// One HTTP request, resolved to the address that was seen.
pub fn http(url: &str, host: &str, dst: SocketAddr) -> Vec<String> {
    let at = resolved(host, dst.port(), dst.ip());
    vec![format!("curl -sv -o /dev/null {at} '{}'", quoted(url))]
}

/// The same a dozen times, with what came of each.
pub fn http_often(url: &str, host: &str, dst: SocketAddr) -> Vec<String> {
    let at = resolved(host, dst.port(), dst.ip());
    vec![format!(
        "for i in $(seq 12); do curl -s -o /dev/null -w '%{{http_code}}\\n' {at} '{}'; sleep 1; done",
        quoted(url)
    )]
}

/// Where redirects lead, at the address that was seen; the host is asked at these ports.
pub fn redirects(url: &str, host: &str, addr: IpAddr, ports: &[u16]) -> Vec<String> {
    let at: Vec<_> = ports.iter().map(|p| resolved(host, *p, addr)).collect();
    vec![format!(
        "curl -sIL --max-redirs 10 {} '{}'",
        at.join(" "),
        quoted(url)
    )]
}

fn resolved(host: &str, port: u16, addr: IpAddr) -> String {
    match addr {
        IpAddr::V6(a) => format!("--resolve {host}:{port}:[{a}]"),
        IpAddr::V4(a) => format!("--resolve {host}:{port}:{a}"),
    }
}

/// `snmpget` of objects of one row; the community is for the reader to fill in.
pub fn snmp_get(asked: &str, objects: &[(&str, u32)]) -> Vec<String> {
    let oids: Vec<_> = objects
        .iter()
        .filter_map(|(name, index)| Some(format!("{}.{index}", oid(name)?)))
        .collect();
    vec![format!(
        "snmpget -v2c -c '{MASK}' {} {}",
        agent(asked),
        oids.join(" ")
    )]
}

/// `snmpwalk` of what the rules call by that name.
pub fn snmp_walk(asked: &str, name: &str) -> Vec<String> {
    oid(name)
        .map(|oid| format!("snmpwalk -v2c -c '{MASK}' {} {oid}", agent(asked)))
        .into_iter()
        .collect()
}

/// `snmpget` of the state and the last error of a BGP session.
pub fn snmp_peer(asked: &str, peer: Ipv4Addr) -> Vec<String> {
    let table = "1.3.6.1.2.1.15.3.1";
    vec![format!(
        "snmpget -v2c -c '{MASK}' {} {table}.2.{peer} {table}.14.{peer} {table}.16.{peer}",
        agent(asked)
    )]
}

/// An agent as the tools of Net-SNMP want it.
fn agent(asked: &str) -> String {
    let family = if asked.starts_with('[') { "udp6:" } else { "" };
    format!("{family}{asked}")
}

/// Numbers, so that they work without MIB files.
fn oid(name: &str) -> Option<&'static str> {
    Some(match name {
        "ifAdminStatus" => "1.3.6.1.2.1.2.2.1.7",
        "ifOperStatus" => "1.3.6.1.2.1.2.2.1.8",
        "ifInErrors" => "1.3.6.1.2.1.2.2.1.14",
        "ifOutErrors" => "1.3.6.1.2.1.2.2.1.20",
        "ifHCInOctets" => "1.3.6.1.2.1.31.1.1.1.6",
        "ifHCOutOctets" => "1.3.6.1.2.1.31.1.1.1.10",
        "ifHighSpeed" => "1.3.6.1.2.1.31.1.1.1.15",
        "uptime" => "1.3.6.1.2.1.1.3",
        "host uptime" => "1.3.6.1.2.1.25.1.1",
        "hrProcessorLoad" => "1.3.6.1.2.1.25.3.3.1.2",
        "cpmCPUTotal5minRev" => "1.3.6.1.4.1.9.9.109.1.1.1.1.8",
        "ssCpuIdle" => "1.3.6.1.4.1.2021.11.11",
        "UCD memory" => "1.3.6.1.4.1.2021.4",
        "hrStorage" => "1.3.6.1.2.1.25.2.3.1",
        "ciscoMemoryPool" => "1.3.6.1.4.1.9.9.48.1.1.1",
        "temperature" => "1.3.6.1.2.1.99.1.1.1.4",
        _ => return None,
    })
}

/// For single quotes of a shell.
fn quoted(url: &str) -> String {
    url.replace('\'', "%27")
}
