//! The inbox of commands: the listener and the reporter put them in, and the command runner takes them out in order.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::hive::cluster::command::{BroadcastMessage, ClusterCommand};

/// CommandReceiver that wait while one is carried out, and those that are remembered between two reports.
pub(crate) const ORDERS: usize = 256;
/// Takes commands in.
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

/// A command, and how it came.
pub(crate) struct ReceivedCommand {
    pub(crate) text: Arc<str>,
    pub(crate) message: BroadcastMessage,
    pub(crate) way: CommandSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandSource {
    Channel,
    /// It was in force at a report.
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

    /// Takes a message of the channel. Never waits: the caller also handles the events of jobs.
    pub(crate) fn receive(&self, payload: &[u8]) {
        self.put(payload, CommandSource::Channel);
    }

    /// Returns true if it is a valid command and there was room for it.
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

/// A command for the whole queue that came by the channel; from another program it is not in force yet.
pub(crate) struct ForeignCommand {
    pub(crate) text: Arc<str>,
    pub(crate) command: ClusterCommand,
    /// What stood or was heard before it.
    pub(crate) earlier: Vec<Arc<str>>,
}
