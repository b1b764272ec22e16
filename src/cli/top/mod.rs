//! `venom top`: a live dashboard of the service on the whole terminal.
//!
//! Three loops run concurrently: the [`Poller`] fetches snapshots, the event feed reads events, and the loop here
//! applies both and the keys to the [`Dashboard`] and draws it. Only this loop touches the terminal.

mod dashboard;
mod draw;
mod event_feed;
mod panes;
mod poll;
mod screen;

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use tokio::sync::mpsc;

use crate::cli::args::duration::read_duration;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::signals::StopSignals;
use dashboard::{Dashboard, KeyAction};
use poll::Poller;
use screen::Screen;

/// Capacity of the channels to and from the dashboard.
const QUEUED: usize = 256;

const EXAMPLES: &str = "\
Examples:
  venom top
  venom top --interval 5s --url http://127.0.0.1:9000

Keys: arrows and Enter show a task, Tab shows tasks of another status, / searches, p pauses and resumes,
? shows help, q quits. It needs a terminal; `venom status` and `venom watch` do not.";

/// Show a live dashboard of the queue, its processors and its tasks.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TopArgs {
    /// Refresh at this interval, 0.1s to 1h
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = interval)]
    interval: Duration,
    #[command(flatten)]
    target: ServiceTarget,
}

fn interval(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(100)..=Duration::from_hours(1);
    let interval = read_duration(text)
        .ok()
        .filter(|interval| allowed.contains(interval));
    interval.ok_or_else(|| "expected a duration of 0.1s to 1h, such as 2s".to_owned())
}

/// Shows the dashboard until it is quit.
pub(crate) async fn run(top: &TopArgs) -> Result<(), Error> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let words = "venom top needs a terminal for output and keys; `venom status` prints once, and \
                     `venom watch` prints events";
        return Err(Error::Usage(words.to_owned()));
    }
    let client = top.target.client()?;
    let event_client = top.target.client()?;
    let failed = |error: io::Error| Error::Failed(format!("cannot use the terminal: {error}"));
    let mut signals = StopSignals::listen().map_err(failed)?;
    let (update, mut updates) = mpsc::channel(QUEUED);
    let (command, commands) = mpsc::channel(QUEUED);
    let poller = Poller::new(client, top.target.clone(), commands, update.clone());
    tokio::spawn(poller.run(top.interval));
    tokio::spawn(event_feed::run(event_client, top.target.clone(), update));
    let mut screen = Screen::enter().map_err(failed)?;
    let mut keys = screen::keys();
    let mut dashboard = Dashboard::default();
    loop {
        screen.draw(&dashboard).map_err(failed)?;
        tokio::select! {
            () = signals.next() => return Ok(()),
            input = keys.recv() => match input {
                Some(Ok(input)) => match dashboard.input(&input) {
                    KeyAction::Nothing => {}
                    KeyAction::Quit => return Ok(()),
                    // The poller lives as long as this loop.
                    KeyAction::Send(it) => drop(command.send(it).await),
                },
                Some(Err(error)) => return Err(failed(error)),
                None => return Ok(()),
            },
            Some(first) = updates.recv() => {
                dashboard.update(first);
                // Updates that have queued up are drawn once.
                for _ in 0..QUEUED {
                    let Ok(next) = updates.try_recv() else { break };
                    dashboard.update(next);
                }
            }
        }
    }
}
