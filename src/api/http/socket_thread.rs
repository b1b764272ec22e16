//! Where event sockets are served: a thread of their own, behind everyone else.
//!
//! A hundred listeners make a hundred copies of each event. On a busy machine that work must not take
//! the processor from the requests and the Writer that cause the events, so the thread runs with a
//! lower priority: what listeners cannot take in time they are told to have missed, and can replay.
//! On an idle machine the priority changes nothing.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// How much the thread gives way, in the steps of nice(2).
#[cfg(unix)]
const NICENESS: i32 = 10;
/// Time for the last words to all listeners at a stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// The listeners' thread.
pub(crate) struct SocketThread {
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    thread: JoinHandle<()>,
}

impl SocketThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(crate) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let thread = std::thread::Builder::new()
            .name("venom-listeners".to_owned())
            .spawn(move || {
                give_way();
                runtime.block_on(stopped.cancelled());
            })?;
        Ok(Self {
            runtime: handle,
            tasks: TaskTracker::new(),
            stop,
            thread,
        })
    }

    /// What serves a listener is spawned through this; whoever clones it does not keep the thread.
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner {
            runtime: self.runtime.clone(),
            tasks: self.tasks.clone(),
        }
    }

    /// Waits until every listener has been told to go, then ends the thread.
    pub(crate) async fn close(self) {
        self.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
        self.stop.cancel();
        let _ = tokio::task::spawn_blocking(|| self.thread.join()).await;
    }
}

/// Puts listeners on their thread.
#[derive(Clone)]
pub(crate) struct Spawner {
    runtime: Handle,
    tasks: TaskTracker,
}

impl Spawner {
    /// Serves one listener.
    pub(crate) fn spawn(&self, listener: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn_on(listener, &self.runtime);
    }
}

#[cfg(unix)]
fn give_way() {
    // On Linux this is a property of the thread. Where it is refused, listeners are served all the same.
    let _ = rustix::process::nice(NICENESS);
}

#[cfg(not(unix))]
fn give_way() {}
