//! A window of observations, told like a story: who was asked, when, and what came back.

use std::net::SocketAddr;

pub(crate) use super::world::*;
use crate::diagnose::{Facts, Judgement, judge, pending};
use crate::model::finding::{Code, Finding, Severity, TargetState};
use crate::model::local::LocalState;
use crate::model::observation::*;
use crate::model::service::HttpRedirects;
use crate::model::target::{Target, TargetId};
use crate::model::text::SafeText;
use crate::model::thresholds::Thresholds;
use crate::model::time::{Mono, Rtt, Stamp};
use crate::model::tls::TlsSession;
use crate::model::window::Window;

/// A scene in the making. Times are milliseconds; each stream of probes may start anywhere.
#[derive(Clone)]
pub struct Scene {
    pub window: Window,
    pub now: u64,
    target: TargetId,
    next: u64,
}

impl Scene {
    /// Targets as typed; addresses resolve to themselves, this host looks healthy.
    pub fn of(targets: &[&str]) -> Self {
        let parse = |t: &&str| match *t {
            "local" => Target::local(),
            typed => Target::parse(typed).unwrap(),
        };
        let targets: Vec<Target> = targets.iter().map(parse).collect();
        let mut scene = Self {
            target: targets[0].id.clone(),
            window: Window::new(targets.clone()),
            now: 0,
            next: 0,
        };
        for t in targets {
            if let Some(crate::model::target::Host::Addr(a)) = t.host() {
                scene = scene.on(t.id.as_str()).resolved(&[&a.to_string()]);
            }
        }
        let first = scene.window.order[0].clone();
        scene.on(first.as_str())
    }

    /// One target.
    pub fn host(target: &str) -> Self {
        Self::of(&[target]).look(|_| {})
    }

    /// What follows is about this target.
    pub fn on(mut self, target: &str) -> Self {
        self.target = TargetId(target.into());
        assert!(self.window.targets.contains_key(&self.target), "{target}");
        self
    }

    /// The clock goes to this time.
    pub fn at(mut self, ms: u64) -> Self {
        self.now = ms;
        self
    }

    pub fn see(mut self, method: Method, body: Body) -> Self {
        let obs = Observation {
            id: ObsId(self.next),
            at: Stamp::at_millis(self.now),
            target: self.target.clone(),
            how: How::best(method),
            body,
        };
        self.next += 1;
        self.window.take(&obs);
        self
    }

    /// A look at the local tables, changed from the healthy one.
    pub fn look(self, change: impl Fn(&mut LocalState)) -> Self {
        let mut state = local_state();
        change(&mut state);
        self.see(Method::LocalTables, Body::Local(state))
    }

    pub fn looks(mut self, n: u32, every: u64, change: impl Fn(&mut LocalState)) -> Self {
        for _ in 0..n {
            self = self.look(&change);
            self.now += every;
        }
        self
    }

    pub fn resolved(self, addrs: &[&str]) -> Self {
        let name = SafeText::new(self.target.as_str());
        let literal = addrs.len() == 1 && self.target.as_str().contains(addrs[0]);
        let method = if literal {
            Method::Literal
        } else {
            Method::DnsUdp
        };
        let outcome = Outcome::Ok(addrs.iter().map(|a| ip(a)).collect());
        self.see(method, Body::Resolve(Resolution { name, outcome }))
    }

    pub fn unresolved(self, why: &str) -> Self {
        let name = SafeText::new(self.target.as_str());
        let outcome = Outcome::Refused {
            by: None,
            why: Refusal::Protocol(why.into()),
            after: ms(20),
        };
        self.see(Method::DnsUdp, Body::Resolve(Resolution { name, outcome }))
    }

