//! (c) Idle latency: one client submits a task and waits for its TASK_COMPLETED on the WebSocket.

use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::client::{Client, Driver};
use crate::figures::percentile;
use crate::report::{Aim, Report};
use crate::service::{Home, Service};
use crate::{Bench, Result};

/// Between two tasks, so that each finds the service idle.
const PAUSE: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_secs(5);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub async fn measure(bench: &Bench, report: &mut Report) -> Result<()> {
    report.section("(c) idle latency, from before the POST to its TASK_COMPLETED frame");
    let service = Service::start(&bench.plan, Home::empty(&bench.plan)?, &[]).await?;
    let (socket, _) = connect_async(format!("ws://{}/ws/events", service.address)).await?;
    let (client, driver) = Client::connect(service.address).await?;
    let mut pair = Pair {
        client,
        driver,
        socket,
    };
    for number in 0..bench.plan.samples / 10 {
        pair.run_task(number).await?;
    }
    let meter = service.meter();
    let mut times = Vec::with_capacity(bench.plan.samples);
    for number in 0..bench.plan.samples {
        tokio::time::sleep(PAUSE).await;
        times.push(pair.run_task(number).await?.as_secs_f64() * 1000.0);
    }
    let others = meter.sample(0.0, 1).others.unwrap_or(f64::NAN);
    service.kill().await?;
    println!("  others took {:.0} % of the machine", others * 100.0);
    let echo = bench.echo.measure(&bench.plan, 1).await?;
    println!("  a round trip to the echo: {:.2} ms", 1000.0 / echo.rate);
    print(report, &times);
    Ok(())
}

fn print(report: &mut Report, times: &[f64]) {
    let at = |share| percentile(times.iter().copied(), share);
    let (p50, p99, worst) = (at(0.5), at(0.99), at(1.0));
    println!(
        "  {} tasks: p50 {p50:.2} ms, p99 {p99:.2} ms, worst {worst:.2} ms",
        times.len()
    );
    report.record(
        "c",
        serde_json::json!({ "p50_ms": p50, "p99_ms": p99, "worst_ms": worst }),
    );
    report.aim(Aim::below("(c) idle latency, p50 (ms)", 2.0, Some(p50)));
}

/// One HTTP connection to submit on and one WebSocket to listen on.
struct Pair {
    client: Client,
    driver: Driver,
    socket: Socket,
}

#[derive(Deserialize)]
struct Accepted {
    task_id: String,
}

impl Pair {
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
