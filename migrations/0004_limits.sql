-- What an INSERT or UPDATE by another program may hold, besides what the triggers of the first migration ask
-- for: JSON that Python, JavaScript and this service can all read, and texts that stand in everybody's lists
-- only so long. The service checks its own before it writes.
--
-- Only functions that SQLite has had since STRICT tables (3.37), because other programs run these triggers
-- with a library of their own. What is no JSON at all is left to the other triggers.
--
-- Halves of surrogate pairs are looked for as text. Escaped backslashes are taken out of the way first, so
-- that each \u that is left begins an escape; then a first half (\ud8 to \udb) has to be followed by a second
-- one (\udc to \udf), and a second one preceded by a first.
CREATE TRIGGER tasks_limited_by_sql AFTER INSERT ON tasks
    WHEN NEW.source = 'sql'
     AND (NEW.tags <> '[]' OR NEW.context_history <> '{}' OR NEW.context_used IS NOT NULL
          OR NEW.extra <> '{}' OR NEW.session_id IS NOT NULL OR NEW.concurrency_key IS NOT NULL
          OR NEW.unique_key IS NOT NULL)
BEGIN
    SELECT RAISE(ABORT, 'tasks.tags: expected at most 100 tags of at most 200 characters')
        WHERE NEW.tags <> '[]'
          AND CASE WHEN NOT json_valid(NEW.tags) THEN FALSE
              ELSE json_array_length(NEW.tags) > 100
                OR EXISTS (SELECT 1 FROM json_each(NEW.tags) WHERE length(value) > 200) END;
    SELECT RAISE(ABORT, 'tasks.session_id: expected at most 200 characters')
        WHERE length(NEW.session_id) > 200;
    SELECT RAISE(ABORT, 'tasks.concurrency_key: expected at most 1000 characters')
        WHERE length(NEW.concurrency_key) > 1000;
    SELECT RAISE(ABORT, 'tasks.unique_key: expected at most 1000 characters')
        WHERE length(NEW.unique_key) > 1000;
    SELECT RAISE(ABORT, 'tasks.tags: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 100 levels and 10000 values at most')
        WHERE NEW.tags <> '[]'
          AND CASE WHEN NOT json_valid(NEW.tags) THEN FALSE ELSE
               (NEW.tags GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.tags, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.tags)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.tags GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.tags) - length(replace(replace(NEW.tags, '[', ''), '{', '')) > 100 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.tags, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 100)
                  SELECT 1 FROM inside WHERE depth > 100))
               OR json(NEW.tags) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
    SELECT RAISE(ABORT, 'tasks.context_history: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 102 levels and 10000 values at most')
        WHERE NEW.context_history <> '{}'
          AND CASE WHEN NOT json_valid(NEW.context_history) THEN FALSE ELSE
               (NEW.context_history GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.context_history, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.context_history)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.context_history GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.context_history) - length(replace(replace(NEW.context_history, '[', ''), '{', '')) > 102 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.context_history, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 102)
                  SELECT 1 FROM inside WHERE depth > 102))
               OR (length(NEW.context_history) > 20000 AND (SELECT count(*) FROM json_tree(NEW.context_history)) > 10001)
               OR json(NEW.context_history) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
    SELECT RAISE(ABORT, 'tasks.context_used: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 100 levels and 10000 values at most')
        WHERE NEW.context_used IS NOT NULL
          AND CASE WHEN NOT json_valid(NEW.context_used) THEN FALSE ELSE
               (NEW.context_used GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.context_used, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.context_used)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.context_used GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.context_used) - length(replace(replace(NEW.context_used, '[', ''), '{', '')) > 100 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.context_used, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 100)
                  SELECT 1 FROM inside WHERE depth > 100))
               OR (length(NEW.context_used) > 20000 AND (SELECT count(*) FROM json_tree(NEW.context_used)) > 10001)
               OR json(NEW.context_used) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
    SELECT RAISE(ABORT, 'tasks.extra: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 100 levels and 10000 values at most')
        WHERE NEW.extra <> '{}'
          AND CASE WHEN NOT json_valid(NEW.extra) THEN FALSE ELSE
               (NEW.extra GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.extra, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.extra)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.extra GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.extra) - length(replace(replace(NEW.extra, '[', ''), '{', '')) > 100 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.extra, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 100)
                  SELECT 1 FROM inside WHERE depth > 100))
               OR (length(NEW.extra) > 20000 AND (SELECT count(*) FROM json_tree(NEW.extra)) > 10001)
               OR json(NEW.extra) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
END;

-- The same for an UPDATE, of what it changes: a row from before can still be changed otherwise. While a task
-- runs the service itself adds to context_history.
CREATE TRIGGER tasks_limits_changed_by_sql
    AFTER UPDATE OF tags, context_history, context_used, extra, session_id, concurrency_key, unique_key
    ON tasks
    WHEN (NEW.tags, NEW.context_history, NEW.context_used, NEW.extra, NEW.session_id, NEW.concurrency_key,
          NEW.unique_key)
        IS NOT
         (OLD.tags, OLD.context_history, OLD.context_used, OLD.extra, OLD.session_id, OLD.concurrency_key,
          OLD.unique_key)
