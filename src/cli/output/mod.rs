//! What commands print: data to stdout, messages to stderr, tables, coloured log lines, event lines, and the
//! question before an action that cannot be undone.

pub(super) mod confirm;
pub(super) mod event_line;
pub(super) mod paint;
pub(super) mod print;
pub(super) mod table;
