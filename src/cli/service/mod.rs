//! Commands about a running service as a whole: its queue, processors, schedules, statistics and events.

pub(super) mod emergency_stop;
pub(super) mod pause;
pub(super) mod processors;
pub(super) mod purge;
pub(super) mod queue_command;
pub(super) mod reload;
pub(super) mod resume;
pub(super) mod schedules;
pub(super) mod stats;
pub(super) mod status;
pub(super) mod watch;
