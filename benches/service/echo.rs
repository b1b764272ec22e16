//! The reference: a bare axum JSON echo, in a process of its own as the service is.
//!
//! The same framework, runtime and JSON library as the service, with nothing behind them: what
//! remains between the two rates is the price of durability and of running tasks.

use std::net::SocketAddr;
use std::process::Stdio;

use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::client::Target;
use crate::crew::Crew;
use crate::meter::Meter;
use crate::options::Plan;
use crate::process::Process;

use crate::rounds::Sample;
use crate::{Failure, Result};

#[derive(Deserialize, Serialize)]
struct Submission {
    content: String,
}

/// The echo server's own main: prints its address, then serves until it is killed.
pub async fn serve() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let app = Router::new().route("/echo", post(echo));
    Ok(axum::serve(listener, app).await?)
}

async fn echo(Json(submission): Json<Submission>) -> (StatusCode, Json<Submission>) {
    (StatusCode::CREATED, Json(submission))
}

/// The running echo server.
pub struct Echo {
    process: Process,
    address: SocketAddr,
}

impl Echo {
    /// Runs this executable again as the echo server.
    pub async fn start(plan: &Plan) -> Result<Self> {
        std::fs::create_dir_all(&plan.folder)?;
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--echo-server")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command)?;
        let stdout = process
            .child()
            .stdout
            .take()
            .ok_or("the echo has no stdout")?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).await?;
        let address = line
            .trim()
            .parse()
            .map_err(|_| Failure::from("the echo did not start"))?;
        Ok(Self { process, address })
    }

    /// The rate that `connections` closed-loop connections reach.
    pub async fn measure(&self, plan: &Plan, connections: usize) -> Result<Sample> {
        let mut crew = Crew::connect(self.target(), connections).await?;
        crew.submit_for(plan.warm_up).await?;
        let meter = Meter::start(&self.process, Vec::new());
        let tally = crew.submit_for(plan.duration).await?;
        let sample = meter.sample(tally.rate(), tally.answered);
        Ok(sample.with_latency(tally.latency()))
    }

    fn target(&self) -> Target {
        Target {
            address: self.address,
            path: "/echo",
        }
    }
}
