//! How long a busy server holds its processor: at least as long as it says, and longer each time, so that a server
//! that always says "at once" is not asked without a pause. Pure.

use std::time::Duration;

use crate::models::Timestamp;

const LONGEST_OF_OURS: Duration = Duration::from_secs(60);

/// The consecutive holds of one processor without a success between them.
#[derive(Default)]
pub(crate) struct ServerBackoff {
    /// The pause of the last hold, without the server's own Retry-After.
    pause: Option<Duration>,
    until: Option<Timestamp>,
}

impl ServerBackoff {
    /// Returns the end of a hold that the server wants to last until `wanted`.
    pub(crate) fn hold(&mut self, now: Timestamp, wanted: Timestamp) -> Timestamp {
        // Responses to concurrent requests are one hold.
        let is_another = self.until.is_none_or(|until| until <= now);
        let pause = match (self.pause, is_another) {
            (None, _) => Duration::from_secs(1),
            (Some(pause), true) => (pause * 2).min(LONGEST_OF_OURS),
            (Some(pause), false) => pause,
        };
        self.pause = Some(pause);
        let until = wanted.max(now.after(pause));
        self.until = self.until.max(Some(until));
        until
    }

    /// Ends the series of holds after a success.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds).unwrap()
    }

    #[test]
    fn each_is_twice_as_long_to_a_minute_and_never_shorter_than_the_server_says() {
        let mut holds = ServerBackoff::default();
        let mut now = at(0);
        let mut lengths = Vec::new();
        for _ in 0..8 {
            let until = holds.hold(now, now);
            lengths.push(until.seconds_since(now));
            now = until;
        }
        assert_eq!(lengths, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(
            holds
                .hold(now, now.after(Duration::from_secs(90)))
                .seconds_since(now),
            90.0
        );
        holds.end();
        assert_eq!(holds.hold(at(900), at(900)), at(901));
    }

    #[test]
    fn answers_that_come_while_it_holds_are_the_same_hold() {
        let mut holds = ServerBackoff::default();
        assert_eq!(holds.hold(at(0), at(10)), at(10));
        assert_eq!(holds.hold(at(1), at(1)), at(2));
        assert_eq!(holds.hold(at(10), at(10)), at(12));
    }
}
