//! The binary `venom`: runs the command line and exits with its code.

use std::process::ExitCode;

/// The service makes many small, short-lived allocations on several threads, for which mimalloc is faster. Its
/// `override` feature covers SQLite too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    venom_core::run()
}
