//! Panics: the console's own give the screen back and are printed; others are kept for later.
//!
//! A panic in one probe does not end the console, so its message must neither restore the screen
//! nor be written over it.

use std::cell::Cell;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, Once, PoisonError};
use std::task::{Context, Poll};

use crate::model::text::SafeText;
use crate::sys::tty::{self, Typed};

/// Most messages that are kept; the oldest go first.
const KEPT: usize = 16;

static INSTALLED: Once = Once::new();
static OTHERS: Mutex<VecDeque<SafeText>> = Mutex::new(VecDeque::new());

thread_local! {
    static CONSOLE: Cell<bool> = const { Cell::new(false) };
}

/// Installs the hook, once. It stays; without a taken screen it does what the one before it did.
pub fn install() {
    INSTALLED.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if CONSOLE.get() {
                tty::restore(Typed::Discard);
                before(info);
            } else if tty::taken() {
                keep(info);
            } else {
                before(info);
            }
        }));
    });
}

/// Panics of other parts while the screen was ours, oldest first; for whoever prints after
/// leaving. They are handed out once.
pub fn kept_panics() -> Vec<SafeText> {
    let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
    others.drain(..).collect()
}

fn keep(info: &PanicHookInfo<'_>) {
    let mut others = OTHERS.lock().unwrap_or_else(PoisonError::into_inner);
    if others.len() >= KEPT {
        others.pop_front();
    }
    others.push_back(SafeText::new(info.to_string().replace('\n', ": ")));
}

/// Runs a thread whose panics are the console's.
pub(super) fn console_thread(work: impl FnOnce()) {
    CONSOLE.set(true);
    work();
}

/// A future whose panics are the console's, on whichever thread it is polled. A panic becomes
/// `Err` with its message.
pub(super) struct Guarded<F>(Pin<Box<F>>);

impl<F: Future> Guarded<F> {
    pub(super) fn new(work: F) -> Self {
        Self(Box::pin(work))
    }
}

impl<F: Future> Future for Guarded<F> {
    type Output = Result<F::Output, String>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let before = CONSOLE.replace(true);
        let polled = catch_unwind(AssertUnwindSafe(|| self.0.as_mut().poll(cx)));
        CONSOLE.set(before);
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(payload) => {
                let text = payload
                    .downcast_ref::<&str>()
                    .map(|s| (*s).to_owned())
                    .or_else(|| payload.downcast_ref::<String>().cloned());
                Poll::Ready(Err(text.unwrap_or_else(|| "no message".into())))
            }
        }
    }
}
