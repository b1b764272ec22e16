//! A fresh server of each kind, with an empty folder on the measured disk.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::process::Command;

use crate::Result;
use crate::options::{Part, Plan};
use crate::peer::{Contender, Peer};
use crate::process::Process;
use crate::service::{Home, LIMITS_OFF, Service, free_port};

const START_PATIENCE: Duration = Duration::from_secs(10);

pub enum Server {
    Service(Service),
    Peer(PeerServer),
}

pub struct PeerServer {
    // The order matters: the process ends before its folder goes.
    process: Process,
    _home: Home,
    port: u16,
}

impl Server {
    pub async fn start(plan: &Plan, contender: Contender, part: Part) -> Result<Self> {
        match contender {
            Contender::Service(_) => Self::service(plan, part).await,
            Contender::Peer(peer) => Self::peer(plan, peer).await,
        }
    }

    /// Starts the service; its queue is paused where nothing is to run.
    async fn service(plan: &Plan, part: Part) -> Result<Self> {
        let service = Service::start(plan, Home::empty(plan)?, LIMITS_OFF).await?;
        if part == Part::Accept {
            service.pause().await?;
        }
        Ok(Self::Service(service))
    }

    async fn peer(plan: &Plan, peer: Peer) -> Result<Self> {
        let (home, port) = (Home::empty(plan)?, free_port()?);
        let mut command = match peer {
            Peer::Bullmq | Peer::Arq => redis(&home, port),
            Peer::Beanstalkd => beanstalkd(&home, port),
        };
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let process = Process::spawn(&mut command)?;
        accepts(port).await?;
        Ok(Self::Peer(PeerServer {
            process,
            _home: home,
            port,
        }))
    }

    pub fn process(&self) -> &Process {
        match self {
            Self::Service(service) => &service.process,
            Self::Peer(peer) => &peer.process,
        }
    }

    pub fn port(&self) -> u16 {
        match self {
            Self::Service(service) => service.address.port(),
            Self::Peer(peer) => peer.port,
        }
    }
}

/// A Redis that answers after the sync of its append-only file, and never rewrites the file.
fn redis(home: &Home, port: u16) -> Command {
    let mut command = Command::new("redis-server");
    command
        .args([
            "--bind",
            "127.0.0.1",
            "--port",
            &port.to_string(),
            "--save",
            "",
        ])
        .args(["--appendonly", "yes", "--appendfsync", "always"])
        .args(["--auto-aof-rewrite-percentage", "0"])
        .current_dir(home.path());
    command
}

/// A beanstalkd that answers after the sync of its log.
fn beanstalkd(home: &Home, port: u16) -> Command {
    let mut command = Command::new("beanstalkd");
    command
        .args(["-l", "127.0.0.1", "-p", &port.to_string(), "-f", "0", "-b"])
        .arg(home.path());
    command
}

/// Waits until something listens at `port`.
async fn accepts(port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let patience = Instant::now() + START_PATIENCE;
    while let Err(error) = TcpStream::connect(address).await {
        if Instant::now() > patience {
            return Err(format!("{address}: {error}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}
