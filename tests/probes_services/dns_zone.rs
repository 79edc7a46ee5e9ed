//! The servers of a zone as a resolver knows them.

use std::net::IpAddr;
use std::time::Duration;

use warroom::probe::dns::zone::judge::{ZoneFault, compare};
use warroom::probe::dns::{Options, zone};
use warroom::probe::resolve::Family;

use crate::dns_lab;

#[tokio::test]
async fn a_resolver_knows_the_servers_of_a_zone() {
    let Some(lab) = dns_lab::start("servers of a zone by a resolver").await else {
        return;
    };
    let options = Options::within(Duration::from_secs(3));
    let resolvers = [lab.at(9)];
    let family = Family::Any;
    // A name in the zone, one that does not exist, and an alias into another zone.
    for (name, want) in [
        ("www.good.test", "good.test"),
        ("a.b.good.test", "good.test"),
        ("www.test", "test"),
    ] {
        let zone = zone::by_resolver(name, &resolvers, family, &options).await;
        assert_eq!(zone.unwrap().zone.as_str(), want, "{name}");
    }
    let mut zone = zone::by_resolver("www.good.test", &resolvers, family, &options)
        .await
        .unwrap();
    let names: Vec<_> = zone.servers.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    zone.port = lab.port;
    let (told, samples, unreachable) =
        zone::ask_all(&zone, "www.good.test", &["A"], &options).await;
    assert_eq!(unreachable, Vec::<IpAddr>::new());
    // SOA, NS and A over UDP, SOA and A over TCP, at each of two.
    assert_eq!((told.len(), samples.len()), (4, 10));
    assert!(samples.iter().all(|(_, s)| !s.asked.rd));
    let compared = compare(&told, zone.parent.as_deref(), &[]);
    let differ =
        |f: &ZoneFault| matches!(f, ZoneFault::SerialsDiffer { serials } if serials.len() == 2);
    assert!(compared.faults.iter().any(differ), "{compared:#?}");
    let nobody = [lab.at(8)];
    let none = zone::by_resolver("www.good.test", &nobody, family, &options).await;
    assert!(none.unwrap_err().contains("none of 1 resolvers answers"));
}
