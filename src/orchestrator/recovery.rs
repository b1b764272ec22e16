//! Repairs what a crash has left, before the service answers anything.

use std::collections::HashSet;

use crate::processors::{self, Registry};
use crate::state::{Error, Opened, Recovered};

/// Ends whatever still runs of interrupted attempts, then lets their tasks wait again (or fail as
/// `lost`). Attempts that outside workers have are not interrupted.
///
/// The sequence matters: a task must not run again beside what is left of its last attempt.
///
/// # Errors
/// When the database cannot be read or written.
pub(crate) async fn recover(opened: &mut Opened, registry: &Registry) -> Result<Recovered, Error> {
    let interrupted = opened.interrupted().await?.into_iter();
    // What runs outside has no processes here; a worker on this machine may go on with it.
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
