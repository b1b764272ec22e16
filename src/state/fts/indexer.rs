//! The full-text indexer: keeps the index in step with the tasks, in the Writer's spare time.
//!
//! It follows the journal. Each row that changes the texts of a task makes it index that task anew, including rows that
//! triggers journal for other programs. The index and the position in the journal are written in one transaction, so
//! after a crash, or on a database without an index, it continues where it was.
//!
//! Texts are folded (`fold`) before they are indexed; for ASCII texts SQLite does the same by itself.
//!
//! While the Writer is busy, indexing takes at most a fiftieth of the time, because it can catch up later. It takes a
//! tenth when it is far behind, and half when a search waits for it.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::SqliteConnection;
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::state::db::meta;
use crate::state::db::text::Text;
use crate::state::error::Error;
use crate::state::fts::fold;

/// Journal rows to follow in one transaction.
const CHUNK_ROWS: i64 = 400;
/// Bytes of text to index in one transaction, unless a single task has more.
const CHUNK_BYTES: i64 = 128 * 1024;
/// Characters to index of each content, result and error.
const TEXT_LIMIT: i64 = 262_144;
/// Time without other work after which the Writer counts as idle.
const QUIET: Duration = Duration::from_millis(50);
/// Lag in journal rows above which indexing takes more of the time: a minute of the heaviest load.
const FAR_BEHIND: i64 = 1_000_000;
/// Pause after a chunk that could not be written.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// The position of the index in the journal, and when it may continue. Only the Writer uses it.
pub(crate) struct Index {
    /// The newest journal row that is indexed.
    done: i64,
    /// Searches that wait until it knows this row.
    waiting: Vec<(i64, oneshot::Sender<Result<(), Error>>)>,
    /// When the Writer last had something else to do.
    last_work: Instant,
    /// Since when it has had, without a chunk in between.
    busy_since: Option<Instant>,
    /// When the last chunk was written, and how long it took.
    last_chunk: Instant,
    last_took: Duration,
}

/// The next chunk to index.
struct NextTasks {
    /// Its last journal row.
    upto: i64,
    /// A JSON list of the IDs of its tasks.
    tasks: String,
    bytes: i64,
}

/// What is indexed in one transaction.
pub(crate) struct IndexChunk {
    next: NextTasks,
    /// The texts that are not ASCII, folded.
    folded: Option<String>,
}

impl IndexChunk {
    /// Whether its journal rows change no text, so that there is nothing to write.
    pub(crate) fn is_empty(&self) -> bool {
        self.next.tasks == "[]"
    }

    /// Indexes its tasks as they are, inside the caller's transaction.
    pub(crate) async fn write(&self, conn: &mut SqliteConnection) -> Result<(), Error> {
        write(conn, &self.next, self.folded.as_deref()).await
    }
}

impl Index {
    /// Loads the position from the database.
    pub(crate) async fn recall(conn: &mut SqliteConnection) -> Result<Self, Error> {
        let done = meta::get(&mut *conn, meta::INDEXED_EVENT).await?;
        let now = Instant::now();
        Ok(Self {
            done: done.and_then(|id| id.parse().ok()).unwrap_or(0),
            waiting: Vec::new(),
            last_work: now,
            busy_since: None,
            last_chunk: now,
            last_took: Duration::ZERO,
        })
    }

    /// Returns when the next chunk is due; `None` if everything up to journal row `head` is indexed.
    pub(crate) fn due(&self, head: i64) -> Option<Instant> {
        if !self.waiting.is_empty() {
            return Some(self.last_chunk + self.last_took);
        }
        let pauses = if head - self.done < FAR_BEHIND { 49 } else { 9 };
        // Not in the turn of a first task: its caller waits, and its end comes soon.
        let busy_since = self.busy_since.unwrap_or(self.last_work);
        let in_its_share = (self.last_chunk + self.last_took * pauses).max(busy_since + QUIET);
        (self.done < head).then(|| in_its_share.min(self.last_work + QUIET))
    }