BEGIN
    SELECT RAISE(ABORT, 'tasks.tags: expected at most 100 tags of at most 200 characters')
        WHERE NEW.tags IS NOT OLD.tags AND NEW.tags <> '[]'
          AND CASE WHEN NOT json_valid(NEW.tags) THEN FALSE
              ELSE json_array_length(NEW.tags) > 100
                OR EXISTS (SELECT 1 FROM json_each(NEW.tags) WHERE length(value) > 200) END;
    SELECT RAISE(ABORT, 'tasks.session_id: expected at most 200 characters')
        WHERE NEW.session_id IS NOT OLD.session_id AND length(NEW.session_id) > 200;
    SELECT RAISE(ABORT, 'tasks.concurrency_key: expected at most 1000 characters')
        WHERE NEW.concurrency_key IS NOT OLD.concurrency_key AND length(NEW.concurrency_key) > 1000;
    SELECT RAISE(ABORT, 'tasks.unique_key: expected at most 1000 characters')
        WHERE NEW.unique_key IS NOT OLD.unique_key AND length(NEW.unique_key) > 1000;
    SELECT RAISE(ABORT, 'tasks.tags: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 100 levels and 10000 values at most')
        WHERE NEW.tags IS NOT OLD.tags AND NEW.tags <> '[]'
          AND CASE WHEN NOT json_valid(NEW.tags) THEN FALSE ELSE
               (NEW.tags GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.tags, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.tags)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.tags GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.tags) - length(replace(replace(NEW.tags, '[', ''), '{', '')) > 100 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.tags, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 100)
                  SELECT 1 FROM inside WHERE depth > 100))
               OR json(NEW.tags) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
    SELECT RAISE(ABORT, 'tasks.context_history: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 102 levels and 10000 values at most')
        WHERE NEW.context_history IS NOT OLD.context_history AND NEW.status <> 'PROCESSING'
          AND NEW.context_history <> '{}'
          AND CASE WHEN NOT json_valid(NEW.context_history) THEN FALSE ELSE
               (NEW.context_history GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.context_history, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.context_history)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.context_history GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.context_history) - length(replace(replace(NEW.context_history, '[', ''), '{', '')) > 102 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.context_history, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 102)
                  SELECT 1 FROM inside WHERE depth > 102))
               OR (length(NEW.context_history) > 20000 AND (SELECT count(*) FROM json_tree(NEW.context_history)) > 10001)
               OR json(NEW.context_history) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
    SELECT RAISE(ABORT, 'tasks.context_used: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 100 levels and 10000 values at most')
        WHERE NEW.context_used IS NOT OLD.context_used AND NEW.context_used IS NOT NULL
          AND CASE WHEN NOT json_valid(NEW.context_used) THEN FALSE ELSE
               (NEW.context_used GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.context_used, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.context_used)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.context_used GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.context_used) - length(replace(replace(NEW.context_used, '[', ''), '{', '')) > 100 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.context_used, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 100)
                  SELECT 1 FROM inside WHERE depth > 100))
               OR (length(NEW.context_used) > 20000 AND (SELECT count(*) FROM json_tree(NEW.context_used)) > 10001)
               OR json(NEW.context_used) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
    SELECT RAISE(ABORT, 'tasks.extra: expected JSON for every reader: no \ud83d without its other half, numbers of at most 300 digits that fit a double, 100 levels and 10000 values at most')
        WHERE NEW.extra IS NOT OLD.extra AND NEW.extra <> '{}'
          AND CASE WHEN NOT json_valid(NEW.extra) THEN FALSE ELSE
               (NEW.extra GLOB '*\u[dD]*' AND EXISTS (
                  SELECT 1 FROM (SELECT '      ' || lower(replace(NEW.extra, '\\', '//')) AS t)
                   WHERE t GLOB '*\ud[89ab][0-9a-f][0-9a-f][^\]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\[^u]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\u[^d]*'
                      OR t GLOB '*\ud[89ab][0-9a-f][0-9a-f]\ud[^c-f]*'
                      OR t GLOB '*[^\]?????\ud[c-f]*'
                      OR t GLOB '*\[^u]????\ud[c-f]*'
                      OR t GLOB '*\u[^d]???\ud[c-f]*'
                      OR t GLOB '*\ud[^89ab]??\ud[c-f]*'))
               OR EXISTS (
                  SELECT 1 FROM json_tree(NEW.extra)
                   WHERE type IN ('integer', 'real')
                     AND (atom > 1.7976931348623157e308 OR atom < -1.7976931348623157e308
                          OR ((atom >= 1e300 OR atom <= -1e300)
                              AND NEW.extra GLOB '*' || replace(hex(zeroblob(150)), '0', '[0-9]') || '[0-9]*')))
               OR (length(NEW.extra) - length(replace(replace(NEW.extra, '[', ''), '{', '')) > 100 AND EXISTS (
                  WITH RECURSIVE inside(value, depth) AS (
                      SELECT NEW.extra, 1
                      UNION ALL
                      SELECT each.value, depth + 1 FROM inside, json_each(inside.value) AS each
                       WHERE each.type IN ('array', 'object') AND depth <= 100)
                  SELECT 1 FROM inside WHERE depth > 100))
               OR (length(NEW.extra) > 20000 AND (SELECT count(*) FROM json_tree(NEW.extra)) > 10001)
               OR json(NEW.extra) GLOB '*[' || char(1) || '-' || char(31) || ']*'
              END;
END;
