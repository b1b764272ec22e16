//! The parsed body of a job, as a task; or why the job cannot run.

use std::collections::HashSet;
use std::fmt::Display;

use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::hive::wire::codec::Codec;
use crate::hive::wire::exception::Exception;
use crate::hive::wire::job::Job;
use crate::hive::wire::value::Value;
use crate::hive::worker::claims::{JobBody, JobClaim, LONGEST_BODY};
use crate::models::{Attempt, ClaimedTask, TaskId, Terms, Timestamp};
use crate::processors::Sent;
use crate::state::Upstream;

/// How often a job may be started, as in ARQ.
pub(crate) const MAX_TRIES: i64 = 5;
/// An abort mark that is older than its job by more than these milliseconds is a leftover of ARQ; a smaller
/// difference may come from two clocks.
const STALE_ABORT_MS: f64 = 60_000.0;

/// The decoded part of a job's body.
pub(crate) struct JobSpec {
    pub(crate) job: Job,
    pub(crate) codec: Codec,
}

impl JobSpec {
    /// Decodes a body. One that cannot be decoded becomes a job of the function `<unknown>`, with the reason.
    pub(crate) fn read(body: JobBody, usual: Codec) -> (Self, Option<Exception>) {
        let body = match body {
            JobBody::Whole(body) => body,
            JobBody::MissingRights => return (Self::unknown(usual), Some(failed("job expired"))),
            JobBody::TooLong(length) => {
                let reason = format!("it has {length} bytes, more than {LONGEST_BODY}");
                return (Self::unknown(usual), Some(unreadable(&reason)));
            }
        };
        let Some(codec) = codec_of(&body) else {
            let reason = "neither pickle nor JSON nor MessagePack";
            return (Self::unknown(usual), Some(unreadable(&reason)));
        };
        match Job::from_bytes(&body, codec) {
            Ok(job) => (Self { job, codec }, None),
            Err(error) => (Self::unknown(codec), Some(unreadable(&error))),
        }
    }

    fn unknown(codec: Codec) -> Self {
        let job = Job {
            job_try: None,
            function: "<unknown>".to_owned(),
            args: Vec::new(),
            kwargs: Vec::new(),
            enqueue_time_ms: 0,
            trace: None,
        };
        Self { job, codec }
    }

    /// Returns the time in Unix milliseconds from which on an abort mark concerns this job and not an earlier one.
    pub(crate) fn oldest_abort_ms(&self) -> f64 {
        self.job.enqueue_time_ms as f64 - STALE_ABORT_MS
    }

    /// Returns why the job must not start, in ARQ's order and words.
    pub(crate) fn refusal(
        &self,
        start: i64,
        is_aborted: bool,
        functions: &HashSet<String>,
    ) -> Option<Exception> {
        if is_aborted {
            return Some(Exception::cancelled());
        }
        let function = &self.job.function;
        if !functions.contains(function) {
            return Some(failed(&format!("function '{function}' not found")));
        }
        let is_over = start > MAX_TRIES;
        is_over.then(|| failed(&format!("max {MAX_TRIES} retries exceeded")))
    }