    /// Notes that the Writer has something else to do.
    pub(crate) fn note_work(&mut self) {
        self.last_work = Instant::now();
        self.busy_since.get_or_insert(self.last_work);
    }

    /// Resolves when the index knows journal row `row`, or cannot go on.
    pub(crate) fn wait_for(&mut self, row: i64) -> oneshot::Receiver<Result<(), Error>> {
        let (reply, answer) = oneshot::channel();
        self.waiting.push((row, reply));
        self.answer();
        answer
    }

    /// Reads the next chunk: the texts that the journal rows after those that it knows have changed.
    pub(crate) async fn next_chunk(
        &self,
        conn: &mut SqliteConnection,
    ) -> Result<IndexChunk, Error> {
        let mut rows = CHUNK_ROWS;
        let mut next = next_tasks(conn, self.done, rows).await?;
        while next.bytes > CHUNK_BYTES && rows > 1 {
            rows /= 2;
            next = next_tasks(conn, self.done, rows).await?;
        }
        let folded = match next.tasks.as_str() {
            "[]" => None,
            // Before the transaction: what another program changes meanwhile has a journal row of its own.
            _ => folded_texts(conn, &next).await?,
        };
        Ok(IndexChunk { next, folded })
    }

    /// Notes that a chunk that began at `begun` is written, and answers the searches that have waited for it.
    pub(crate) fn written(&mut self, chunk: &IndexChunk, begun: Instant) {
        self.done = chunk.next.upto;
        self.rest_since(begun);
        self.answer();
    }

    /// Notes that a chunk that began at `begun` could not be written. Searches find what is indexed.
    pub(crate) fn put_off(&mut self, begun: Instant) {
        self.rest_since(begun);
        self.last_chunk += RETRY_PAUSE;
        self.waiting.clear();
        self.last_work = self.last_chunk;
    }

    fn rest_since(&mut self, begun: Instant) {
        self.busy_since = None;
        self.last_chunk = Instant::now();
        self.last_took = begun.elapsed();
    }

    /// Answers the searches that waited for the rows indexed so far.
    fn answer(&mut self) {
        let done = self.done;
        for (_, reply) in self.waiting.extract_if(.., |(row, _)| *row <= done) {
            let _ = reply.send(Ok(()));
        }
    }
}

/// Returns the tasks in the `rows` journal rows after `after` whose texts may have changed.
async fn next_tasks(
    conn: &mut SqliteConnection,
    after: i64,
    rows: i64,
) -> Result<NextTasks, Error> {
    let row = sqlx::query!(
        r#"WITH next AS MATERIALIZED (
               SELECT max(id) AS upto,
                      json_group_array(DISTINCT task_id) FILTER (WHERE type IN
                          ('TASK_CREATED', 'TASK_RETRYING', 'TASK_COMPLETED', 'TASK_FAILED',
                           'TASK_ABORTED')) AS tasks
                 FROM (SELECT id, type, task_id FROM logs WHERE id > ?1 ORDER BY id LIMIT ?2))
           SELECT coalesce(upto, (SELECT max(?1, coalesce(max(id), 0)) FROM logs)) AS "upto!: i64",
                  coalesce(tasks, '[]') AS "tasks!: Text",
                  (SELECT coalesce(sum(min(octet_length(content), ?3)
                                     + min(coalesce(octet_length(result), 0), ?3)
                                     + min(coalesce(octet_length(error), 0), ?3)), 0)
                     FROM tasks WHERE id IN (SELECT value FROM jsonb_each(next.tasks)))
                      AS "bytes!: i64"
             FROM next"#,
        after,
        rows,
        TEXT_LIMIT
    )
    .fetch_one(conn)
    .await?;
    Ok(NextTasks {
        upto: row.upto,
        tasks: row.tasks.into(),
        bytes: row.bytes,
    })
}

