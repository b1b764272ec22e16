//! Durations as people write them on the command line: `90`, `90s`, `5m`, `2h`, `1d`.

use std::time::Duration;

use crate::models::parse_duration;

/// Ten years. A longer duration is a typing error.
const LONGEST: Duration = Duration::from_secs(10 * 366 * 86_400);

/// Reads a duration of at most ten years; a number without a unit counts seconds.
pub(crate) fn read_duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| *duration <= LONGEST);
    duration.ok_or_else(|| {
        "expected a duration such as 90, 90s, 5m, 2h or 1d, at most ten years".to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_at_most_ten_years() {
        assert_eq!(read_duration("5m"), Ok(Duration::from_secs(300)));
        for text in ["", "5min", "99999999d", "3661d"] {
            assert!(read_duration(text).is_err(), "{text}");
        }
    }
}
