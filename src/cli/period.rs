//! Lengths of time as people write and read them: `90`, `90s`, `5m`, `2h`, `1d`.

use std::time::Duration;

/// Ten years: what is longer is a slip of the finger.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Reads a number with a unit; without one it is seconds.
pub(super) fn period(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a time such as 90, 90s, 5m, 2h or 1d, at most ten years".to_owned();
    let text = text.trim();
    let (number, unit) = match text.find(|letter: char| letter.is_ascii_alphabetic()) {
        Some(end) => text.split_at(end),
        None => (text, "s"),
    };
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3_600.0,
        "d" => 86_400.0,
        _ => return Err(wrong()),
    };
    // "1e3", "inf" and "-1" are numbers for Rust, and "+1" is nothing that anybody means.
    if !number.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(wrong());
    }
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let period = Duration::try_from_secs_f64(number * seconds).map_err(|_| wrong())?;
    match period <= LONGEST {
        true => Ok(period),
        false => Err(wrong()),
    }
}

/// A length of time in its largest unit, cut: `0s`, `59s`, `5m`, `2h`, `40d`.
pub(super) fn short(period: Duration) -> String {
    let seconds = period.as_secs();
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
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
            ("5m", 300_000),
            ("1.5h", 5_400_000),
            ("2h", 7_200_000),
            ("1d", 86_400_000),
            (" 7s ", 7_000),
        ] {
            let expected = Duration::from_millis(millis);
            assert_eq!(period(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "s",
            "m5",
            "-1",
            "+1",
            "5 m",
            "5min",
            "5M",
            "1h30m",
            "1e3",
            "inf",
            "nan",
            "1,5",
            "99999999d",
            "3661d",
        ] {
            assert!(period(text).is_err(), "{text}");
        }
    }

    #[test]
    fn short_ones_have_one_unit() {
        for (seconds, words) in [
            (0, "0s"),
            (59, "59s"),
            (60, "1m"),
            (3_599, "59m"),
            (3_600, "1h"),
            (86_399, "23h"),
            (86_400, "1d"),
            (40 * 86_400, "40d"),
        ] {
            assert_eq!(short(Duration::from_secs(seconds)), words);
        }
    }
}
