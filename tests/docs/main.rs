//! Tests of the documents: every command that a page shows runs, every link and picture exists.
//!
//! The pages that run need programs from outside (`unshare`, `curl`, `jq`, …), so their tests are ignored
//! by default and `scripts/test` runs them. `page.rs` describes how a page's blocks are read.

mod compare;
mod layers;
mod links;
mod page;
mod pages;
mod shell;
