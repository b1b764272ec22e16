//! The write path, top-down.

pub(super) mod apply;
pub(super) mod background;
pub(super) mod batch;
pub(super) mod claim;
pub(super) mod clock_steps;
pub(super) mod commit;
pub(super) mod encode;
pub(super) mod message;
pub(super) mod offers;
pub(super) mod preconditions;
pub(super) mod publish;
pub(super) mod questions;
pub(super) mod recount;
pub(super) mod run;
pub(super) mod waiters;
