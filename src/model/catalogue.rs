//! The catalogue of faults: every code this program can say, with its meaning.
//!
//! A code is never renamed once released. `warroom explain CODE` prints an entry.

use super::finding::{Code, PlaceKind, Severity};

mod device;
mod dns;
mod http;
mod local;
mod quality;
mod service;
mod tls;

pub use device::{
    BGP_PEER_DOWN, DEVICE_AUTH_FAILED, DEVICE_CPU_HIGH, DEVICE_MEMORY_HIGH, DEVICE_REBOOTED,
    DEVICE_TEMPERATURE_HIGH, INTERFACE_ERRORS, INTERFACE_SATURATED,
};
pub use dns::{DNS_TCP_BLOCKED, DNSSEC_BOGUS, LAME_DELEGATION, RESOLVER_SLOW, RESOLVERS_DISAGREE};
pub use http::HTTP_REDIRECT_LOOP;
pub use local::LOCAL_CLOCK_WRONG;
pub use quality::{
    BUFFERBLOAT, ECMP_MEMBER_LOSS, JITTER, LATENCY_HIGH, LATENCY_STEP, PATH_CHANGED,
};
pub use service::BACKEND_DOWN;
pub use tls::{
    TLS_CHAIN_INCOMPLETE, TLS_CHAIN_INVALID, TLS_CHAIN_ORDER, TLS_CLOCK, TLS_PROTOCOL_OLD,
    TLS_REVOKED, TLS_WEAK_KEY, TLS_WEAK_SIGNATURE,
};

