//! The repair of stored times after the clock was set: which times are right, and the SQL that sets them.
//!
//! `clock_steps` says why times need a repair and when one runs.

use sqlx::SqliteConnection;

use crate::models::Timestamp;
use crate::state::db::text::Text;
use crate::state::error::Error;

/// A smaller step is ignored: no task waits long for it.
pub(crate) const STEP_SECONDS: f64 = 0.5;
/// After a larger step nothing is deleted by age until the clock has been steady; the log says so.
const LEAP_SECONDS: f64 = 120.0;
/// Rows read in one chunk: a few milliseconds.
pub(crate) const CHUNK_ROWS: i64 = 5000;

/// The repair of PENDING tasks after the clock was set, from the newest row to the oldest.
#[derive(Default)]
pub(crate) struct RepairTimes {
    /// The time of the first chunk. Tasks that wait for no length of time are ready from then on, in the order of
    /// their arrival.
    pub(crate) at: Option<Timestamp>,
    /// The newest row that was not read yet; `None` before the first chunk.
    pub(crate) upto: Option<i64>,
    pub(crate) repaired: u64,
    /// Whether it also puts back what an earlier repair has brought forward.
    pub(crate) restores: bool,
    /// Number of tasks that would start too early if the clock were set forward.
    pub(crate) brought_forward: u64,
}

impl RepairTimes {
    pub(crate) fn new(restores: bool) -> Self {
        Self {
            restores,
            ..Self::default()
        }
    }
}

/// What the newest journal rows say about the clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Journalled {
    /// The time of the newest row.
    pub(crate) last: Option<Timestamp>,
    /// The latest time of all these rows. It may be from a clock that was ahead for a while.
    latest: Option<Timestamp>,
}

/// Reads the times of the newest journal rows, without those of imports, which happened elsewhere.
pub(crate) async fn journalled(conn: &mut SqliteConnection) -> Result<Journalled, sqlx::Error> {
    let times = sqlx::query_scalar!(
        r#"SELECT at AS "at!: Text"
             FROM (SELECT id, at, task_id, type FROM logs ORDER BY id DESC LIMIT 200) AS last
            WHERE type NOT IN ('TASK_CREATED', 'TASK_LOG')
               OR NOT EXISTS (SELECT 1 FROM tasks
                               WHERE tasks.id = last.task_id AND source = 'import')
            ORDER BY id DESC"#
    )
    .fetch_all(conn)
    .await?;
    let times = times.iter().filter_map(|at| at.parse().ok());
    let times: Vec<Timestamp> = times.collect();
    Ok(Journalled {
        last: times.first().copied(),
        latest: times.into_iter().max(),
    })
}

impl Journalled {
    /// Whether a clock that was ahead of `now` has written some of it, so that PENDING tasks may need a
    /// repair. Logs a warning if the clock was set back while the service did not run.
    pub(crate) fn is_ahead_of(&self, now: Timestamp) -> bool {
        let moved = |time: Option<Timestamp>| {
            let moved = now.seconds_since(time?);
            (moved < -STEP_SECONDS).then_some(moved)
        };
        if let Some(moved) = moved(self.last) {
            tracing::warn!("{}", words_of(moved));
        }
        moved(self.latest).is_some()
    }
}

pub(crate) fn words_of(moved: f64) -> String {
    let seconds = moved.abs().round().max(1.0);
    let held = match moved.abs() > LEAP_SECONDS {
        true => "; nothing is deleted by age until it has been steady for 10 minutes",
        false => "",
    };
    match moved < 0.0 {
        true => format!(
            "the clock was set back by {seconds} s: tasks without a run_at, retries and rates wait no \
             longer for that, run_at and cron follow the clock{held}"
        ),
        false => format!(
            "the clock is {seconds} s ahead of the time that has passed: it was set, or the machine was \
             asleep{held}"
        ),
    }
}

/// A PENDING task, and the last journal row about its time.
#[derive(Debug)]
pub(crate) struct TaskWaiting {
    pub(crate) seq: i64,
    pub(crate) run_at: Timestamp,
    created_at: Timestamp,
    last: Option<Said>,
}

/// The newest journal row that says when a task starts.
#[derive(Debug)]
struct Said {
    kind: String,
    at: Timestamp,
    /// For a retry: when it starts.
    run_at: Option<Timestamp>,
    /// For a submission: its delay in seconds.
    delay: Option<f64>,
    attempt: Option<i64>,
}

impl TaskWaiting {
    /// The beginning and the end of its wait by the clock of that time; `None` if a person has chosen the time.
    fn wait(&self) -> Option<(Timestamp, Timestamp)> {
        let (from, until) = match &self.last {
            Some(said) if said.kind == "TASK_UPDATED" => return None,
            Some(said) if said.kind == "TASK_RETRYING" => {
                let until = said.run_at.unwrap_or(said.at);
                if said.attempt == Some(0) && until > said.at {
                    // Retried by hand before it ever began: it keeps the time that it was given.
                    return None;
                }
                (said.at, until)
            }
            said => {
                let delay = said.as_ref().and_then(|said| said.delay).unwrap_or(0.0);
                (self.created_at, self.created_at.shifted(delay))
            }
        };
        (self.run_at <= until).then_some((from, until.max(from)))
    }

