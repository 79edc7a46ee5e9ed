//! An HTTP health URL as the status of a device.
//!
//! The exchange itself is the HTTP probe's, which comes in as a function. A certificate that is
//! not good does not hide the status of the device; the observation says what is wrong with it.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::Instant;

use super::{Addresses, Limits, addresses};
use crate::model::device::{DeviceAnswer, DeviceReport, HealthStatus};
use crate::model::observation::{How, HttpResponse, HttpSample, Method, Outcome};
use crate::model::target::{Host, Url};
use crate::model::text::SafeText;
use crate::model::time::Rtt;

/// Fetches a health URL. `get` does it from one address; the second address of a name is tried
/// if the first does not answer.
pub async fn poll<R, RF, G, GF>(
    name: &SafeText,
    url: &Url,
    resolve: &R,
    get: &G,
    limits: &Limits,
) -> (How, DeviceReport)
where
    R: Fn(Host) -> RF,
    RF: Future<Output = Addresses>,
    G: Fn(Url, IpAddr) -> GF,
    GF: Future<Output = (How, HttpSample)>,
{
    let mut first: Option<(How, Outcome<DeviceAnswer>)> = None;
    let found = match addresses(&url.host, resolve).await {
        Ok(found) => found,
        Err(need) => {
            first = Some((How::best(Method::HttpRequest), Outcome::CannotTry { need }));
            Vec::new()
        }
    };
    for addr in found {
        let started = Instant::now();
        let exchange = tokio::time::timeout(limits.total, get(url.clone(), addr)).await;
        let (how, outcome) = match exchange {
            Ok((mut how, sample)) => {
                let told = certificate(&sample);
                how.why_not_better = how.why_not_better.take().or(told);
                (how, answer(sample.outcome, started.elapsed(), limits))
            }
            Err(_) => {
                let after = Rtt::from_duration(limits.total);
                (How::best(Method::HttpRequest), Outcome::Timeout { after })
            }
        };
        let done = matches!(outcome, Outcome::Ok(_));
        if done || first.is_none() {
            first = Some((how, outcome));
        }
        if done {
            break;
        }
    }
    let (how, outcome) = first.unwrap_or_else(|| {
        let need = SafeText::new("an address");
        (How::best(Method::HttpRequest), Outcome::CannotTry { need })
    });
    let report = DeviceReport {
        device: name.clone(),
        asked: SafeText::new(url.to_string()),
        outcome,
    };
    (how, report)
}

/// What is wrong with the server's certificate.
fn certificate(sample: &HttpSample) -> Option<SafeText> {
    let tls = sample.details.as_ref()?.tls.as_ref()?;
    let faults = &tls.certificate.as_ref()?.faults;
    let codes: Vec<_> = faults.iter().map(|f| f.code.as_str()).collect();
    (!codes.is_empty()).then(|| {
        SafeText::new(format!(
            "the server's certificate has faults: {}",
            codes.join(", ")
        ))
    })
}

fn answer(
    outcome: Outcome<HttpResponse>,
    took: Duration,
    limits: &Limits,
) -> Outcome<DeviceAnswer> {
    match outcome {
        // For the HTTP probe a connection that is never made leaves its question unasked. Of a
        // device it says what was to be known: it does not answer.
        Outcome::CannotTry { .. } if took >= limits.timeout => Outcome::Timeout {
            after: Rtt::from_duration(took),
        },
        Outcome::Ok(response) => {
            let p = &response.phases;
            let spent = [p.connect, p.tls, p.first_byte, p.body].map(|r| r.0);
            let nanos = spent.into_iter().fold(0u64, u64::saturating_add);
            Outcome::Ok(DeviceAnswer::Health(HealthStatus {
                status: response.status,
                took_ms: nanos / 1_000_000,
                body_start: response.body_start,
            }))
        }
        Outcome::Refused { by, why, after } => Outcome::Refused { by, why, after },
        Outcome::Timeout { after } => Outcome::Timeout { after },
        Outcome::CannotTry { need } => Outcome::CannotTry { need },
    }
}
