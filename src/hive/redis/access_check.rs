//! Checks that Redis accepts writes and that its user has the rights that the Hive needs. A refusal names the missing
//! right and how to grant it.

use redis::aio::MultiplexedConnection;
use redis::{RedisError, Script};

use crate::hive::redis::keys;

/// The prefixes of ARQ's keys that end in a job's id.
const JOB_KEYS: [&str; 4] = ["arq:job:", keys::RESULT, keys::IN_PROGRESS, "arq:retry:"];

/// The test of one node's rights in Redis.
pub(crate) struct AccessCheck {
    script: Script,
    user: String,
    /// The node's random id, part of its test keys.
    id: String,
    /// The keys that it writes, besides those named after jobs.
    keys: Vec<String>,
}

impl AccessCheck {
    /// Creates the check of a node that is logged in as `user` and writes these keys.
    pub(crate) fn new(user: Option<&str>, keys: Vec<String>) -> Self {
        Self {
            script: Script::new(include_str!("lua/check.lua")),
            user: user.unwrap_or("default").to_owned(),
            id: uuid::Uuid::new_v4().simple().to_string(),
            keys,
        }
    }

    /// Runs the check. Returns why Redis refuses the node, as a clause without a full stop, or `None`.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub(crate) async fn run(
        &self,
        connection: &mut MultiplexedConnection,
    ) -> Result<Option<String>, RedisError> {
        // Scripts use EVALSHA as a rule, and EVAL where they are rare.
        let eval: Result<(), _> = redis::cmd("EVAL")
            .arg("return redis.status_reply('OK')")
            .arg(0)
            .query_async(connection)
            .await;
        let mut call = self.script.arg(&self.id);
        for key in JOB_KEYS {
            call.arg(format!("{key}{}", self.id));
        }
        for key in &self.keys {
            call.arg(key);
        }
        let tried = match eval {
            Ok(()) => call.invoke_async::<Vec<String>>(connection).await,
            Err(error) => Err(error),
        };
        match tried {
            Ok(refusals) => Ok(self.reason(&refusals)),
            Err(error) => match self.refusal(&error) {
                Some(reason) => Ok(Some(reason)),
                None => Err(error),
            },
        }
    }

    /// Explains the refusal of a whole command; `None` if the error is no refusal.
    pub(crate) fn refusal(&self, error: &RedisError) -> Option<String> {
        let text = error.to_string();
        if is_denied(error) {
            let command = text.split('\'').nth(1).unwrap_or("a command that it needs");
            let mut missing = MissingRights::default();
            missing.command(command);
            return Some(missing.words(&self.user));
        }
        let code = error.code()?;
        condition(code).map(|words| format!("{words} ({text})"))
    }

    /// Explains why a channel cannot be subscribed to.
    pub(crate) fn channel_refusal(&self, channel: &str, error: &RedisError) -> Option<String> {
        if !is_denied(error) {
            return None;
        }
        let text = error.to_string();
        if !text.contains("channel") {
            return self.refusal(error);
        }
        let user = &self.user;
        Some(format!(
            "its user {user} may not listen to the channel {channel}; allow it with ACL SETUSER {user} &{channel}"
        ))
    }

    fn reason(&self, refusals: &[String]) -> Option<String> {
        let mut missing = MissingRights::default();
        let (refusals, _) = refusals.as_chunks::<3>();
        for [command, key, text] in refusals {
            let code = text.split(' ').next().unwrap_or_default();
            if let Some(words) = condition(code) {
                return Some(format!("{words} ({})", text.trim_end()));
            }
            if names_a_key(text) {
                missing.key(key);
            } else if is_denial(text) {
                missing.command(command);
            }
            // Any other error means a key of another type, which the check ignores.
        }
        (!missing.is_empty()).then(|| missing.words(&self.user))
    }
}

/// Returns true if Redis denies its user a right.
pub(crate) fn is_denied(error: &RedisError) -> bool {
    error.code() == Some("NOPERM") || is_denial(&error.to_string())
}

fn is_denial(text: &str) -> bool {
    // The last two are errors of scripts, before and since Redis 7.2.
    let words = [
        "NOPERM",
        "The user executing the script can't",
        "ACL failure in script",
    ];
    words.iter().any(|words| text.contains(words))
}

