//! SQLite's C interface for the statements of the hot path: prepared once, run on the Writer's own thread, their rows
//! read from memory. Everything else goes through sqlx.
//!
//! This is the room for `unsafe`. Its invariants:
//!
//! 1. The handle belongs to the `SqliteConnection` that [`RawConnection::of`] was given. Statements and tables are
//!    dropped before that connection is closed; `WriteSide` declares them in this order.
//! 2. One owner has both, so that the two are used in turns: a query of sqlx is awaited to its end before a call here, and
//!    sqlx has let go of the handle by then. The connection is in SQLite's serialized mode all the same.
//! 3. A bound text, and a text of a row, lives until the statement is reset. Both are borrowed by the call that steps
//!    the statement, and that call resets it.
//! 4. A table has rows only while such a call runs.

pub(crate) mod connection;
pub(crate) mod failure;
pub(crate) mod id_text;
pub(crate) mod row_table;
pub(crate) mod statement;
pub(crate) mod value;
