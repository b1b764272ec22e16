//! The rules that hold for the rows of every database at all times. The audit checks them, and so do the tests,
//! which include this file alone: it uses nothing else of the crate.

/// Each rule describes a set of rows, and has the query that selects it. The set must be empty.
pub(crate) const INVARIANTS: [(&str, &str); 14] = [
    (
        "tasks with an invalid status",
        "SELECT id FROM tasks
          WHERE status NOT IN ('PENDING', 'PROCESSING', 'COMPLETED', 'FAILED')",
    ),
    (
        "tasks whose finished_at contradicts their status",
        "SELECT id FROM tasks
          WHERE (finished_at IS NOT NULL) <> (status IN ('COMPLETED', 'FAILED'))",
    ),
    (
        "tasks whose failure contradicts their status",
        "SELECT id FROM tasks WHERE (failure IS NOT NULL) <> (status = 'FAILED')",
    ),
    (
        "PROCESSING tasks without a start",
        "SELECT id FROM tasks
          WHERE status = 'PROCESSING' AND (started_at IS NULL OR attempt < 1)",
    ),
    (
        "tasks whose journal does not begin with their only TASK_CREATED",
        "SELECT id FROM tasks
          WHERE (SELECT count(*) FROM logs WHERE task_id = tasks.id AND type = 'TASK_CREATED') <> 1
             OR (SELECT type FROM logs WHERE task_id = tasks.id ORDER BY logs.id LIMIT 1)
                    <> 'TASK_CREATED'",
    ),
    (
        "tasks without exactly one TASK_STARTED for each attempt",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND attempt <> (SELECT count(*) FROM logs
                             WHERE task_id = tasks.id AND type = 'TASK_STARTED')",
    ),
    (
        "tasks whose last event contradicts their status",
        "SELECT id FROM tasks
          WHERE source <> 'import'
            AND (status IN ('COMPLETED', 'FAILED')) <> ((SELECT type FROM logs
                    WHERE task_id = tasks.id ORDER BY logs.id DESC LIMIT 1)
                IN ('TASK_COMPLETED', 'TASK_FAILED', 'TASK_ABORTED'))",
    ),
    (
        "tasks without exactly one final event for each submission and manual retry",
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
        "tasks with more attempts than max_attempts",
        "SELECT id FROM tasks WHERE source <> 'import' AND attempt - uncounted > max_attempts",
    ),
    (
        "pending tasks whose number of open dependencies is wrong",
        "SELECT id FROM tasks
          WHERE status = 'PENDING'
            AND blocked <> (SELECT count(*) FROM links WHERE downstream = tasks.id)",
    ),
    (
        "open tasks whose dependencies are not retained, or finished tasks that retain some",
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
        "tasks with a time that is not in the format YYYY-MM-DDThh:mm:ss.ffffffZ",
        "SELECT id FROM tasks
          WHERE created_at NOT GLOB '????-??-??T??:??:??.??????Z'
             OR run_at NOT GLOB '????-??-??T??:??:??.??????Z'
             OR finished_at NOT GLOB '????-??-??T??:??:??.??????Z'",
    ),
    (
        "events whose data is not a JSON object, or whose ID is out of range",
        "SELECT CAST(id AS TEXT) FROM logs
          WHERE CASE WHEN json_valid(data) THEN json_type(data) <> 'object' ELSE TRUE END
             OR id < 1
             OR id > (SELECT seq FROM sqlite_sequence WHERE name = 'logs')",
    ),
];
