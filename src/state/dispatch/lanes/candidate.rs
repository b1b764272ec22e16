//! A pending task that could start next. Plain data.

use crate::models::Attempt;
use crate::state::dispatch::lanes::head::LanePosition;
use crate::state::dispatch::lanes::lane_name::LaneName;

/// A pending task with what decides whether it starts next.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// The attempt that would start.
    pub(crate) attempt: Attempt,
    pub(crate) position: LanePosition,
    pub(crate) processor: String,
    pub(crate) key: Option<String>,
    /// Size of its content.
    pub(crate) bytes: usize,
}

impl Candidate {
    pub(crate) fn lane(&self) -> LaneName<'_> {
        LaneName {
            processor: &self.processor,
            key: self.key.as_deref(),
        }
    }
}
