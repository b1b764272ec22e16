//! The inbox of commands: the listener and the reporter put them in, and the command runner takes them out in order.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::hive::cluster::command::{BroadcastMessage, ClusterCommand};

/// CommandReceiver that wait while one is carried out, and those that are remembered between two reports.
pub(crate) const ORDERS: usize = 256;
/// Where orders go.
#[derive(Clone)]
pub(crate) struct CommandInbox(mpsc::Sender<ReceivedCommand>);

/// The other end of an [`CommandInbox`].
pub(crate) struct CommandReceiver(mpsc::Receiver<ReceivedCommand>);

impl CommandReceiver {
    /// Waits for the next command; `None` when no inbox is left.
    pub(crate) async fn next(&mut self) -> Option<ReceivedCommand> {
        self.0.recv().await
    }
}

/// An order, and how it came.
pub(crate) struct ReceivedCommand {
    pub(crate) text: Arc<str>,
    pub(crate) message: BroadcastMessage,
    pub(crate) way: CommandSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandSource {
    Channel,
    /// It was found standing.
    Found,
    /// The same, by the first report of this node.
    FoundFirst,
}

impl CommandInbox {
    /// An inbox and who reads it.
    pub(crate) fn new() -> (Self, CommandReceiver) {
        let (sender, receiver) = mpsc::channel(ORDERS);
        (Self(sender), CommandReceiver(receiver))
    }

    /// The channel has brought this. It does not wait: what it is called from hears of jobs too.
    pub(crate) fn receive(&self, payload: &[u8]) {
        self.put(payload, CommandSource::Channel);
    }

    /// Whether it is an order that will be looked at.
    pub(crate) fn put(&self, payload: &[u8], way: CommandSource) -> bool {
        match BroadcastMessage::read(payload) {
            Ok(message) => {
                let text = String::from_utf8_lossy(payload).into();
                let is_put = self
                    .0
                    .try_send(ReceivedCommand { text, message, way })
                    .is_ok();
                if !is_put {
                    tracing::warn!("too many commands of the Hive at once; dropped one");
                }
                is_put
            }
            Err(error) => {
                tracing::warn!(%error, "ignored an invalid command of the Hive");
                false
            }
        }
    }
}

/// An order to all queues that the channel has brought, and that does not stand unless it is ours.
pub(crate) struct ForeignCommand {
    pub(crate) text: Arc<str>,
    pub(crate) command: ClusterCommand,
    /// What stood or was heard before it.
    pub(crate) earlier: Vec<Arc<str>>,
}
