//! Notifies systemd: ready, alive (watchdog), stopping.
//!
//! Does nothing without `NOTIFY_SOCKET` in the environment. The watchdog is notified only while the Writer answers,
//! because a service whose Writer hangs looks alive from outside.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::state::StateManager;

const SOCKET: &str = "NOTIFY_SOCKET";
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(200);

/// Notifies systemd until `end`; `stop` marks the start of the shutdown.
pub(crate) async fn report(state: StateManager, stop: CancellationToken, end: CancellationToken) {
    if std::env::var_os(SOCKET).is_none() {
        return;
    }
    let watchdog = sd_notify::watchdog_enabled();
    // A busy Writer answers late, so several notifications fit into one watchdog interval.
    let every = watchdog.map(|watchdog| watchdog / 10);
    let answers = || {
        let state = state.clone();
        async move { state.writer_is_done().await.is_ok() }
    };
    tokio::select! {
        () = end.cancelled() => {}
        () = notify_until_end(answers, notify, every, stop) => {}
    }
}

fn notify(message: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(message)) {
        tracing::warn!(%error, "cannot notify systemd");
    }
}

/// Sends READY once `answers` returns true, then WATCHDOG at each interval `every` while it does; never returns.
async fn notify_until_end<Answer: Future<Output = bool>>(
    answers: impl Fn() -> Answer,
    say: impl Fn(&NotifyState<'_>),
    every: Option<Duration>,
    stop: CancellationToken,
) {
    let begins = async {
        while !answers().await {
            sleep(BETWEEN_ATTEMPTS).await;
        }
        say(&NotifyState::Ready);
        notify_watchdog(&answers, &say, every).await;
    };
    let ends = async {
        stop.cancelled().await;
        say(&NotifyState::Stopping);
    };
    tokio::join!(begins, ends);
}

async fn notify_watchdog<Answer: Future<Output = bool>>(
    answers: impl Fn() -> Answer,
    say: impl Fn(&NotifyState<'_>),
    every: Option<Duration>,
) {
    let Some(every) = every.filter(|every| !every.is_zero()) else {
        return std::future::pending().await;
    };
    let mut ticks = interval(every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if answers().await {
            say(&NotifyState::Watchdog);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::{Cell, RefCell};

    use super::*;

    const EVERY: Duration = Duration::from_secs(15);

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_notified_only_while_the_writer_answers() {
        let (alive, said) = (Cell::new(false), RefCell::new(Vec::new()));
        let stop = CancellationToken::new();
        let answers = || std::future::ready(alive.get());
        let say = |word: &NotifyState<'_>| said.borrow_mut().push(word.to_string());
        let words = || said.take();
        let script = async {
            sleep(EVERY).await;
            assert!(words().is_empty(), "not ready yet");
            alive.set(true);
            sleep(EVERY / 2).await;
            assert_eq!(words(), ["READY=1", "WATCHDOG=1"]);
            sleep(2 * EVERY).await;
            assert_eq!(words(), ["WATCHDOG=1", "WATCHDOG=1"]);
            alive.set(false);
            sleep(10 * EVERY).await;
            assert!(words().is_empty(), "the Writer does not answer");
            alive.set(true);
            sleep(EVERY).await;
            assert_eq!(words(), ["WATCHDOG=1"]);
            stop.cancel();
            sleep(EVERY / 2).await;
            assert_eq!(words()[0], "STOPPING=1");
        };
        tokio::select! {
            () = notify_until_end(answers, say, Some(EVERY), stop.clone()) => unreachable!("it never ends"),
            () = script => {}
        }
    }
}
