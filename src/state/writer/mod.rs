//! The write path, top-down. A submission passes through these files:
//!
//! 1. `message`: it arrives, with the commands; `run`: the loop takes what has arrived, once a turn.
//! 2. `preconditions`: a repeat is answered, a taken unique key is refused, upstream tasks are looked up.
//! 3. `batch`: it goes into one transaction with everything else that has arrived; some start at once.
//! 4. `claim`: pending tasks take the slots that are left.
//! 5. `encode`: the batch becomes rows; `commit`: one transaction writes them.
//! 6. `apply`: after the commit the queue state follows.
//! 7. `publish`: events, in commit order and without a gap.
//! 8. `after_sync`: claimed tasks, events and answers are sent once the log is on disk, while the next turn runs.
//!
//! `process_batch` holds 2 to 5 together, with the replay of a refused batch one by one. Commands
//! (`commands/`) and background work use `transact` instead: commit, apply, publish, answer.

pub(super) mod after_sync;
pub(super) mod apply;
pub(super) mod background;
pub(super) mod background_chunk;
pub(super) mod batch;
pub(super) mod claim;
pub(super) mod clock_steps;
pub(super) mod commit;
pub(super) mod completion_waiters;
pub(super) mod core;
pub(super) mod encode;
pub(super) mod look_outside;
pub(super) mod measure;
pub(super) mod message;
pub(super) mod on_finished;
pub(super) mod preconditions;
pub(super) mod process_batch;
pub(super) mod publish;
pub(super) mod questions;
pub(super) mod recount;
pub(super) mod repair_times;
pub(super) mod reply;
pub(super) mod reschedule;
pub(super) mod run;
pub(super) mod spare_time;
pub(super) mod storage;
pub(super) mod transact;
