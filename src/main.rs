//! Command line in, exit code out.

use std::process::ExitCode;

/// Short-lived small allocations from several threads are most of what the service does in memory; its
/// `override` feature serves SQLite too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    venom_core::run()
}
