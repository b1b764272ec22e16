//! The settings that hold at this moment, for those who outlive a reload.

use std::future;
use std::sync::Arc;

use tokio::sync::watch;

use super::explained::Explained;
use super::load::Origins;
use super::settings::Settings;

/// The settings that hold; clone it freely.
#[derive(Clone, Debug)]
pub(crate) struct Current(watch::Receiver<Held>);

/// Says which settings hold. There is one.
#[derive(Debug)]
pub(crate) struct Publisher(watch::Sender<Held>);

#[derive(Clone, Debug)]
struct Held {
    settings: Arc<Settings>,
    origins: Arc<Origins>,
}

impl Current {
    /// These settings, until the publisher says otherwise.
    pub(crate) fn new(settings: Settings, origins: Origins) -> (Publisher, Self) {
        let (publisher, current) = watch::channel(Held {
            settings: Arc::new(settings),
            origins: Arc::new(origins),
        });
        (Publisher(publisher), Self(current))
    }

    /// The settings of this moment, whole.
    pub(crate) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow().settings)
    }

    /// The same as a person reads it, each with where it comes from.
    pub(crate) fn explained(&self) -> Vec<Explained> {
        let held = self.0.borrow();
        held.settings.explained(&held.origins)
    }

    /// Where they come from.
    pub(crate) fn origins(&self) -> Arc<Origins> {
        Arc::clone(&self.0.borrow().origins)
    }

    /// Waits until other settings hold than when this clone last waited.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Without its publisher nothing will ever change.
            future::pending::<()>().await;
        }
    }
}

impl Publisher {
    /// From now on, these settings hold.
    pub(crate) fn publish(&self, settings: Settings) {
        self.0
            .send_modify(|held| held.settings = Arc::new(settings));
    }

    /// From now on, the settings that hold come from here; they are no others.
    pub(crate) fn publish_origins(&self, origins: Origins) {
        self.0.send_if_modified(|held| {
            held.origins = Arc::new(origins);
            false
        });
    }
}
