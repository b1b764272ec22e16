//! What the Writer sends: answers, events, tasks for the runner. Each waits for the sync that covers the commits before
//! it, in order.
//!
//! A commit writes to the log and does not wait for the disk. A thread syncs the log while the Writer writes the next
//! transaction. Readers may see a row a few hundred microseconds before it is durable. No answer and no event tells of
//! it before the sync. After the sync, one task of the runtime delivers everything that was pending: there a caller is
//! woken on its own thread, which costs a fraction of waking it from this one.
//!
//! When a sync fails, what is pending stays pending, and the Writer begins no transaction, until the log has been written
//! again and synced ([`AfterSync::rewrite_log`]).

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;

use tokio::sync::{Notify, mpsc};

use crate::state::db::health::StorageHealth;
use crate::state::db::vfs::log_sync::LogSync;

/// Something that the Writer sends.
type Delivery = Box<dyn FnOnce() + Send>;

/// The Writer's side: it commits, and says what is sent afterwards.
pub(crate) struct AfterSync {
    shared: Arc<Shared>,
    /// `None` if nothing waits for the disk.
    log: Option<Arc<LogSync>>,
    thread: Option<thread::JoinHandle<()>>,
}

struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
    /// Notified when the thread has taken what waits, and when something was delivered.
    moved: Notify,
    /// Notified when a sync has failed.
    failed: Notify,
    /// To the task that delivers.
    synced: mpsc::UnboundedSender<Vec<Delivery>>,
}

#[derive(Default)]
struct State {
    /// What waits for the next sync.
    waiting: Vec<Delivery>,
    /// Whether there are commits that no sync has covered or is about to cover.
    is_behind: bool,
    /// Whether a sync is running, for something that was taken.
    is_syncing: bool,
    /// How many times something was handed to the task that it has not delivered yet.
    undelivered: usize,
    /// Why the last sync failed. The thread waits for [`AfterSync::retry`].
    failure: Option<String>,
    is_closed: bool,
}

impl AfterSync {
    /// Delivers everything after a sync of `log`, on a thread of its own; at once if there is none
    /// (`durability = "normal"`).
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(log: Option<LogSync>, health: StorageHealth) -> io::Result<Self> {
        let (synced, deliveries) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            work: Condvar::new(),
            moved: Notify::new(),
            failed: Notify::new(),
            synced,
        });
        tokio::spawn(deliver_synced(Arc::downgrade(&shared), deliveries));
        let log = log.map(Arc::new);
        let thread = match log.clone() {
            Some(log) => {
                let shared = Arc::clone(&shared);
                let thread = thread::Builder::new().name("venom-sync".to_owned());
                Some(thread.spawn(move || shared.run(&log, &health))?)
            }
            None => None,
        };
        Ok(Self {
            shared,
            log,
            thread,
        })
    }

    /// Notes a commit: what is sent from now on waits for a sync.
    pub(crate) fn committed(&self) {
        self.shared.lock().is_behind = self.thread.is_some();
    }

    /// Delivers this once everything committed so far is synced, and after what was sent before. The sync begins with
    /// the next [`Self::begin_sync`].
    pub(crate) fn deliver(&self, delivery: impl FnOnce() + Send + 'static) {
        let mut state = self.shared.lock();
        if state.is_behind || state.is_syncing || !state.waiting.is_empty() {
            state.waiting.push(Box::new(delivery));
        } else if state.undelivered > 0 || self.thread.is_none() {
            self.shared.hand_over(state, vec![Box::new(delivery)]);
        } else {
            drop(state);
            delivery();
        }
    }

    /// Begins a sync of what has been committed, if something waits for it.
    pub(crate) fn begin_sync(&self) {
        if !self.shared.lock().waiting.is_empty() {
            self.shared.work.notify_one();
        }
    }

    /// Returns why nothing is delivered at the moment: the last sync failed.
    pub(crate) fn failure(&self) -> Option<String> {
        self.shared.lock().failure.clone()
    }

    /// Resolves when a sync has failed.
    pub(crate) async fn failed(&self) {
        self.shared.failed.notified().await;
    }

    /// Waits until the thread has taken what waits. So at most one commit waits while another one is synced, and what
    /// arrives meanwhile shares the next transaction.
    pub(crate) async fn has_room(&self) {
        self.wait_until(|state| state.waiting.is_empty()).await;
    }

    /// Waits until everything is delivered, or a sync has failed.
    pub(crate) async fn drained(&self) {
        let is_drained =
            |state: &State| state.waiting.is_empty() && !state.is_syncing && state.undelivered == 0;
        self.wait_until(is_drained).await;
    }

    /// Writes the log again and syncs it, after a failure. The caller keeps others from writing to it.
    ///
    /// # Errors
    /// When the disk fails again.
    pub(crate) async fn rewrite_log(&self) -> io::Result<()> {
        let Some(log) = self.log.clone() else {
            return Ok(());
        };
        let rewritten = tokio::task::spawn_blocking(move || log.rewrite());
        rewritten.await.map_err(io::Error::other)?
    }

    /// Tries again after a failure, once the log is written again.
    pub(crate) fn retry(&self) {
        self.shared.lock().failure = None;
        self.shared.work.notify_one();
    }

    async fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        loop {
            // Before the look, so that no notification is missed.
            let moved = self.shared.moved.notified();
            {
                let state = self.shared.lock();
                if holds(&state) || state.failure.is_some() {
                    return;
                }
            }
            moved.await;
        }
    }
}

