//! Writes a message to the journal as SYSTEM_LOG, which publishes it.

use serde_json::Value;

use crate::state::error::Error;
use crate::state::journal::entry::JournalEntry;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// A sentence, with its level and its data (a JSON object).
pub(crate) struct WriteSystemLog {
    pub(crate) level: &'static str,
    pub(crate) message: String,
    pub(crate) data: Value,
}

impl WriterCommand for WriteSystemLog {
    type Answer = ();

    async fn run(self, core: &mut Core, actor: Option<&str>) -> Result<(), Error> {
        let entry = JournalEntry::told(self.level, &self.message, self.data).by(actor);
        core.journal(entry).await
    }
}
