//! Files of the repository that are written from tables in the code: compared by a test, rewritten on demand.
//!
//! A test builds the content and calls [`in_step`]. With `VENOM_UPDATE_GENERATED=1` the same test writes the
//! file:
//!
//! ```text
//! VENOM_UPDATE_GENERATED=1 cargo test --lib generated_
//! ```
//!
//! The name of such a test contains `generated_`, so that this one command rewrites all of them.

use std::path::Path;
use std::{env, fs};

/// Asserts that the file at `path`, seen from the repository's root, has exactly this content.
///
/// With `VENOM_UPDATE_GENERATED=1` in the environment it writes the file instead.
pub(crate) fn in_step(path: &str, content: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("VENOM_UPDATE_GENERATED").is_some_and(|value| value == "1") {
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).expect("a folder of the repository can be made");
        }
        fs::write(&file, content).expect("a file of the repository can be written");
        return;
    }
    let found = fs::read_to_string(&file).unwrap_or_default();
    if let Some(difference) = first_difference(&found, content) {
        panic!(
            "{path} differs from its source in the code:\n{difference}\nRewrite it: VENOM_UPDATE_GENERATED=1 cargo test --lib generated_"
        );
    }
}

/// Returns the first line in which the two texts differ, with its number; `None` if they are equal.
fn first_difference(found: &str, expected: &str) -> Option<String> {
    if found == expected {
        return None;
    }
    let (mut found, mut expected) = (found.lines(), expected.lines());
    let mut number = 1;
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return Some("only the ends of lines differ".to_owned()),
            (there, wanted) if there == wanted => number += 1,
            (there, wanted) => {
                let show = |line: Option<&str>| line.unwrap_or("(end of the file)").to_owned();
                return Some(format!(
                    "line {number}\n  file: {}\n  code: {}",
                    show(there),
                    show(wanted)
                ));
            }
        }
    }
}

#[test]
fn the_first_difference_is_named_by_its_line() {
    assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
    let difference = first_difference("a\nb\n", "a\nc\n").expect("they differ");
    assert!(difference.starts_with("line 2"), "{difference}");
    let shorter = first_difference("a\n", "a\nb\n").expect("they differ");
    assert!(shorter.contains("end of the file"), "{shorter}");
}
