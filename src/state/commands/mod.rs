//! The verbs of the Writer: each is a value that implements [`crate::state::writer::message::WriterCommand`], in a file of
//! its own, and runs after the batch that it arrived with. The handle's method in `store/` sends it.

pub(super) mod barrier;
pub(super) mod bulk;
pub(super) mod catch_up;
pub(super) mod claim;
pub(super) mod delete;
pub(super) mod emergency_stop;
pub(super) mod hive_link;
pub(super) mod import;
pub(super) mod maintenance;
pub(super) mod pause;
pub(super) mod purge;
pub(super) mod reconfigure;
pub(super) mod resume;
pub(super) mod retry;
pub(super) mod set_meta;
pub(super) mod snapshot;
pub(super) mod submit_many;
pub(super) mod submit_scheduled;
pub(super) mod system_log;
pub(super) mod tokens_used;
pub(super) mod worker_poll;
