//! Durations as people write them, in settings and in flags: `90`, `90s`, `5m`, `1.5h`, `2d`, `200ms`.

use std::time::Duration;

/// Reads a number and its unit; without one it is a number of seconds. `None` if it is anything else.
pub(crate) fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|letter: char| letter.is_ascii_alphabetic());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let seconds = match unit {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return None,
    };
    // "inf" and "-1" are numbers for Rust, and "+1" is nothing that anybody means.
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let number: f64 = number.trim_end().parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("90", 90_000),
            ("90s", 90_000),
            ("0", 0),
            ("0.5", 500),
            ("200ms", 200),
            ("5m", 300_000),
            ("5 m", 300_000),
            ("1.5h", 5_400_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            (" 7s ", 7_000),
        ] {
            let expected = Duration::from_millis(millis);
            assert_eq!(parse_duration(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in [
            "", "s", "m5", "-1", "+1", ".5", "5min", "5M", "5w", "1h30m", "1e3", "inf", "nan",
            "1,5", "5 m m", "1 2",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }
}
