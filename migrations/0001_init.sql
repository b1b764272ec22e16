-- Venom Core's database: the tasks, the journal of everything that happened to them, and what the
-- service remembers about itself. Read it with `sqlite3 data/venom.db`.
--
-- Times are text, RFC 3339 UTC with microseconds ('2026-01-31T12:00:00.000000Z'), all of one length,
-- so that comparing texts compares times.

-- One row a task. `INSERT INTO tasks(content) VALUES ('hello')` from any SQLite client submits one.
CREATE TABLE tasks (
    -- Order of arrival. Internal: clients know a task by its id.
    seq             INTEGER PRIMARY KEY,
    -- A lower-case UUID: version 7 from the service, version 4 from this default.
    id              TEXT NOT NULL UNIQUE DEFAULT (lower(
                        hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4'
                        || substr(hex(randomblob(2)), 2) || '-'
                        || substr('89ab', 1 + (random() & 3), 1) || substr(hex(randomblob(2)), 2)
                        || '-' || hex(randomblob(6)))),
    status          TEXT NOT NULL DEFAULT 'PENDING'
                        CHECK (status IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')),
    -- Empty at an INSERT stands for the default processor; the trigger below fills it in.
    processor       TEXT NOT NULL DEFAULT '',
    priority        INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    -- Number of the last attempt that was started.
    attempt         INTEGER NOT NULL DEFAULT 0,
    -- At most this many attempts count. NULL at an INSERT stands for the processor's own number; the
    -- trigger below fills it in.
    max_attempts    INTEGER CHECK (max_attempts BETWEEN 1 AND 1000),
    -- Attempts that do not count against max_attempts: interrupted by a stop or a crash.
    uncounted       INTEGER NOT NULL DEFAULT 0,
    -- How often the service died while the task ran.
    crashes         INTEGER NOT NULL DEFAULT 0,
    created_at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    -- A pending task does not start before this time.
    run_at          TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z'),
    started_at      TEXT,
    finished_at     TEXT,
    failure         TEXT CHECK (failure IN
                        ('error', 'timeout', 'aborted', 'purged', 'emergency_stop', 'lost',
                         'upstream')),
    progress        REAL CHECK (progress BETWEEN 0 AND 1),
    -- A JSON list of strings.
    tags            TEXT NOT NULL DEFAULT '[]',
    session_id      TEXT,
    -- Seconds that an attempt may take; NULL stands for the processor's own.
    timeout         REAL CHECK (timeout > 0),
    -- Tasks of one key share a limit.
    concurrency_key TEXT,
    -- At most one task that is not final has this key.
    unique_key      TEXT,
    -- A JSON list of task ids: it runs when all of these have COMPLETED. NULL if there are none.
    upstream        TEXT,
    -- How many of them have not.
    blocked         INTEGER NOT NULL DEFAULT 0 CHECK (blocked >= 0),
    -- What may be long stands last: whoever looks for the columns above need not read past it.
    content         TEXT NOT NULL,
    result          TEXT,
    -- Message of the last failed attempt.
    error           TEXT,
    -- A JSON object; what the client sent beyond the known fields stands under "request".
    context_history TEXT NOT NULL DEFAULT '{}',
    -- Any JSON, or NULL.
    context_used    TEXT,
    -- A JSON object: fields of an imported task that this version does not know.
    extra           TEXT NOT NULL DEFAULT '{}',
    -- Who put the row here: 'api', 'import', 'schedule', or 'sql' for an INSERT by another program.
    source          TEXT NOT NULL DEFAULT 'sql',
    CHECK ((finished_at IS NOT NULL) = (status IN ('COMPLETED', 'FAILED'))),
    CHECK ((failure IS NOT NULL) = (status = 'FAILED'))
) STRICT;

-- The tasks that wait or run, in the order in which they are started: finished rows are not in it, so
-- that a million of them cost a claim nothing. A lane is the tasks of one processor and key: one seek
-- for each priority in it finds its next task, past all that are not due, blocked, or of other lanes.
CREATE INDEX tasks_open
    ON tasks (status, blocked, processor, concurrency_key, priority DESC, run_at, seq)
    WHERE finished_at IS NULL;

-- One open task for each unique key.
CREATE UNIQUE INDEX tasks_unique ON tasks (unique_key)
    WHERE unique_key IS NOT NULL AND finished_at IS NULL;

-- For lists: the few that failed, and the tasks of a session.
CREATE INDEX tasks_failed ON tasks (seq) WHERE status = 'FAILED';
CREATE INDEX tasks_by_session ON tasks (session_id, seq) WHERE session_id IS NOT NULL;

-- The words of the tasks, by row number; the texts themselves stand in `tasks` alone. The Writer keeps it
-- in step by following the journal, in its spare time: meta's indexed_event says how far it is.
CREATE VIRTUAL TABLE tasks_fts USING fts5 (
    content, result, error,
    content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

-- Which waiting task waits for which: a row goes when the upstream task has COMPLETED, or when the
-- downstream one is final.
CREATE TABLE links (
    upstream   TEXT NOT NULL,
    downstream TEXT NOT NULL,
    PRIMARY KEY (upstream, downstream)
) STRICT, WITHOUT ROWID;

CREATE INDEX links_by_downstream ON links (downstream);

-- Answers to requests with an Idempotency-Key, kept for a day.
CREATE TABLE idempotency (
    key        TEXT PRIMARY KEY,
    -- SHA-256 of the request's body.
    body       BLOB NOT NULL,
    -- A JSON list of the ids of the tasks that it made.
    task_ids   TEXT NOT NULL,
    created_at TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- How far each [schedules.NAME] of venom.toml has come.
CREATE TABLE schedules (
    name         TEXT PRIMARY KEY,
    -- The last due time that has been dealt with: made a task, or skipped.
    last_due     TEXT NOT NULL,
    -- The last task that it made.
    last_task_id TEXT,
    last_run     TEXT
) STRICT, WITHOUT ROWID;

-- The journal: every state change, every line a processor writes. A row's id is its event's id.
-- AUTOINCREMENT, so that an id is never given twice, even when old rows are deleted.
CREATE TABLE logs (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    -- NULL for events of the queue and the service.
    task_id TEXT,
    -- TASK_CREATED, TASK_LOG, QUEUE_PAUSED, …
    type    TEXT NOT NULL,
    -- Who speaks, where it is not the service itself.
    agent   TEXT,
    -- The log line; NULL for an event that is no line of its task's log.
    message TEXT,
    -- A JSON object with the event's data, besides task_id (above) and a line's text (message).
    data    TEXT NOT NULL DEFAULT '{}',
    at      TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now') || '000Z')
) STRICT;

CREATE INDEX logs_by_task ON logs (task_id, id) WHERE task_id IS NOT NULL;

-- Starts that a rate has not given their tokens back for: those of tasks whose processor or concurrency
-- key has a rate, also when the task itself has been deleted since. Gone when the time is over.
CREATE TABLE starts (
    -- When every rate that counts it has its token back.
    until           TEXT NOT NULL,
    task_id         TEXT NOT NULL,
    attempt         INTEGER NOT NULL,
    at              TEXT NOT NULL,
    processor       TEXT NOT NULL,
    concurrency_key TEXT,
    PRIMARY KEY (until, task_id, attempt)
) STRICT, WITHOUT ROWID;

-- What the service remembers about itself; each value is JSON.
--   pause              {"since", "until", "reason", "emergency_stop"} while the queue is paused
--   dump_fields        what the imported state_dump.json held besides the tasks
--   closed             {processor: {"since", "until", "reason"}} for each that is paused by itself
--   default_processor  as configured at the last start
--   max_attempts       {processor: number}, as configured at the last start
--   indexed_event      the newest journal row that the full-text index knows
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- An INSERT by another program is checked, completed, and journalled in its own transaction.
CREATE TRIGGER tasks_submitted_by_sql AFTER INSERT ON tasks WHEN NEW.source = 'sql'
BEGIN
    SELECT RAISE(ABORT, 'tasks.id: expected a lower-case UUID') WHERE NEW.id NOT GLOB
        '[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]';
    SELECT RAISE(ABORT, 'tasks.status: a task is submitted as PENDING, with attempt 0')
        WHERE NEW.status <> 'PENDING' OR NEW.attempt <> 0;
    SELECT RAISE(ABORT, 'tasks.created_at, tasks.run_at: expected a time such as 2026-01-31T12:00:00.000000Z')
        WHERE strftime('%s', NEW.created_at) IS NULL OR strftime('%s', NEW.run_at) IS NULL
           OR NEW.created_at NOT GLOB '????-??-??T??:??:??.??????Z'
           OR NEW.run_at NOT GLOB '????-??-??T??:??:??.??????Z';
    SELECT RAISE(ABORT, 'tasks.tags: expected a JSON list of strings')
        WHERE NOT json_valid(NEW.tags) OR json_type(NEW.tags) <> 'array'
           OR EXISTS (SELECT 1 FROM json_each(NEW.tags) WHERE type <> 'text');
    SELECT RAISE(ABORT, 'tasks.context_history: expected a JSON object')
        WHERE NOT json_valid(NEW.context_history) OR json_type(NEW.context_history) <> 'object';
    SELECT RAISE(ABORT, 'tasks.context_used: expected JSON')
        WHERE NEW.context_used IS NOT NULL AND NOT json_valid(NEW.context_used);
    SELECT RAISE(ABORT, 'tasks.extra: expected a JSON object')
        WHERE NOT json_valid(NEW.extra) OR json_type(NEW.extra) <> 'object';
    SELECT RAISE(ABORT, 'tasks.upstream: chains are made through the API')
        WHERE NEW.upstream IS NOT NULL OR NEW.blocked <> 0;
    UPDATE tasks
       SET processor = coalesce(
               (SELECT json_extract(value, '$') FROM meta WHERE key = 'default_processor'), 'echo')
     WHERE seq = NEW.seq AND processor = '';
    UPDATE tasks
       SET max_attempts = coalesce(
               (SELECT each.value FROM meta, json_each(meta.value) AS each
                 WHERE meta.key = 'max_attempts' AND each.key = tasks.processor), 1)
     WHERE seq = NEW.seq AND max_attempts IS NULL;
    INSERT INTO logs (task_id, type, message, data, at)
    VALUES (NEW.id, 'TASK_CREATED', 'Task started: ' || NEW.created_at,
            json_object('content', substr(NEW.content, 1, 100)), NEW.created_at);
END;

-- The same for an UPDATE by another program. The service changes run_at and context_history too, and is
-- right about them.
CREATE TRIGGER tasks_changed_by_sql
    AFTER UPDATE OF id, created_at, run_at, tags, context_history, context_used, extra ON tasks
    WHEN (NEW.id, NEW.created_at, NEW.run_at, NEW.tags, NEW.context_history, NEW.context_used, NEW.extra)
        IS NOT
         (OLD.id, OLD.created_at, OLD.run_at, OLD.tags, OLD.context_history, OLD.context_used, OLD.extra)
BEGIN
    SELECT RAISE(ABORT, 'tasks.id: expected a lower-case UUID') WHERE NEW.id NOT GLOB
        '[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]';
    SELECT RAISE(ABORT, 'tasks.created_at, tasks.run_at: expected a time such as 2026-01-31T12:00:00.000000Z')
        WHERE strftime('%s', NEW.created_at) IS NULL OR strftime('%s', NEW.run_at) IS NULL
           OR NEW.created_at NOT GLOB '????-??-??T??:??:??.??????Z'
           OR NEW.run_at NOT GLOB '????-??-??T??:??:??.??????Z';
    SELECT RAISE(ABORT, 'tasks.tags: expected a JSON list of strings')
        WHERE NOT json_valid(NEW.tags) OR json_type(NEW.tags) <> 'array'
           OR EXISTS (SELECT 1 FROM json_each(NEW.tags) WHERE type <> 'text');
    SELECT RAISE(ABORT, 'tasks.context_history: expected a JSON object')
        WHERE NOT json_valid(NEW.context_history) OR json_type(NEW.context_history) <> 'object';
    SELECT RAISE(ABORT, 'tasks.context_used: expected JSON')
        WHERE NEW.context_used IS NOT NULL AND NOT json_valid(NEW.context_used);
    SELECT RAISE(ABORT, 'tasks.extra: expected a JSON object')
        WHERE NOT json_valid(NEW.extra) OR json_type(NEW.extra) <> 'object';
END;
