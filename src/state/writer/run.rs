//! The Writer: one loop that owns the one write connection, and with it every change of the state. It has a thread of
//! its own.
//!
//! Each turn takes what has arrived, writes it in one transaction, and only after the commit changes
//! the queue state. Claimed tasks, events and answers are sent after the sync. Long work (a purge of many
//! rows) goes in chunks, one a turn; the full-text index follows in the time that is left.
//!
//! Reports of running attempts are never lost: when the storage takes no writes, they are held and
//! tried again, and no further reports are taken in until they are stored; submissions are answered
//! with the error meanwhile.

use std::io;
use std::thread;
use std::time::Duration;

use sqlx::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::state::error::Error;
use crate::state::writer::batch::{AttemptReport, WriteBatch};
use crate::state::writer::core::{Core, WriteSide};
use crate::state::writer::message::WriterMessage;

/// Messages taken from one inbox in a turn.
const BATCH_MESSAGES: usize = 1024;
/// How often the loop yields, at most, while more is arriving.
const GATHERING_YIELDS: usize = 16;
/// Pause between two tries while the storage takes no writes.
pub(crate) const RETRY_PAUSE: Duration = Duration::from_millis(200);

/// The loop, with its inboxes.
pub(crate) struct Writer {
    pub(crate) inbox: WriterInbox,
    pub(crate) core: Core,
    pub(crate) poll: PollTimer,
}

/// What arrives. Questions have an inbox of their own, in `questions`.
pub(crate) struct WriterInbox {
    pub(crate) messages: mpsc::Receiver<WriterMessage>,
    pub(crate) reports: mpsc::Receiver<AttemptReport>,
}

/// When the Writer looks for changes by other programs and for tasks that have become ready.
pub(crate) struct PollTimer {
    pub(crate) interval: Duration,
    pub(crate) next: Instant,
}

/// Whether the loop goes on.
#[derive(PartialEq, Eq)]
enum Turn {
    Next,
    Last,
}

/// Runs the Writer on a thread of its own, with a clock of its own. Its sockets and channels are those of the caller's
/// runtime.
///
/// # Errors
/// When the thread cannot be started.
pub(crate) fn spawn(writer: Writer) -> io::Result<JoinHandle<Result<(), Error>>> {
    let (ended, end) = oneshot::channel();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    thread::Builder::new()
        .name("venom-writer".to_owned())
        .spawn(move || {
            let _ = ended.send(runtime.block_on(writer.run()));
        })?;
    Ok(tokio::spawn(async move {
        end.await.expect("the Writer does not panic")
    }))
}

impl Writer {
    /// Runs until it is told to close, or nobody can send it a message any more.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the database is damaged: the process must not go on.
    pub(crate) async fn run(mut self) -> Result<(), Error> {
        while let Some((messages, reports)) = self.next_batch().await {
            if self.turn(messages, reports).await == Turn::Last {
                let WriteSide {
                    statements, conn, ..
                } = self.core.db;
                drop(statements);
                // The lock of the database is released after this.
                let _ = conn.close().await;
                return Ok(());
            }
            if let Some(fatal) = self.core.db.fatal.take() {
                return Err(fatal);
            }
        }
        Ok(())
    }

    /// Waits until there is something to do, and takes what has arrived by then. `None` when nobody can send a
    /// message any more.
    async fn next_batch(&mut self) -> Option<(Vec<WriterMessage>, Vec<AttemptReport>)> {
        self.core.wait_for_room().await;
        let core = &mut self.core;
        let mut messages = Vec::new();
        let mut reports = std::mem::take(&mut core.held.reports);
        let retrying = !reports.is_empty();
        let is_unsynced = core.outbox.after_sync.failure().is_some();
        let retry_at = Instant::now() + RETRY_PAUSE;
        let has_work = core.has_work();
        let spare_at = core.spare_work_due();
        let is_counting = core.recount.is_counting();
        tokio::select! {
            biased;
            taken = self.inbox.messages.recv_many(&mut messages, BATCH_MESSAGES) => {
                if taken == 0 {
                    return None;
                }
            }
            _ = self.inbox.reports.recv_many(&mut reports, BATCH_MESSAGES), if !retrying => {}
            () = core.questions.arrive() => {}
            () = tokio::time::sleep_until(retry_at), if retrying || is_unsynced => {}
            () = core.outbox.after_sync.failed(), if !is_unsynced => {}
            () = std::future::ready(()), if has_work => {}
            () = tokio::time::sleep_until(self.poll.next) => {}
            () = core.recount.ended(), if is_counting => {}
            () = sleep_until_if_any(spare_at), if spare_at.is_some() => {}
        }
        self.inbox.let_others_arrive();
        take_waiting(&mut self.inbox.messages, &mut messages);
        self.core.questions.take_waiting();
        if !retrying {
            take_waiting(&mut self.inbox.reports, &mut reports);
        }
        Some((messages, reports))
    }

