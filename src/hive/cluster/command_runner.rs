//! Runs the commands of the inbox one after the other, each once, in whichever way it came first.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::hive::cluster::command::{BroadcastMessage, ClusterCommand};
use crate::hive::cluster::inbox::{
    COMMANDS, CommandReceiver, CommandSource, ForeignCommand, ReceivedCommand,
};
use crate::hive::cluster::role::NodeRole;
use crate::models::Timestamp;

/// The number of earlier commands that another program's command may replace.
const EARLIER: usize = 16;
/// Runs commands one after the other.
pub(crate) struct CommandRunner<'a, R> {
    pub(crate) id: String,
    pub(crate) came_at: Timestamp,
    pub(crate) role: &'a R,
    /// Notified when a report is wanted.
    pub(crate) wanted: &'a Notify,
    pub(crate) foreign: &'a Mutex<Option<ForeignCommand>>,
    /// The channel's commands since the last command in force, newest first.
    pub(crate) heard: VecDeque<Arc<str>>,
    /// Commands that ran because they were in force and that the channel may still deliver.
    pub(crate) found: VecDeque<Arc<str>>,
    /// The last command in force.
    pub(crate) known: Option<Arc<str>>,
}

impl<R: NodeRole> CommandRunner<'_, R> {
    pub(crate) async fn run(mut self, mut orders: CommandReceiver) {
        match self.role.last_command().await {
            Ok(known) => self.known = known.map(Arc::from),
            Err(error) => tracing::warn!(%error, "could not read the last command of the Hive"),
        }
        while let Some(heard) = orders.next().await {
            match heard.way {
                CommandSource::Channel => self.receive(heard).await,
                CommandSource::Found => self.find(heard).await,
                CommandSource::FoundFirst => {
                    self.find(heard).await;
                    self.role.become_ready();
                }
            }
        }
    }

    async fn receive(&mut self, heard: ReceivedCommand) {
        let ReceivedCommand { text, message, .. } = heard;
        if let Some(place) = self.found.iter().position(|found| *found == text) {
            self.found.remove(place);
        } else {
            if message.command.stays_in_force() {
                self.expect_to_stand(&text, &message.command);
            }
            self.run_command(message).await;
            self.heard.truncate(COMMANDS - 1);
            self.heard.push_front(text);
        }
        self.wanted.notify_one();
    }

    fn expect_to_stand(&self, text: &Arc<str>, command: &ClusterCommand) {
        let earlier = self.heard.iter().take(EARLIER).chain(&self.known);
        let foreign = ForeignCommand {
            text: Arc::clone(text),
            command: command.clone(),
            earlier: earlier.cloned().collect(),
        };
        *self.foreign.lock().unwrap_or_else(PoisonError::into_inner) = Some(foreign);
    }

    async fn find(&mut self, heard: ReceivedCommand) {
        let ReceivedCommand { text, message, way } = heard;
        if self.known.as_ref() == Some(&text) {
            return;
        }
        if let Some(place) = self.heard.iter().position(|heard| *heard == text) {
            // The same text may be a command again later.
            self.heard.truncate(place);
        } else {
            match way == CommandSource::FoundFirst && self.is_older(&message) {
                true => self.join(message.command).await,
                false => self.run_command(message).await,
            }
            self.found.truncate(COMMANDS - 1);
            self.found.push_front(Arc::clone(&text));
            self.wanted.notify_one();
        }
        if let Err(error) = self.role.store_last_command(&text).await {
            tracing::warn!(%error, "could not store a command of the Hive");
        }
        self.known = Some(text);
    }

    /// Returns true if the command was sent before this node joined.
    fn is_older(&self, message: &BroadcastMessage) -> bool {
        message
            .sent_at
            .is_none_or(|sent_at| sent_at <= self.came_at)
    }

    /// Applies the command in force to a node that joins later.
    async fn join(&self, command: ClusterCommand) {
        let done = match command {
            // The stop applied to the tasks of other nodes then: this node purges none.
            ClusterCommand::EmergencyStop => self.role.stay_stopped().await,
            // A command of the Hive does not end a local pause.
            ClusterCommand::Resume(_) if self.known.is_none() => Ok(()),
            command if is_to_come(&command) => self.role.run_command(command).await,
            _ => Ok(()),
        };
        if let Err(error) = done {
            tracing::error!(%error, "a command of the Hive failed");
        }
    }

    async fn run_command(&self, message: BroadcastMessage) {
        let BroadcastMessage {
            command, done_by, ..
        } = message;
        if done_by.as_ref() == Some(&self.id) || !is_to_come(&command) {
            return;
        }
        if command != ClusterCommand::Status {
            tracing::info!(?command, "received a command of the Hive");
        }
        if let Err(error) = self.role.run_command(command).await {
            tracing::error!(%error, "a command of the Hive failed");
        }
    }
}

/// Returns true if a pause has no end or ends later than now.
fn is_to_come(command: &ClusterCommand) -> bool {
    let ClusterCommand::Pause(pause) = command else {
        return true;
    };
    pause.until.is_none_or(|until| until > Timestamp::now())
}