    /// Its right `run_at`, if that is another one. A wait that begins later than `at`, by a clock that was ahead,
    /// begins at `at`. With `restores`, a `run_at` that was brought forward is put back once the clock has reached the
    /// beginning of the wait again. The clock shows `now`.
    pub(crate) fn right_time(
        &self,
        at: Timestamp,
        now: Timestamp,
        restores: bool,
    ) -> Option<Timestamp> {
        let (from, until) = self.wait()?;
        let is_retry = (self.last.as_ref()).is_some_and(|said| said.kind == "TASK_RETRYING");
        if from <= at {
            return (restores && self.run_at < until).then_some(until);
        }
        if is_retry && from <= now {
            // It was retried while the repair went on, by the new clock.
            return None;
        }
        let sooner = at.shifted(until.seconds_since(from));
        (sooner < self.run_at).then_some(sooner)
    }

    /// Whether it waits for a length of time and starts before its end. `run_at` is its new time, if it gets one.
    pub(crate) fn is_brought_forward(&self, run_at: Option<Timestamp>) -> bool {
        let run_at = run_at.unwrap_or(self.run_at);
        self.wait()
            .is_some_and(|(from, until)| from < until && run_at < until)
    }
}

/// The PENDING tasks after row `after` and up to row `upto` that are scheduled for after `now`, or all of them.
pub(crate) async fn tasks_waiting(
    conn: &mut SqliteConnection,
    after: i64,
    upto: i64,
    now: Timestamp,
    all: bool,
) -> Result<Vec<TaskWaiting>, Error> {
    let now = now.to_string();
    let rows = sqlx::query!(
        r#"SELECT seq AS "seq!", run_at AS "run_at!: Text", created_at AS "created_at!: Text",
                  (SELECT json_array(type, at, data ->> '$.run_at', data ->> '$.delay',
                                     data ->> '$.attempt')
                     FROM logs
                    WHERE task_id = tasks.id
                      AND type IN ('TASK_CREATED', 'TASK_RETRYING', 'TASK_UPDATED')
                    ORDER BY logs.id DESC LIMIT 1) AS "said: Text"
             FROM tasks NOT INDEXED
            WHERE seq > ?1 AND seq <= ?2 AND status = 'PENDING'
              AND (?4 OR run_at > ?3)"#,
        after,
        upto,
        now,
        all
    )
    .fetch_all(conn)
    .await?;
    let rows = rows.into_iter().filter_map(|row| {
        Some(TaskWaiting {
            seq: row.seq,
            run_at: row.run_at.parse().ok()?,
            created_at: row.created_at.parse().ok()?,
            last: row.said.and_then(|said| said_in(&said)),
        })
    });
    Ok(rows.collect())
}

/// `[type, at, run_at, delay, attempt]`; the last three may be null.
fn said_in(json: &str) -> Option<Said> {
    type Columns = (
        String,
        Timestamp,
        Option<Timestamp>,
        Option<f64>,
        Option<i64>,
    );
    let (kind, at, run_at, delay, attempt): Columns = serde_json::from_str(json).ok()?;
    Some(Said {
        kind,
        at,
        run_at,
        delay,
        attempt,
    })
}

