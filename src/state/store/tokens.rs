//! `StateManager`: reads of valid tokens, and their last use. The SQL is in `state::tokens`.

use crate::models::{Grant, TokenHash};
use crate::state::commands::tokens_used::NoteTokensUsed;
use crate::state::error::Error;
use crate::state::store::StateManager;
use crate::state::tokens;

impl StateManager {
    /// Returns the valid tokens, and one message for each row that cannot be read. The token of such a row is rejected;
    /// all other rows stay in effect.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub(crate) async fn valid_tokens(
        &self,
    ) -> Result<(Vec<(TokenHash, Grant)>, Vec<String>), Error> {
        tokens::valid(&self.read).await
    }

    /// Stores that these tokens were used just now.
    ///
    /// # Errors
    /// When it could not be stored.
    pub(crate) async fn tokens_used(&self, names: Vec<String>) -> Result<(), Error> {
        self.ask(NoteTokensUsed(names)).await
    }
}
