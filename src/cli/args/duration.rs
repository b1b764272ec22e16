//! Lengths of time as people write and read them: `90`, `90s`, `5m`, `2h`, `1d`.

use std::time::Duration;

use crate::models::parse_duration;

/// Ten years: what is longer is a slip of the finger.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Reads a duration of at most ten years; without a unit it is a number of seconds.
pub(crate) fn period(text: &str) -> Result<Duration, String> {
    let period = parse_duration(text).filter(|period| *period <= LONGEST);
    period.ok_or_else(|| {
        "expected a time such as 90, 90s, 5m, 2h or 1d, at most ten years".to_owned()
    })
}

/// A length of time in its largest unit, cut: `0s`, `59s`, `5m`, `2h`, `40d`.
pub(crate) fn short(period: Duration) -> String {
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
    fn periods_are_durations_of_at_most_ten_years() {
        assert_eq!(period("5m"), Ok(Duration::from_secs(300)));
        for text in ["", "5min", "99999999d", "3661d"] {
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
