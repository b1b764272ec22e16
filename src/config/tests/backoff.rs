//! The pauses between attempts.

use std::time::Duration;

use super::setup;
use crate::config::Backoff;

fn backoff(toml: &str) -> Backoff {
    let setup = setup().toml(&format!("processors.echo.backoff = {{ {toml} }}"));
    setup.settings().processors["echo"].backoff
}

#[test]
fn each_key_may_be_left_out() {
    let default = Backoff::default();
    let all = backoff("first = 1, factor = 2, max = 300, jitter = 0.1");
    assert_eq!(all, default);
    assert_eq!(backoff(""), default);

    let max = Duration::from_secs(2_592_000);
    assert_eq!(backoff("max = 2592000"), Backoff { max, ..default });
    let factor = 1.5;
    assert_eq!(backoff("factor = 1.5"), Backoff { factor, ..default });
    assert_eq!(backoff("jitter = 0").jitter, 0.0);
    assert_eq!(backoff("jitter = 1").jitter, 1.0);
    assert_eq!(backoff("first = 0, max = 0").max, Duration::ZERO);
}

#[test]
fn a_first_pause_longer_than_the_longest_by_default_is_the_longest() {
    assert_eq!(backoff("first = 600").max, Duration::from_secs(600));
}

#[test]
fn mistakes_name_their_key() {
    for (toml, message) in [
        (
            "backoff = 5",
            "`processors.echo.backoff` in HERE/venom.toml, line 2: found 5, \
             expected a table such as { first = 1, factor = 2, max = 300, jitter = 0.1 }",
        ),
        (
            "backoff = { frist = 1 }",
            "unknown setting `processors.echo.backoff.frist` in HERE/venom.toml, line 2; \
             did you mean `first`?",
        ),
        (
            "[processors.echo.backoff]\nfirst = 86401",
            "`processors.echo.backoff.first` in HERE/venom.toml, line 3: found 86401, \
             expected a number of seconds from 0 to 86400 (a day), or a text such as \"90s\" or \"5m\"",
        ),
        (
            "backoff = { factor = 0.5 }",
            "`processors.echo.backoff.factor` in HERE/venom.toml, line 2: found 0.5, \
             expected a number from 1 to 100",
        ),
        (
            "backoff = { factor = nan }",
            "`processors.echo.backoff.factor` in HERE/venom.toml, line 2: found NaN, \
             expected a number from 1 to 100",
        ),
        (
            "backoff = { max = 2592001 }",
            "`processors.echo.backoff.max` in HERE/venom.toml, line 2: found 2592001, \
             expected a number of seconds from 0 to 2592000 (30 days), or a text such as \"5m\" or \"2h\"",
        ),
        (
            "backoff = { first = 2.5, max = 2 }",
            "`processors.echo.backoff.max` in HERE/venom.toml, line 2: found 2, \
             expected at least `first` (2.5)",
        ),
        (
            "backoff = { jitter = 1.1 }",
            "`processors.echo.backoff.jitter` in HERE/venom.toml, line 2: found 1.1, \
             expected a number from 0 to 1",
        ),
    ] {
        let toml = format!("[processors.echo]\n{toml}");
        assert_eq!(setup().toml(&toml).mistake(), message);
    }
}

#[test]
fn pauses_grow_up_to_the_longest() {
    let seconds = |failures| Backoff::default().pause(failures, 0.5).as_secs_f64();

    assert_eq!(seconds(1), 1.0);
    assert_eq!(seconds(2), 2.0);
    assert_eq!(seconds(9), 256.0);
    assert_eq!(seconds(10), 300.0);
    assert_eq!(seconds(u32::MAX), 300.0);
    assert_eq!(seconds(0), 1.0, "no failure counts as the first");
}

#[test]
fn pauses_are_spread_to_both_sides() {
    let backoff = Backoff::default();

    assert_eq!(backoff.pause(1, 0.0), Duration::from_millis(900));
    assert_eq!(backoff.pause(1, 0.5), Duration::from_secs(1));
    assert_eq!(backoff.pause(1, 1.0), Duration::from_millis(1100));
    assert_eq!(backoff.pause(99, 1.0), Duration::from_secs(330));
}

#[test]
fn no_pause_is_out_of_hand() {
    let none = Backoff {
        first: Duration::ZERO,
        factor: 100.0,
        ..Backoff::default()
    };
    assert_eq!(none.pause(u32::MAX, 0.5), Duration::ZERO);

    let wild = Backoff {
        jitter: 1.0,
        ..Backoff::default()
    };
    assert_eq!(wild.pause(5, 0.0), Duration::ZERO);
    assert_eq!(wild.pause(5, f64::NAN), wild.max);
}
