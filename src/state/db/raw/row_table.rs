//! [`RowTable`]: a virtual table whose rows are values in memory, so that one statement writes many rows of a batch
//! (`INSERT … SELECT … FROM new_tasks`) without a copy of their texts.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr::{null, null_mut};

use libsqlite3_sys as ffi;

use super::connection::RawConnection;
use super::failure::SqliteFailure;
use super::value::SqlValue;

/// A row of a virtual table.
pub(crate) trait TableRow {
    /// Name of the table.
    const TABLE: &'static str;
    /// Names of its columns, with commas between them.
    const COLUMNS: &'static str;

    /// Returns the value of a column, by its place in `COLUMNS`.
    fn column(&self, index: usize) -> SqlValue<'_>;
}

/// A table of one connection, registered once. It is empty but during [`RowTable::with_rows`].
#[derive(Clone, Copy)]
pub(crate) struct RowTable {
    name: &'static str,
    /// Where the table's cursors find its rows. SQLite frees it with the connection.
    slot: *const Slot,
}

// SAFETY: the slot is read only by calls on the connection, which run while the owner of the table waits for them.
#[expect(unsafe_code, reason = "the table moves with its connection")]
unsafe impl Send for RowTable {}

/// The current rows.
struct Slot {
    declaration: CString,
    rows: Cell<Option<*const dyn Rows>>,
}

/// Rows of any type.
trait Rows {
    fn count(&self) -> usize;
    fn column(&self, row: usize, column: usize) -> SqlValue<'_>;
}

impl<R: TableRow> Rows for &[R] {
    fn count(&self) -> usize {
        self.len()
    }

    fn column(&self, row: usize, column: usize) -> SqlValue<'_> {
        self.get(row)
            .map_or(SqlValue::Null, |row| row.column(column))
    }
}

impl RowTable {
    /// Makes the table known to the connection.
    pub(crate) fn register<R: TableRow>(conn: &RawConnection) -> Result<Self, SqliteFailure> {
        let no_nul = "the names of tables and columns are constants without a NUL";
        let name = CString::new(R::TABLE).expect(no_nul);
        let declaration =
            CString::new(format!("CREATE TABLE {}({})", R::TABLE, R::COLUMNS)).expect(no_nul);
        let rows = Cell::new(None);
        let slot = Box::into_raw(Box::new(Slot { declaration, rows }));
        // SAFETY: the module is a static, and SQLite frees the slot by `free_slot`, also if this call fails.
        #[expect(unsafe_code, reason = "a call of SQLite's C interface")]
        let code = unsafe {
            ffi::sqlite3_create_module_v2(
                conn.as_ptr(),
                name.as_ptr(),
                &raw const MODULE,
                slot.cast::<c_void>(),
                Some(free_slot),
            )
        };
        match code {
            ffi::SQLITE_OK => Ok(Self {
                name: R::TABLE,
                slot,
            }),
            _ => Err(SqliteFailure::last(conn.as_ptr())),
        }
    }

    /// Runs `work` while the table has these rows.
    pub(crate) fn with_rows<R: TableRow, T>(&self, rows: &[R], work: impl FnOnce() -> T) -> T {
        /// Empties the table, also after a panic.
        struct Emptied<'a>(&'a Slot);
        impl Drop for Emptied<'_> {
            fn drop(&mut self) {
                self.0.rows.set(None);
            }
        }
        debug_assert_eq!(self.name, R::TABLE, "rows of another table");
        let rows: &dyn Rows = &rows;
        // SAFETY: SQLite frees the slot with the connection, which outlives the table.
        #[expect(unsafe_code, reason = "SQLite owns the slot")]
        let slot = unsafe { &*self.slot };
        // SAFETY: only the lifetime changes. `Emptied` takes the pointer away before `rows` ends.
        #[expect(unsafe_code, reason = "SQLite's cursors know no lifetimes")]
        let rows = unsafe {
            std::mem::transmute::<*const (dyn Rows + '_), *const (dyn Rows + 'static)>(rows)
        };
        let _emptied = Emptied(slot);
        slot.rows.set(Some(rows));
        work()
    }
}

/// SQLite's view of the table.
#[repr(C)]
struct Table {
    base: ffi::sqlite3_vtab,
    slot: *const Slot,
}

/// A cursor: the number of the row on which it stands.
#[repr(C)]
struct Cursor {
    base: ffi::sqlite3_vtab_cursor,
    row: usize,
}

/// The functions of every table. Without `xCreate` a table exists without a `CREATE VIRTUAL TABLE`, and only so.
static MODULE: ffi::sqlite3_module = ffi::sqlite3_module {
    iVersion: 1,
    xCreate: None,
    xConnect: Some(connect),
    xBestIndex: Some(best_index),
    xDisconnect: Some(disconnect),
    xDestroy: None,
    xOpen: Some(open),
    xClose: Some(close),
    xFilter: Some(filter),
    xNext: Some(next),
    xEof: Some(eof),
    xColumn: Some(column),
    xRowid: Some(rowid),
    xUpdate: None,
    xBegin: None,
    xSync: None,
    xCommit: None,
    xRollback: None,
    xFindFunction: None,
    xRename: None,
    xSavepoint: None,
    xRelease: None,
    xRollbackTo: None,
    xShadowName: None,
    xIntegrity: None,
};

#[expect(
    unsafe_code,
    reason = "functions for SQLite, which keeps their contracts"
)]
mod callbacks {
    use super::*;

    pub(super) unsafe extern "C" fn free_slot(slot: *mut c_void) {
        // SAFETY: SQLite calls this once, with the pointer of `register`.
        drop(unsafe { Box::from_raw(slot.cast::<Slot>()) });
    }

