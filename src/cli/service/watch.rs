//! `venom watch`: a WebSocket listener that misses nothing.
//!
//! It remembers the last event it has seen. After a lost connection, and when it was too slow for
//! the service, it goes on from there.

use std::io::{self, BufWriter, Write};

use clap::Args;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::cli::client::backoff::Backoff;
use crate::cli::client::event_socket;
use crate::cli::client::event_socket::{SILENCE, Socket};
use crate::cli::client::http::Client;
use crate::cli::client::target::Target;
use crate::cli::error::Error;
use crate::cli::output::event_line::{Frame, painted};
use crate::cli::output::paint::{LiveLine, Paint};
use crate::cli::output::print::say;
use crate::models::{EventType, TaskId};

const EXAMPLES: &str = "\
Examples:
  venom watch                            from now on, until Ctrl-C
  venom watch --since 0                  everything since the beginning, then go on
  venom watch --types TASK_FAILED,TASK_ABORTED
  venom watch --json | jq -r 'select(.type == \"TASK_LOG\") | .data.line'

It connects again when the connection is lost, and goes on after the last event it has seen.";

/// Print events as they happen.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArgs {
    /// Begin after the event with this id; 0 begins with the first [default: begin now]
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    since: Option<i64>,
    /// Only these types, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = event_type)]
    types: Vec<EventType>,
    /// Only events of this task
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Print the frames as the service sends them, one JSON object a line
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: Target,
}

/// Why a connection is over; both times it goes on after the last event.
enum Ended {
    /// The service told that it left events out.
    TooSlow,
    Lost,
    /// What came is no event. It would come again after the next connection.
    Unreadable,
}

/// Prints events until Ctrl-C.
pub(crate) async fn run(watch: &WatchArgs) -> Result<(), Error> {
    tokio::select! {
        ended = follow(watch) => ended,
        _ = tokio::signal::ctrl_c() => Ok(()),
    }
}

async fn follow(watch: &WatchArgs) -> Result<(), Error> {
    let mut since = watch.since;
    let mut client = watch.target.client()?;
    let mut socket = connect(&client, watch, since).await?;
    say(format_args!("watching {}; Ctrl-C ends it", client.url()));
    loop {
        let ended = listen(&mut socket, watch, &mut since)
            .await
            .map_err(|error| Error::of_stdout(&error))?;
        match ended {
            Ended::TooSlow => say("events come faster than they are read; reading them again"),
            Ended::Lost => say("the connection was lost; trying again"),
            Ended::Unreadable => return Err(client.not_a_service()),
        }
        (client, socket) = connect_again(client, watch, since).await?;
        if matches!(ended, Ended::Lost) {
            say("connected again");
        }
    }
}

async fn connect(client: &Client, watch: &WatchArgs, since: Option<i64>) -> Result<Socket, Error> {
    event_socket::connect(client, &query(watch, since)).await
}

/// Tries until it succeeds, or the service refuses.
async fn connect_again(
    mut client: Client,
    watch: &WatchArgs,
    since: Option<i64>,
) -> Result<(Client, Socket), Error> {
    let mut backoff = Backoff::new();
    loop {
        backoff.wait().await;
        client = watch.target.client_again(client);
        match connect(&client, watch, since).await {
            Ok(socket) => return Ok((client, socket)),
            Err(Error::Unreachable(_)) => {}
            Err(error) => return Err(error),
        }
    }
}

/// What is asked for, as the query of the address.
fn query(watch: &WatchArgs, since: Option<i64>) -> String {
    let mut query = Vec::new();
    query.extend(since.map(|id| format!("since={id}")));
    if !watch.types.is_empty() {
        let names: Vec<_> = watch.types.iter().map(|kind| kind.as_str()).collect();
        query.push(format!("types={}", names.join(",")));
    }
    query.extend(watch.task.map(|id| format!("task_id={id}")));
    query.join("&")
}

/// Prints what arrives until the connection is over; `since` is the last event that was printed.
async fn listen(
    socket: &mut Socket,
    watch: &WatchArgs,
    since: &mut Option<i64>,
) -> io::Result<Ended> {
    let mut out = BufWriter::new(io::stdout());
    let paint = Paint::of_stdout();
    let mut live = LiveLine::default();
    let wants_live_lines = watch.types.contains(&EventType::TaskLiveLine);
    let mut is_first = true;
    loop {
        // What has come is written in one go, and before waiting for more.
        let message = match socket.next().now_or_never() {
            Some(message) => Ok(message),
            None => {
                out.flush()?;
                timeout(SILENCE, socket.next()).await
            }
        };
        let text = match message {
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => break,
            Ok(Some(Ok(_))) => continue,
        };
        let Ok(frame) = serde_json::from_str::<Frame>(&text) else {
            out.flush()?;
            return Ok(Ended::Unreadable);
        };
        if let Some(from) = frame.missed_from() {
            *since = Some(from.saturating_sub(1));
            out.flush()?;
            return Ok(Ended::TooSlow);
        }
        if watch.json {
            writeln!(out, "{text}")?;
        } else if frame.is_live_line() && paint.is_terminal {
            live.show(&mut out, &painted(&frame, paint))?;
        } else if !is_first && (wants_live_lines || !frame.is_live_line()) {
            live.clear(&mut out)?;
            writeln!(out, "{}", painted(&frame, paint))?;
        }
        // The service's own words carry its place in the journal, which may be ahead of ours. Only
        // the first are said before anything can have been left out.
        if is_first || !frame.is_system_log() {
            *since = Some(frame.id);
        }
        is_first = false;
    }
    live.clear(&mut out)?;
    out.flush()?;
    Ok(Ended::Lost)
}

fn event_type(name: &str) -> Result<EventType, String> {
    let kind = name.trim().to_ascii_uppercase().parse();
    kind.map_err(|error: crate::models::UnknownName| error.to_string())
}
