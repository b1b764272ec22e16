//! The settings that hold at this moment, for those who outlive a reload.

use std::future;
use std::sync::Arc;

use tokio::sync::watch;

use super::Settings;

/// The settings that hold; clone it freely.
#[derive(Clone, Debug)]
pub struct Current(watch::Receiver<Arc<Settings>>);

/// Says which settings hold. There is one.
#[derive(Debug)]
pub struct Publisher(watch::Sender<Arc<Settings>>);

impl Current {
    /// These settings, until the publisher says otherwise.
    pub fn new(settings: Settings) -> (Publisher, Self) {
        let (publisher, current) = watch::channel(Arc::new(settings));
        (Publisher(publisher), Self(current))
    }

    /// The settings of this moment, whole.
    pub fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow())
    }

    /// Waits until other settings hold than when this clone last waited.
    pub async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Without its publisher nothing will ever change.
            future::pending::<()>().await;
        }
    }
}

impl Publisher {
    /// From now on, these settings hold.
    pub fn publish(&self, settings: Settings) {
        self.0.send_replace(Arc::new(settings));
    }
}
