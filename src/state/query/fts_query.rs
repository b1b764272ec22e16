//! Translates the search text of a user into an expression of SQLite's full-text search. Pure.
//!
//! All words must occur, in any order. `"two words"` must be adjacent. `wor*` matches every word with that prefix.
//! Everything else is text: each part is quoted, so no input is a syntax error. Parts are folded like the indexed
//! texts (`fold`).

use crate::state::fts::fold;

/// Returns the expression for `typed`. Parts without a letter or digit are ignored; if all are ignored, the expression
/// matches nothing.
pub(crate) fn expression(typed: &str) -> String {
    // SQLite would end the expression there.
    let typed = typed.replace('\0', " ");
    let mut expression = String::with_capacity(typed.len() + 16);
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('"') {
            Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
            None => rest.split_at(rest.find(is_end_of_word).unwrap_or(rest.len())),
        };
        let is_typed = after.starts_with('*') && part.ends_with(char::is_alphanumeric);
        let part = fold::phrase(part);
        let is_prefix = is_typed || part.is_prefix;
        if part.text.chars().any(char::is_alphanumeric) {
            expression.push('"');
            expression.push_str(&part.text);
            expression.push_str(if is_prefix { "\" * " } else { "\" " });
        }
        rest = after.trim_start_matches(|c: char| c == '*' || c.is_whitespace());
    }
    if expression.is_empty() {
        // SQLite accepts an empty phrase, which matches nothing.
        expression.push_str("\"\"");
    }
    expression
}

fn is_end_of_word(c: char) -> bool {
    c.is_whitespace() || c == '"' || c == '*'
}

#[cfg(test)]
mod tests {
    use crate::state::query::fts_query::expression;

    #[test]
    fn words_phrases_and_prefixes() {
        for (typed, expected) in [
            ("red", "\"red\" "),
            ("  red  green ", "\"red\" \"green\" "),
            ("\"red green\" blue", "\"red green\" \"blue\" "),
            ("gre*", "\"gre\" * "),
            ("gre*en", "\"gre\" * \"en\" "),
            ("\"red gre\"*", "\"red gre\" * "),
            ("\"red", "\"red\" "),
            ("re\"d", "\"re\" \"d\" "),
            ("AND", "\"and\" "),
            ("Łódź Stra*", "\"lodz\" \"stra\" * "),
            ("東京都 山", "\"東京 京都\" \"山\" * "),
            ("re＂d", "\"re＂d\" "),
            ("content:red", "\"content:red\" "),
            ("red ( green", "\"red\" \"green\" "),
            ("a\0b", "\"a\" \"b\" "),
        ] {
            assert_eq!(expression(typed), expected, "{typed}");
        }
    }

    #[test]
    fn a_search_without_a_word_matches_nothing() {
        for typed in ["", " ", "*", "\"", "\"\"", "(", "\0", "**\"*"] {
            assert_eq!(expression(typed), "\"\"", "{typed}");
        }
    }
}
