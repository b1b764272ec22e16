-- Ends a job. KEYS: the task's current job, the queue. ARGV: job id, the time in ms.
-- Answers 1 if no worker has it: then it is gone, and leaves no mark that could end a later job. Else its
-- worker is told by the mark that ARQ has for it, and the answer is 0; it stays the task's current job until it has
-- ended, so that an ending that is cut off can be taken up again. A job that Redis has forgotten may have a worker too.
local id = ARGV[1]
local is_known = redis.call('EXISTS', 'arq:job:' .. id, 'arq:result:' .. id) > 0 or redis.pcall('ZSCORE', KEYS[2], id)
if not is_known or redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
    redis.call('ZADD', 'arq:abort', ARGV[2], id)
    return 0
end
-- Another job of the task's may have taken its place.
if redis.pcall('GET', KEYS[1]) == id .. ' ' .. KEYS[2] then
    redis.call('DEL', KEYS[1])
end
-- Of another type they hold nothing of this job.
redis.pcall('ZREM', KEYS[2], id)
redis.pcall('ZREM', 'arq:abort', id)
redis.call('DEL', 'arq:job:' .. id)
-- A worker that was cut off and comes back must find that its job was ended, and not that Redis has forgotten it.
if (tonumber(redis.pcall('GET', 'arq:retry:' .. id)) or 0) > 0 then
    redis.call('SETEX', 'arq:retry:' .. id, 88400, 0)
else
    redis.call('DEL', 'arq:retry:' .. id)
end
return 1
