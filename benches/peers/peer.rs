//! The queues that the service is measured beside, and where their load comes from.

use clap::ValueEnum;

use crate::options::Part;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Peer {
    /// BullMQ on Redis with `appendfsync always`
    Bullmq,
    /// beanstalkd with `-f 0`
    Beanstalkd,
    /// ARQ on Redis with `appendfsync always`
    Arq,
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bullmq => "BullMQ",
            Self::Beanstalkd => "beanstalkd",
            Self::Arq => "ARQ",
        }
    }

    /// Whether jobs are run by a process of the peer's, beside the load. A job of beanstalkd has no result that the
    /// submitter could wait for, so when idle its load reserves and deletes it by itself.
    pub fn needs_worker(self, part: Part) -> bool {
        match part {
            Part::Accept => false,
            Part::Finish => true,
            Part::Idle => self != Self::Beanstalkd,
        }
    }
}
