//! Claims of jobs: taken, kept, ended by a result or given back, each in one step inside Redis.
//!
//! A claim is ARQ's key `arq:in-progress:ID`, of which other workers only look whether it exists. Ours holds a
//! token, and expires soon unless it is kept; so the jobs of a worker that has died are taken by others, and one
//! that was only cut off for a while neither overwrites what others do nor loses what it has done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{FromRedisValue, Script, ScriptInvocation};
use tokio::time::sleep;
use uuid::Uuid;

use super::super::job::now_ms;
use super::super::keys;
use super::super::link::Line;
use super::super::scripts::passes;

/// How long the claims of a worker hold that has died.
const CLAIM: Duration = Duration::from_secs(30);
/// How long ARQ counts a job's starts.
const STARTS_COUNTED: Duration = Duration::from_secs(88_400);
/// How long ARQ keeps results.
const RESULT_KEPT: Duration = Duration::from_secs(3600);
/// Between two tries of a command that has failed with its connection.
const PAUSE: Duration = Duration::from_millis(200);
/// The same if Redis has refused it, such as when its memory is full.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);

/// The claims of one worker.
pub(super) struct Claims {
    line: Line,
    queues: Vec<String>,
    worker: Uuid,
    takes: AtomicU64,
    take: Script,
    keep: Script,
    finish: Script,
    give_back: Script,
}

/// One job that is ours to run.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// The job's id: any bytes, as Redis has it.
    pub id: Vec<u8>,
    /// Its queue, by its place among the worker's.
    pub queue: usize,
    /// Differs from every claim that was taken at another time.
    pub token: Arc<str>,
    /// Which start of the job this is; the first is 1.
    pub start: i64,
}

/// A job that has just been claimed.
pub(super) struct Taken {
    pub claim: Claim,
    /// `None` if it has expired.
    pub body: Option<Vec<u8>>,
    /// When somebody wanted it aborted, in Unix milliseconds.
    pub aborted_at_ms: Option<f64>,
}

/// What [`Claims::take`] has found.
pub(super) struct Batch {
    pub jobs: Vec<Taken>,
    /// When the first of the jobs is due that are not due yet, in Unix milliseconds.
    pub next_due_ms: Option<f64>,
}

/// How a claim stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    Kept,
    /// Somebody wants the job aborted.
    Aborted,
    /// Another worker has the job, or it is gone.
    Lost,
}

type Row = (Vec<u8>, usize, Option<Vec<u8>>, i64, Option<f64>);

impl Claims {
    pub fn new(line: Line, queues: Vec<String>) -> Self {
        Self {
            line,
            queues,
            worker: Uuid::new_v4(),
            takes: AtomicU64::new(0),
            take: Script::new(include_str!("../lua/take.lua")),
            keep: Script::new(include_str!("../lua/keep.lua")),
            finish: Script::new(include_str!("../lua/finish.lua")),
            give_back: Script::new(include_str!("../lua/give_back.lua")),
        }
    }

    /// The queues, the most urgent first.
    pub fn queues(&self) -> &[String] {
        &self.queues
    }

    /// The queue that the claim's job stands in.
    pub fn queue_of(&self, claim: &Claim) -> &str {
        self.queues.get(claim.queue).map_or("", String::as_str)
    }

    /// Claims up to `wanted` jobs that are due. Waits for Redis; to be dropped only when the process ends, or
    /// what was claimed runs nowhere until the claims expire.
    pub async fn take(&self, wanted: usize) -> Batch {
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
                .arg(STARTS_COUNTED.as_secs());
            call
        });
        let (next_due_ms, rows): (Option<f64>, Vec<Row>) = answer.await;
        let jobs = rows.into_iter().map(|row| {
            let (id, queue, body, start, aborted_at_ms) = row;
            Taken {
                claim: Claim {
                    id,
                    queue,
                    token: Arc::clone(&token),
                    start,
                },
                body,
                aborted_at_ms,
            }
        });
        Batch {
            jobs: jobs.collect(),
            next_due_ms,
        }
    }

    /// How these claims stand; `extended` puts off their end. One that has expired is taken again if nobody
    /// else has it.
    pub async fn keep(&self, claims: &[Claim], extended: bool) -> Vec<Standing> {
        let extension = if extended { millis(CLAIM) } else { 0 };
        let answer = self.ask(|| {
            let mut call = self.keep.prepare_invoke();
            call.arg(extension).arg(millis(CLAIM));
            for claim in claims {
                call.arg(&claim.id).arg(&*claim.token).arg(claim.start);
            }
            call
        });
        let standings: String = answer.await;
        let standings = standings.chars().map(|standing| match standing {
            'k' => Standing::Kept,
            'a' => Standing::Aborted,
            _ => Standing::Lost,
        });
        standings.collect()
    }

    /// Stores the job's result and ends the claim; false if another worker has started the job since.
    pub async fn finish(&self, claim: &Claim, result: &[u8]) -> bool {
        self.ask(|| {
            let mut call = self.on(&self.finish, claim);
            call.arg(result).arg(millis(RESULT_KEPT));
            call
        })
        .await
    }

    /// Ends the claim; the job waits again, until this time or as it did, and this start does not count.
    /// False if another worker has started the job since.
    pub async fn give_back(&self, claim: &Claim, due_ms: Option<u64>) -> bool {
        let due = due_ms.map_or_else(String::new, |due| due.to_string());
        self.ask(|| {
            let mut call = self.on(&self.give_back, claim);
            call.arg(&due);
            call
        })
        .await
    }

    /// Counts the job's starts from the claim's number on.
    pub async fn count_starts(&self, claim: &Claim) {
        let key = [keys::RETRY.as_bytes(), &claim.id].concat();
        let mut set = redis::cmd("SETEX");
        set.arg(key).arg(STARTS_COUNTED.as_secs()).arg(claim.start);
        loop {
            let mut connection = self.line.clone().connection().await;
            match set.query_async::<()>(&mut connection).await {
                Ok(()) => return,
                Err(error) => pause_after(&error).await,
            }
        }
    }

    fn on<'a>(&self, script: &'a Script, claim: &Claim) -> ScriptInvocation<'a> {
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
                Err(error) => pause_after(&error).await,
            }
        }
    }
}

async fn pause_after(error: &redis::RedisError) {
    if passes(error) {
        return sleep(PAUSE).await;
    }
    tracing::warn!(%error, "Redis refuses a command; trying again");
    sleep(REFUSED_PAUSE).await;
}

fn millis(period: Duration) -> u64 {
    period.as_millis() as u64
}
