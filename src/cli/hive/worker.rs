//! `venom hive worker`: this machine's part of the work of others.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::cli::error::Error;
use crate::cli::output::print;
use crate::cli::signals::Signals;
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

A job's function is the name of a processor in this machine's venom.toml: of kind echo, command, webhook
or llm. Jobs come from any client of ARQ, or from a service with processors of kind hive.
SIGTERM or Ctrl-C stops it cleanly: running jobs get VENOM_SHUTDOWN_GRACE (default 30 s) to finish, the
rest goes back to the queue for other workers. A second one ends it at once.";

/// Take jobs of the Hive and run them here, until Ctrl-C; needs no database.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct WorkerArgs {
    /// What the worker is called in its log and in `venom hive nodes` [default: host name and process id]
    #[arg(long)]
    name: Option<String>,
    /// Jobs that run at a time
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    max_jobs: u32,
    /// A queue to take jobs from; several times for several, the most urgent first [default:
    /// hive_high_priority_queue, then hive_background_queue]
    #[arg(long = "queue", value_name = "QUEUE")]
    queues: Vec<String>,
    /// How the results of jobs are written that have expired or cannot be read: pickle, json or msgpack;
    /// all others are written as their jobs were
    #[arg(long, default_value_t = Codec::Pickle, value_parser = codec)]
    codec: Codec,
    /// How log lines are written, text or json [env: VENOM_LOG_FORMAT] [default: text]
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// Settings file [env: VENOM_CONFIG] [default: ./venom.toml, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

fn codec(word: &str) -> Result<Codec, UnknownCodec> {
    word.parse()
}

/// Works until it is told to stop.
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
    // Whatever is left has been told to stop and had its time.
    runtime.shutdown_background();
    worked
}

async fn work(settings: &Settings, args: WorkerArgs) -> Result<(), Error> {
    let stop = CancellationToken::new();
    let signals = Signals::listen()
        .map_err(|error| Error::Failed(format!("cannot receive signals: {error}")))?;
    let options = WorkerOptions {
        name: args.name.unwrap_or_else(name),
        max_jobs: args.max_jobs as usize,
        queues: args.queues,
        codec: args.codec,
    };
    let worker = hive::Worker::new(settings, options)
        .map_err(|error| Error::Failed(format!("the worker cannot be started: {error}")))?;
    let afterwards = "interrupted jobs run again when other workers may take them, within 30 s";
    tokio::spawn(signals.obey(stop.clone(), settings.log_format, afterwards));
    print::say(format_args!(
        "Running {} for {} of Redis at {}:{}. Ctrl-C stops it.",
        worker.functions().join(", "),
        worker.queues().join(", "),
        settings.redis_host,
        settings.redis_port,
    ));
    worker.run(stop).await;
    Ok(())
}

/// The host's name and the number of this process.
fn name() -> String {
    format!("{}-{}", host_name(), std::process::id())
}
