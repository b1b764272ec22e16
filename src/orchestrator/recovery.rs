//! Recovers from a crash before the service answers requests.

use std::collections::HashSet;

use crate::processors::{self, Registry};
use crate::state::{Error, Opened, Recovered};

/// Kills what still runs of interrupted attempts, then queues their tasks again (or fails them as `lost`). Attempts
/// that outside workers have leased are not interrupted.
///
/// The order matters: a task must not run again beside what is left of its last attempt.
///
/// # Errors
/// If the database cannot be read or written.
pub(crate) async fn recover(opened: &mut Opened, registry: &Registry) -> Result<Recovered, Error> {
    let interrupted = opened.interrupted().await?.into_iter();
    // An outside worker has no processes here; one on this machine may continue.
    let here = interrupted.filter(|(_, processor)| !registry.is_outside(processor));
    let interrupted: HashSet<_> = here.map(|(task, _)| task).collect();
    if !interrupted.is_empty() {
        match processors::kill_orphans(&interrupted) {
            Ok(0) => {}
            Ok(killed) => tracing::warn!(
                killed,
                "killed orphaned child processes of interrupted tasks"
            ),
            Err(error) => {
                tracing::error!(%error, "cannot look for orphaned child processes of interrupted tasks");
            }
        }
    }
    let recovered = opened.recover(|name| registry.is_outside(name)).await?;
    if recovered != Recovered::default() {
        tracing::warn!(
            requeued = recovered.requeued,
            lost = recovered.lost,
            "the service did not shut down cleanly; interrupted tasks run again"
        );
    }
    Ok(recovered)
}
