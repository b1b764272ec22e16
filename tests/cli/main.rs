//! The command line, through the real binary: what it prints, where, and how it exits.

#![expect(
    unreachable_pub,
    reason = "`pub` says what a module offers to its neighbours"
)]

mod answers;
mod backups;
mod bulk;
mod canned;
mod control;
mod crash_test;
mod describes;
mod doctor;
mod dumps;
mod harness;
mod hive;
mod list;
mod logs;
mod many;
mod mistakes;
mod orders;
mod parity;
mod replaced;
mod service;
mod settings;
mod show;
mod submit;
mod systemd;
mod target;
mod terminal;
mod token;
mod top;
mod watch;
