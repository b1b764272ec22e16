//! The nodes of one Hive: what each reports about itself, and the commands that all of them follow.

pub(crate) mod command;
pub(crate) mod member;
pub(crate) mod node;
pub(crate) mod service_role;
