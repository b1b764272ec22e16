//! Notes when tokens were last used.

use crate::state::error::Error;
use crate::state::tokens;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Notes that the tokens of these names were used at about this moment.
pub(crate) struct NoteTokensUsed(pub(crate) Vec<String>);

impl WriterCommand for NoteTokensUsed {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        core.execute(async |conn| tokens::note_use(conn, &self.0).await)
            .await
    }
}
