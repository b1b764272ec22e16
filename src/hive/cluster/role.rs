//! What differs between the nodes: how a service and a worker follow commands and describe their state.

use redis::aio::MultiplexedConnection;

use crate::hive::cluster::command::ClusterCommand;
use crate::hive::redis::keys::NodeKeys;

/// Why a node cannot do something now.
pub(crate) type NodeError = Box<dyn std::error::Error + Send + Sync>;

/// How a node is.
pub(crate) struct NodeCondition {
    pub(crate) running: u64,
    pub(crate) max: Option<u64>,
    pub(crate) paused: bool,
}

/// What a kind of node does with orders, and with what it finds.
pub(crate) trait NodeRole: Sync {
    /// Carries out an order that makes sense here, or leaves it.
    fn run_command(
        &self,
        command: ClusterCommand,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Starts nothing until it is resumed: an emergency stop was ordered before this node came.
    fn stay_stopped(&self) -> impl Future<Output = Result<(), NodeError>> + Send;

    /// How this node is.
    fn condition(&self) -> impl Future<Output = Result<NodeCondition, NodeError>> + Send;

    /// The order that stood when this node last looked, also before its last start.
    fn last_command(&self) -> impl Future<Output = Result<Option<String>, NodeError>> + Send;

    /// This order stands, and was obeyed.
    fn store_last_command(&self, order: &str)
    -> impl Future<Output = Result<(), NodeError>> + Send;

    /// Whatever stood when this node came is obeyed, or cannot be known.
    fn become_ready(&self) {}

    /// Called after each report.
    fn after_report(
        &self,
        own_id: &str,
        connection: &mut MultiplexedConnection,
        keys: &NodeKeys,
    ) -> impl Future<Output = Result<(), NodeError>> + Send;
}
