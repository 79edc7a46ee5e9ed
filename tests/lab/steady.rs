//! Whether this machine stood still: the lab is a measuring instrument, and what it shows while
//! its own threads are not run (other work, a busy hypervisor) are delays and losses that are
//! really there, but nobody's fault in the scenario.

use std::sync::{Mutex, Once};
use std::time::{Duration, Instant};

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(5);
/// A look that comes so much too late: the machine stood still.
const LATE: Duration = Duration::from_millis(15);
/// Stood still in all for this share of a scenario, it is disturbed.
const SHARE: f64 = 0.01;
/// The same at once.
const AT_ONCE: Duration = Duration::from_millis(100);

static STARTED: Once = Once::new();
/// When the machine stood still, and how long.
static STALLS: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

/// Begins to watch, once for all labs of this process.
pub fn watch() {
    STARTED.call_once(|| {
        std::thread::spawn(|| {
            loop {
                let asked = Instant::now();
                std::thread::sleep(TICK);
                let late = asked.elapsed().saturating_sub(TICK);
                if late >= LATE {
                    let mut all = STALLS.lock().unwrap_or_else(|e| e.into_inner());
                    all.push((asked, late));
                }
            }
        });
    });
}

/// What disturbed the time since `from`, in words; `None` if the machine ran steadily.
pub fn disturbed_since(from: Instant) -> Option<String> {
    let all = STALLS.lock().unwrap_or_else(|e| e.into_inner());
    judge(
        from.elapsed(),
        all.iter().filter(|(at, _)| *at >= from).map(|(_, d)| *d),
    )
}

fn judge(span: Duration, stalls: impl Iterator<Item = Duration>) -> Option<String> {
    let stalls: Vec<Duration> = stalls.collect();
    let sum: Duration = stalls.iter().sum();
    let longest = stalls.iter().max().copied().unwrap_or_default();
    (longest >= AT_ONCE || sum.as_secs_f64() > SHARE * span.as_secs_f64()).then(|| {
        format!(
            "the machine stood still {} times within {:.1} s, {} ms in all, {} ms at once",
            stalls.len(),
            span.as_secs_f64(),
            sum.as_millis(),
            longest.as_millis()
        )
    })
}

/// Waits for the machine to run steadily for two seconds, half a minute at most.
pub fn wait() {
    let until = Instant::now() + Duration::from_secs(30);
    while Instant::now() < until {
        let from = Instant::now();
        std::thread::sleep(Duration::from_secs(2));
        if disturbed_since(from).is_none() {
            return;
        }
    }
}

#[test]
fn a_steady_machine_is_no_excuse() {
    let ms = Duration::from_millis;
    let span = Duration::from_secs(10);
    assert_eq!(judge(span, std::iter::empty()), None);
    assert_eq!(judge(span, [ms(40), ms(50)].into_iter()), None);
    assert!(judge(span, [ms(120)].into_iter()).is_some());
    assert!(judge(span, std::iter::repeat_n(ms(20), 6)).is_some());
}
