//! The reference pages of `docs/`, rendered from the program's own tables and types.
//!
//! Each test renders one page and compares it with the file; `VENOM_UPDATE_GENERATED=1` rewrites the file
//! (`generated`). A command, a call, an event type, a column or a field that a page does not have fails its
//! test.

mod api;
mod command_line;
mod dump;
mod events;
mod schema;

/// The line that tells editors of a page where its text comes from.
const NOTICE: &str = "<!-- Generated: VENOM_UPDATE_GENERATED=1 cargo test --lib generated_ -->\n";

/// Returns a row of a table, with the characters escaped that would end a cell.
fn row(cells: &[&str]) -> String {
    let cells: Vec<_> = cells
        .iter()
        .map(|cell| cell.trim().replace('\n', " ").replace('|', "\\|"))
        .collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Returns the head of a table.
fn head(titles: &[&str]) -> String {
    let lines: String = titles.iter().map(|_| "---|").collect();
    format!("{}|{lines}\n", row(titles))
}

/// Returns a text as code, or nothing for an empty one.
fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{text}`")
    }
}
