//! The settings that each kind of processor has of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::secret::{self, Secret};
use super::signing_key::{EXPECTED_KEY, signing_key};
use super::table_reader::TableReader;
use super::value_types;

/// The child process of a `command` processor.
#[derive(Clone, PartialEq)]
pub(crate) struct CommandSettings {
    /// The program: a path, or a name that is looked up in `PATH`. Always set.
    pub(crate) program: String,
    /// Its arguments, handed over as they are: there is no shell. Default: none.
    pub(crate) args: Vec<String>,
    /// Added to the service's own environment. Default: nothing.
    pub(crate) env: BTreeMap<String, String>,
    /// Where the program starts. Default: where the service was started.
    pub(crate) working_directory: Option<PathBuf>,
}

/// Where a `webhook` processor posts its tasks.
#[derive(Clone, PartialEq)]
pub(crate) struct WebhookSettings {
    /// Begins with `http://` or `https://`, without user and password. Always set.
    pub(crate) url: String,
    /// What requests are signed with: a key in base64, with or without `whsec_` before it. Default: they are
    /// not signed. `secret_env` or `secret_file`
    pub(crate) secret: Option<Secret>,
    /// Sent along with every request. Default: none.
    pub(crate) headers: BTreeMap<String, String>,
    /// CA certificates to trust besides the system's, PEM. Default: none.
    pub(crate) ca_file: Option<PathBuf>,
    /// Bytes of an answer that are kept as the result. Default 1 MiB.
    pub(crate) response_limit_bytes: usize,
}

/// The model of an `llm` processor and the service that runs it.
#[derive(Clone, PartialEq)]
pub(crate) struct LlmSettings {
    /// Where the OpenAI-compatible API begins, such as `http://localhost:11434/v1`. Always set.
    pub(crate) base_url: String,
    /// Name of the model, as that service knows it. Always set.
    pub(crate) model: String,
    /// System prompt, sent before each task's content. Default: none.
    pub(crate) system: Option<String>,
    /// Default: requests have none. `api_key_env` or `api_key_file`
    pub(crate) api_key: Option<Secret>,
    /// 0 to 2. Default: the model's own.
    pub(crate) temperature: Option<f64>,
    /// Tokens that an answer may have. Default: the model's own limit.
    pub(crate) max_tokens: Option<u64>,
    /// Tokens, of questions and answers, that may be used a minute. Default: no limit.
    pub(crate) tokens_per_minute: Option<u64>,
    /// CA certificates to trust besides the system's, PEM. Default: none.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How long the programs behind a `worker` processor may go without a sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    /// Seconds without a sign of life after which a worker loses its task, 1 s to a day. Default 60.
    pub(crate) lease: Duration,
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

/// Shows neither the address, which may hold a token, nor what the headers say.
impl fmt::Debug for WebhookSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSettings")
            .field("secret", &self.secret)
            .field("headers", &self.headers.keys())
            .field("ca_file", &self.ca_file)
            .field("response_limit_bytes", &self.response_limit_bytes)
            .finish_non_exhaustive()
    }
}

/// Shows neither the address, which may hold a token, nor the prompt.
impl fmt::Debug for LlmSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LlmSettings")
            .field("model", &self.model)
            .field("api_key", &self.api_key)
            .field("temperature", &self.temperature)
            .field("max_tokens", &self.max_tokens)
            .field("tokens_per_minute", &self.tokens_per_minute)
            .field("ca_file", &self.ca_file)
            .finish_non_exhaustive()
    }
}

pub(crate) fn command(table: &mut TableReader<'_>) -> Result<CommandSettings, Error> {
    Ok(CommandSettings {
        program: table.require("program", value_types::PROGRAM)?,
        args: table
            .take("args", value_types::ARGUMENTS)?
            .unwrap_or_default(),
        env: match table.take_table("env", value_types::VARIABLES)? {
            Some(env) => env
                .read_all(value_types::VARIABLE_NAMES, value_types::VARIABLE)?
                .collect(),
            None => BTreeMap::new(),
        },
        working_directory: table.take("working_directory", value_types::PATH)?,
    })
}

pub(crate) fn webhook(table: &mut TableReader<'_>) -> Result<WebhookSettings, Error> {
    Ok(WebhookSettings {
        url: table.require("url", value_types::URL)?,
        secret: signing_secret(table)?,
        headers: match table.take_table("headers", value_types::HEADERS)? {
            Some(headers) => headers
                .read_all(value_types::HEADER_NAMES, value_types::HEADER)?
                .collect(),
            None => BTreeMap::new(),
        },
        ca_file: table.take("ca_file", value_types::PATH)?,
        response_limit_bytes: table
            .take("response_limit_bytes", value_types::BODY_BYTES)?
            .unwrap_or(1 << 20),
    })
}

/// Reads where the signing secret stands. If it can be read at this moment, it must be a key; otherwise the first
/// attempt checks it.
fn signing_secret(table: &mut TableReader<'_>) -> Result<Option<Secret>, Error> {
    let secret = secret::read(table, "secret_env", "secret_file")?;
    if let Some(secret) = &secret
        && secret.can_be_read_now()
        && let Ok(text) = secret.reveal()
        && let Err(wrong) = signing_key(&text)
    {
        let (key, place) = match secret {
            Secret::Env(name) => ("secret_env", format!("the variable `{name}`")),
            Secret::File(path) => ("secret_file", format!("the file `{}`", path.display())),
        };
        return Err(table.refuse(
            key,
            format!("{place}, whose value is {wrong}"),
            EXPECTED_KEY,
        ));
    }
    Ok(secret)
}

pub(crate) fn llm(table: &mut TableReader<'_>) -> Result<LlmSettings, Error> {
    Ok(LlmSettings {
        base_url: table.require("base_url", value_types::URL)?,
        model: table.require("model", value_types::MODEL)?,
        system: table.take("system", value_types::PROMPT)?,
        api_key: secret::read(table, "api_key_env", "api_key_file")?,
        temperature: table.take("temperature", value_types::TEMPERATURE)?,
        max_tokens: table.take("max_tokens", value_types::TOKENS)?,
        tokens_per_minute: table.take("tokens_per_minute", value_types::TOKENS)?,
        ca_file: table.take("ca_file", value_types::PATH)?,
    })
}

pub(crate) fn worker(table: &mut TableReader<'_>) -> Result<WorkerSettings, Error> {
    let lease = table.take("lease", value_types::LEASE)?;
    Ok(WorkerSettings {
        lease: lease.unwrap_or(Duration::from_secs(60)),
    })
}
