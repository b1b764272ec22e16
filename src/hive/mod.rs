//! The Hive: tasks that other machines run, reached through Redis in the format of ARQ.

pub mod wire;
