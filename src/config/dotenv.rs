//! `.env`: a file that is shared with other programs, which write it in laxer ways than ours.
//!
//! The original's own example has lines that dotenvy refuses (`APP_NAME=Venom Meta-Intelligence`,
//! without quotes). So a line that sets somebody else's variable is let be, however it is written,
//! and a line that sets one of ours must be readable. Whatever could hide one of ours (a line that
//! sets nothing, a quote that never closes) is a mistake. No message shows more than the line's
//! number: what stands there may be a secret.

use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use super::environment::{self, Variable};
use super::error::{Error, Place};

/// The variables of the file that could be read, in its order; none if there is no such file.
pub(super) fn read(path: &Path) -> Result<Vec<Variable>, Error> {
    // Python people keep whole virtual environments under this name.
    if path.is_dir() {
        return Ok(Vec::new());
    }
    match fs::read(path) {
        Ok(bytes) => parse(path, &String::from_utf8_lossy(&bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(reason) => {
            let path = path.to_owned();
            Err(Error::Unreadable { path, reason })
        }
    }
}

fn parse(path: &Path, text: &str) -> Result<Vec<Variable>, Error> {
    let file = File {
        path: path.into(),
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
    };
    let mut readable = String::new();
    let mut places = Vec::new();
    for entry in file.entries()? {
        let text = format!("{}\n", entry.text);
        if is_readable(&text) {
            readable.push_str(&text);
            places.push(file.place(entry.line, entry.name));
        } else if environment::concerns_us(entry.name) {
            let reason = "this value cannot be read; put it in single quotes";
            return Err(file.broken(entry.line, entry.name, reason));
        }
    }
    // Once more and together, because a value may refer to those before it (`${DATA}/venom.db`),
    // and, as dotenvy has it, to the environment of the process.
    let pairs = dotenvy::from_read_iter(readable.as_bytes()).flatten();
    let variables = pairs
        .zip(places)
        .map(|((name, value), place)| Variable { name, value, place });
    Ok(variables.collect())
}

/// Whether dotenvy makes exactly one variable out of this.
fn is_readable(text: &str) -> bool {
    let mut pairs = dotenvy::from_read_iter(text.as_bytes());
    matches!((pairs.next(), pairs.next()), (Some(Ok(_)), None))
}

struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
}

/// One `NAME=value`; a value in quotes may have several lines.
struct Entry<'a> {
    name: &'a str,
    /// Where it begins; the first is 1.
    line: usize,
    text: &'a str,
}

impl<'a> File<'a> {
    fn entries(&self) -> Result<Vec<Entry<'a>>, Error> {
        let mut entries = Vec::new();
        let (mut start, mut line) = (0, 1);
        while start < self.text.len() {
            let mut end = self.end_of_line(start);
            let first = &self.text[start..end];
            if let Some(name) = self.name(first, line)? {
                end = self.end_of_value(start, name, line)?;
                let text = &self.text[start..end];
                self.check_swallowed(text, name, line)?;
                entries.push(Entry { name, line, text });
            }
            line += self.text[start..end].matches('\n').count();
            start = end;
        }
        Ok(entries)
    }

    /// The name that a line sets; none for a comment, an empty line and a mere `export NAME`.
    fn name(&self, line: &'a str, number: usize) -> Result<Option<&'a str>, Error> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        let exported = line.strip_prefix("export ").map(str::trim);
        match name_in(line) {
            Some(name) => Ok(Some(name)),
            None if exported.is_some_and(|names| !names.contains('=')) => Ok(None),
            None => Err(self.broken(number, "", "expected NAME=value")),
        }
    }

    fn end_of_value(&self, start: usize, name: &str, line: usize) -> Result<usize, Error> {
        let end = self.end_of_line(start);
        let (_, value) = self.text[start..end].split_once('=').unwrap_or_default();
        let value = value.trim_start();
        let Some(quote) = value.chars().next().filter(|c| ['"', '\''].contains(c)) else {
            return Ok(end);
        };
        let inside = end - value.len() + 1;
        let mut escaped = false;
        let closing = self.text[inside..].char_indices().find(|(_, c)| {
            let closes = *c == quote && !escaped;
            escaped = *c == '\\' && !escaped;
            closes
        });
        match closing {
            Some((offset, _)) => Ok(self.end_of_line(inside + offset)),
            None => Err(self.broken(line, name, "the quote that opens here is never closed")),
        }
    }

    /// Two stray quotes of other programs must not make a setting of ours part of their value.
    fn check_swallowed(&self, text: &str, name: &str, line: usize) -> Result<(), Error> {
        let is_ours = |line| name_in(line).is_some_and(environment::concerns_us);
        match text.lines().skip(1).any(is_ours) {
            true => Err(self.broken(line, name, "the quotes that open here swallow a setting")),
            false => Ok(()),
        }
    }

    /// Where the next line begins.
    fn end_of_line(&self, start: usize) -> usize {
        let rest = &self.text[start..];
        start + rest.find('\n').map_or(rest.len(), |offset| offset + 1)
    }

    fn place(&self, line: usize, name: &str) -> Place {
        Place::DotEnv {
            path: self.path.clone(),
            line,
            name: name.into(),
        }
    }

    /// A mistake in the line. A name that is not ours is not shown: it may be half of a secret.
    fn broken(&self, line: usize, name: &str, reason: &str) -> Error {
        let place = match environment::concerns_us(name) {
            true => self.place(line, name),
            false => Place::File {
                path: self.path.clone(),
                line,
            },
        };
        let reason = reason.to_owned();
        Error::Syntax { place, reason }
    }
}

/// The name before the first `=`, without `export`.
fn name_in(line: &str) -> Option<&str> {
    let (name, _) = line.split_once('=')?;
    let name = name.trim();
    let name = name.strip_prefix("export ").unwrap_or(name).trim_start();
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}
