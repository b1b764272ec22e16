//! Stores a value in `meta` for another part of the service, so that it survives restarts.

use crate::state::db::meta;
use crate::state::error::Error;
use crate::state::writer::core::Core;
use crate::state::writer::message::WriterCommand;

/// Stores a value (JSON) under a key of `meta`.
pub(crate) struct SetMeta(pub(crate) &'static str, pub(crate) String);

impl WriterCommand for SetMeta {
    type Answer = ();

    async fn run(self, core: &mut Core, _actor: Option<&str>) -> Result<(), Error> {
        let Self(key, value) = self;
        core.execute(async |conn| meta::set(conn, key, &value).await)
            .await
    }
}
