//! The nodes of one Hive: what each reports about itself, and the commands that all of them follow.
//!
//! A `member` is this process among the nodes: its `reporter` writes the record of the `node` and finds the command in
//! force; its `command_runner` runs what the `inbox` holds, as its `role` has it.

pub(crate) mod broadcast;
pub(crate) mod command;
pub(crate) mod command_runner;
pub(crate) mod inbox;
pub(crate) mod member;
pub(crate) mod node;
pub(crate) mod node_list;
pub(crate) mod node_watch;
pub(crate) mod reporter;
pub(crate) mod role;
pub(crate) mod service_role;
