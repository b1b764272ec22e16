//! Rates: `30/m`.

use std::time::Duration;

use super::setup;
use crate::config::Rate;

#[test]
fn a_rate_is_a_number_of_starts_and_a_unit() {
    for (text, starts, seconds, shown) in [
        ("1/s", 1, 1, "1/s"),
        ("5/sec", 5, 1, "5/s"),
        ("30/m", 30, 60, "30/m"),
        (" 30 / min ", 30, 60, "30/m"),
        ("7/h", 7, 3600, "7/h"),
        ("7/hour", 7, 3600, "7/h"),
        ("100000/d", 100_000, 86_400, "100000/d"),
        ("2/day", 2, 86_400, "2/d"),
    ] {
        let rate: Rate = text.parse().unwrap();
        let per = Duration::from_secs(seconds);

        assert_eq!(rate, Rate { starts, per }, "{text}");
        assert_eq!(rate.to_string(), shown);
        assert_eq!(shown.parse(), Ok(rate));
    }
}

#[test]
fn any_other_rate_is_a_mistake() {
    for value in [
        "'30'",
        "30",
        "0.5",
        "'0/m'",
        "'-1/m'",
        "'100001/m'",
        "'1.5/m'",
        "'/m'",
        "'30/'",
        "'30/w'",
        "'30/M'",
        "'30/m/s'",
        "''",
        "{ starts = 30 }",
    ] {
        let toml = format!("[processors.echo]\nrate = {value}");
        let mistake = setup().toml(&toml).mistake();

        assert!(
            mistake.starts_with("`processors.echo.rate` in HERE/venom.toml, line 2: found "),
            "{mistake}"
        );
        assert!(
            mistake.ends_with(
                ", expected a rate such as \"30/m\": a number of starts from 1 to 100000, \
                 a slash, and s, m, h or d"
            ),
            "{mistake}"
        );
    }
}