impl Drop for AfterSync {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// The thread's loop: takes what waits, syncs, hands it over.
    fn run(&self, log: &LogSync, health: &StorageHealth) {
        while let Some((taken, is_behind)) = self.take() {
            let synced = match is_behind {
                true => {
                    let _syncing = health.sync();
                    log.sync()
                }
                false => Ok(()),
            };
            self.end_sync(taken, synced);
        }
    }

    /// Hands over what was taken, or keeps it if the sync has failed.
    fn end_sync(&self, mut taken: Vec<Delivery>, synced: io::Result<()>) {
        let mut state = self.lock();
        state.is_syncing = false;
        match synced {
            Ok(()) => self.hand_over(state, taken),
            Err(error) => {
                // They come before what was sent meanwhile.
                taken.append(&mut state.waiting);
                state.waiting = taken;
                state.is_behind = true;
                state.failure = Some(error.to_string());
                drop(state);
                self.moved.notify_one();
                self.failed.notify_one();
            }
        }
    }

    /// Waits for something to deliver, and takes all of it; with it, whether a sync must come first. `None` when the
    /// Writer is gone.
    fn take(&self) -> Option<(Vec<Delivery>, bool)> {
        let mut state = self.lock();
        loop {
            if state.is_closed {
                return None;
            }
            if state.failure.is_none() && !state.waiting.is_empty() {
                state.is_syncing = true;
                let is_behind = std::mem::take(&mut state.is_behind);
                let taken = std::mem::take(&mut state.waiting);
                // There is room for the next commit.
                self.moved.notify_one();
                return Some((taken, is_behind));
            }
            state = (self.work.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Hands these to the task of the runtime.
    fn hand_over(&self, mut state: MutexGuard<'_, State>, deliveries: Vec<Delivery>) {
        // Sent while the lock is held, so that they are delivered in order. Without a runtime nobody waits for them.
        if self.synced.send(deliveries).is_ok() {
            state.undelivered += 1;
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The task of the runtime: delivers what is synced.
async fn deliver_synced(shared: Weak<Shared>, mut synced: mpsc::UnboundedReceiver<Vec<Delivery>>) {
    while let Some(deliveries) = synced.recv().await {
        for delivery in deliveries {
            delivery();
        }
        if let Some(shared) = shared.upgrade() {
            shared.lock().undelivered -= 1;
            shared.moved.notify_one();
        }
    }
}
