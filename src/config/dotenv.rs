//! `.env`: a file that is shared with other programs, and read as python-dotenv reads it, which the original
//! does. A bare `$` is a letter, and `${NAME}` is what a line before or the environment says.
//!
//! A line that sets somebody else's variable is passed over, however it is written, and a line that sets one
//! of ours must be readable. Whatever could hide one of ours (a line that sets nothing, a quote that never
//! closes) is a mistake. No message shows more than the line's number: what stands there may be a secret.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;
use std::{fs, io};

use super::environment;
use super::error::{Error, SettingPlace};
use super::variable::Variable;

/// The variables of the file that could be read, in its order; none if there is no such file.
pub(crate) fn read(
    path: &Path,
    environment: &[(OsString, OsString)],
) -> Result<Vec<Variable>, Error> {
    // Python people keep whole virtual environments under this name.
    if path.is_dir() {
        return Ok(Vec::new());
    }
    match fs::read(path) {
        Ok(bytes) => parse(path, &String::from_utf8_lossy(&bytes), environment),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(reason) => {
            let path = path.to_owned();
            Err(Error::Unreadable { path, reason })
        }
    }
}

pub(super) fn parse(
    path: &Path,
    text: &str,
    environment: &[(OsString, OsString)],
) -> Result<Vec<Variable>, Error> {
    let file = File {
        path: path.into(),
        text: text.strip_prefix('\u{feff}').unwrap_or(text),
    };
    let mut known: HashMap<String, String> = environment
        .iter()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value.to_str()?.to_owned())))
        .collect();
    let mut variables = Vec::new();
    for entry in file.entries()? {
        let Some(value) = entry.value() else {
            if environment::concerns_us(entry.name) {
                let reason = "after the closing quote nothing but a comment may follow";
                return Err(file.broken(entry.line, entry.name, reason));
            }
            continue;
        };
        let value = expand(&value, &known);
        known.insert(entry.name.to_owned(), value.clone());
        variables.push(Variable {
            place: file.place(entry.line, entry.name),
            name: entry.name.to_owned(),
            value,
        });
    }
    Ok(variables)
}

/// The value with each `${NAME}` and `${NAME:-default}` replaced by what is known; one that is not known
/// is empty. Anything else stays as it is.
fn expand(value: &str, known: &HashMap<String, String>) -> String {
    let mut expanded = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(start) = rest.find("${") {
        let (before, reference) = rest.split_at(start);
        expanded.push_str(before);
        let inside = &reference[2..];
        let Some(end) = inside.find('}') else {
            rest = reference;
            break;
        };
        let (name, default) = match inside[..end].split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (&inside[..end], None),
        };
        if name.contains(':') {
            // A name with a colon makes no reference: the `${` stays as text.
            expanded.push_str("${");
            rest = inside;
            continue;
        }
        let value = known.get(name).map(String::as_str).or(default);
        expanded.push_str(value.unwrap_or_default());
        rest = &inside[end + 1..];
    }
    expanded.push_str(rest);
    expanded
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

impl Entry<'_> {
    /// What stands after the `=`, without quotes, escapes and comments; `None` if something follows a quote.
    fn value(&self) -> Option<String> {
        let (_, value) = self.text.split_once('=')?;
        let start = value.trim_start_matches([' ', '\t']);
        match start.chars().next() {
            Some(quote @ ('"' | '\'')) => quoted(&start[1..], quote),
            _ => Some(unquoted(value).to_owned()),
        }
    }
}

/// The text up to the closing quote. In single quotes `\\` and `\'` are escapes, in double quotes more.
fn quoted(text: &str, quote: char) -> Option<String> {
    let mut value = String::new();
    let mut letters = text.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        if letter == quote {
            let rest = text[at + 1..].trim_start();
            return (rest.is_empty() || rest.starts_with('#')).then_some(value);
        }
        let escaped = letters.peek().filter(|_| letter == '\\');
        match escaped.and_then(|(_, next)| unescaped(*next, quote)) {
            Some(meant) => {
                letters.next();
                value.push(meant);
            }
            None => value.push(letter),
        }
    }
    None
}

/// The letter that a backslash and this one stand for.
fn unescaped(letter: char, quote: char) -> Option<char> {
    Some(match letter {
        '\\' | '\'' => letter,
        _ if quote == '\'' => return None,
        '"' => letter,
        'a' => '\u{7}',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\u{b}',
        _ => return None,
    })
}

/// The text without a comment, which has a blank before its `#`.
fn unquoted(text: &str) -> &str {
    let line = text.lines().next().unwrap_or_default();
    let is_comment = |(at, _): &(usize, &str)| line[..*at].ends_with(char::is_whitespace);
    let comment = line.match_indices('#').find(is_comment);
    line[..comment.map_or(line.len(), |(at, _)| at)].trim()
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

    fn place(&self, line: usize, name: &str) -> SettingPlace {
        SettingPlace::DotEnv {
            path: self.path.clone(),
            line,
            name: name.into(),
        }
    }

    /// A mistake in the line. A name that is not ours is not shown: it may be half of a secret.
    fn broken(&self, line: usize, name: &str, reason: &str) -> Error {
        let place = match environment::concerns_us(name) {
            true => self.place(line, name),
            false => SettingPlace::File {
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
    let inside = name
        .strip_prefix('\'')
        .and_then(|name| name.strip_suffix('\''));
    let name = inside.unwrap_or(name);
    (!name.is_empty() && !name.contains(char::is_whitespace)).then_some(name)
}
