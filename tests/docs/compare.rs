//! Compares what a command prints with what its page shows.

/// What differs from run to run, by its shape: `h` is a hexadecimal digit, `d` a decimal one.
const SHAPES: [(&str, &str); 7] = [
    ("hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "ID"),
    ("dddd-dd-ddTdd:dd:dd.ddddddZ", "TIME"),
    ("dddd-dd-ddTdd:dd:ddZ", "TIME"),
    ("dddd-dd-dd dd:dd:dd", "TIME"),
    ("ddddddddTddddddZ", "TIME"),
    ("dddd-dd-dd", "DATE"),
    ("dd:dd:dd", "TIME"),
];

/// Returns true if the output is what the page shows.
pub(crate) fn matches(shown: &[String], printed: &str) -> bool {
    let shown: Vec<_> = shown.iter().map(|line| mask(line.trim_end())).collect();
    let printed: Vec<_> = printed
        .trim_end()
        .lines()
        .map(|line| mask(line.trim_end()))
        .collect();
    lines(&shown, &printed)
}

fn lines(shown: &[String], printed: &[String]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=printed.len()).any(|skipped| lines(rest, &printed[skipped..]))
        }
        Some((first, rest)) => printed
            .split_first()
            .is_some_and(|(line, others)| glob(first, line) && lines(rest, others)),
    }
}

/// Returns true if a line matches a pattern in which `…` stands for any text.
fn glob(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

/// Writes the name of a shape in the place of each text that has it.
fn mask(line: &str) -> String {
    let mut masked = String::new();
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        match SHAPES.iter().find(|(shape, _)| has_shape(rest, shape)) {
            Some((shape, name)) => {
                masked.push_str(name);
                rest = &rest[shape.len()..];
            }
            None => {
                masked.push(first);
                rest = &rest[first.len_utf8()..];
            }
        }
    }
    masked
}

fn has_shape(text: &str, shape: &str) -> bool {
    text.len() >= shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, kind)| match kind {
                b'h' => byte.is_ascii_hexdigit(),
                b'd' => byte.is_ascii_digit(),
                _ => byte == kind,
            })
}

#[test]
fn shown_output_stands_for_all_that_it_allows() {
    let shown = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    assert!(matches(&shown("a … c\n…\nend"), "a b c\n1\n2\nend\n"));
    assert!(matches(&shown("…\nend"), "end"));
    assert!(matches(
        &shown("at 2026-11-23T06:51:48.705227Z"),
        "at 2027-01-02T00:00:00.000000Z"
    ));
    assert!(matches(
        &shown("01a2072c-d661-7494-aa0e-f56088b54f9d 1"),
        "ffffffff-d661-7494-aa0e-f56088b54f9d 1"
    ));
    assert!(!matches(&shown("a … c"), "a b d"));
    assert!(!matches(&shown("a"), "a\nb"));
    assert!(!matches(&shown("a\nb"), "a"));
}
