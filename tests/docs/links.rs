//! Checks that links and pictures lead somewhere and that the book's summary lists every page.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

/// A link with the page and the line on which it stands.
struct Link {
    line: usize,
    target: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the documents of the project: README.md, ARCHITECTURE.md and the pages of `docs/`.
pub(crate) fn documents() -> Vec<String> {
    let mut pages = vec!["README.md".to_owned(), "ARCHITECTURE.md".to_owned()];
    let mut folders = vec![PathBuf::from("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).expect("a folder") {
            let path = folder.join(entry.expect("an entry").file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "md") {
                pages.push(path.display().to_string());
            }
        }
    }
    pages.sort();
    pages
}

fn read(page: &str) -> String {
    std::fs::read_to_string(root().join(page)).unwrap_or_else(|error| panic!("{page}: {error}"))
}

/// Returns the lines of a page that are not inside a code block, with their numbers.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut code = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        (!code && !fence).then_some((at + 1, line))
    })
}

/// Returns a line without its code spans.
fn without_code(line: &str) -> String {
    let parts = line.split('`').enumerate();
    parts
        .filter(|(at, _)| at % 2 == 0)
        .map(|(_, part)| part)
        .collect()
}

/// Returns what stands between each `start` and the next `end`.
fn between<'a>(line: &'a str, start: &'a str, end: char) -> impl Iterator<Item = &'a str> {
    line.split(start)
        .skip(1)
        .filter_map(move |rest| rest.split(end).next())
}

fn links(text: &str) -> Vec<Link> {
    let mut links = Vec::new();
    for (line, text) in prose(text) {
        let text = without_code(text);
        let targets = between(&text, "](", ')')
            .chain(between(&text, "src=\"", '"'))
            .chain(between(&text, "srcset=\"", '"'));
        links.extend(targets.map(|target| Link {
            line,
            target: target.to_owned(),
        }));
    }
    links
}

/// Returns the anchors of a page's headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> Vec<String> {
    let mut times = HashMap::new();
    let headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| title.trim())
    });
    headings
        .map(|title| {
            let kept = title.to_lowercase().replace(' ', "-");
            let kept = kept
                .chars()
                .filter(|c| c.is_alphanumeric() || "-_".contains(*c));
            let anchor: String = kept.collect();
            let count = times.entry(anchor.clone()).or_insert(0);
            *count += 1;
            match *count {
                1 => anchor,
                count => format!("{anchor}-{}", count - 1),
            }
        })
        .collect()
}

/// Returns the path that a link of a page means, from the project's folder.
fn resolve(page: &str, path: &str) -> PathBuf {
    let folder = Path::new(page).parent().expect("a folder");
    let mut resolved = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => drop(resolved.pop()),
            part => resolved.push(part),
        }
    }
    resolved
}

/// Returns what is wrong with a link, if anything is.
fn fault(page: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let file = if path.is_empty() {
        PathBuf::from(page)
    } else {
        resolve(page, path)
    };
    let file = file.display().to_string();
    if !root().join(&file).exists() {
        return Some(format!("there is no {file}"));
    }
    if page.starts_with("docs/") && !file.starts_with("docs/") {
        return Some("the book does not hold what lies outside of docs/".to_owned());
    }
    let found = anchor.is_empty() || anchors(&read(&file)).iter().any(|known| known == anchor);
    (!found).then(|| format!("{file} has no heading #{anchor}"))
}

#[test]
fn every_link_and_picture_of_the_documents_exists() {
    let mut faults = Vec::new();
    for page in documents() {
        for Link { line, target } in links(&read(&page)) {
            if let Some(fault) = fault(&page, &target) {
                faults.push(format!("{page}:{line}: {target}: {fault}"));
            }
        }
    }
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

#[test]
fn the_summary_of_the_book_lists_every_page() {
    let summary = links(&read("docs/SUMMARY.md"));
    let listed: Vec<_> = summary
        .iter()
        .map(|link| {
            resolve("docs/SUMMARY.md", &link.target)
                .display()
                .to_string()
        })
        .collect();
    let pages = documents();
    let pages = pages
        .iter()
        .filter(|page| page.starts_with("docs/") && *page != "docs/SUMMARY.md");
    let missing: Vec<_> = pages.filter(|page| !listed.contains(page)).collect();
    assert!(missing.is_empty(), "the summary does not list {missing:?}");
}

#[test]
fn the_readme_stays_short() {
    let lines = read("README.md").lines().count();
    assert!(lines <= 300, "README.md has {lines} lines");
    let lines = read("ARCHITECTURE.md").lines().count();
    assert!(lines <= 250, "ARCHITECTURE.md has {lines} lines");
}

#[test]
fn pictures_are_small() {
    for entry in std::fs::read_dir(root().join("docs/pictures")).expect("a folder") {
        let entry = entry.expect("a picture");
        let bytes = entry.metadata().expect("its size").len();
        assert!(bytes < 250_000, "{:?} has {bytes} bytes", entry.path());
    }
}
