-- Which task an open task names in `after`: as long as the row is here, the upstream task is not deleted, because
-- the open one still needs its result. `links` says less: its rows go as the upstream tasks complete.
CREATE TABLE open_dependencies (
    upstream   TEXT NOT NULL,
    downstream TEXT NOT NULL,
    PRIMARY KEY (upstream, downstream)
) STRICT, WITHOUT ROWID;
CREATE INDEX open_dependencies_by_downstream ON open_dependencies (downstream);

INSERT OR IGNORE INTO open_dependencies (upstream, downstream)
SELECT named.value, tasks.id FROM tasks, json_each(CASE WHEN json_valid(tasks.upstream) THEN tasks.upstream ELSE '[]' END) AS named
 WHERE tasks.finished_at IS NULL AND tasks.upstream IS NOT NULL;

-- Triggers keep it, so that no way to change a task is forgotten. They cost a task without dependencies nothing
-- but the look at its column.
CREATE TRIGGER dependencies_open AFTER INSERT ON tasks
    WHEN NEW.upstream IS NOT NULL AND NEW.finished_at IS NULL
BEGIN
    INSERT OR IGNORE INTO open_dependencies (upstream, downstream)
    SELECT value, NEW.id FROM json_each(CASE WHEN json_valid(NEW.upstream) THEN NEW.upstream ELSE '[]' END);
END;

CREATE TRIGGER dependencies_open_again AFTER UPDATE OF finished_at ON tasks
    WHEN OLD.upstream IS NOT NULL AND OLD.finished_at IS NOT NULL AND NEW.finished_at IS NULL
BEGIN
    INSERT OR IGNORE INTO open_dependencies (upstream, downstream)
    SELECT value, NEW.id FROM json_each(CASE WHEN json_valid(NEW.upstream) THEN NEW.upstream ELSE '[]' END);
END;

CREATE TRIGGER dependencies_end AFTER UPDATE OF finished_at ON tasks
    WHEN OLD.upstream IS NOT NULL AND OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL
BEGIN
    DELETE FROM open_dependencies WHERE downstream = OLD.id;
END;

CREATE TRIGGER dependencies_go AFTER DELETE ON tasks
    WHEN OLD.upstream IS NOT NULL AND OLD.finished_at IS NULL
BEGIN
    DELETE FROM open_dependencies WHERE downstream = OLD.id;
END;
