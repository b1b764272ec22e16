//! What somebody types into a search, as an expression of SQLite's full-text search.
//!
//! Words must all be there, in any order; `"two words"` stand side by side; `wor*` is every word that
//! begins so. Everything else is text: each part goes in quotes, so that nothing typed is an error. Parts are
//! folded as the text is (`fold`).

use crate::state::fts::fold;

/// The expression for `typed`. Parts without a letter or digit say nothing; if all are like that, it
/// matches no task.
pub(crate) fn expression(typed: &str) -> String {
    // SQLite would take it for the end.
    let typed = typed.replace('\0', " ");
    let mut expression = String::with_capacity(typed.len() + 16);
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        let (part, after) = match rest.strip_prefix('"') {
            Some(phrase) => phrase.split_once('"').unwrap_or((phrase, "")),
            None => rest.split_at(rest.find(is_end_of_word).unwrap_or(rest.len())),
        };
        let is_typed = after.starts_with('*') && part.ends_with(char::is_alphanumeric);
        let part = fold::question(part);
        let is_prefix = is_typed || part.is_beginning;
        if part.text.chars().any(char::is_alphanumeric) {
            expression.push('"');
            expression.push_str(&part.text);
            expression.push_str(if is_prefix { "\" * " } else { "\" " });
        }
        rest = after.trim_start_matches(|c: char| c == '*' || c.is_whitespace());
    }
    if expression.is_empty() {
        // A text without words, which SQLite allows and finds nowhere.
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
    fn what_has_no_word_is_found_nowhere() {
        for typed in ["", " ", "*", "\"", "\"\"", "(", "\0", "**\"*"] {
            assert_eq!(expression(typed), "\"\"", "{typed}");
        }
    }
}
