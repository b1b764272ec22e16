//! The runtime of the client commands.

use std::future::Future;

use super::error::Error;

/// Runs a client command to its end on this thread. A client command does one thing at a time, and starts
/// faster without a thread pool.
pub(super) fn on_one_thread(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Failed(format!("cannot start: {error}")))?;
    let done = runtime.block_on(command);
    // Reads of stdin or of the terminal may still block a thread; nobody waits for them.
    runtime.shutdown_background();
    done
}