/// One entry of the catalogue.
#[derive(Debug)]
pub struct Entry {
    /// The code.
    pub code: Code,
    /// Kind of place it is found at.
    pub place: PlaceKind,
    /// Usual severity.
    pub severity: Severity,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// What it is inferred from.
    pub inferred_from: &'static str,
    /// What could fool it.
    pub fooled_by: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// `no-default-route`.
pub const NO_DEFAULT_ROUTE: Code = Code::known("no-default-route");
/// `gateway-unreachable`.
pub const GATEWAY_UNREACHABLE: Code = Code::known("gateway-unreachable");
/// `host-down`.
pub const HOST_DOWN: Code = Code::known("host-down");
/// `path-broken`.
pub const PATH_BROKEN: Code = Code::known("path-broken");
/// `route-unreachable`.
pub const ROUTE_UNREACHABLE: Code = Code::known("route-unreachable");
/// `admin-prohibited`.
pub const ADMIN_PROHIBITED: Code = Code::known("admin-prohibited");
/// `routing-loop`.
pub const ROUTING_LOOP: Code = Code::known("routing-loop");
/// `ipv6-broken`.
pub const IPV6_BROKEN: Code = Code::known("ipv6-broken");
/// `ipv4-broken`.
pub const IPV4_BROKEN: Code = Code::known("ipv4-broken");
/// `port-closed`.
pub const PORT_CLOSED: Code = Code::known("port-closed");
/// `port-filtered`.
pub const PORT_FILTERED: Code = Code::known("port-filtered");
/// `packet-loss`.
pub const PACKET_LOSS: Code = Code::known("packet-loss");
/// `icmp-rate-limited`.
pub const ICMP_RATE_LIMITED: Code = Code::known("icmp-rate-limited");
/// `silent-hop`.
pub const SILENT_HOP: Code = Code::known("silent-hop");
/// `pmtu-black-hole`.
pub const PMTU_BLACK_HOLE: Code = Code::known("pmtu-black-hole");
/// `pmtu-reduced`.
pub const PMTU_REDUCED: Code = Code::known("pmtu-reduced");
/// `resolver-down`.
pub const RESOLVER_DOWN: Code = Code::known("resolver-down");
/// `resolver-servfail`.
pub const RESOLVER_SERVFAIL: Code = Code::known("resolver-servfail");
/// `resolver-refused`.
pub const RESOLVER_REFUSED: Code = Code::known("resolver-refused");
/// `name-not-found`.
pub const NAME_NOT_FOUND: Code = Code::known("name-not-found");
/// `tls-expired`.
pub const TLS_EXPIRED: Code = Code::known("tls-expired");
/// `tls-not-yet-valid`.
pub const TLS_NOT_YET_VALID: Code = Code::known("tls-not-yet-valid");
/// `tls-expiring`.
pub const TLS_EXPIRING: Code = Code::known("tls-expiring");
/// `tls-name-mismatch`.
pub const TLS_NAME_MISMATCH: Code = Code::known("tls-name-mismatch");
/// `tls-self-signed`.
pub const TLS_SELF_SIGNED: Code = Code::known("tls-self-signed");
/// `tls-untrusted-issuer`.
pub const TLS_UNTRUSTED_ISSUER: Code = Code::known("tls-untrusted-issuer");
/// `tls-handshake-refused`.
pub const TLS_HANDSHAKE_REFUSED: Code = Code::known("tls-handshake-refused");
/// `tls-handshake-stall`.
pub const TLS_HANDSHAKE_STALL: Code = Code::known("tls-handshake-stall");
/// `http-server-error`.
pub const HTTP_SERVER_ERROR: Code = Code::known("http-server-error");
/// `http-slow`.
pub const HTTP_SLOW: Code = Code::known("http-slow");
/// `connection-reset`.
pub const CONNECTION_RESET: Code = Code::known("connection-reset");
/// `device-unreachable`.
pub const DEVICE_UNREACHABLE: Code = Code::known("device-unreachable");
/// `interface-down`.
pub const INTERFACE_DOWN: Code = Code::known("interface-down");
/// `local-interface-down`.
pub const LOCAL_INTERFACE_DOWN: Code = Code::known("local-interface-down");
/// `resolver-config-broken`.
pub const RESOLVER_CONFIG_BROKEN: Code = Code::known("resolver-config-broken");

/// All entries.
pub static CATALOGUE: &[Entry] = &[
    Entry {
        code: NO_DEFAULT_ROUTE,
        place: PlaceKind::Local,
        severity: Severity::Critical,
        meaning: "This host has no route to anywhere beyond its own links, so nothing remote can work.",
        inferred_from: "the kernel's routing tables: no default route of any family the targets need",
        fooled_by: "a host that reaches its targets by specific routes; then no target suffers and none is reported",
        next: "bring the interface or its DHCP client up, or add the route that configuration management should have set",
    },
    Entry {
        code: GATEWAY_UNREACHABLE,
        place: PlaceKind::Hop,
        severity: Severity::Critical,
        meaning: "The next router does not answer ARP or neighbour discovery: nothing leaves this link.",
        inferred_from: "a failed neighbour entry for the gateway, or host-unreachable errors that this host's own kernel raised for it",
        fooled_by: "a gateway that ignores ping is not meant: it still answers ARP",
        next: "check the cable or virtual switch, the VLAN and the address of the gateway; ask whether the gateway was moved",
    },
    Entry {
        code: HOST_DOWN,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The target's own link is reached but the target does not answer: it is off, hung or gone.",
        inferred_from: "the last router reports host unreachable after ARP failed, or silence beyond a distance that the target had answered from, over several rounds",
        fooled_by: "a host that drops everything looks the same from here; any TCP, UDP or ICMP answer of the target rules it out",
        next: "look at the console or hypervisor of the target; check whether it was renumbered",
    },
    Entry {
        code: PATH_BROKEN,
        place: PlaceKind::Link,
        severity: Severity::Critical,
        meaning: "Packets get as far as one router and no further.",
        inferred_from: "several traceroute rounds in which hops up to the named one answer and nothing beyond does, and no answer of the target by any method",
        fooled_by: "a firewall right behind the named hop that drops all probes; what was tried is listed",
        next: "look at the named router's route to the target and at the link to its next hop; give the reproduce lines to whoever runs it",
    },
    Entry {
        code: ROUTE_UNREACHABLE,
        place: PlaceKind::Hop,
        severity: Severity::Critical,
        meaning: "A router says that it has no route to the target.",
        inferred_from: "ICMP network unreachable, or an immediate host unreachable, from the named router",
        fooled_by: "a router that uses the same message for a policy",
        next: "look at that router's routing table for the target's prefix; look for a withdrawn route or a summary that lost its members",
    },
    Entry {
        code: ADMIN_PROHIBITED,
        place: PlaceKind::Hop,
        severity: Severity::Critical,
        meaning: "A router or the target says that policy forbids this traffic.",
        inferred_from: "ICMP communication administratively prohibited (type 3 code 9, 10 or 13; ICMPv6 type 1 code 1, 5 or 6)",
        fooled_by: "a rule that only forbids the probe's protocol; TCP answers rule it out",
        next: "ask whoever runs the named device for its filter rules",
    },
    Entry {
        code: ROUTING_LOOP,
        place: PlaceKind::Hop,
        severity: Severity::Critical,
        meaning: "Packets circle between routers until their TTL runs out.",
        inferred_from: "the same routers answer again and again at rising distances, in several rounds, and the target never does",
        fooled_by: "a route change in the middle of a round; several rounds must agree",
        next: "compare the routes of the named routers for the target's prefix: each points at the other",
    },
    Entry {
        code: IPV6_BROKEN,
        place: PlaceKind::Link,
        severity: Severity::Warning,
        meaning: "The target answers over IPv4 but not over IPv6: clients that try IPv6 first are slow or cut off.",
        inferred_from: "the reachability rules for the IPv6 address, while the other family answers",
        fooled_by: "a target that publishes an address it does not serve",
        next: "look at the place named: where IPv6 ends; until it works, withdraw the record of that family",
    },
    Entry {
        code: IPV4_BROKEN,
        place: PlaceKind::Link,
        severity: Severity::Warning,
        meaning: "The target answers over IPv6 but not over IPv4: clients that try IPv4 first are slow or cut off.",
        inferred_from: "the reachability rules for the IPv4 address, while the other family answers",
        fooled_by: "a target that publishes an address it does not serve",
        next: "look at the place named: where IPv4 ends; until it works, withdraw the record of that family",
    },
    Entry {
        code: PORT_CLOSED,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The target refuses connections to the port: nothing listens there.",
        inferred_from: "a TCP reset from the target's address, more than once",
        fooled_by: "a firewall that rejects with a reset in the target's name",
        next: "check that the service runs and listens on this address",
    },
    Entry {
        code: PORT_FILTERED,
        place: PlaceKind::Link,
        severity: Severity::Critical,
        meaning: "Connections to the port vanish while the host itself can be reached.",
        inferred_from: "TCP handshakes to the port that are never answered, beside answers of the host by another method",
        fooled_by: "a service whose listen queue is full drops handshakes too",
        next: "look for a filter between the named ends, at the host itself, or a full listen queue",
    },
    Entry {
        code: PACKET_LOSS,
        place: PlaceKind::Link,
        severity: Severity::Warning,
        meaning: "Packets to the target are lost; the loss begins at the named link and goes on to the target.",
        inferred_from: "more lost probes than chance explains, at the target itself, and at every later hop from the named one on",
        fooled_by: "hops that only ration their ICMP replies: loss that does not go on to the target is not counted",
        next: "look at errors, drops and load of the interfaces at both ends of the link",
    },
    quality::MEMBER,
    quality::STEP,
    quality::HIGH,
    quality::SPREAD,
    quality::BLOAT,
    quality::CHANGED,
    Entry {
        code: ICMP_RATE_LIMITED,
        place: PlaceKind::Hop,
        severity: Severity::Info,
        meaning: "The router rations its ICMP replies; the traffic through it is fine.",
        inferred_from: "probes to this hop go unanswered while later hops and the target lose nothing",
        fooled_by: "",
        next: "nothing to do: do not take the loss column of a traceroute for loss at this hop",
    },
    Entry {
        code: SILENT_HOP,
        place: PlaceKind::Hop,
        severity: Severity::Info,
        meaning: "The router never answers probes; the traffic through it is fine.",
        inferred_from: "no answer of this hop in any round while later hops answer",
        fooled_by: "",
        next: "nothing to do",
    },
    Entry {
        code: PMTU_BLACK_HOLE,
        place: PlaceKind::Link,
        severity: Severity::Critical,
        meaning: "Packets above a size vanish without the ICMP message that would tell the sender to use smaller ones: connections open and then hang.",
        inferred_from: "probes of one size answered and of one byte more never, repeatedly and in turn, with no ICMP \"too big\" seen; where only TCP is answered, segments of one size acknowledged and of one byte more never, though small ones after them are",
        fooled_by: "loss that happens to hit the large probes: small ones are sent in between and must be answered. Over TCP, a proxy on the way: the size is that of the path to it",
        next: "let ICMP type 3 code 4 (ICMPv6 type 2) pass, or clamp the MSS at the tunnel or link named",
    },
    Entry {
        code: PMTU_REDUCED,
        place: PlaceKind::Link,
        severity: Severity::Info,
        meaning: "The path carries only smaller packets, and says so properly.",
        inferred_from: "ICMP \"fragmentation needed\" or \"packet too big\" from the named router, or what such a message did to a TCP connection of this host",
        fooled_by: "",
        next: "nothing to do: path MTU discovery works",
    },
    Entry {
        code: RESOLVER_DOWN,
        place: PlaceKind::Resolver,
        severity: Severity::Warning,
        meaning: "A configured resolver does not answer.",
        inferred_from: "several questions without any answer, over UDP, while this host's network works",
        fooled_by: "a resolver that refuses to answer this host silently",
        next: "check the resolver; take it out of resolv.conf or the DHCP scope until it is back",
    },
    Entry {
        code: RESOLVER_SERVFAIL,
        place: PlaceKind::Resolver,
        severity: Severity::Warning,
        meaning: "The resolver answers, but cannot resolve the name.",
        inferred_from: "SERVFAIL to the same question more than once",
        fooled_by: "a broken delegation or signature of the name itself: then every resolver says the same",
        next: "ask another resolver the same question; look at the resolver's log and its own upstream",
    },
    Entry {
        code: RESOLVER_REFUSED,
        place: PlaceKind::Resolver,
        severity: Severity::Warning,
        meaning: "The resolver refuses to answer this host.",
        inferred_from: "REFUSED to the same question more than once",
        fooled_by: "",
        next: "check the access list of the resolver and which resolver this host should use",
    },
    dns::BOGUS,
    dns::TCP_BLOCKED,
    dns::SLOW,
    dns::DISAGREE,
    dns::LAME,
    Entry {
        code: NAME_NOT_FOUND,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The name does not exist, all resolvers agree.",
        inferred_from: "NXDOMAIN from every resolver that answered, more than once",
        fooled_by: "a search domain that was expected to be added; names are asked as typed",
        next: "check the spelling, the zone and whether the record or the registration was removed",
    },
    Entry {
        code: TLS_EXPIRED,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "A certificate that the server presents has expired.",
        inferred_from: "the validity dates of the presented chain against this host's clock",
        fooled_by: "a wrong clock of this host",
        next: "renew the certificate and reload the server; check what should have renewed it",
    },
    Entry {
        code: TLS_NOT_YET_VALID,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "A certificate that the server presents is not valid yet.",
        inferred_from: "the validity dates of the presented chain against this host's clock",
        fooled_by: "a wrong clock of this host",
        next: "check the clocks; else deploy the previous certificate until the new one is valid",
    },
    Entry {
        code: TLS_EXPIRING,
        place: PlaceKind::Endpoint,
        severity: Severity::Warning,
        meaning: "The certificate is about to expire.",
        inferred_from: "the validity dates of the presented leaf",
        fooled_by: "",
        next: "renew it now",
    },
    Entry {
        code: TLS_NAME_MISMATCH,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The certificate is for other names than the one asked for.",
        inferred_from: "the subjectAltName of the presented leaf",
        fooled_by: "a server that picks the certificate by SNI and was asked by address",
        next: "check which certificate the virtual host serves; check that the name points at the right server",
    },
    Entry {
        code: TLS_SELF_SIGNED,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The server presents a certificate that is signed by itself.",
        inferred_from: "issuer and subject of the leaf are the same and it verifies with its own key",
        fooled_by: "",
        next: "deploy a certificate of a CA that clients trust, or give this CA to --ca if it is meant to be so",
    },
    Entry {
        code: TLS_UNTRUSTED_ISSUER,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "No path leads from the presented chain to a trusted root.",
        inferred_from: "verification against the system roots and --ca",
        fooled_by: "a private CA that this host does not know while clients do; a chain that lacks an intermediate looks the same",
        next: "present the full chain; if the CA is private, give its certificate with --ca",
    },
    tls::CHAIN_INCOMPLETE,
    tls::CHAIN_ORDER,
    tls::CHAIN_INVALID,
    tls::WEAK_KEY,
    tls::WEAK_SIGNATURE,
    tls::REVOKED,
    tls::PROTOCOL_OLD,
    tls::CLOCK,
    Entry {
        code: TLS_HANDSHAKE_REFUSED,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The server ends the TLS handshake with an alert.",
        inferred_from: "the alert, more than once",
        fooled_by: "",
        next: "look at the server's TLS log; compare protocol versions, SNI and client certificates",
    },
    Entry {
        code: TLS_HANDSHAKE_STALL,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "TCP connects, then the TLS handshake hangs.",
        inferred_from: "handshakes that time out after the connection was made, more than once",
        fooled_by: "a path MTU black hole, which then is the finding",
        next: "look for a path MTU problem first, then at the server's load",
    },
    Entry {
        code: HTTP_SERVER_ERROR,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "The service answers with a server error.",
        inferred_from: "HTTP status 500 to 599, more than once",
        fooled_by: "a health URL that reports a dependency",
        next: "look at the service's own log; a 502 or 504 comes from a proxy in front of it",
    },
    Entry {
        code: HTTP_SLOW,
        place: PlaceKind::Endpoint,
        severity: Severity::Warning,
        meaning: "The server takes the connection and the request and gives no whole response in time, or answers slowly; the finding names the phase.",
        inferred_from: "requests in a row on connections that stood, none of which was answered within the limit; or three answers in a row that each took a second and more beside the way there and back and the look-up of the name (thresholds.http_slow)",
        fooled_by: "a URL that streams for ever or waits by design; a path MTU black hole, which is told instead where it is found",
        next: "look at the load and the back ends of the service; try a URL that needs no back end",
    },
    http::REDIRECT_LOOP,
    service::DOWN,
    local::CLOCK_WRONG,
    Entry {
        code: CONNECTION_RESET,
        place: PlaceKind::Endpoint,
        severity: Severity::Critical,
        meaning: "Connections are accepted and then cut.",
        inferred_from: "TCP resets or closed connections after the handshake, more than once",
        fooled_by: "",
        next: "look at the service and at any proxy or inspection device on the way",
    },
    Entry {
        code: DEVICE_UNREACHABLE,
        place: PlaceKind::Device,
        severity: Severity::Warning,
        meaning: "The device does not answer its management protocol.",
        inferred_from: "several polls without an answer",
        fooled_by: "SNMP does not answer a wrong community: the agent may be alive",
        next: "check the community and the access list of the agent; ping the device",
    },
    device::AUTH_FAILED,
    device::REBOOTED,
    device::ERRORS,
    device::SATURATED,
    device::PEER_DOWN,
    device::CPU_HIGH,
    device::MEMORY_HIGH,
    device::TEMPERATURE_HIGH,
    Entry {
        code: INTERFACE_DOWN,
        place: PlaceKind::Interface,
        severity: Severity::Critical,
        meaning: "An interface that should be up is down.",
        inferred_from: "ifAdminStatus up with ifOperStatus down or lowerLayerDown in more than one poll, of an interface that has a description or was seen up",
        fooled_by: "a described port that is enabled but meant to be unused (after a week it is information only)",
        next: "check the cable, optics and the far end",
    },
    Entry {
        code: LOCAL_INTERFACE_DOWN,
        place: PlaceKind::Interface,
        severity: Severity::Critical,
        meaning: "The interface of the default route is down on this host.",
        inferred_from: "the kernel's interface flags: administratively down or no carrier",
        fooled_by: "",
        next: "check cable and switch port, or set the interface up",
    },
    Entry {
        code: RESOLVER_CONFIG_BROKEN,
        place: PlaceKind::Local,
        severity: Severity::Critical,
        meaning: "This host has no usable resolver configured.",
        inferred_from: "resolv.conf is empty or invalid, or names a local stub whose port is closed",
        fooled_by: "",
        next: "repair resolv.conf or start the stub resolver",
    },
];

/// The entry of a code.
pub fn entry(code: &Code) -> Option<&'static Entry> {
    CATALOGUE.iter().find(|e| e.code == *code)
}
