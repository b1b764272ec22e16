//! The queues that the service is measured beside, and the clients that load it.

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

/// What loads the service, from Node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Client {
    /// Node's usual HTTP client
    Undici,
    /// a small HTTP client of ours, which shows what undici costs
    Lean,
}

/// Who is measured.
#[derive(Clone, Copy)]
pub enum Contender {
    Service(Client),
    Peer(Peer),
}

impl Contender {
    /// The client's file for `load.cjs`; none if `load.py` loads it.
    pub fn node_client(self) -> Option<&'static str> {
        match self {
            Self::Service(client) => Some(client.name()),
            Self::Peer(Peer::Bullmq) => Some("bullmq"),
            Self::Peer(Peer::Beanstalkd) => Some("beanstalkd"),
            Self::Peer(Peer::Arq) => None,
        }
    }

    /// Whether jobs are run by a process beside the load. A job of beanstalkd has no result that the submitter could
    /// wait for, so when idle its load reserves and deletes it by itself.
    pub fn needs_worker(self, part: Part) -> bool {
        match (self, part) {
            (Self::Service(_), _) | (_, Part::Accept) => false,
            (Self::Peer(_), Part::Finish) => true,
            (Self::Peer(peer), Part::Idle) => peer != Peer::Beanstalkd,
        }
    }
}

impl Client {
    pub fn name(self) -> &'static str {
        match self {
            Self::Undici => "undici",
            Self::Lean => "lean",
        }
    }
}

impl Peer {
    pub fn name(self) -> &'static str {
        match self {
            Self::Bullmq => "BullMQ",
            Self::Beanstalkd => "beanstalkd",
            Self::Arq => "ARQ",
        }
    }
}
