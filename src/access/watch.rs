//! Keeps the keyring in step with the database, and notes when tokens were used.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::keyring::{Access, Keyring};
use crate::state::{Error, StateManager};

/// Within this time a new token opens and a revoked one does not.
const INTERVAL: Duration = Duration::from_secs(1);
/// How exactly it is known when a token was used last.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// Follows the table of tokens.
#[derive(Debug)]
pub(crate) struct Watch {
    keyring: watch::Sender<Arc<Keyring>>,
    /// When the use of each token was noted last.
    noted: HashMap<Arc<str>, Instant>,
    /// What is wrong with rows that cannot be read, as it was said last.
    wrong: Vec<String>,
}

impl Watch {
    /// The tokens as they are, and the access by them; `None` if there is none.
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

    /// Looks at the table again and again, until `stop`. What cannot be read leaves all as it is.
    pub(crate) async fn run(mut self, state: StateManager, stop: CancellationToken) {
        let mut is_failing = false;
        while stop
            .run_until_cancelled(tokio::time::sleep(INTERVAL))
            .await
            .is_some()
        {
            let looked = self.look(&state).await;
            if let Err(error) = &looked
                && !is_failing
            {
                tracing::warn!(%error, "the tokens cannot be read; those that were valid stay so");
            }
            is_failing = looked.is_err();
        }
    }

    async fn look(&mut self, state: &StateManager) -> Result<(), Error> {
        let (tokens, wrong) = state.valid_tokens().await?;
        warn_of(&wrong, &self.wrong);
        self.wrong = wrong;
        let next = Arc::new(self.keyring.borrow().replaced_by(tokens));
        self.keyring.send_replace(Arc::clone(&next));
        let names = self.used(&next);
        if !names.is_empty() {
            // The Writer may be busy for long, and a revocation is not to wait for it.
            let state = state.clone();
            tokio::spawn(async move {
                if let Err(error) = state.tokens_used(names).await {
                    tracing::debug!(%error, "the use of tokens was not noted");
                }
            });
        }
        Ok(())
    }

    /// The tokens whose use is to be noted.
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

/// Says what is wrong with rows that cannot be read, unless it was said.
fn warn_of(wrong: &[String], said: &[String]) {
    for why in wrong.iter().filter(|why| !said.contains(why)) {
        tracing::warn!(
            why,
            "a row of the table tokens cannot be read; it lets nobody in"
        );
    }
}
