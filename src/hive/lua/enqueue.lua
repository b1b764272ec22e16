-- Puts a job of a task into its queue, once for each id, as ARQ's enqueue_job does it.
-- KEYS: the task's current job, the queue. ARGV: job id, body, ms until the body expires, due time in ms.
-- Answers with the job that the task has: an earlier one that is still there is taken over.
local current = redis.call('GET', KEYS[1])
if current and redis.call('EXISTS', 'arq:job:' .. current, 'arq:in-progress:' .. current,
                          'arq:result:' .. current) > 0 then
    return current
end
local id = ARGV[1]
if redis.call('EXISTS', 'arq:job:' .. id, 'arq:result:' .. id) == 0 then
    redis.call('PSETEX', 'arq:job:' .. id, ARGV[3], ARGV[2])
    redis.call('ZADD', KEYS[2], ARGV[4], id)
end
redis.call('SET', KEYS[1], id, 'PX', ARGV[3])
return id
