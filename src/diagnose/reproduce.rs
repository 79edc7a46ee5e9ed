//! Stock commands that show the same as a finding, to paste to a provider.

use std::net::{IpAddr, SocketAddr};

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

/// For single quotes of a shell.
fn quoted(url: &str) -> String {
    url.replace('\'', "%27")
}
