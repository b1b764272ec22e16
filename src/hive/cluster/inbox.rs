//! The inbox of commands: the listener and the reporter put them in, and the command runner takes them out in order.

use std::sync::Arc;

use tokio::sync::mpsc;

use crate::hive::cluster::command::{BroadcastMessage, ClusterCommand};

/// The number of commands that may be queued, and of commands remembered between two reports.
pub(crate) const COMMANDS: usize = 256;
/// Queues commands for the command runner.
#[derive(Clone)]
pub(crate) struct CommandInbox(mpsc::Sender<ReceivedCommand>);

/// The receiving end of a [`CommandInbox`].
pub(crate) struct CommandReceiver(mpsc::Receiver<ReceivedCommand>);

impl CommandReceiver {
    /// Waits for the next command; returns `None` when no inbox is left.
    pub(crate) async fn next(&mut self) -> Option<ReceivedCommand> {
        self.0.recv().await
    }
}

/// A command and its source.
pub(crate) struct ReceivedCommand {
    pub(crate) text: Arc<str>,
    pub(crate) message: BroadcastMessage,
    pub(crate) way: CommandSource,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CommandSource {
    Channel,
    /// A report found it in force.
    Found,
    /// The first report of this node found it in force.
    FoundFirst,
}

impl CommandInbox {
    /// Returns an inbox and its receiver.
    pub(crate) fn new() -> (Self, CommandReceiver) {
        let (sender, receiver) = mpsc::channel(COMMANDS);
        (Self(sender), CommandReceiver(receiver))
    }

    /// Queues a message of the channel. Never waits, because the caller also handles the events of jobs.
    pub(crate) fn receive(&self, payload: &[u8]) {
        self.put(payload, CommandSource::Channel);
    }

    /// Queues a command; returns false if it is invalid or the inbox is full.
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

/// A command for the whole queue that another program published on the channel; it is not in force yet.
pub(crate) struct ForeignCommand {
    pub(crate) text: Arc<str>,
    pub(crate) command: ClusterCommand,
    /// The commands that were in force or received before it.
    pub(crate) earlier: Vec<Arc<str>>,
}
