//! The command line, through the real binary: what it prints, where, and how it exits.

mod canned;
mod dumps;
mod harness;
mod list;
mod logs;
mod mistakes;
mod orders;
mod service;
mod submit;
mod target;
mod watch;
