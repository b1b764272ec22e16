//! A load or a worker: the process of `load.cjs` or `load.py`.

use std::process::Stdio;

use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use crate::Result;
use crate::peer::Contender;
use crate::process::Process;
use crate::tools::{Tools, side};

/// A process that has said that it is ready.
pub struct Load {
    pub process: Process,
    pub pipes: Pipes,
}

pub struct Pipes {
    stdin: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

/// What a load prints at its end.
#[derive(Deserialize)]
pub struct Figures {
    pub answered: u64,
    pub seconds: f64,
    /// Processor time of the load itself.
    pub cpu_us: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Load {
    /// Starts `load.cjs` or `load.py` with these words.
    pub async fn start(
        tools: &Tools,
        contender: Contender,
        port: u16,
        words: &[String],
    ) -> Result<Self> {
        let mut command = match contender.node_client() {
            Some(client) => node(tools, client),
            None => python(tools),
        };
        command
            .arg(port.to_string())
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut process = Process::spawn(&mut command)?;
        let stdin = process
            .child()
            .stdin
            .take()
            .ok_or("the load has no stdin")?;
        let stdout = process
            .child()
            .stdout
            .take()
            .ok_or("the load has no stdout")?;
        let mut lines = BufReader::new(stdout).lines();
        match lines.next_line().await?.as_deref() {
            Some("ready") => Ok(Self {
                process,
                pipes: Pipes { stdin, lines },
            }),
            line => Err(format!("the load {words:?} said {line:?} instead of `ready`").into()),
        }
    }
}

impl Pipes {
    /// Lets the load begin and waits for its figures. The process lives on, so that its processor time can be read.
    pub async fn run(&mut self) -> Result<Figures> {
        self.stdin.write_all(b"\n").await?;
        let line = self.lines.next_line().await?;
        Ok(serde_json::from_str(
            &line.ok_or("the load ended without figures")?,
        )?)
    }
}

fn node(tools: &Tools, client: &str) -> Command {
    let mut command = Command::new("node");
    command
        .env("NODE_PATH", &tools.node_modules)
        .arg(side("load.cjs"))
        .arg(client);
    command
}

fn python(tools: &Tools) -> Command {
    let mut command = Command::new(&tools.python);
    command.arg(side("load.py"));
    command
}
