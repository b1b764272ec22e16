//! Claims of jobs: taken, extended, finished with a result or returned; each is one atomic step inside Redis.
//!
//! A claim is ARQ's key `arq:in-progress:ID`; other workers only test whether it exists. Ours holds a token and expires
//! soon unless the heartbeat extends it. So the jobs of a dead worker go to others, and a worker that was cut off for a
//! while neither overwrites what others do nor loses what it has done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{FromRedisValue, RedisError, Script, ScriptInvocation};
use tokio::time::sleep;
use uuid::Uuid;

use crate::hive::clock::now_ms;
use crate::hive::redis::error::is_transient;
use crate::hive::redis::handle::{PAUSE, RedisHandle};

/// How long the claims of a dead worker last.
const CLAIM: Duration = Duration::from_secs(30);
/// How long ARQ counts a job's starts.
const STARTS_COUNTED: Duration = Duration::from_secs(88_400);
/// How long ARQ keeps results.
const RESULT_KEPT: Duration = Duration::from_secs(3600);
/// The pause before a command that Redis refused is retried.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// How long a stopping worker waits for Redis, besides the jobs' own grace.
pub(crate) const LAST_ANSWER: Duration = Duration::from_secs(2);
/// The largest body that is read, in bytes; it bounds the memory of the running jobs.
pub(crate) const LONGEST_BODY: u64 = 16 << 20;
/// The longest job id that is read, in bytes.
const LONGEST_ID: u64 = 64 << 10;
/// The largest reply with several jobs, in bytes, so that it arrives in time on a slow line too.
const BATCH_BYTES: u64 = 16 << 20;

/// The claims of one worker.
pub(crate) struct JobClaims {
    line: RedisHandle,
    queues: Vec<String>,
    worker: Uuid,
    takes: AtomicU64,
    take: Script,
    keep: Script,
    finish: Script,
    give_back: Script,
    count: Script,
    unmark: Script,
}

/// One job that this worker has claimed.
#[derive(Clone, Debug)]
pub(crate) struct JobClaim {
    /// The job's id: arbitrary bytes.
    pub(crate) id: Vec<u8>,
    /// Its queue, as an index into the worker's queues.
    pub(crate) queue: usize,
    /// A token that no other claim has.
    pub(crate) token: Arc<str>,
    /// The number of this start; the first is 1.
    pub(crate) start: i64,
}

/// A job that has just been claimed.
pub(crate) struct ClaimedJob {
    pub(crate) claim: JobClaim,
    pub(crate) body: JobBody,
    /// When a client requested its abort, in Unix milliseconds.
    pub(crate) aborted_at_ms: Option<f64>,
}

/// A job's body as Redis returned it.
pub(crate) enum JobBody {
    Whole(Vec<u8>),
    /// It has expired.
    MissingRights,
    /// It has this many bytes, more than a worker reads.
    TooLong(u64),
}

impl JobBody {
    fn of(found: Option<Vec<u8>>, length: u64) -> Self {
        match found {
            Some(bytes) => Self::Whole(bytes),
            None if length == 0 => Self::MissingRights,
            None => Self::TooLong(length),
        }
    }
}

/// The result of [`JobClaims::take`].
pub(crate) struct ClaimedBatch {
    pub(crate) jobs: Vec<ClaimedJob>,
    /// True if more jobs may be ready although fewer than wanted were claimed.
    pub(crate) is_cut: bool,
    /// When the next deferred job becomes ready, in Unix milliseconds.
    pub(crate) next_due_ms: Option<f64>,
    /// The ids of ready jobs that were skipped because a client may be about to abort them.
    pub(crate) passed_over: Vec<Vec<u8>>,
}

/// The state of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimState {
    Kept,
    /// A client wants the job aborted.
    Aborted,
    /// Another worker has the job, or it no longer exists.
    Lost,
}

/// The reply of `take.lua`.
type ClaimReply = (Option<f64>, bool, Vec<ClaimedRow>, Vec<Vec<u8>>);
type ClaimedRow = (Vec<u8>, usize, Option<Vec<u8>>, u64, i64, Option<f64>);

impl JobClaims {
    pub(crate) fn new(line: RedisHandle, queues: Vec<String>) -> Self {
        Self {
            line,
            queues,
            worker: Uuid::new_v4(),
            takes: AtomicU64::new(0),
            take: Script::new(include_str!("lua/take.lua")),
            keep: Script::new(include_str!("lua/keep.lua")),
            finish: Script::new(include_str!("lua/finish.lua")),
            give_back: Script::new(include_str!("lua/give_back.lua")),
            count: Script::new(include_str!("lua/count.lua")),
            unmark: Script::new(include_str!("lua/unmark.lua")),
        }
    }

    /// Returns the queues, the most urgent first.
    pub(crate) fn queues(&self) -> &[String] {
        &self.queues
    }

    /// Returns the queue of the claim's job.
    pub(crate) fn queue_of(&self, claim: &JobClaim) -> &str {
        self.queues.get(claim.queue).map_or("", String::as_str)
    }

