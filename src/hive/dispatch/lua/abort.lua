-- Cancels a job. KEYS: the task's current job, the queue. ARGV: job id, the time in ms.
-- Returns 1 if no worker has it: the job is deleted, with any mark that could abort a later job. Otherwise sets ARQ's
-- abort mark for its worker and returns 0; the job stays the task's current job until it has ended, so that an
-- interrupted cancellation can be repeated. A job that Redis has forgotten may have a worker too.
-- abort.lua and forget.lua repeat a few lines: a script of Redis is one text and cannot call another.
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
