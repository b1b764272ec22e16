//! (c) Idle latency: one client submits a task and waits for its TASK_COMPLETED on the WebSocket, or for the answer of
//! `POST …?wait=`.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::client::{Client, Driver};
use crate::disk::Disk;
use crate::figures::percentile;
use crate::report::{Aim, Report};
use crate::rounds::QUIET;
use crate::service::{Home, Service};
use crate::{Bench, Failure, Result};

/// Between two tasks, so that each finds the service idle.
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(c) idle latency, from before the POST");
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, &[]).await?;
    let (socket, _) = connect_async(format!("ws://{}/ws/events", service.address)).await?;
    let (client, driver) = Client::connect(service.address).await?;
    let mut sides = Sides {
        client,
        driver,
        socket,
    };
    for number in 0..bench.plan.samples / 10 {
        sides.run_task(number).await?;
        sides.wait_for_answer(number).await?;
    }
    let meter = service.meter();
    let mut disk = Disk::open(&bench.plan.folder)?;
    let (mut seen, mut answered, mut synced) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..bench.plan.samples {
        tokio::time::sleep(PAUSE).await;
        seen.push(sides.run_task(number).await?.as_secs_f64() * 1000.0);
        tokio::time::sleep(PAUSE).await;
        answered.push(sides.wait_for_answer(number).await?.as_secs_f64() * 1000.0);
        synced.push(disk.sync()?.as_secs_f64() * 1000.0);
    }
    let others = meter.sample(0.0, 1).others.unwrap_or(f64::NAN);
    service.kill().await?;
    println!("  others took {:.0} % of the machine", others * 100.0);
    if others > QUIET {
        report.doubt("c");
    }
    let p50 = print(report, "c", "to the TASK_COMPLETED frame", &seen);
    report.aim(Aim::below("(c) idle latency, p50 (ms)", 2.0, Some(p50)));
    let p50 = print(report, "c.wait", "to the answer of POST …?wait=", &answered);
    let sync_ms = print(
        report,
        "c.sync",
        "a 4 KiB write and fdatasync between",
        &synced,
    );
    compare_with_floor(bench, report, p50, sync_ms).await
}

/// Returns the p50.
fn print(report: &mut Report, key: &str, label: &str, times: &[f64]) -> f64 {
    let at = |share| percentile(times.iter().copied(), share);
    let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
    println!("  {label}: p50 {p50:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms");
    report.record(
        key,
        serde_json::json!({ "p50_ms": p50, "p99_ms": p99, "worst_ms": worst }),
    );
    p50
}

/// A task that is accepted and completed costs two syncs of the disk and a round trip at the least.
async fn compare_with_floor(
    bench: &Bench,
    report: &mut Report,
    p50_ms: f64,
    sync_ms: f64,
) -> Result<()> {
    let echo_ms = 1000.0 / bench.echo.measure(&bench.plan, 1).await?.rate;
    println!("  a round trip to the echo: {echo_ms:.2} ms");
    report.record("c.echo_ms", echo_ms.into());
    report.aim(Aim::below(
        "(c) POST …?wait=, p50, of two syncs and a round trip",
        2.0,
        Some(p50_ms / (2.0 * sync_ms + echo_ms)),
    ));
    Ok(())
}

/// One HTTP connection to submit on and one WebSocket to listen on.
struct Sides {
    client: Client,
    driver: Driver,
    socket: Socket,
}

#[derive(Deserialize)]
struct Accepted {
    task_id: String,
}

impl Sides {
    async fn run_task(&mut self, number: usize) -> Result<Duration> {
        let Self {
            client,
            driver,
            socket,
        } = self;
        let uri = "/api/v1/tasks".parse()?;
        let content = format!("hello {number}");
        let start = Instant::now();
        let both = async { tokio::try_join!(client.submit(uri, &content), next_completed(socket)) };
        let (answer, (task_id, seen)) = tokio::select! {
            outcome = tokio::time::timeout(PATIENCE, both) => {
                outcome.map_err(|_| "no TASK_COMPLETED arrived")??
            }
            _ = driver => return Err("the service closed the connection".into()),
        };
        let accepted: Accepted = serde_json::from_slice(&answer)?;
        if accepted.task_id != task_id {
            return Err(format!("submitted {}, saw {task_id}", accepted.task_id).into());
        }
        Ok(seen - start)
    }

    /// Returns how long a submission took that was answered with its result. Its event is read, too.
    async fn wait_for_answer(&mut self, number: usize) -> Result<Duration> {
        let Self {
            client,
            driver,
            socket,
        } = self;
        let uri = "/api/v1/tasks?wait=5".parse()?;
        let content = format!("hello {number}");
        let start = Instant::now();
        let answer = async {
            client.submit(uri, &content).await?;
            Ok::<_, Failure>(start.elapsed())
        };
        let both = async { tokio::try_join!(answer, next_completed(socket)) };
        let (elapsed, _) = tokio::select! {
            outcome = both => outcome?,
            _ = driver => return Err("the service closed the connection".into()),
        };
        Ok(elapsed)
    }
}

/// The task of the next TASK_COMPLETED, and when its frame was read.
async fn next_completed(socket: &mut Socket) -> Result<(String, Instant)> {
    #[derive(Deserialize)]
    struct Event {
        r#type: String,
        data: Data,
    }
    #[derive(Deserialize)]
    struct Data {
        task_id: Option<String>,
    }
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        let seen = Instant::now();
        let event: Event = serde_json::from_str(&text)?;
        if let ("TASK_COMPLETED", Some(task_id)) = (event.r#type.as_str(), event.data.task_id) {
            return Ok((task_id, seen));
        }
    }
    Err("the service closed the WebSocket".into())
}