    /// Claims up to `wanted` ready jobs. Of those that a client may be about to abort, it claims only the ones in
    /// `passed_over_enough`. Waits for Redis. Drop the future only when the process ends: the claimed jobs would run
    /// nowhere until the claims expire.
    pub(crate) async fn take(&self, wanted: usize, passed_over_enough: &[Vec<u8>]) -> ClaimedBatch {
        let number = self.takes.fetch_add(1, Ordering::Relaxed);
        let token: Arc<str> = format!("{}:{number}", self.worker).into();
        let answer = self.ask(|| {
            let mut call = self.take.prepare_invoke();
            for queue in &self.queues {
                call.key(queue);
            }
            call.arg(now_ms())
                .arg(wanted)
                .arg(&*token)
                .arg(millis(CLAIM))
                .arg(STARTS_COUNTED.as_secs())
                .arg(LONGEST_BODY)
                .arg(LONGEST_ID)
                .arg(BATCH_BYTES);
            for id in passed_over_enough {
                call.arg(id);
            }
            call
        });
        let (next_due_ms, is_cut, rows, passed_over): ClaimReply = answer.await;
        let jobs = rows.into_iter().map(|row| {
            let (id, queue, body, length, start, aborted_at_ms) = row;
            ClaimedJob {
                claim: JobClaim {
                    id,
                    queue,
                    token: Arc::clone(&token),
                    start,
                },
                body: JobBody::of(body, length),
                aborted_at_ms,
            }
        });
        ClaimedBatch {
            jobs: jobs.collect(),
            is_cut,
            next_due_ms,
            passed_over,
        }
    }

    /// Returns the states of these claims, and extends them if `extended`. A claim that has expired, or that Redis
    /// has lost, is renewed if no other worker has the job.
    pub(crate) async fn keep(&self, claims: &[JobClaim], extended: bool) -> Vec<ClaimState> {
        let extension = if extended { millis(CLAIM) } else { 0 };
        let answer = self.ask(|| {
            let mut call = self.keep.prepare_invoke();
            call.arg(extension)
                .arg(millis(CLAIM))
                .arg(STARTS_COUNTED.as_secs());
            for claim in claims {
                call.arg(&claim.id).arg(&*claim.token).arg(claim.start);
            }
            call
        });
        let standings: String = answer.await;
        let standings = standings.chars().map(|standing| match standing {
            'k' => ClaimState::Kept,
            'a' => ClaimState::Aborted,
            _ => ClaimState::Lost,
        });
        standings.collect()
    }

    /// Stores the job's result and ends the claim. Returns false if another worker has started the job since and this
    /// call had not succeeded before.
    pub(crate) async fn finish(&self, claim: &JobClaim, result: &[u8]) -> bool {
        self.ask(|| {
            let mut call = self.on(&self.finish, claim);
            call.arg(result).arg(millis(RESULT_KEPT));
            call
        })
        .await
    }

    /// Ends the claim and returns the job to its queue, for this time or its earlier one; this start does not count.
    /// Returns false if another worker has started the job since, or the job was returned before.
    pub(crate) async fn give_back(&self, claim: &JobClaim, due_ms: Option<u64>) -> bool {
        let due = due_ms.map_or_else(String::new, |due| due.to_string());
        self.ask(|| {
            let mut call = self.on(&self.give_back, claim);
            call.arg(&due);
            call
        })
        .await
    }

    /// Counts the job's starts from the claim's number on.
    pub(crate) async fn count_starts(&self, claim: &JobClaim) {
        self.ask::<()>(|| {
            let mut call = self.count.prepare_invoke();
            call.arg(&claim.id)
                .arg(claim.start)
                .arg(STARTS_COUNTED.as_secs());
            call
        })
        .await;
    }

    /// Removes an abort mark that was made before this time in Unix milliseconds.
    pub(crate) async fn unmark(&self, claim: &JobClaim, oldest_ms: f64) {
        self.ask::<()>(|| {
            let mut call = self.unmark.prepare_invoke();
            call.arg(&claim.id).arg(oldest_ms);
            call
        })
        .await;
    }

    fn on<'a>(&self, script: &'a Script, claim: &JobClaim) -> ScriptInvocation<'a> {
        let mut call = script.prepare_invoke();
        call.key(self.queue_of(claim))
            .arg(&claim.id)
            .arg(&*claim.token)
            .arg(claim.start);
        call
    }

    /// Sends a command until Redis answers.
    async fn ask<'a, T: FromRedisValue>(&self, call: impl Fn() -> ScriptInvocation<'a>) -> T {
        loop {
            let mut connection = self.line.clone().connection().await;
            let call = call();
            match call.invoke_async(&mut connection).await {
                Ok(answer) => return answer,
                Err(error) => self.pause_after(&error).await,
            }
        }
    }

    /// Waits before a retry, and logs a refusal that the connection does not report: it reports transient ones and
    /// missing rights.
    async fn pause_after(&self, error: &RedisError) {
        if is_transient(error) {
            self.line.retryable(error);
            return sleep(PAUSE).await;
        }
        if !self.line.retryable(error) {
            tracing::warn!(%error, "Redis refused a command; retrying");
        }
        sleep(REFUSED_PAUSE).await;
    }
}

fn millis(period: Duration) -> u64 {
    period.as_millis() as u64
}