    /// Pings from now on; a lost one is known 1.2 s after it was sent. The clock stays at the
    /// time of the last sending plus one interval.
    pub fn pings(
        self,
        method: Method,
        dst: &str,
        n: u32,
        every: u64,
        f: impl Fn(u32) -> Outcome<Echo>,
    ) -> Self {
        let (start, port) = (self.now, (method == Method::TcpConnect).then_some(443));
        let mut all: Vec<(u64, u64, Outcome<Echo>)> = (0..n)
            .map(|i| {
                let (sent, outcome) = (start + u64::from(i) * every, f(i));
                let after = match &outcome {
                    Outcome::Ok(e) => e.rtt,
                    Outcome::Refused { after, .. } | Outcome::Timeout { after } => *after,
                    Outcome::CannotTry { .. } => Rtt(0),
                };
                (sent + after.duration().as_millis() as u64, sent, outcome)
            })
            .collect();
        all.sort_by_key(|(known, ..)| *known);
        let mut scene = self;
        for (known, sent, outcome) in all {
            let sample = PingSample {
                size: None,
                dst: ip(dst),
                port,
                seq: 0,
                sent: Mono::from_millis(sent),
                outcome,
                afterwards: Default::default(),
            };
            scene = scene.at(known).see(method, Body::Ping(sample));
        }
        scene.at(start + u64::from(n) * every)
    }

    /// ICMP pings.
    pub fn ping(self, dst: &str, n: u32, every: u64, f: impl Fn(u32) -> Outcome<Echo>) -> Self {
        self.pings(Method::IcmpRaw, dst, n, every, f)
    }

    /// Traceroute rounds: hop by hop from TTL 1.
    pub fn trace(self, dst: &str, n: u32, every: u64, hops: &[HopAnswer]) -> Self {
        self.traces(Method::UdpErrorQueue, dst, n, every, |_| hops.to_vec())
    }

    pub fn traces(
        mut self,
        method: Method,
        dst: &str,
        n: u32,
        every: u64,
        hops: impl Fn(u32) -> Vec<HopAnswer>,
    ) -> Self {
        for round in 0..n {
            let hops = (1..)
                .zip(hops(round))
                .map(|(ttl, answer)| HopSample { ttl, answer })
                .collect();
            let body = TraceRound::new(ip(dst), round, hops);
            self = self.see(method, Body::Trace(body));
            self.now += every;
        }
        self
    }

