//! `venom top`: what the service does, as it does it, on the whole terminal.
//!
//! Three run beside each other: the [`Asker`](ask::Asker) asks again and again, the ear hears events, and
//! the loop here takes what both bring and what is typed to the [`Board`], and draws that. Only the loop
//! touches the terminal.

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

use crate::cli::args::duration::period;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::signals::Signals;
use dashboard::{Act, Board};
use poll::Asker;
use screen::Screen;

/// News that may wait to be drawn.
const NEWS: usize = 256;

const EXAMPLES: &str = "\
Examples:
  venom top
  venom top --interval 5s --url http://127.0.0.1:9000

Keys: arrows and Enter look at a task, Tab shows tasks of another status, / searches, p pauses and
resumes, ? says more, q ends it. It needs a terminal; `venom status` and `venom watch` do not.";

/// Watch the queue, its processors and its tasks live on the terminal.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct TopArgs {
    /// Time between two looks, 0.1s to 1h
    #[arg(long, value_name = "TIME", default_value = "1s", value_parser = between_looks)]
    interval: Duration,
    #[command(flatten)]
    target: Target,
}

fn between_looks(text: &str) -> Result<Duration, String> {
    let allowed = Duration::from_millis(100)..=Duration::from_hours(1);
    let period = period(text).ok().filter(|period| allowed.contains(period));
    period.ok_or_else(|| "expected a time of 0.1s to 1h, such as 2s".to_owned())
}

/// Shows what happens until it is told to end.
pub(crate) async fn run(top: &TopArgs) -> Result<(), Error> {
    if !io::stdout().is_terminal() || !io::stdin().is_terminal() {
        let words = "venom top needs a terminal to draw on and to read keys from; `venom status` prints once, \
                     and `venom watch` prints events";
        return Err(Error::Usage(words.to_owned()));
    }
    let client = top.target.client()?;
    let ear = top.target.client()?;
    let failed = |error: io::Error| Error::Failed(format!("cannot use the terminal: {error}"));
    let mut signals = Signals::listen().map_err(failed)?;
    let (tell, mut news) = mpsc::channel(NEWS);
    let (order, orders) = mpsc::channel(NEWS);
    let asker = Asker::new(client, top.target.clone(), orders, tell.clone());
    tokio::spawn(asker.run(top.interval));
    tokio::spawn(event_feed::hear(ear, top.target.clone(), tell));
    let mut screen = Screen::enter().map_err(failed)?;
    let mut keys = screen::keys();
    let mut board = Board::default();
    loop {
        screen.draw(&board).map_err(failed)?;
        tokio::select! {
            () = signals.next() => return Ok(()),
            input = keys.recv() => match input {
                Some(Ok(input)) => match board.input(&input) {
                    Act::Nothing => {}
                    Act::End => return Ok(()),
                    // The asker lives as long as this.
                    Act::Order(it) => drop(order.send(it).await),
                },
                Some(Err(error)) => return Err(failed(error)),
                None => return Ok(()),
            },
            Some(first) = news.recv() => {
                board.take(first);
                // What has come meanwhile is drawn in one go.
                for _ in 0..NEWS {
                    let Ok(next) = news.try_recv() else { break };
                    board.take(next);
                }
            }
        }
    }
}
