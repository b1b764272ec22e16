//! Reports the state of this node every few seconds, and reads the command in force with each report.

use std::sync::{Mutex, MutexGuard, PoisonError};

use redis::aio::MultiplexedConnection;
use tokio::sync::Notify;
use tokio::time::sleep;

use crate::hive::cluster::broadcast;
use crate::hive::cluster::inbox::{CommandInbox, CommandSource, ForeignCommand};
use crate::hive::cluster::node::{Node, REPORT_INTERVAL, ReportReply};
use crate::hive::cluster::role::{NodeError, NodeRole};
use crate::hive::redis::error::is_transient;
use crate::hive::redis::handle::RedisHandle;
use crate::hive::redis::keys::NodeKeys;

/// Reports the node's state and reads the command in force.
pub(crate) struct Reporter<'a, R> {
    pub(crate) node: &'a mut Node,
    pub(crate) line: RedisHandle,
    pub(crate) keys: &'a NodeKeys,
    pub(crate) inbox: &'a CommandInbox,
    pub(crate) role: &'a R,
    pub(crate) foreign: &'a Mutex<Option<ForeignCommand>>,
    pub(crate) is_first: bool,
    /// Why Redis refused the last report, if it did.
    pub(crate) refusal: Option<String>,
}

impl<R: NodeRole> Reporter<'_, R> {
    pub(crate) async fn run(mut self, wanted: &Notify) {
        loop {
            if let Err(error) = self.report().await {
                tracing::debug!(%error, "could not report the state of this node");
            }
            tokio::select! {
                () = sleep(REPORT_INTERVAL) => {}
                () = wanted.notified() => {}
            }
        }
    }

    async fn report(&mut self) -> Result<(), NodeError> {
        let mut connection = self.line.connection().await;
        let condition = self.role.condition().await?;
        self.node.running = condition.running;
        self.node.max = condition.max;
        self.node.paused = condition.paused;
        let ReportReply { order, refusal } =
            match self.node.report(&mut connection, self.keys).await {
                // Without the right to read the command, no command can be awaited.
                Err(error) if !is_transient(&error) => ReportReply {
                    order: None,
                    refusal: Some(error.to_string()),
                },
                report => report?,
            };
        self.warn(refusal);
        self.keep_in_force(&mut connection, order.as_deref()).await;
        let is_first = std::mem::replace(&mut self.is_first, false);
        let way = match is_first {
            true => CommandSource::FoundFirst,
            false => CommandSource::Found,
        };
        let is_put = order.is_some_and(|order| self.inbox.put(&order, way));
        if is_first && !is_put {
            self.role.become_ready();
        }
        let (id, role) = (&self.node.id, self.role);
        role.after_report(id, &mut connection, self.keys).await
    }

    /// Logs once why this node is not listed.
    fn warn(&mut self, refusal: Option<String>) {
        if let Some(reason) = refusal.as_ref().filter(|_| refusal != self.refusal) {
            tracing::warn!(%reason, "Redis refuses to list this node of the Hive");
        }
        self.refusal = refusal;
    }

    /// Keeps a command in force that another program has published.
    async fn keep_in_force(&self, connection: &mut MultiplexedConnection, standing: Option<&[u8]>) {
        let Some(ForeignCommand {
            text,
            command,
            earlier,
        }) = self.foreign().take()
        else {
            return;
        };
        if standing == Some(text.as_bytes()) {
            return;
        }
        let order = (&command, &*text);
        let Err(error) = broadcast::keep_in_force(connection, self.keys, order, &earlier).await
        else {
            return;
        };
        tracing::debug!(%error, "could not keep another program's command in force");
        if is_transient(&error) {
            // The next report tries again, unless another command has arrived.
            self.foreign().get_or_insert(ForeignCommand {
                text,
                command,
                earlier,
            });
        }
    }

    fn foreign(&self) -> MutexGuard<'_, Option<ForeignCommand>> {
        self.foreign.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
