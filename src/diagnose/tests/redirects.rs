//! Redirects: what is a loop, and what only looks like one.

use super::scene::*;
use crate::model::catalogue as code;
use crate::model::finding::{PlaceKind, Severity};
use crate::model::service::{HttpRedirects, RedirectEnd};

const T: &str = "10.0.5.2";
const WEB: &str = "10.0.5.2:80";
const URL: &str = "http://api.example.com/";
const A: &str = "http://api.example.com/a";
const B: &str = "https://api.example.com/b";

fn way(urls: &[&str], end: RedirectEnd) -> HttpRedirects {
    HttpRedirects {
        urls: urls.iter().map(|u| (*u).into()).collect(),
        end,
        status: None,
    }
}

fn circle(from: usize) -> RedirectEnd {
    RedirectEnd::Loop {
        from,
        cookies: false,
    }
}

fn web(target: &str) -> Scene {
    Scene::of(&[target])
        .look(|_| {})
        .resolved(&[T])
        .ping(T, 9, 100, |_| echo(3))
        .tcp(WEB, true, 2, &open())
}

#[test]
fn loops_are_told_with_their_members() {
    let cookies = RedirectEnd::Loop {
        from: 0,
        cookies: true,
    };
    for (target, urls, end, asked, severity, said) in [
        (
            URL,
            vec![URL],
            circle(0),
            true,
            Severity::Critical,
            "redirects in a circle: http://api.example.com/ redirects to itself",
        ),
        (
            URL,
            vec![URL, A, B],
            circle(1),
            true,
            Severity::Critical,
            "http://api.example.com/a -> https://api.example.com/b -> http://api.example.com/a",
        ),
        (
            "api.example.com",
            vec![URL, A],
            circle(0),
            false,
            Severity::Warning,
            "http://api.example.com/ -> http://api.example.com/a -> http://api.example.com/",
        ),
        (
            URL,
            vec![URL, A],
            cookies,
            true,
            Severity::Warning,
            "sets a cookie on the way",
        ),
    ] {
        let scene = |n| web(target).redirected(WEB, asked, n, &way(&urls, end));
        let j = scene(2).judge();
        let x = j.only(code::HTTP_REDIRECT_LOOP);
        assert_eq!(
            (x.severity, x.location.kind),
            (severity, PlaceKind::Endpoint)
        );
        assert_eq!(x.location.address, Some(ip(T)));
        assert_eq!(x.discriminator.as_str(), "port 80");
        assert!(x.summary.as_str().contains(said), "{}", x.summary);
        // One is none.
        scene(1).judge().quiet();
        // Nor is one that is over.
        scene(3).http(WEB, asked, 1, &status(200)).judge().quiet();
    }
}

#[test]
fn the_command_asks_at_every_port_of_the_way() {
    let j = web(URL)
        .redirected(WEB, true, 2, &way(&[URL, B], circle(0)))
        .judge();
    let x = j.only(code::HTTP_REDIRECT_LOOP);
    let lines: Vec<_> = x.reproduce.iter().map(|r| r.as_str()).collect();
    assert_eq!(
        lines,
        [
            "curl -sIL --max-redirs 10 --resolve api.example.com:80:10.0.5.2 --resolve api.example.com:443:10.0.5.2 'http://api.example.com/'"
        ]
    );
}

#[test]
fn redirects_that_end_or_leave_are_no_loop() {
    for (urls, end) in [
        (vec![URL, B], RedirectEnd::Arrived),
        (vec![URL, A, B, URL, A], RedirectEnd::TooMany),
        (vec![URL], RedirectEnd::Away),
        (vec![URL, A], RedirectEnd::Unknown),
        // A record of somebody else's making.
        (vec![URL], circle(7)),
        (vec![URL, A], circle(usize::MAX)),
    ] {
        web(URL)
            .redirected(WEB, true, 5, &way(&urls, end))
            .judge()
            .quiet();
    }
}

#[test]
fn a_failure_behind_redirects_is_the_services_answer() {
    let led = |status| HttpRedirects {
        status: Some(status),
        ..way(&[URL, A], RedirectEnd::Arrived)
    };
    let j = web(URL).redirected(WEB, true, 3, &led(500)).judge();
    let x = j.only(code::HTTP_SERVER_ERROR);
    let said = x.summary.as_str();
    assert!(said.starts_with(A) && said.contains("HTTP 500"), "{said}");
    assert!(said.contains(&format!("{URL} redirects to")), "{said}");
    web(URL).redirected(WEB, true, 3, &led(200)).judge().quiet();
    // What was not followed to its end says nothing.
    let lost = HttpRedirects {
        end: RedirectEnd::Away,
        ..led(500)
    };
    web(URL).redirected(WEB, true, 3, &lost).judge().quiet();
}
