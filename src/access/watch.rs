//! Keeps the keyring in step with the database, and records when tokens were used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::keyring::{Access, Keyring};
use crate::state::{Error, StateManager};

/// Longest time until a created token is valid and a revoked one is not.
const INTERVAL: Duration = Duration::from_secs(1);
/// Precision of a token's last use.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// Polls the table of tokens.
#[derive(Debug)]
pub(crate) struct Watch {
    keyring: watch::Sender<Arc<Keyring>>,
    /// When the use of each token was recorded last.
    noted: HashMap<Arc<str>, Instant>,
    /// The unreadable rows that the log already names.
    wrong: Vec<String>,
}

impl Watch {
    /// Reads the tokens. Returns `None` if there are none.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(crate) async fn start(state: &StateManager) -> Result<Option<(Self, Access)>, Error> {
        let (tokens, wrong) = state.valid_tokens().await?;
        warn_of(&wrong, &[]);
        if tokens.is_empty() {
            return Ok(None);
        }
        let ring = Arc::new(Keyring::default().replaced_by(tokens));
        let (keyring, access) = watch::channel(ring);
        let noted = HashMap::new();
        let watch = Self {
            keyring,
            noted,
            wrong,
        };
        Ok(Some((watch, Access::by(access))))
    }

    /// Polls the table until `stop`. While it cannot be read, the last tokens stay valid.
    pub(crate) async fn run(mut self, state: StateManager, stop: CancellationToken) {
        let mut is_failing = false;
        while stop
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            let refreshed = self.refresh(&state).await;
            if let Err(error) = &refreshed
                && !is_failing
            {
                tracing::warn!(%error, "the tokens cannot be read; the last known tokens stay valid");
            }
            is_failing = refreshed.is_err();
        }
    }

    /// Loads the tokens from the database, and records which ones were used.
    async fn refresh(&mut self, state: &StateManager) -> Result<(), Error> {
        let (tokens, wrong) = state.valid_tokens().await?;
        warn_of(&wrong, &self.wrong);
        self.wrong = wrong;
        let next = Arc::new(self.keyring.borrow().replaced_by(tokens));
        self.keyring.send_replace(Arc::clone(&next));
        let names = self.used(&next);
        if !names.is_empty() {
            // In a task of its own: the Writer may be busy, and a revocation must not wait for it.
            let state = state.clone();
            tokio::spawn(async move {
                if let Err(error) = state.tokens_used(names).await {
                    tracing::debug!(%error, "the use of tokens was not noted");
                }
            });
        }
        Ok(())
    }

    /// Returns the tokens whose use is due to be recorded.
    fn used(&mut self, keyring: &Keyring) -> Vec<String> {
        let now = Instant::now();
        let mut names = Vec::new();
        for key in keyring.keys() {
            let name = &key.grant.name;
            let is_noted = |last: &Instant| now.duration_since(*last) < USE_INTERVAL;
            if !self.noted.get(name).is_some_and(is_noted) && key.take_used() {
                self.noted.insert(Arc::clone(name), now);
                names.push(name.to_string());
            }
        }
        names
    }
}

/// Logs unreadable rows, each once.
fn warn_of(wrong: &[String], said: &[String]) {
    for why in wrong.iter().filter(|why| !said.contains(why)) {
        tracing::warn!(
            why,
            "a row of the table tokens cannot be read; its token is rejected"
        );
    }
}
