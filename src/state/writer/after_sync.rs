//! What leaves the Writer: answers, events, tasks for the runner. Each waits for the sync that covers the commits before
//! it, in order.
//!
//! A commit writes to the log and does not wait for the disk. A thread syncs the log and then does what waits, while the
//! Writer is at the next transaction already. So readers may see a row some hundred microseconds before it is durable;
//! nobody is told of it before.
//!
//! When a sync fails, what waits keeps waiting, and the Writer begins no transaction, until the log has been copied back
//! into the database and synced ([`AfterSync::retry`]).

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use tokio::sync::Notify;

use crate::state::db::vfs::log_sync::LogSync;

/// Something that leaves the Writer.
type Delivery = Box<dyn FnOnce() + Send>;

/// The Writer's side: it commits, and says what leaves afterwards.
pub(crate) struct AfterSync {
    /// `None` if nothing waits for the disk.
    thread: Option<SyncThread>,
}

struct SyncThread {
    shared: Arc<Shared>,
    handle: Option<thread::JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Wakes the thread.
    work: Condvar,
    /// Notified after each sync.
    synced: Notify,
}

#[derive(Default)]
struct State {
    /// What waits for the next sync.
    waiting: Vec<Delivery>,
    /// Whether there are commits that no sync has covered or is about to cover.
    is_behind: bool,
    /// Whether the thread is syncing, or delivering what it has synced.
    is_busy: bool,
    /// Why the last sync failed. The thread rests until it is told to try again.
    failure: Option<String>,
    is_closed: bool,
}

impl AfterSync {
    /// Nothing waits for a sync: `durability = "normal"`.
    pub(crate) fn at_once() -> Self {
        Self { thread: None }
    }

    /// Everything waits for a sync of `log`, on a thread of its own.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub(crate) fn start(log: LogSync) -> io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let handle = thread::Builder::new().name("venom-sync".to_owned()).spawn({
            let shared = Arc::clone(&shared);
            move || shared.run(&log)
        })?;
        let handle = Some(handle);
        let thread = Some(SyncThread { shared, handle });
        Ok(Self { thread })
    }

    /// Notes a commit: what leaves from now on waits for a sync.
    pub(crate) fn committed(&self) {
        if let Some(SyncThread { shared, .. }) = &self.thread {
            shared.lock().is_behind = true;
        }
    }

    /// Delivers this once everything committed so far is synced, and after what was said before.
    pub(crate) fn deliver(&self, delivery: impl FnOnce() + Send + 'static) {
        let Some(SyncThread { shared, .. }) = &self.thread else {
            return delivery();
        };
        let mut state = shared.lock();
        if state.is_behind || state.is_busy || !state.waiting.is_empty() {
            state.waiting.push(Box::new(delivery));
            drop(state);
            shared.work.notify_one();
        } else {
            drop(state);
            delivery();
        }
    }

    /// Returns why nothing leaves at the moment: the last sync failed.
    pub(crate) fn failure(&self) -> Option<String> {
        let SyncThread { shared, .. } = self.thread.as_ref()?;
        shared.lock().failure.clone()
    }

    /// Waits until the thread has taken what waits. So at most one commit waits while another one is synced, and what
    /// arrives meanwhile shares the next transaction.
    pub(crate) async fn has_room(&self) {
        self.wait_until(|state| state.waiting.is_empty()).await;
    }

    /// Waits until everything has left, or a sync has failed.
    pub(crate) async fn drained(&self) {
        self.wait_until(|state| state.waiting.is_empty() && !state.is_busy)
            .await;
    }

    /// Tries again after a failure. Whatever was committed is in the database itself by now, or a sync of the log is
    /// enough.
    pub(crate) fn retry(&self) {
        if let Some(SyncThread { shared, .. }) = &self.thread {
            shared.lock().failure = None;
            shared.work.notify_one();
        }
    }

    async fn wait_until(&self, holds: impl Fn(&State) -> bool) {
        let Some(SyncThread { shared, .. }) = &self.thread else {
            return;
        };
        loop {
            // Before the look, so that no notification is missed.
            let synced = shared.synced.notified();
            {
                let state = shared.lock();
                if holds(&state) || state.failure.is_some() {
                    return;
                }
            }
            synced.await;
        }
    }
}

impl Drop for SyncThread {
    fn drop(&mut self) {
        self.shared.lock().is_closed = true;
        self.shared.work.notify_one();
        if let Some(handle) = self.handle.take() {
            let _ = handle.join();
        }
    }
}

impl Shared {
    /// The thread's loop: takes what waits, syncs, delivers.
    fn run(&self, log: &LogSync) {
        while let Some((mut taken, is_behind)) = self.take() {
            let synced = if is_behind { log.sync() } else { Ok(()) };
            match synced {
                Ok(()) => {
                    for delivery in taken.drain(..) {
                        delivery();
                    }
                    self.lock().is_busy = false;
                }
                Err(error) => {
                    let mut state = self.lock();
                    // They come before what was said meanwhile.
                    taken.append(&mut state.waiting);
                    state.waiting = taken;
                    state.is_behind = true;
                    state.is_busy = false;
                    state.failure = Some(error.to_string());
                }
            }
            self.synced.notify_one();
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
                state.is_busy = true;
                let is_behind = std::mem::take(&mut state.is_behind);
                let taken = std::mem::take(&mut state.waiting);
                // There is room for the next commit.
                self.synced.notify_one();
                return Some((taken, is_behind));
            }
            state = (self.work.wait(state)).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing can panic while the lock is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