fn names_a_key(text: &str) -> bool {
    let is_key = ["one of the keys", "access a key"];
    is_denial(text) && is_key.iter().any(|words| text.contains(words))
}

/// Explains the condition of a Redis that answers with this error code.
fn condition(code: &str) -> Option<&'static str> {
    Some(match code {
        "OOM" => {
            "it is out of memory and takes no writes: raise maxmemory, or delete unneeded data"
        }
        "READONLY" => {
            "it is a read-only replica and takes no writes: redis_host has to name its primary"
        }
        "MASTERDOWN" => {
            "it is a replica that has lost its primary: redis_host has to name the primary"
        }
        "MISCONF" => "it cannot save its data and takes no writes: look at its log",
        "NOREPLICAS" => "it has fewer replicas than min-replicas-to-write and takes no writes",
        "BUSY" => "it is blocked by a script that does not end: SCRIPT KILL ends it",
        "LOADING" => "it is still reading its data",
        "CLUSTERDOWN" => "its cluster is down",
        _ => return None,
    })
}

/// The rights that are missing.
#[derive(Default)]
struct MissingRights {
    commands: Vec<String>,
    keys: Vec<String>,
}

impl MissingRights {
    fn command(&mut self, command: &str) {
        let command = command.to_uppercase();
        if !self.commands.contains(&command) {
            self.commands.push(command);
        }
    }

    fn key(&mut self, key: &str) {
        let families = ["arq:", "venom:hive:"];
        let family = families.iter().find(|family| key.starts_with(*family));
        let pattern = format!("{}*", family.copied().unwrap_or(key));
        if !self.keys.contains(&pattern) {
            self.keys.push(pattern);
        }
    }

    fn is_empty(&self) -> bool {
        self.commands.is_empty() && self.keys.is_empty()
    }

    fn words(&self, user: &str) -> String {
        let mut lacks = Vec::new();
        if !self.commands.is_empty() {
            lacks.push(format!("run {}", self.commands.join(", ")));
        }
        if !self.keys.is_empty() {
            lacks.push(format!("use the keys {}", self.keys.join(", ")));
        }
        let commands = self.commands.iter();
        let commands = commands.map(|command| format!(" +{}", command.to_lowercase()));
        let keys = self.keys.iter().map(|key| format!(" ~{key}"));
        let grants: String = commands.chain(keys).collect();
        format!(
            "its user {user} may not {}; allow it with ACL SETUSER {user}{grants}",
            lacks.join(", nor ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(refusals: &[[&str; 3]]) -> Option<String> {
        let refusals: Vec<_> = refusals
            .iter()
            .flatten()
            .map(|it| (*it).to_owned())
            .collect();
        AccessCheck::new(Some("venom"), Vec::new()).reason(&refusals)
    }

    #[test]
    fn the_missing_rights_are_named_as_each_version_of_redis_tells_them() {
        for (command, key) in [
            (
                "ERR The user executing the script can't run this command or subcommand",
                "ERR The user executing the script can't access at least one of the keys mentioned in the command \
                 arguments",
            ),
            (
                "ERR ACL failure in script: User venom has no permissions to run the 'zadd' command",
                "ERR ACL failure in script: No permissions to access a key",
            ),
        ] {
            let refusals = [
                ["ZADD", "venom:hive:check", command],
                ["ZREM", "arq:job:x", key],
                ["ZREM", "arq:abort", key],
                ["ZREM", "q", key],
                ["ZREM", "list", "WRONGTYPE Operation against a key"],
            ];
            assert_eq!(
                reason(&refusals).expect("a reason"),
                "its user venom may not run ZADD, nor use the keys arq:*, q*; allow it with ACL SETUSER venom +zadd \
                 ~arq:* ~q*"
            );
        }
        assert_eq!(reason(&[]), None);
        assert_eq!(reason(&[["ZREM", "list", "WRONGTYPE Operation"]]), None);
    }

    #[test]
    fn a_redis_without_room_is_told_before_all_else() {
        let full = reason(&[[
            "SET",
            "k",
            "OOM command not allowed when used memory > 'maxmemory'.",
        ]]);
        let full = full.expect("a reason");
        assert!(
            full.starts_with("it is out of memory and takes no writes"),
            "{full}"
        );
    }
}
