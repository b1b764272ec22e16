-- Which retries somebody asked for is a field of the event. Rows of before said it in their text alone. What another
-- program has written and is no JSON stays as it is.
UPDATE logs SET data = json_set(data, '$.by_hand', json('true'))
 WHERE type = 'TASK_RETRYING'
   AND CASE WHEN json_valid(data) THEN
           message LIKE 'The task did not begin and was retried by hand;%'
           OR message LIKE 'Attempt ' || (data ->> '$.attempt') || ' failed and was retried by hand;%'
       END;
