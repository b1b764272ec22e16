-- What happened when, for the charts: one row for each step of time in which something did. The Writer
-- counts in memory and stores what has changed every few seconds; meta's stats_event is the newest journal
-- row that is counted here, so that after a crash the rest is counted from the journal.
CREATE TABLE stats (
    -- Length of the step in seconds. Each length is kept as long as its chart looks back.
    step_seconds INTEGER NOT NULL,
    -- When the step begins, in seconds after the Unix epoch; a multiple of its length.
    at           INTEGER NOT NULL,
    -- A JSON object: created, started, completed, failed, retried, and histograms of waiting and running.
    counts       TEXT NOT NULL,
    PRIMARY KEY (step_seconds, at)
) STRICT, WITHOUT ROWID;
