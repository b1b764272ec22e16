//! `venom watch`: prints events from the WebSocket and misses none.
//!
//! The command remembers the id of the last printed event. After a lost connection, or when the service skipped
//! events because the command read too slowly, it reconnects and continues from that id.

use std::io::{self, BufWriter, Write};

use clap::Args;
use futures_util::{FutureExt, StreamExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::cli::client::backoff::ReconnectBackoff;
use crate::cli::client::event_socket;
use crate::cli::client::event_socket::{SILENCE, Socket};
use crate::cli::client::http::ServiceClient;
use crate::cli::client::target::ServiceTarget;
use crate::cli::error::Error;
use crate::cli::output::event_line::{EventFrame, colored_line};
use crate::cli::output::paint::{LiveLine, Paint};
use crate::cli::output::print::say;
use crate::models::{EventType, TaskId};

const EXAMPLES: &str = "\
Examples:
  venom watch                            from now on, until Ctrl-C
  venom watch --since 0                  all events since the first, then new ones
  venom watch --types TASK_FAILED,TASK_ABORTED
  venom watch --json | jq -r 'select(.type == \"TASK_LOG\") | .data.line'

After a lost connection it reconnects and continues after the last printed event.";

/// Print events as they happen.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WatchArgs {
    /// Start after the event with this id; 0 starts with the first [default: start now]
    #[arg(long, value_name = "ID", allow_negative_numbers = true)]
    #[arg(value_parser = clap::value_parser!(i64).range(0..))]
    since: Option<i64>,
    /// Print only events of these types, separated by commas
    #[arg(long, value_name = "A,B", value_delimiter = ',', value_parser = event_type)]
    types: Vec<EventType>,
    /// Print only events of this task
    #[arg(long, value_name = "ID")]
    task: Option<TaskId>,
    /// Print each event as one JSON object, as the service sends it
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    target: ServiceTarget,
}

/// Why a connection ended.
enum Disconnected {
    /// The service skipped events, which can be read again by id.
    TooSlow,
    Lost,
    /// The server sent something other than an event, and would do so again.
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
    say(format_args!(
        "watching {}; press Ctrl-C to stop",
        client.url()
    ));
    loop {
        let ended = listen(&mut socket, watch, &mut since)
            .await
            .map_err(|error| Error::of_stdout(&error))?;
        match ended {
            Disconnected::TooSlow => {
                say("events arrived faster than they were printed; reading the missed ones");
            }
            Disconnected::Lost => say("connection lost; reconnecting"),
            Disconnected::Unreadable => return Err(client.not_a_service()),
        }
        (client, socket) = connect_again(client, watch, since).await?;
        if matches!(ended, Disconnected::Lost) {
            say("reconnected");
        }
    }
}

async fn connect(
    client: &ServiceClient,
    watch: &WatchArgs,
    since: Option<i64>,
) -> Result<Socket, Error> {
    event_socket::connect(client, &query(watch, since)).await
}

/// Reconnects, with backoff, until it succeeds or the service rejects the connection.
async fn connect_again(
    mut client: ServiceClient,
    watch: &WatchArgs,
    since: Option<i64>,
) -> Result<(ServiceClient, Socket), Error> {
    let mut backoff = ReconnectBackoff::new();
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

/// Returns the query string that selects the events.
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

/// Prints events until the connection ends; `since` is the id of the last printed event.
async fn listen(
    socket: &mut Socket,
    watch: &WatchArgs,
    since: &mut Option<i64>,
) -> io::Result<Disconnected> {
    let mut out = BufWriter::new(io::stdout());
    let paint = Paint::of_stdout();
    let mut live = LiveLine::default();
    let wants_live_lines = watch.types.contains(&EventType::TaskLiveLine);
    let mut is_first = true;
    loop {
        // Events that have arrived are written together, before the next wait.
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
        let Ok(frame) = serde_json::from_str::<EventFrame>(&text) else {
            out.flush()?;
            return Ok(Disconnected::Unreadable);
        };
        if let Some(from) = frame.missed_from() {
            *since = Some(from.saturating_sub(1));
            out.flush()?;
            return Ok(Disconnected::TooSlow);
        }
        if watch.json {
            writeln!(out, "{text}")?;
        } else if frame.is_live_line() && paint.is_terminal {
            live.show(&mut out, &colored_line(&frame, paint))?;
        } else if !is_first && (wants_live_lines || !frame.is_live_line()) {
            live.clear(&mut out)?;
            writeln!(out, "{}", colored_line(&frame, paint))?;
        }
        // A `SYSTEM_LOG` carries the newest id of the journal, which may be ahead of the printed events. Only
        // the first one comes before any event can have been skipped.
        if is_first || !frame.is_system_log() {
            *since = Some(frame.id);
        }
        is_first = false;
    }
    live.clear(&mut out)?;
    out.flush()?;
    Ok(Disconnected::Lost)
}

fn event_type(name: &str) -> Result<EventType, String> {
    let kind = name.trim().to_ascii_uppercase().parse();
    kind.map_err(|error: crate::models::UnknownName| error.to_string())
}
