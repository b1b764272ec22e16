//! Checks that the modules of `src/` import only downwards, in the order that ARCHITECTURE.md shows.

use std::path::{Path, PathBuf};

/// Modules that exist in tests only.
const ONLY_TESTS: [&str; 3] = ["fuzzing", "generated", "reference"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Returns the texts in backticks or brackets that begin the lines after `heading`, in their order.
fn listed(text: &str, heading: &str, start: &str, end: char) -> Vec<String> {
    let (_, section) = text.split_once(heading).expect("the list");
    let section = section.split("\n## ").next().expect("a part");
    let lines = section.lines().filter_map(|line| line.strip_prefix(start));
    let names = lines.filter_map(|line| line.split(end).next());
    names.map(str::to_owned).collect()
}

/// Returns the Rust files of a folder, without those that hold tests.
fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str());
        match name {
            Some("tests" | "test_store") => {}
            _ if path.is_dir() => sources(&path, found),
            _ if path.extension().is_some_and(|end| end == "rs") => found.push(path),
            _ => {}
        }
    }
}

/// Returns the modules that a file names after `prefix`, such as `crate::`.
fn imports(text: &str, prefix: &str) -> Vec<String> {
    let code = text
        .split("#[cfg(test)]\nmod tests")
        .next()
        .expect("a part");
    let lines = code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"));
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut modules = Vec::new();
    for rest in code.split(prefix).skip(1) {
        let rest = rest.trim_start();
        let names = match rest.strip_prefix('{') {
            // `use crate::{a::B, c};`: the first name of each member.
            Some(members) => members.split('}').next().unwrap_or_default(),
            None => rest,
        };
        let members = names.split(if rest.starts_with('{') { ',' } else { '\0' });
        modules.extend(members.map(|member| {
            let name = member.trim().chars();
            name.take_while(|c| c.is_alphanumeric() || *c == '_')
                .collect()
        }));
    }
    modules
}

/// Returns the imports of a folder's modules that run against `order`.
fn upward_imports(folder: &Path, prefix: &str, order: &[String], ignored: &[&str]) -> Vec<String> {
    let mut files = Vec::new();
    sources(folder, &mut files);
    let mut upward = Vec::new();
    for file in &files {
        let path = file.strip_prefix(folder).expect("a source");
        let first = path.components().next().expect("a name");
        let first = Path::new(first.as_os_str()).file_stem().expect("a name");
        let module = first.to_string_lossy();
        if ignored.contains(&&*module) {
            continue;
        }
        let place = order.iter().position(|name| *name == module);
        let place = place.unwrap_or_else(|| panic!("ARCHITECTURE.md does not list {module}"));
        let imports = imports(&read(file), prefix);
        let above = imports.iter().filter(|name| order[..place].contains(name));
        upward.extend(above.map(|name| format!("{}: {name}", path.display())));
    }
    upward
}

#[test]
fn modules_import_only_from_modules_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = read(&root.join("ARCHITECTURE.md"));
    let order = listed(&page, "\n## Modules", "| `", '`');
    let map = read(&root.join("src/lib.rs"));
    let in_the_code = listed(&map, "layer order", "//! - `", '`');
    assert_eq!(order, in_the_code, "ARCHITECTURE.md and src/lib.rs differ");

    let ignored = [&["lib", "main"], &ONLY_TESTS[..]].concat();
    let upward = upward_imports(&root.join("src"), "crate::", &order, &ignored);
    assert!(upward.is_empty(), "imports that run upwards: {upward:#?}");
}

#[test]
fn folders_of_state_import_only_from_folders_below_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = read(&root.join("ARCHITECTURE.md"));
    let (_, list) = page.split_once("From top to bottom: ").expect("the list");
    let list = list.split('.').next().expect("a part");
    let order: Vec<_> = list
        .split('`')
        .skip(1)
        .step_by(2)
        .map(str::to_owned)
        .collect();
    let ignored = ["mod", "error"];
    let upward = upward_imports(&root.join("src/state"), "crate::state::", &order, &ignored);
    assert!(upward.is_empty(), "imports that run upwards: {upward:#?}");
}

#[test]
fn grouped_imports_are_read_too() {
    let text = "use crate::{api::Error, state};\nuse crate::models::Task;\n// crate::cli\n";
    assert_eq!(imports(text, "crate::"), ["api", "state", "models"]);
}
