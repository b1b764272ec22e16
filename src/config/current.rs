//! The settings in force, shared across reloads.

use std::future;
use std::sync::Arc;

use tokio::sync::watch;

use super::explained::ExplainedSetting;
use super::layers::Origins;
use super::settings::Settings;

/// Reads the settings in effect. Clones are cheap.
#[derive(Clone, Debug)]
pub(crate) struct CurrentSettings(watch::Receiver<Published>);

/// Replaces the settings in effect. A service has one.
#[derive(Debug)]
pub(crate) struct SettingsPublisher(watch::Sender<Published>);

#[derive(Clone, Debug)]
struct Published {
    settings: Arc<Settings>,
    origins: Arc<Origins>,
}

impl CurrentSettings {
    /// Starts with these settings.
    pub(crate) fn new(settings: Settings, origins: Origins) -> (SettingsPublisher, Self) {
        let (publisher, current) = watch::channel(Published {
            settings: Arc::new(settings),
            origins: Arc::new(origins),
        });
        (SettingsPublisher(publisher), Self(current))
    }

    /// Returns the settings in effect.
    pub(crate) fn get(&self) -> Arc<Settings> {
        Arc::clone(&self.0.borrow().settings)
    }

    /// Returns all settings as a person reads them, each with where it is set.
    pub(crate) fn explained(&self) -> Vec<ExplainedSetting> {
        let held = self.0.borrow();
        held.settings.explained(&held.origins)
    }

    /// Returns where each setting is set.
    pub(crate) fn origins(&self) -> Arc<Origins> {
        Arc::clone(&self.0.borrow().origins)
    }

    /// Waits until the settings differ from those at the last call on this clone.
    pub(crate) async fn changed(&mut self) {
        if self.0.changed().await.is_err() {
            // Without its publisher nothing will ever change.
            future::pending::<()>().await;
        }
    }
}

impl SettingsPublisher {
    /// Puts these settings into effect and wakes everything that waits for a change.
    pub(crate) fn publish(&self, settings: Settings) {
        self.0
            .send_modify(|held| held.settings = Arc::new(settings));
    }

    /// Replaces where the settings are set. The values stay, so nothing is woken.
    pub(crate) fn publish_origins(&self, origins: Origins) {
        self.0.send_if_modified(|held| {
            held.origins = Arc::new(origins);
            false
        });
    }
}