    /// One turn: a look outside when it is time, the batch, the commands in the order of their arrival,
    /// a chunk of background work, what is left to do in spare time.
    async fn turn(&mut self, messages: Vec<WriterMessage>, reports: Vec<AttemptReport>) -> Turn {
        let (mut batch, commands) = self.core.sort(messages, reports);
        let live_lines = batch.take_live_lines();
        self.core.sync_again_if_failed().await;
        self.core.look_at_clock().await;
        self.core.take_count().await;
        if Instant::now() >= self.poll.next {
            self.poll(&batch).await;
        }
        self.core.more_to_claim = false;
        let is_idle = batch.is_empty() && self.core.background.jobs.is_empty();
        if !batch.is_empty() || self.core.may_claim() {
            self.core.process_batch(batch).await;
        }
        self.core.publish_live_lines(live_lines);
        self.core.outbox.after_sync.begin_sync();
        for command in commands {
            if self.core.db.fatal.is_some() {
                // Dropped commands answer `Stopping`.
                return Turn::Next;
            }
            if self.handle_command(command).await == Turn::Last {
                return Turn::Last;
            }
            self.core.outbox.after_sync.begin_sync();
        }
        self.core.work_in_background().await;
        self.core.outbox.after_sync.begin_sync();
        if !is_idle {
            self.core.index.note_work();
        }
        self.core.checkpoint_if_due().await;
        self.core.questions.answer(&self.core.queue);
        self.core.store_stats_if_due().await;
        self.core.index_if_due().await;
        Turn::Next
    }

    /// Looks for what changes without a message: the database, the time, the storage.
    async fn poll(&mut self, batch: &WriteBatch) {
        self.core.queue.lanes.clear_prefetched();
        self.core.look_outside().await;
        self.core.fold_if_lost().await;
        self.core.end_pauses().await;
        self.core.background.retry();
        self.poll.next = Instant::now() + self.poll.interval;
        self.core.probe_if_failing(batch).await;
    }

    async fn handle_command(&mut self, command: WriterMessage) -> Turn {
        match command {
            WriterMessage::Command(command, actor) => {
                command.handle(&mut self.core, actor.as_deref()).await;
                Turn::Next
            }
            WriterMessage::Close(reply) => {
                let mut reports = std::mem::take(&mut self.core.held.reports);
                while let Ok(report) = self.inbox.reports.try_recv() {
                    reports.push(report);
                }
                let closed = self.core.close(reports).await;
                let _ = reply.send(closed);
                Turn::Last
            }
            WriterMessage::Submit(_) => Turn::Next,
        }
    }
}

impl Core {
    /// Sorts what has arrived into the batch and the commands. Submissions that were held come first.
    fn sort(
        &mut self,
        messages: Vec<WriterMessage>,
        reports: Vec<AttemptReport>,
    ) -> (WriteBatch, Vec<WriterMessage>) {
        let mut submissions = std::mem::take(&mut self.held.submissions);
        let mut commands = Vec::new();
        for message in messages {
            match message {
                WriterMessage::Submit(submission) => submissions.push(*submission),
                command => commands.push(command),
            }
        }
        let batch = WriteBatch {
            submissions,
            reports,
        };
        (batch, commands)
    }

    /// Whether the next turn has something to do even if nothing arrives.
    fn has_work(&self) -> bool {
        self.more_to_claim || !self.background.jobs.is_empty() || !self.held.submissions.is_empty()
    }
}

impl WriterInbox {
    /// Lets everyone who is about to send something do so before the transaction begins.
    ///
    /// Without it a burst of requests is split: the loop is woken by the first of them, and would
    /// make the others wait for a commit of one. No timer is involved: on an idle machine this ends
    /// at once.
    fn let_others_arrive(&self) {
        let mut waiting = self.messages.len() + self.reports.len();
        for _ in 0..GATHERING_YIELDS {
            std::thread::yield_now();
            let now_waiting = self.messages.len() + self.reports.len();
            if now_waiting == waiting {
                return;
            }
            waiting = now_waiting;
        }
    }
}

/// Takes what has arrived, up to a batch, without waiting.
fn take_waiting<T>(inbox: &mut mpsc::Receiver<T>, taken: &mut Vec<T>) {
    while taken.len() < BATCH_MESSAGES
        && let Ok(message) = inbox.try_recv()
    {
        taken.push(message);
    }
}

async fn sleep_until_if_any(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}
