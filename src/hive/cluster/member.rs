//! This process as a node of the Hive: it runs the commands of the control channel, and reports.
//!
//! The channel reaches only current subscribers. The last command for the whole queue therefore stays in force in
//! Redis, and each report reads it, so that a node that was disconnected, or joins later, follows it too.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

use crate::hive::cluster::command_runner::CommandRunner;
use crate::hive::cluster::inbox::{CommandInbox, CommandReceiver};
use crate::hive::cluster::node::Node;
use crate::hive::cluster::reporter::Reporter;
use crate::hive::cluster::role::NodeRole;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys::NodeKeys;

/// How long a stopping node tries to remove itself from the list.
const FAREWELL: Duration = Duration::from_secs(1);

/// This process as one of the nodes.
pub(crate) struct Member<R> {
    pub(crate) node: Node,
    pub(crate) line: RedisHandle,
    pub(crate) keys: NodeKeys,
    pub(crate) inbox: CommandInbox,
    pub(crate) role: R,
}

impl<R: NodeRole> Member<R> {
    /// Runs commands and reports, for ever.
    pub(crate) async fn run(&mut self, orders: CommandReceiver) {
        let wanted = Notify::new();
        let foreign = Mutex::default();
        let runner = CommandRunner {
            id: self.node.id.clone(),
            came_at: self.node.started_at,
            role: &self.role,
            wanted: &wanted,
            foreign: &foreign,
            heard: VecDeque::new(),
            found: VecDeque::new(),
            known: None,
        };
        let reporter = Reporter {
            node: &mut self.node,
            line: self.line.clone(),
            keys: &self.keys,
            inbox: &self.inbox,
            role: &self.role,
            foreign: &foreign,
            is_first: true,
            refusal: None,
        };
        tokio::join!(runner.run(orders), reporter.run(&wanted));
    }

    /// Removes this node from the list, if Redis is connected.
    pub(crate) async fn leave(&self) {
        let Some(mut connection) = self.line.current() else {
            return;
        };
        let left = timeout(FAREWELL, self.node.leave(&mut connection, &self.keys)).await;
        if !matches!(left, Ok(Ok(()))) {
            tracing::debug!("could not remove this node from the list");
        }
    }
}