    /// Converts the job into a task and what the sender added. `realm` names the Redis that it came from.
    ///
    /// # Errors
    /// Python's error for wrong arguments.
    pub(crate) fn task(
        &self,
        claim: &JobClaim,
        realm: &str,
    ) -> Result<(ClaimedTask, Sent), Exception> {
        let Job {
            function,
            args,
            kwargs,
            ..
        } = &self.job;
        let [task_id, payload] = args.as_slice() else {
            let count = args.len();
            let reason =
                format!("{function}() takes a task id and a payload, got {count} arguments");
            return Err(failed(&reason));
        };
        let mut upstream = Vec::new();
        for (name, value) in kwargs {
            if name != "upstream" {
                let reason = format!("{function}() got an unexpected keyword argument '{name}'");
                return Err(failed(&reason));
            }
            upstream = serde_json::from_value::<Vec<Upstream>>(value.to_json())
                .map_err(|error| failed(&format!("argument 'upstream': {error}")))?;
        }
        let task = ClaimedTask {
            attempt: Attempt {
                seq: 0,
                task_id: task_id_of(task_id, &claim.id, realm),
                number: claim.start,
            },
            content: payload.to_text(),
            processor: function.clone(),
            concurrency_key: None,
            terms: Terms {
                max_attempts: MAX_TRIES,
                uncounted: 0,
                timeout: None,
                has_upstream: !upstream.is_empty(),
                lease: None,
            },
        };
        let at = Timestamp::from_unix_seconds(self.job.enqueue_time_ms / 1000);
        let at = at.unwrap_or_else(Timestamp::now);
        let trace = self.job.trace.clone();
        let sent = Sent {
            at,
            upstream,
            trace,
        };
        Ok((task, sent))
    }
}

/// Returns `arq.worker.JobExecutionFailed`, which every client of ARQ can raise.
pub(crate) fn failed(message: &str) -> Exception {
    Exception::job_execution_failed(message)
}

/// Returns what ARQ raises for a job that cannot be read.
fn unreadable(reason: &dyn Display) -> Exception {
    Exception::deserialization(format!("unable to deserialize job: {reason}"))
}

/// Recognises a body's codec: each codec begins a dict in its own way.
fn codec_of(body: &[u8]) -> Option<Codec> {
    match body.first()? {
        0x80 | b'(' | b'}' => Some(Codec::Pickle),
        b'{' | b' ' | b'\t' | b'\r' | b'\n' => Some(Codec::Json),
        0x81..=0x8f | 0xde | 0xdf => Some(Codec::Msgpack),
        _ => None,
    }
}

/// Returns the task's id if the job is named after it, as services and the original do; else one derived from the job
/// and its Redis, the same at each start. An earlier start's leftovers are found and killed by this id, so no two
/// jobs of a machine may share one, whatever their arguments are.
fn task_id_of(id: &Value, job_id: &[u8], realm: &str) -> TaskId {
    let text = id.to_text();
    match Uuid::parse_str(&text) {
        Ok(uuid) if job_id.starts_with(text.as_bytes()) => uuid,
        _ => {
            let named = [realm.as_bytes(), b"\0", job_id].concat();
            let hash = Sha256::digest(named);
            let mut bytes = [0; 16];
            bytes.copy_from_slice(&hash[..16]);
            uuid::Builder::from_custom_bytes(bytes).into_uuid()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_codec_is_known_by_its_first_byte() {
        for codec in Codec::ALL {
            let job = JobSpec::unknown(codec).job;
            assert_eq!(codec_of(&job.to_bytes(codec).unwrap()), Some(codec));
        }
        assert_eq!(codec_of(b"(dp0\n."), Some(Codec::Pickle));
        assert_eq!(codec_of(b"}."), Some(Codec::Pickle));
        assert_eq!(codec_of(b""), None);
        assert_eq!(codec_of(b"[]"), None);
    }

    #[test]
    fn a_task_id_belongs_to_one_job_and_is_the_same_each_time() {
        let uuid = "0199a1b2-0000-7000-8000-000000000001";
        let named_after_it = format!("{uuid}:1");
        let id_of = |id: &str, job: &str, realm| task_id_of(&id.into(), job.as_bytes(), realm);
        assert_eq!(id_of(uuid, &named_after_it, "r").to_string(), uuid);
        assert_ne!(id_of(uuid, "j", "r").to_string(), uuid);
        assert_eq!(id_of("a", "j", "r"), id_of("a", "j", "r"));
        assert_ne!(id_of("a", "j", "r"), id_of("a", "k", "r"));
        assert_ne!(id_of("a", "j", "r"), id_of("a", "j", "s"));
    }
}