    pub(super) unsafe extern "C" fn connect(
        db: *mut ffi::sqlite3,
        slot: *mut c_void,
        _argc: c_int,
        _argv: *const *const c_char,
        table: *mut *mut ffi::sqlite3_vtab,
        _error: *mut *mut c_char,
    ) -> c_int {
        let slot = slot.cast::<Slot>().cast_const();
        // SAFETY: the slot is that of `register`, and `table` is where SQLite wants the pointer.
        unsafe {
            let declaration: &CStr = &(*slot).declaration;
            let code = ffi::sqlite3_declare_vtab(db, declaration.as_ptr());
            if code != ffi::SQLITE_OK {
                return code;
            }
            let base = ffi::sqlite3_vtab {
                pModule: null(),
                nRef: 0,
                zErrMsg: null_mut(),
            };
            *table = Box::into_raw(Box::new(Table { base, slot })).cast();
        }
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn disconnect(table: *mut ffi::sqlite3_vtab) -> c_int {
        // SAFETY: the pointer is that of `connect`, for the last time.
        drop(unsafe { Box::from_raw(table.cast::<Table>()) });
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn best_index(
        _table: *mut ffi::sqlite3_vtab,
        plan: *mut ffi::sqlite3_index_info,
    ) -> c_int {
        // SAFETY: SQLite owns the plan and lets it be filled in. The table is always read from its beginning.
        unsafe {
            (*plan).estimatedCost = 10.0;
            (*plan).estimatedRows = 10;
        }
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn open(
        _table: *mut ffi::sqlite3_vtab,
        cursor: *mut *mut ffi::sqlite3_vtab_cursor,
    ) -> c_int {
        let base = ffi::sqlite3_vtab_cursor { pVtab: null_mut() };
        // SAFETY: `cursor` is where SQLite wants the pointer. It sets `pVtab` itself.
        unsafe {
            *cursor = Box::into_raw(Box::new(Cursor { base, row: 0 })).cast();
        }
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn close(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
        // SAFETY: the pointer is that of `open`, for the last time.
        drop(unsafe { Box::from_raw(cursor.cast::<Cursor>()) });
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn filter(
        cursor: *mut ffi::sqlite3_vtab_cursor,
        _index: c_int,
        _name: *const c_char,
        _argc: c_int,
        _argv: *mut *mut ffi::sqlite3_value,
    ) -> c_int {
        // SAFETY: the pointer is that of `open`.
        unsafe { (*cursor.cast::<Cursor>()).row = 0 };
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn next(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
        // SAFETY: the pointer is that of `open`.
        unsafe { (*cursor.cast::<Cursor>()).row += 1 };
        ffi::SQLITE_OK
    }

    /// Returns the table's rows, and the number of the one on which the cursor stands.
    ///
    /// # Safety
    /// The pointer is that of `open`.
    unsafe fn rows<'a>(cursor: *mut ffi::sqlite3_vtab_cursor) -> (Option<&'a dyn Rows>, usize) {
        // SAFETY: SQLite has set `pVtab` to the pointer of `connect`. The rows live as long as the statement runs.
        unsafe {
            let cursor = cursor.cast::<Cursor>();
            let table = (*cursor).base.pVtab.cast::<Table>();
            let rows = (*(*table).slot).rows.get();
            (rows.map(|rows| &*rows), (*cursor).row)
        }
    }

    pub(super) unsafe extern "C" fn eof(cursor: *mut ffi::sqlite3_vtab_cursor) -> c_int {
        // SAFETY: the pointer is that of `open`.
        let (rows, row) = unsafe { rows(cursor) };
        c_int::from(rows.is_none_or(|rows| row >= rows.count()))
    }

    pub(super) unsafe extern "C" fn column(
        cursor: *mut ffi::sqlite3_vtab_cursor,
        context: *mut ffi::sqlite3_context,
        index: c_int,
    ) -> c_int {
        // SAFETY: the pointer is that of `open`. SQLite reads the texts in place (SQLITE_STATIC), while the statement
        // runs.
        unsafe {
            let (rows, row) = rows(cursor);
            let column = usize::try_from(index).unwrap_or(usize::MAX);
            let value = rows.map_or(SqlValue::Null, |rows| rows.column(row, column));
            match value {
                SqlValue::Null => ffi::sqlite3_result_null(context),
                SqlValue::Integer(number) => ffi::sqlite3_result_int64(context, number),
                SqlValue::Real(number) => ffi::sqlite3_result_double(context, number),
                SqlValue::Text(text) => ffi::sqlite3_result_text64(
                    context,
                    text.as_ptr().cast::<c_char>(),
                    text.len() as u64,
                    ffi::SQLITE_STATIC(),
                    ffi::SQLITE_UTF8 as u8,
                ),
                SqlValue::Blob(bytes) => ffi::sqlite3_result_blob64(
                    context,
                    bytes.as_ptr().cast(),
                    bytes.len() as u64,
                    ffi::SQLITE_STATIC(),
                ),
            }
        }
        ffi::SQLITE_OK
    }

    pub(super) unsafe extern "C" fn rowid(
        cursor: *mut ffi::sqlite3_vtab_cursor,
        row: *mut ffi::sqlite_int64,
    ) -> c_int {
        // SAFETY: the pointer is that of `open`, and `row` is where SQLite wants the number.
        unsafe { *row = (*cursor.cast::<Cursor>()).row as ffi::sqlite_int64 };
        ffi::SQLITE_OK
    }
}
use callbacks::{
    best_index, close, column, connect, disconnect, eof, filter, free_slot, next, open, rowid,
};
