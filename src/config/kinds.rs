//! The settings that each kind of processor has of its own.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::error::Error;
use super::rules;
use super::secret::{self, Secret};
use super::signing_key::{EXPECTED_KEY, signing_key};
use super::table::Table;

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
    /// Certificates of authorities to trust besides the usual ones, PEM. Default: none.
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
    /// What the model is told before each task's content. Default: nothing.
    pub(crate) system: Option<String>,
    /// Default: requests have none. `api_key_env` or `api_key_file`
    pub(crate) api_key: Option<Secret>,
    /// 0 to 2. Default: the model's own.
    pub(crate) temperature: Option<f64>,
    /// Tokens that an answer may have. Default: the model's own limit.
    pub(crate) max_tokens: Option<u64>,
    /// Tokens, of questions and answers, that may be used a minute. Default: no limit.
    pub(crate) tokens_per_minute: Option<u64>,
    /// Certificates of authorities to trust besides the usual ones, PEM. Default: none.
    pub(crate) ca_file: Option<PathBuf>,
}

/// How long the programs behind a `worker` processor may be silent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WorkerSettings {
    /// Seconds after which a task that its worker has not spoken of is lost to that worker, 1 s to a
    /// day. Default 60.
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

/// Shows neither the address, which may hold a token, nor what the model is told.
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

pub(crate) fn command(table: &mut Table<'_>) -> Result<CommandSettings, Error> {
    Ok(CommandSettings {
        program: table.require("program", rules::PROGRAM)?,
        args: table.take("args", rules::ARGUMENTS)?.unwrap_or_default(),
        env: match table.take_table("env", rules::VARIABLES)? {
            Some(env) => env
                .read_all(rules::VARIABLE_NAMES, rules::VARIABLE)?
                .collect(),
            None => BTreeMap::new(),
        },
        working_directory: table.take("working_directory", rules::PATH)?,
    })
}

pub(crate) fn webhook(table: &mut Table<'_>) -> Result<WebhookSettings, Error> {
    Ok(WebhookSettings {
        url: table.require("url", rules::URL)?,
        secret: signing_secret(table)?,
        headers: match table.take_table("headers", rules::HEADERS)? {
            Some(headers) => headers
                .read_all(rules::HEADER_NAMES, rules::HEADER)?
                .collect(),
            None => BTreeMap::new(),
        },
        ca_file: table.take("ca_file", rules::PATH)?,
        response_limit_bytes: table
            .take("response_limit_bytes", rules::BODY_BYTES)?
            .unwrap_or(1 << 20),
    })
}

/// Where the secret stands that requests are signed with. One that can be read already has to be a key; one
/// that cannot may come later, and is checked by the first attempt.
fn signing_secret(table: &mut Table<'_>) -> Result<Option<Secret>, Error> {
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

pub(crate) fn llm(table: &mut Table<'_>) -> Result<LlmSettings, Error> {
    Ok(LlmSettings {
        base_url: table.require("base_url", rules::URL)?,
        model: table.require("model", rules::MODEL)?,
        system: table.take("system", rules::PROMPT)?,
        api_key: secret::read(table, "api_key_env", "api_key_file")?,
        temperature: table.take("temperature", rules::TEMPERATURE)?,
        max_tokens: table.take("max_tokens", rules::TOKENS)?,
        tokens_per_minute: table.take("tokens_per_minute", rules::TOKENS)?,
        ca_file: table.take("ca_file", rules::PATH)?,
    })
}

pub(crate) fn worker(table: &mut Table<'_>) -> Result<WorkerSettings, Error> {
    let lease = table.take("lease", rules::LEASE)?;
    Ok(WorkerSettings {
        lease: lease.unwrap_or(Duration::from_secs(60)),
    })
}
