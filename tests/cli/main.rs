//! The command line, through the real binary: what it prints, where, and how it exits.

#![expect(
    unreachable_pub,
    reason = "`pub` says what a module offers to its neighbours"
)]

mod backups;
mod bad_answers;
mod bulk_filters;
mod completions;
mod control_characters;
mod crash_test;
mod doctor;
mod dumps;
mod harness;
mod hive;
mod list;
mod logs;
mod parity;
mod queue_commands;
mod replaced_database;
mod service;
mod settings;
mod show;
mod stub_service;
mod submit;
mod systemd;
mod target;
mod task_commands;
mod terminal;
mod token;
mod top;
mod usage_errors;
mod watch;
