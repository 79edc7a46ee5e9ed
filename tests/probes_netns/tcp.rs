use std::net::SocketAddr;
use std::time::Duration;

use warroom::model::observation::{IcmpError, Outcome, Refusal, TcpSample};
use warroom::net::source::Source;
use warroom::probe::tcp::connect;
use warroom::sys::clock::Clock;

use super::lab::{Lab, User, at, dst, lab};
use crate::ALL;

fn once(lab: &Lab, user: User, v6: bool, port: u16) -> TcpSample {
    let to = SocketAddr::new(dst(v6), port);
    lab.within("src", user, || async move {
        let wait = Duration::from_millis(700);
        connect(to, true, wait, Clock::start(), &Source::default())
            .await
            .1
    })
}

#[test]
fn open_closed_filtered_and_refused_are_four_things() {
    let Some(lab) = lab(1500) else { return };
    lab.drop_at("r3", "forward", "ip", "tcp dport 82");
    lab.drop_at("r3", "forward", "ip6", "tcp dport 82");
    lab.reject_at("r3", "tcp dport 83", "admin-prohibited");
    for (user, v6) in ALL {
        let listener = lab.listen("dst", dst(v6), 8080);
        let open = once(&lab, user, v6, 8080);
        assert!(open.outcome.ok().is_some_and(|rtt| rtt.0 > 0), "{open:?}");
        drop(listener);
        let closed = once(&lab, user, v6, 81).outcome;
        assert!(
            matches!(
                &closed,
                Outcome::Refused {
                    why: Refusal::TcpReset,
                    ..
                }
            ),
            "{closed:?}"
        );
        let filtered = once(&lab, user, v6, 82).outcome;
        assert!(matches!(filtered, Outcome::Timeout { .. }), "{filtered:?}");
        let refused = once(&lab, user, v6, 83).outcome;
        let Outcome::Refused { by, why, .. } = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(by, Some(at(v6, 3, 2)));
        assert_eq!(why, Refusal::Icmp(IcmpError::AdminProhibited));
    }
}
