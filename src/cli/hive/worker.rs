//! `venom hive worker`: runs jobs from Redis on this machine.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::cli::error::Error;
use crate::cli::output::print;
use crate::cli::signals::StopSignals;
use crate::config::{Overrides, Settings, Sources};
use crate::hive::cluster::node::host_name;
use crate::hive::wire::{Codec, UnknownCodec};
use crate::hive::{self, WorkerOptions};
use crate::logging;

const EXAMPLES: &str = "\
Examples:
  venom hive worker
  REDIS_HOST=10.0.0.5 venom hive worker --name gpu-1 --max-jobs 2
  venom hive worker --queue venom:tasks:high

The function of a job names a processor in this machine's venom.toml, of kind echo, command, webhook or llm.
Jobs come from any ARQ client, or from a service with processors of kind hive.
SIGTERM or Ctrl-C shuts the worker down: running jobs get VENOM_SHUTDOWN_GRACE (default 30 s) to finish, the
others return to the queue. A second signal exits immediately.";

/// Run jobs of the Hive on this machine until Ctrl-C; needs no database.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkerArgs {
    /// Name the worker in its log and in `venom hive nodes` [default: host name and process id]
    #[arg(long)]
    name: Option<String>,
    /// Run at most this many jobs at the same time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_jobs: u32,
    /// Take jobs from this queue; repeat the flag for several, the most urgent first [default:
    /// hive_high_priority_queue, then hive_background_queue]
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<String>,
    /// Encode results of expired or unreadable jobs as pickle, json or msgpack; other results use the
    /// encoding of their job
    #[arg(long, default_value_t = Codec::Pickle, value_parser = codec)]
    codec: Codec,
    /// Write the log as text or json [env: VENOM_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Read the settings from this file [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn codec(word: &str) -> Result<Codec, UnknownCodec> {
    word.parse()
}

/// Runs the worker until a signal stops it.
pub(crate) fn run(args: WorkerArgs) -> Result<(), Error> {
    let sources = Sources {
        config_file: args.config.clone(),
        overrides: Overrides {
            log_format: args.log_format.clone(),
            ..Overrides::default()
        },
        ..Sources::from_process()
    };
    let settings = Settings::load(&sources)?.settings;
    logging::start(settings.log_format, &settings.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Failed(format!("cannot start: {error}")))?;
    let worked = runtime.block_on(work(&settings, args));
    // The remaining threads were cancelled and had their grace period.
    runtime.shutdown_background();
    worked
}

async fn work(settings: &Settings, args: WorkerArgs) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let signals = StopSignals::listen()
        .map_err(|error| Error::Failed(format!("cannot receive signals: {error}")))?;
    let options = WorkerOptions {
        name: args.name.unwrap_or_else(name),
        max_jobs: args.max_jobs as usize,
        queues: args.queues,
        codec: args.codec,
    };
    let worker = hive::Worker::new(settings, options)
        .map_err(|error| Error::Failed(format!("cannot start the worker: {error}")))?;
    let afterwards = "interrupted jobs run again within 30 s, when other workers may take them";
    tokio::spawn(signals.shut_down(stop.clone(), settings.log_format, afterwards));
    print::say(format_args!(
        "Running {} for {} of Redis at {}:{}. Press Ctrl-C to stop.",
        worker.functions().join(", "),
        worker.queues().join(", "),
        settings.redis_host,
        settings.redis_port,
    ));
    worker.run(stop).await;
    Ok(())
}

/// Returns host name and process id.
fn name() -> String {
    format!("{}-{}", host_name(), std::process::id())
}