    pub fn tcp(self, dst: &str, asked: bool, n: u32, outcome: &Outcome<Rtt>) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::TcpConnect, || {
            Body::Tcp(TcpSample {
                dst,
                asked,
                outcome: outcome.clone(),
                details: None,
            })
        })
    }

    /// An open port, found so after that many SYNs sent again.
    pub fn tcp_resent(self, dst: &str, again: u32) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        let details = TcpDetails {
            syn_retransmits: again,
            ..TcpDetails::default()
        };
        self.many(1, 800, Method::TcpConnect, || {
            Body::Tcp(TcpSample {
                dst,
                asked: true,
                outcome: open(),
                details: Some(Box::new(details.clone())),
            })
        })
    }

    /// Questions for a name; `rcode` is one, or "-" for silence and "!" for no way to the server.
    pub fn dns(self, server: &str, name: &str, rcode: &str, n: u32) -> Self {
        self.asked(server, ServerRole::Configured, (name, "A"), rcode, n)
    }

    pub fn asked(
        self,
        server: &str,
        role: ServerRole,
        (name, rtype): (&str, &str),
        rcode: &str,
        n: u32,
    ) -> Self {
        let sample = dns_sample(server, role, (name, rtype), rcode);
        self.many(n, 2000, Method::DnsUdp, || Body::Dns(sample.clone()))
    }

    /// Questions over TCP; what they bring as in [`Scene::dns`].
    pub fn over_tcp(self, server: &str, rcode: &str, n: usize) -> Self {
        let mut sample = dns_sample(server, ServerRole::Configured, ("x.example", "A"), rcode);
        sample.asked.transport = crate::model::service::DnsTransport::Tcp;
        self.samples(Method::DnsTcp, 700, vec![sample; n])
    }

    /// One sample after the other, so many milliseconds apart.
    pub fn samples(mut self, method: Method, every: u64, all: Vec<DnsSample>) -> Self {
        for sample in all {
            self = self.see(method, Body::Dns(sample));
            self.now += every;
        }
        self
    }

    pub fn tls(self, dst: &str, asked: bool, n: u32, outcome: &Outcome<TlsSession>) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::TlsHandshake, || {
            Body::Tls(TlsSample {
                dst,
                name: "api.example.com".into(),
                asked,
                outcome: outcome.clone(),
            })
        })
    }

    pub fn http(self, dst: &str, asked: bool, n: u32, outcome: &Outcome<HttpResponse>) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::HttpRequest, || {
            Body::Http(HttpSample {
                url: "http://api.example.com/".into(),
                dst,
                asked,
                outcome: outcome.clone(),
                details: None,
            })
        })
    }

    /// HTTP exchanges whose `Date` is so many seconds ahead of this host; from a cache or not.
    pub fn dated(self, dst: &str, n: u32, seconds: i64, aged: bool) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::HttpRequest, || {
            Body::Http(HttpSample {
                url: "http://api.example.com/".into(),
                dst,
                asked: true,
                outcome: status(200),
                details: Some(Box::new(HttpDetails {
                    date_offset_ms: Some(seconds * 1000),
                    aged,
                    ..HttpDetails::default()
                })),
            })
        })
    }

    /// HTTP exchanges with what came behind the first response.
    pub fn redirected(self, dst: &str, asked: bool, n: u32, way: &HttpRedirects) -> Self {
        let dst: SocketAddr = dst.parse().unwrap();
        self.many(n, 800, Method::HttpRequest, || {
            Body::Http(HttpSample {
                url: way.urls[0].clone(),
                dst,
                asked,
                outcome: status(302),
                details: Some(Box::new(HttpDetails {
                    redirects: Some(way.clone()),
                    ..HttpDetails::default()
                })),
            })
        })
    }

    pub fn pmtu(self, dst: &str, mtu: u32, how: PmtuHow) -> Self {
        let outcome = Outcome::Ok(Pmtu {
            mtu,
            link_mtu: 1500,
            how,
            tries: Vec::new(),
        });
        let dst = ip(dst);
        self.see(Method::IcmpRaw, Body::Pmtu(PmtuSample::of(dst, outcome)))
    }

    /// A path MTU that data over TCP found.
    pub fn pmtu_by_tcp(self, dst: &str, mtu: u32, how: PmtuHow) -> Self {
        let outcome = Outcome::Ok(Pmtu {
            mtu,
            link_mtu: 1500,
            how,
            tries: Vec::new(),
        });
        let mut sample = PmtuSample::of(ip(dst), outcome);
        sample.data_port = Some(443);
        self.see(Method::TcpData, Body::Pmtu(sample))
    }

    fn many(mut self, n: u32, every: u64, method: Method, body: impl Fn() -> Body) -> Self {
        for _ in 0..n {
            self = self.see(method, body());
            self.now += every;
        }
        self
    }

    pub fn stamp(&self) -> Stamp {
        Stamp::at_millis(self.now)
    }

    pub fn judge(&self) -> Judgement {
        judge(&self.window, &Thresholds::default(), self.stamp())
    }

    pub fn pending(&self, target: &str) -> Vec<&'static str> {
        let thresholds = Thresholds::default();
        let facts = Facts {
            window: &self.window,
            thresholds: &thresholds,
            now: self.stamp(),
        };
        let t = &self.window.targets[&TargetId(target.into())];
        pending(&facts, t, &self.judge().findings)
    }
}

impl Judgement {
    /// `code severity subject` of everything worse than information.
    pub(crate) fn alarms(&self) -> Vec<String> {
        self.findings
            .iter()
            .filter(|f| f.severity > Severity::Info)
            .map(|f| format!("{} {} {}", f.code, f.severity.label(), f.subject))
            .collect()
    }

    pub(crate) fn get(&self, code: Code) -> Option<&Finding> {
        self.findings.iter().find(|f| f.code == code)
    }

    /// The only alarm, which has that code.
    pub(crate) fn only(&self, code: Code) -> &Finding {
        assert_eq!(self.alarms().len(), 1, "{:?}", self.alarms());
        self.get(code.clone())
            .unwrap_or_else(|| panic!("{code}: {:?}", self.alarms()))
    }

    pub(crate) fn quiet(&self) {
        assert_eq!(self.alarms(), Vec::<String>::new());
    }

    pub(crate) fn state(&self, target: &str) -> &TargetState {
        let found = self.states.iter().find(|(id, _)| id.as_str() == target);
        &found.expect(target).1
    }
}
