//! The thread that serves event sockets, at a lower priority than everything else.
//!
//! A hundred listeners cause a hundred copies of each event. On a busy machine that work must not take CPU time from the
//! requests and the Writer that cause the events. Listeners that fall behind receive `EVENTS_MISSED`, and can replay. On an
//! idle machine the priority changes nothing.

use std::io;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Handle};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Niceness of the thread, as for nice(2).
#[cfg(unix)]
const NICENESS: i32 = 10;
/// Time to send the closing frames to all listeners at a shutdown.
const FAREWELL: Duration = Duration::from_secs(5);

/// The thread of the event sockets.
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

    /// Returns a handle to spawn sockets on the thread. It does not keep the thread alive.
    pub(crate) fn spawner(&self) -> Spawner {
        Spawner {
            runtime: self.runtime.clone(),
            tasks: self.tasks.clone(),
        }
    }

    /// Waits until every listener has received its closing frames, then ends the thread.
    pub(crate) async fn close(self) {
        self.tasks.close();
        let _ = tokio::time::timeout(FAREWELL, self.tasks.wait()).await;
        self.stop.cancel();
        let _ = tokio::task::spawn_blocking(|| self.thread.join()).await;
    }
}

/// Spawns event sockets on their thread.
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
    // On Linux niceness belongs to the thread. If the system refuses it, listeners are served at normal priority.
    let _ = rustix::process::nice(NICENESS);
}

#[cfg(not(unix))]
fn give_way() {}
