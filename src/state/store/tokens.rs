//! What the service asks about tokens. The SQL is in `state::tokens`.

use crate::models::{Grant, TokenHash};
use crate::state::commands::tokens_used::NoteTokensUsed;
use crate::state::error::Error;
use crate::state::store::StateManager;
use crate::state::tokens;

impl StateManager {
    /// The tokens that are worth something, and what is wrong with rows that cannot be read: those open
    /// nothing, and do not keep the others from being revoked.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) async fn valid_tokens(
        &self,
    ) -> Result<(Vec<(TokenHash, Grant)>, Vec<String>), Error> {
        tokens::valid(&self.read).await
    }

    /// Notes that these tokens were used at about this moment.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn tokens_used(&self, names: Vec<String>) -> Result<(), Error> {
        self.ask(NoteTokensUsed(names)).await
    }
}
