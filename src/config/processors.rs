//! The tables `[processors.NAME]`: which processors there are, and the rules of their attempts.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::rules;
use super::table::Table;

/// The processor that exists without being configured.
pub(super) const ECHO: &str = "echo";

/// One `[processors.NAME]` table.
#[derive(Clone, Debug, PartialEq)]
pub struct ProcessorSettings {
    /// What the processor does, with the settings of that kind. `kind`
    pub kind: ProcessorKind,
    /// Seconds after which an attempt fails as `timeout`. Default: it may take as long as it takes.
    pub timeout: Option<Duration>,
    /// At most this many at a time, besides the queue's own limit. Default: no limit of its own.
    pub concurrency: Option<u64>,
}

/// How a processor runs a task.
#[derive(Clone, Debug, PartialEq)]
pub enum ProcessorKind {
    /// By answering `Processed: <content>`.
    Echo,
    /// By a child process.
    Command(CommandSettings),
}

/// The child process of a `command` processor.
#[derive(Clone, PartialEq)]
pub struct CommandSettings {
    /// The program: a path, or a name that is looked up in `PATH`. Always set.
    pub program: String,
    /// Its arguments, handed over as they are: there is no shell. Default: none.
    pub args: Vec<String>,
    /// Added to the service's own environment. Default: nothing.
    pub env: BTreeMap<String, String>,
    /// Where the program starts. Default: where the service was started.
    pub working_directory: Option<PathBuf>,
}

/// Shows the names of the variables alone: their values are where people keep secrets.
impl fmt::Debug for CommandSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandSettings")
            .field("program", &self.program)
            .field("args", &self.args)
            .field("env", &self.env.keys())
            .field("working_directory", &self.working_directory)
            .finish()
    }
}

/// The processors of a service that configures none.
pub(super) fn built_in() -> BTreeMap<String, ProcessorSettings> {
    let echo = ProcessorSettings {
        kind: ProcessorKind::Echo,
        timeout: None,
        concurrency: None,
    };
    BTreeMap::from([(ECHO.to_owned(), echo)])
}

/// Every `[processors.NAME]`, beside or instead of the built-in ones.
pub(super) fn read(settings: &mut Table<'_>) -> Result<BTreeMap<String, ProcessorSettings>, Error> {
    let mut processors = built_in();
    if let Some(tables) = settings.take_table("processors", rules::PROCESSORS)? {
        for (name, mut table) in tables.tables(rules::PROCESSOR_NAMES)? {
            let processor = read_one(&name, &mut table)?;
            table.finish()?;
            processors.insert(name, processor);
        }
    }
    Ok(processors)
}

fn read_one(name: &str, table: &mut Table<'_>) -> Result<ProcessorSettings, Error> {
    Ok(ProcessorSettings {
        kind: read_kind(name, table)?,
        timeout: table.take("timeout", rules::PERIOD)?,
        concurrency: table.take("concurrency", rules::CONCURRENCY)?,
    })
}

fn read_kind(name: &str, table: &mut Table<'_>) -> Result<ProcessorKind, Error> {
    match table.take("kind", rules::KIND)?.as_deref() {
        Some("command") if name == ECHO => {
            let expected = "\"echo\", as this processor is always there; choose another name";
            Err(table.refuse("kind", "\"command\"", expected))
        }
        Some("command") => Ok(ProcessorKind::Command(read_command(table)?)),
        None if name != ECHO => Err(table.refuse("kind", "nothing", rules::KIND.expected)),
        _ => Ok(ProcessorKind::Echo),
    }
}

fn read_command(table: &mut Table<'_>) -> Result<CommandSettings, Error> {
    let Some(program) = table.take("program", rules::PROGRAM)? else {
        return Err(table.refuse("program", "nothing", rules::PROGRAM.expected));
    };
    let args = table.take("args", rules::ARGUMENTS)?.unwrap_or_default();
    let env = match table.take_table("env", rules::VARIABLES)? {
        Some(env) => env
            .read_all(rules::VARIABLE_NAMES, rules::VARIABLE)?
            .collect(),
        None => BTreeMap::new(),
    };
    Ok(CommandSettings {
        program,
        args,
        env,
        working_directory: table.take("working_directory", rules::PATH)?,
    })
}