/// Sets the `run_at` of tasks that are still PENDING and unchanged: (seq, run_at as found, run_at).
pub(crate) async fn set_run_at(
    conn: &mut SqliteConnection,
    tasks: &[(i64, Timestamp, Timestamp)],
) -> Result<(), Error> {
    let tasks = serde_json::to_string(tasks)?;
    sqlx::query!(
        "UPDATE tasks SET run_at = sooner.value ->> 2
           FROM jsonb_each(?1) AS sooner
          WHERE tasks.seq = sooner.value ->> 0 AND +tasks.run_at = sooner.value ->> 1
            AND +tasks.status = 'PENDING'",
        tasks
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Moves starts from the future to `time`, so that their windows begin there.
pub(crate) async fn repair_starts(
    conn: &mut SqliteConnection,
    time: Timestamp,
) -> Result<(), Error> {
    let now = time.to_string();
    let starts = sqlx::query!(
        r#"SELECT task_id AS "task_id!: Text", attempt AS "attempt!", at AS "at!: Text",
                  until AS "until!: Text"
             FROM starts WHERE at > ?1"#,
        now
    )
    .fetch_all(&mut *conn)
    .await?;
    for start in starts {
        let (at, until) = (start.at.time_or_now(), start.until.time_or_now());
        let until_now = time.shifted(until.seconds_since(at)).to_string();
        let (task_id, until) = (&*start.task_id, &*start.until);
        sqlx::query!(
            "UPDATE OR REPLACE starts SET at = ?1, until = ?2
              WHERE until = ?3 AND task_id = ?4 AND attempt = ?5",
            now,
            until_now,
            until,
            task_id,
            start.attempt
        )
        .execute(&mut *conn)
        .await?;
    }
    Ok(())
}

/// Moves idempotency keys from the future to `time`, so that they expire a day later.
pub(crate) async fn repair_keys(conn: &mut SqliteConnection, time: Timestamp) -> Result<(), Error> {
    let now = time.to_string();
    sqlx::query!(
        "UPDATE idempotency SET created_at = ?1 WHERE created_at > ?1",
        now
    )
    .execute(conn)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        format!("2026-05-01T{text}Z").parse().unwrap()
    }

    fn task(run_at: &str, said: Option<Said>) -> TaskWaiting {
        TaskWaiting {
            seq: 1,
            run_at: at(run_at),
            created_at: at("10:00:00"),
            last: said,
        }
    }

    fn said(kind: &str, moment: &str, run_at: Option<&str>) -> Option<Said> {
        Some(Said {
            kind: kind.to_owned(),
            at: at(moment),
            run_at: run_at.map(at),
            delay: None,
            attempt: Some(1),
        })
    }

    /// When a task may start on a clock that shows 09:50.
    fn sooner(task: &TaskWaiting) -> Option<Timestamp> {
        task.right_time(at("09:50:00"), at("09:50:00"), false)
    }

    #[test]
    fn what_was_submitted_without_a_delay_is_ready_and_a_delay_is_no_longer_than_it_was() {
        let created = || said("TASK_CREATED", "10:00:00", None);
        assert_eq!(sooner(&task("10:00:00", None)), Some(at("09:50:00")));
        assert_eq!(sooner(&task("09:55:00", created())), Some(at("09:50:00")));
        assert_eq!(sooner(&task("10:00:30", created())), None, "a run_at");
        let delayed = created().map(|said| Said {
            delay: Some(30.0),
            ..said
        });
        assert_eq!(sooner(&task("10:00:30", delayed)), Some(at("09:50:30")));
    }

    #[test]
    fn a_retry_waits_no_longer_than_its_pause() {
        let retrying = |run_at| said("TASK_RETRYING", "10:05:00", Some(run_at));
        let paused = task("10:05:10", retrying("10:05:10"));
        assert_eq!(sooner(&paused), Some(at("09:50:10")));
        let at_once = task("10:05:00", retrying("10:05:00"));
        assert_eq!(sooner(&at_once), Some(at("09:50:00")));
        // It was brought forward before, and needs no more of that.
        assert_eq!(sooner(&task("09:50:05", retrying("10:05:10"))), None);
        let by_sql = task("11:00:00", retrying("10:05:10"));
        assert_eq!(sooner(&by_sql), None);
    }

    #[test]
    fn a_retry_that_begins_while_the_repair_goes_on_keeps_its_pause() {
        let retrying = said("TASK_RETRYING", "09:50:03", Some("09:50:13"));
        let task = task("09:50:13", retrying);
        assert_eq!(task.right_time(at("09:50:00"), at("09:50:05"), true), None);
    }

    #[test]
    fn what_was_brought_forward_is_put_back_once_the_clock_is_right_again() {
        let (behind, right) = (at("09:50:10"), at("10:00:20"));
        let delayed = said("TASK_CREATED", "10:00:00", None).map(|said| Said {
            delay: Some(30.0),
            ..said
        });
        let delayed = task("09:50:30", delayed);
        assert!(delayed.is_brought_forward(None));
        assert_eq!(delayed.right_time(behind, behind, true), None);
        assert_eq!(delayed.right_time(right, right, false), None);
        let restored = delayed.right_time(right, right, true);
        assert_eq!(restored, Some(at("10:00:30")));
        assert!(!delayed.is_brought_forward(restored));
        let retried = task(
            "09:50:30",
            said("TASK_RETRYING", "10:00:10", Some("10:00:40")),
        );
        assert_eq!(retried.right_time(right, right, true), Some(at("10:00:40")));
        let plain = task("09:50:00", said("TASK_CREATED", "10:00:00", None));
        assert!(!plain.is_brought_forward(None));
        let chosen = task("09:50:30", said("TASK_UPDATED", "10:00:10", None));
        assert_eq!(chosen.right_time(right, right, true), None);
    }

    #[test]
    fn a_time_that_somebody_has_chosen_stays() {
        let changed = task("10:05:00", said("TASK_UPDATED", "10:01:00", None));
        assert_eq!(sooner(&changed), None);
        let kept = said("TASK_RETRYING", "10:01:00", Some("10:05:00"));
        let kept = kept.map(|said| Said {
            attempt: Some(0),
            ..said
        });
        assert_eq!(sooner(&task("10:05:00", kept)), None);
    }
}