/// A task's row number, and its content, result and error.
type Texts = (i64, String, Option<String>, Option<String>);

/// Returns the folded texts of those tasks that are not pure ASCII, as a JSON list of lists; `None` if there are none.
async fn folded_texts(
    conn: &mut SqliteConnection,
    next: &NextTasks,
) -> Result<Option<String>, Error> {
    let rows = sqlx::query!(
        r#"SELECT seq AS "seq!: i64", substr(content, 1, ?2) AS "content!: Text",
                  substr(result, 1, ?2) AS "result: Text", substr(error, 1, ?2) AS "error: Text"
             FROM tasks
            WHERE id IN (SELECT value FROM jsonb_each(?1))
              AND NOT (octet_length(content) = length(content)
                       AND coalesce(octet_length(result) = length(result), 1)
                       AND coalesce(octet_length(error) = length(error), 1))
            ORDER BY seq"#,
        next.tasks,
        TEXT_LIMIT
    )
    .fetch_all(conn)
    .await?;
    if rows.is_empty() {
        return Ok(None);
    }
    let rows = rows.into_iter().map(|row| {
        let (result, error) = (row.result.map(String::from), row.error.map(String::from));
        (row.seq, String::from(row.content), result, error)
    });
    let rows: Vec<Texts> = rows.collect();
    // Folding a long text would block other work of this thread.
    let folded = tokio::task::spawn_blocking(move || fold_all(rows)).await;
    folded
        .map(Some)
        .map_err(|error| Error::Unavailable(error.to_string()))
}

fn fold_all(rows: Vec<Texts>) -> String {
    let fold = |text: String| fold::text(&text).into_owned();
    let folded = rows.into_iter().map(|(seq, content, result, error)| {
        json!([seq, fold(content), result.map(fold), error.map(fold)])
    });
    Value::Array(folded.collect()).to_string()
}

/// Indexes the tasks of a chunk inside the caller's transaction. `folded` has the texts that are not ASCII.
async fn write(
    conn: &mut SqliteConnection,
    next: &NextTasks,
    folded: Option<&str>,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT OR REPLACE INTO tasks_fts (rowid, content, result, error)
         SELECT seq, substr(content, 1, ?2), substr(result, 1, ?2), substr(error, 1, ?2)
           FROM tasks
          WHERE id IN (SELECT value FROM jsonb_each(?1))
            AND octet_length(content) = length(content)
            AND coalesce(octet_length(result) = length(result), 1)
            AND coalesce(octet_length(error) = length(error), 1)
          ORDER BY seq",
        next.tasks,
        TEXT_LIMIT
    )
    .execute(&mut *conn)
    .await?;
    if let Some(folded) = folded {
        // A task that another program has deleted meanwhile must not be indexed.
        sqlx::query!(
            "INSERT OR REPLACE INTO tasks_fts (rowid, content, result, error)
             SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3
               FROM jsonb_each(?1) WHERE value ->> 0 IN (SELECT seq FROM tasks)",
            folded
        )
        .execute(&mut *conn)
        .await?;
    }
    meta::set(conn, meta::INDEXED_EVENT, &next.upto.to_string()).await
}

/// Removes the finished tasks among these (a JSON list of IDs) from the index, inside the transaction that deletes
/// them.
pub(crate) async fn forget_final(conn: &mut SqliteConnection, ids: &str) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM tasks_fts WHERE rowid IN
             (SELECT seq FROM tasks
               WHERE id IN (SELECT value FROM jsonb_each(?1)) AND finished_at IS NOT NULL)",
        ids
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Removes these tasks (a JSON list of IDs) from the index, inside the transaction that deletes them.
pub(crate) async fn forget(conn: &mut SqliteConnection, ids: &str) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM tasks_fts WHERE rowid IN
             (SELECT seq FROM tasks WHERE id IN (SELECT value FROM jsonb_each(?1)))",
        ids
    )
    .execute(conn)
    .await?;
    Ok(())
}
