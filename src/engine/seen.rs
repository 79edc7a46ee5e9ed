//! The window that the engine keeps, and those who read it.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::watch;

use crate::model::local::ResolverConfig;
use crate::model::window::Window;

/// Shared reading of the engine's window, by probes that adapt to what was seen. Readers hold the
/// lock for a look-up, never over an await.
#[derive(Clone, Debug)]
pub struct Seen {
    window: Arc<RwLock<Window>>,
    /// Whether the local tables were looked at.
    looked: watch::Receiver<bool>,
}

/// The engine's own end.
#[derive(Debug)]
pub struct Keeper {
    window: Arc<RwLock<Window>>,
    looked: watch::Sender<bool>,
}

/// A window with its one writer and its readers.
pub fn share(window: Window) -> (Keeper, Seen) {
    let window = Arc::new(RwLock::new(window));
    let (sender, looked) = watch::channel(false);
    let keeper = Keeper {
        window: Arc::clone(&window),
        looked: sender,
    };
    (keeper, Seen { window, looked })
}

impl Seen {
    /// The window as it is now.
    pub fn borrow(&self) -> RwLockReadGuard<'_, Window> {
        // Whole between any two observations.
        self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// How names are resolved here, once the first look at this host has told. `None` if the
    /// engine has gone.
    pub async fn resolvers(&self) -> Option<ResolverConfig> {
        let mut looked = self.looked.clone();
        looked.wait_for(|known| *known).await.ok()?;
        let local = self.borrow();
        local.local.as_ref().map(|l| l.value.resolvers.clone())
    }
}

impl Keeper {
    /// The window as it is now.
    pub fn borrow(&self) -> RwLockReadGuard<'_, Window> {
        self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To change it.
    pub fn write(&self) -> RwLockWriteGuard<'_, Window> {
        self.window.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells those who wait for the first look at this host.
    pub fn tell(&self) {
        let known = self.borrow().local.is_some();
        self.looked.send_if_modified(|before| {
            let news = known && !*before;
            *before |= known;
            news
        });
    }
}
