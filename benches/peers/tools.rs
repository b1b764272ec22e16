//! The programs and packages that the peers need: which are there, and how the others are installed.

use std::path::{Path, PathBuf};

use tokio::process::Command;

use crate::peer::Peer;
use crate::{Failure, Result};

/// Where things are, all under the checkout.
pub struct Tools {
    /// `scripts/test` makes the same.
    pub python: PathBuf,
    /// BullMQ, and undici for the service.
    pub node_modules: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self {
            python: root().join("target/arq-venv/bin/python"),
            node_modules: root().join("target/peers/node_modules"),
        }
    }
}

impl Tools {
    /// Runs `install`, which leaves alone what is there.
    pub async fn install(&self) -> Result<()> {
        let script = side("install");
        let status = Command::new(&script)
            .current_dir(root())
            .kill_on_drop(true)
            .status();
        match status.await? {
            status if status.success() => Ok(()),
            status => Err(format!("{}: {status}", script.display()).into()),
        }
    }

    /// Returns those of `wanted` that can run, and prints what the others lack.
    pub fn runnable(&self, wanted: &[Peer]) -> Result<Vec<Peer>> {
        if !on_path("node") || !self.node_modules.join("undici").exists() {
            return Err("the load needs `node` and undici: `--install` installs them".into());
        }
        let mut peers = Vec::new();
        for peer in wanted {
            match self.lacks(*peer) {
                None => peers.push(*peer),
                Some(what) => eprintln!(
                    "{} is left out, {what} is missing: `--install` installs it",
                    peer.name()
                ),
            }
        }
        match peers.is_empty() {
            true => Err("no peer can run here".into()),
            false => Ok(peers),
        }
    }

    fn lacks(&self, peer: Peer) -> Option<&'static str> {
        let needs = match peer {
            Peer::Bullmq => [
                ("redis-server", on_path("redis-server")),
                ("bullmq", self.node_modules.join("bullmq").exists()),
            ],
            Peer::Beanstalkd => [("beanstalkd", on_path("beanstalkd")), ("", true)],
            Peer::Arq => [
                ("redis-server", on_path("redis-server")),
                ("target/arq-venv", self.python.exists()),
            ],
        };
        needs
            .iter()
            .find(|(_, there)| !there)
            .map(|(what, _)| *what)
    }

    /// Of all that takes part, for the heading.
    pub async fn versions(&self, peers: &[Peer]) -> Result<String> {
        let mut versions = vec![format!("Node {}", output("node", &["--version"]).await?)];
        for peer in peers {
            versions.push(match peer {
                Peer::Bullmq => format!("bullmq {}", self.package_version("bullmq")?),
                Peer::Beanstalkd => output("beanstalkd", &["-v"]).await?,
                Peer::Arq => {
                    let code = "from arq.version import VERSION; print('arq', VERSION)";
                    output(&self.python, &["-c", code]).await?
                }
            });
        }
        if on_path("redis-server") {
            versions.push(output("redis-server", &["--version"]).await?);
        }
        Ok(versions.join(", "))
    }

    fn package_version(&self, name: &str) -> Result<String> {
        let file = self.node_modules.join(name).join("package.json");
        let package: serde_json::Value = serde_json::from_slice(&std::fs::read(file)?)?;
        Ok(package["version"].as_str().unwrap_or("?").to_owned())
    }
}

/// A file of this benchmark's folder.
pub fn side(name: &str) -> PathBuf {
    root().join("benches/peers").join(name)
}

fn on_path(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

async fn output(program: impl AsRef<Path>, words: &[&str]) -> Result<String> {
    let program = program.as_ref();
    let output = Command::new(program).args(words).output().await;
    let output =
        output.map_err(|error| Failure::from(format!("{}: {error}", program.display())))?;
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
