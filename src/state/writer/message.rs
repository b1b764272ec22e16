//! The messages of a handle to the Writer: submissions and commands, in one channel, so that they are carried out
//! in the order of their arrival.
//!
//! Submissions are frequent and share a transaction. A [`WriterCommand`] is rare and has a transaction of its
//! own, after the batch that it arrived with; each verb is one file in `commands/`.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::state::error::Error;
use crate::state::writer::batch::Submission;
use crate::state::writer::core::Core;
use crate::state::writer::reply::{LaterReply, Reply};

/// A message to the Writer whose sender waits for the answer.
pub(crate) enum WriterMessage {
    Submit(Box<Submission>),
    /// A command, and the actor in whose name it is given.
    Command(Box<dyn PendingCommand>, Option<Arc<str>>),
    /// Writes what has arrived, then closes the database. The last message.
    Close(Reply<()>),
}

/// A verb of the Writer.
pub(crate) trait WriterCommand: Send + 'static {
    type Answer: Send + 'static;

    /// Carries the command out. The answer is sent when this returns, so what it says is on disk by then.
    fn run(
        self,
        core: &mut Core,
        actor: Option<&str>,
    ) -> impl Future<Output = Result<Self::Answer, Error>> + Send;
}

/// A command together with its reply channel, whatever its type.
pub(crate) trait PendingCommand: Send {
    /// Carries the command out and answers it.
    fn handle<'a>(
        self: Box<Self>,
        core: &'a mut Core,
        actor: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;
}

struct WithReply<C: WriterCommand> {
    command: C,
    reply: Reply<C::Answer>,
}

impl WriterMessage {
    /// A command's message, and the channel on which its answer comes.
    pub(crate) fn command<C: WriterCommand>(
        command: C,
        actor: Option<Arc<str>>,
    ) -> (Self, LaterReply<C::Answer>) {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(WithReply { command, reply });
        (Self::Command(command, actor), answer)
    }
}

impl<C: WriterCommand> PendingCommand for WithReply<C> {
    fn handle<'a>(
        self: Box<Self>,
        core: &'a mut Core,
        actor: Option<&'a str>,
    ) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>> {
        Box::pin(async move {
            let answer = self.command.run(core, actor).await;
            core.answer(self.reply, answer);
        })
    }
}
