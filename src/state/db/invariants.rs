//! The rules about rows that hold in every database at every moment. `audit` asks for the rows that break one,
//! and so do the tests, which take this file as it is: it names nothing else of the crate.

/// What is true of every database at every moment: each names a set of rows that has to be empty.
pub(crate) const INVARIANTS: [(&str, &str); 14] = [
    (
        "tasks with an illegal status",
        "SELECT id FROM tasks
          WHERE status NOT IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')",
    ),
    (
        "tasks whose finished_at does not fit their status",
        "SELECT id FROM tasks
          WHERE (finished_at IS NOT NULL) <> (status IN ('COMPLETED', 'FAILED'))",
    ),
    (
        "tasks whose failure does not fit their status",
        "SELECT id FROM tasks WHERE (failure IS NOT NULL) <> (status = 'FAILED')",
    ),
    (
        "tasks that run but never started",
        "SELECT id FROM tasks
          WHERE status = 'PROCESSING' AND (started_at IS NULL OR attempt < 1)",
    ),
    (
        "tasks without exactly one TASK_CREATED, before everything else about them",
        "SELECT id FROM tasks
          WHERE (SELECT count(*) FROM logs WHERE task_id = tasks.id AND type = 'TASK_CREATED') <> 1
             OR (SELECT type FROM logs WHERE task_id = tasks.id ORDER BY logs.id LIMIT 1)
                    <> 'TASK_CREATED'",
    ),
    (
        "tasks of the service without a TASK_STARTED for each attempt",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND attempt <> (SELECT count(*) FROM logs
                             WHERE task_id = tasks.id AND type = 'TASK_STARTED')",
    ),
    (
        "tasks of the service whose last word does not fit their status",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND (status IN ('COMPLETED', 'FAILED')) <> ((SELECT type FROM logs
                    WHERE task_id = tasks.id ORDER BY logs.id DESC LIMIT 1)
                IN ('TASK_COMPLETED', 'TASK_FAILED', 'TASK_ABORTED'))",
    ),
    (
        "tasks of the service that ended other than once, and once more for each retry by hand",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND (status IN ('COMPLETED', 'FAILED'))
                <> (SELECT count(*) FROM logs
                    WHERE task_id = tasks.id
                      AND type IN ('TASK_COMPLETED', 'TASK_FAILED', 'TASK_ABORTED'))
                - (SELECT count(*) FROM logs
                    WHERE task_id = tasks.id AND type = 'TASK_RETRYING'
                      AND CASE WHEN json_valid(data) THEN data ->> '$.by_hand' END)",
    ),
    (
        "tasks that ran more often than they may",
        "SELECT id FROM tasks WHERE source <> 'import' AND attempt - uncounted > max_attempts",
    ),
    (
        "waiting tasks that are blocked by another number of tasks than they wait for",
        "SELECT id FROM tasks
          WHERE status = 'PENDING'
            AND blocked <> (SELECT count(*) FROM links WHERE downstream = tasks.id)",
    ),
    (
        "open tasks whose upstream tasks are not kept for them, or tasks that keep some without need",
        "SELECT tasks.id
           FROM tasks,
                json_each(CASE WHEN json_valid(tasks.upstream) THEN tasks.upstream ELSE '[]' END) AS named
          WHERE tasks.finished_at IS NULL AND tasks.upstream IS NOT NULL
            AND NOT EXISTS (SELECT 1 FROM open_dependencies
                             WHERE upstream = named.value AND downstream = tasks.id)
         UNION ALL
         SELECT downstream FROM open_dependencies
          WHERE NOT EXISTS (SELECT 1 FROM tasks WHERE id = downstream AND finished_at IS NULL)",
    ),
    (
        "open tasks that share a unique key",
        "SELECT min(id) FROM tasks WHERE finished_at IS NULL AND unique_key IS NOT NULL
          GROUP BY unique_key HAVING count(*) > 1",
    ),
    (
        "times in another format than the one that sorts",
        "SELECT id FROM tasks
          WHERE created_at NOT GLOB '????-??-??T??:??:??.??????Z'
             OR run_at NOT GLOB '????-??-??T??:??:??.??????Z'
             OR finished_at NOT GLOB '????-??-??T??:??:??.??????Z'",
    ),
    (
        "events that are no JSON objects, or have an id that SQLite did not give",
        "SELECT CAST(id AS TEXT) FROM logs
          WHERE CASE WHEN json_valid(data) THEN json_type(data) <> 'object' ELSE TRUE END
             OR id < 1
             OR id > (SELECT seq FROM sqlite_sequence WHERE name = 'logs')",
    ),
];
