//! What differs between the nodes: how a service and a worker follow commands and describe their state.

use redis::aio::MultiplexedConnection;

use crate::hive::cluster::command::ClusterCommand;
use crate::hive::redis::keys::NodeKeys;

/// Why a node cannot run a command or describe itself.
pub(crate) type NodeError = Box<dyn std::error::Error + Send + Sync>;

/// The state of a node.
pub(crate) struct NodeCondition {
    pub(crate) running: u64,
    pub(crate) max: Option<u64>,
    pub(crate) paused: bool,
}

/// How a kind of node runs commands and what it does after its reports.
pub(crate) trait NodeRole: Sync {
    /// Runs a command that concerns this node; ignores any other.
    fn run_command(
        &self,
        command: ClusterCommand,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Starts no tasks until a resume: an emergency stop was in force before this node joined.
    fn stay_stopped(&self) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Returns the state of this node.
    fn condition(&self) -> impl Future<Output = Result<NodeCondition, NodeError>> + Send;

    /// Returns the command in force at this node's last report, also before its last start.
    fn last_command(&self) -> impl Future<Output = Result<Option<String>, NodeError>> + Send;

    /// Stores the command in force once this node has run it.
    fn store_last_command(&self, order: &str)
    -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Called once the command in force at the join has run, or cannot be read.
    fn become_ready(&self) {}

    /// Called after each report.
    fn after_report(
        &self,
        own_id: &str,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;
}
