//! The service probes against real servers on loopback: scripted ones that misbehave, and
//! ordinary ones (unbound, openssl) that do not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout)]

mod dns;
mod dns_corpus;
mod dns_https;
mod dns_lab;
mod dns_servers;
mod dns_zone;
mod http;
mod http_certs;
mod http_command;
mod http_hostile;
mod http_loops;
mod http_real;
mod local;
#[path = "../../src/probe/tls/mint.rs"]
mod mint;
mod names;
#[path = "../lab/plan.rs"]
#[allow(dead_code)]
mod plan;
mod ports;
mod script;
mod serve;
#[path = "../lab/skip.rs"]
#[allow(dead_code)]
mod skip;
#[path = "../lab/steady.rs"]
mod steady;
mod tls;
mod tls_chains;
mod tls_live;
mod tls_pki;
mod tls_start;
