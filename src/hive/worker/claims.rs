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

/// How long the claims of a worker hold that has died.
const CLAIM: Duration = Duration::from_secs(30);
/// How long ARQ counts a job's starts.
const STARTS_COUNTED: Duration = Duration::from_secs(88_400);
/// How long ARQ keeps results.
const RESULT_KEPT: Duration = Duration::from_secs(3600);
/// Between two tries of a command that Redis has refused.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// How long a stop waits for Redis, besides what jobs take.
pub(crate) const LAST_ANSWER: Duration = Duration::from_secs(2);
/// The longest body that is read: what a job brings along would otherwise be all that Redis can hold, times the jobs
/// that run.
pub(crate) const LONGEST_BODY: u64 = 16 << 20;
/// The longest id of a job.
const LONGEST_ID: u64 = 64 << 10;
/// The bytes of one answer with jobs, if it has more than one: so it comes in time on a slow line too.
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

/// One job that is ours to run.
#[derive(Clone, Debug)]
pub(crate) struct JobClaim {
    /// The job's id: any bytes, as Redis has it.
    pub(crate) id: Vec<u8>,
    /// Its queue, by its place among the worker's.
    pub(crate) queue: usize,
    /// Differs from every claim that was taken at another time.
    pub(crate) token: Arc<str>,
    /// Which start of the job this is; the first is 1.
    pub(crate) start: i64,
}

/// A job that has just been claimed.
pub(crate) struct ClaimedJob {
    pub(crate) claim: JobClaim,
    pub(crate) body: JobBody,
    /// When a client requested its abort, in Unix milliseconds.
    pub(crate) aborted_at_ms: Option<f64>,
}

/// A job's body as it was found.
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

/// What [`JobClaims::take`] has found.
pub(crate) struct ClaimedBatch {
    pub(crate) jobs: Vec<ClaimedJob>,
    /// There may be more that are due, although there was room for more.
    pub(crate) is_cut: bool,
    /// When the first of the jobs is due that are not due yet, in Unix milliseconds.
    pub(crate) next_due_ms: Option<f64>,
    /// The ids of due jobs that were passed over because a client may be about to abort them.
    pub(crate) passed_over: Vec<Vec<u8>>,
}

/// The state of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ClaimState {
    Kept,
    /// Somebody wants the job aborted.
    Aborted,
    /// Another worker has the job, or it is gone.
    Lost,
}

/// What `take.lua` answers.
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

    /// The queues, the most urgent first.
    pub(crate) fn queues(&self) -> &[String] {
        &self.queues
    }

    /// Returns the queue of the claim's job.
    pub(crate) fn queue_of(&self, claim: &JobClaim) -> &str {
        self.queues.get(claim.queue).map_or("", String::as_str)
    }

    /// JobClaims up to `wanted` jobs that are due; of those that a client may be about to abort only the ones in
    /// `passed_over_enough`. Waits for Redis; to be dropped only when the process ends, or
    /// what was claimed runs nowhere until the claims expire.
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

    /// How these claims stand; `extended` puts off their end. One that has expired, or that Redis has
    /// forgotten, is taken again if nobody else has it.
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

    /// Stores the job's result and ends the claim; false if another worker has started the job since
    /// and it was not done before.
    pub(crate) async fn finish(&self, claim: &JobClaim, result: &[u8]) -> bool {
        self.ask(|| {
            let mut call = self.on(&self.finish, claim);
            call.arg(result).arg(millis(RESULT_KEPT));
            call
        })
        .await
    }

    /// Ends the claim; the job waits again, until this time or as it did, and this start does not count.
    /// False if another worker has started the job since, or it was done before.
    pub(crate) async fn give_back(&self, claim: &JobClaim, due_ms: Option<u64>) -> bool {
        let due = due_ms.map_or_else(String::new, |due| due.to_string());
        self.ask(|| {
            let mut call = self.on(&self.give_back, claim);
            call.arg(&due);
            call
        })
        .await
    }

    /// WorkerCounts the job's starts from the claim's number on.
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

    /// Takes the mark of an abort away if it was made before this time in Unix milliseconds.
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

    /// Asks Redis until it answers.
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

    /// What passes, and the rights that are missing, are told by the link.
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
