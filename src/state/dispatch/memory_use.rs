//! Memory that the contents of running tasks take, counted apart for each execution site. Pure.
//!
//! Each site has its own budget, so a large backlog at one site never keeps tasks of another from starting.

use crate::state::dispatch::limits::ExecutionSite;

/// Bytes that a running task takes besides its content, roughly.
pub(crate) const TASK_OVERHEAD_BYTES: usize = 1024;

/// Bytes by execution site. Outside workers hold their tasks themselves and count for nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct MemoryUse {
    pub(crate) local: usize,
    pub(crate) hive: usize,
}

impl MemoryUse {
    pub(crate) fn add(&mut self, site: ExecutionSite, bytes: usize) {
        if let Some(used) = self.at(site) {
            *used += bytes;
        }
    }

    /// Subtracts `bytes`, but never goes below zero.
    pub(crate) fn subtract(&mut self, site: ExecutionSite, bytes: usize) {
        if let Some(used) = self.at(site) {
            *used = used.saturating_sub(bytes);
        }
    }

    /// Returns what is left at each site if each may use `limit` bytes.
    pub(crate) fn left_of(self, limit: usize) -> Self {
        Self {
            local: limit.saturating_sub(self.local),
            hive: limit.saturating_sub(self.hive),
        }
    }

    fn at(&mut self, site: ExecutionSite) -> Option<&mut usize> {
        match site {
            ExecutionSite::Local => Some(&mut self.local),
            ExecutionSite::Hive => Some(&mut self.hive),
            ExecutionSite::OutsideWorker { .. } => None,
        }
    }
}
