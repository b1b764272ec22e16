//! Word to systemd: when the service takes tasks, that it still does, and that it stops.
//!
//! Without a `NOTIFY_SOCKET` in the environment all of it is nothing. The watchdog is fed only while the
//! Writer answers: a service whose Writer hangs looks alive to everybody else.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;

use crate::state::StateManager;

const SOCKET: &str = "NOTIFY_SOCKET";
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// Tells systemd how the service is, from when it takes tasks until `end`; `stop` is when it begins to stop.
pub(crate) async fn report(state: StateManager, stop: CancellationToken, end: CancellationToken) {
    if std::env::var_os(SOCKET).is_none() {
        return;
    }
    let watchdog = sd_notify::watchdog_enabled();
    // A Writer that is busy answers late: it is waited for, nearly as long as systemd waits.
    let every = watchdog.map(|watchdog| watchdog / 10);
    let answers = || {
        let state = state.clone();
        async move { state.writer_is_done().await.is_ok() }
    };
    tokio::select! {
        () = end.cancelled() => {}
        () = tell(answers, say, every, stop) => {}
    }
}

fn say(word: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(word)) {
        tracing::warn!(%error, "systemd cannot be told");
    }
}

/// Ready once something `answers`, then a sign of life `every` so often while it does; never ends.
async fn tell<Answer: Future<Output = bool>>(
    answers: impl Fn() -> Answer,
    say: impl Fn(&NotifyState<'_>),
    every: Option<Duration>,
    stop: CancellationToken,
) {
    let begins = async {
        while !answers().await {
            sleep(BETWEEN_TRIES).await;
        }
        say(&NotifyState::Ready);
        feed(&answers, &say, every).await;
    };
    let ends = async {
        stop.cancelled().await;
        say(&NotifyState::Stopping);
    };
    tokio::join!(begins, ends);
}

async fn feed<Answer: Future<Output = bool>>(
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
    async fn the_watchdog_is_fed_only_while_the_writer_answers() {
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
            () = tell(answers, say, Some(EVERY), stop.clone()) => unreachable!("it never ends"),
            () = script => {}
        }
    }
}
