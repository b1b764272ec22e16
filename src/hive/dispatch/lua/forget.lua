-- Deletes what is left of a job that nothing follows any more, but not its result: a client may read it.
-- abort.lua and forget.lua repeat a few lines: a script of Redis is one text and cannot call another.
-- KEYS: the task's current job, the queue. ARGV: job id, 1 if a worker may have died with it.
local id = ARGV[1]
-- Another job of the task's may have taken its place.
if redis.pcall('GET', KEYS[1]) == id .. ' ' .. KEYS[2] then
    redis.call('DEL', KEYS[1])
end
-- pcall: of another type they hold nothing of this job.
redis.pcall('ZREM', 'arq:abort', id)
if redis.call('EXISTS', 'arq:result:' .. id) == 1 then
    return
end
redis.pcall('ZREM', KEYS[2], id)
redis.call('DEL', 'arq:job:' .. id)
-- A worker that was cut off and comes back must find that its job was ended, and not that Redis has forgotten it.
if (tonumber(redis.pcall('GET', 'arq:retry:' .. id)) or 0) > 0 then
    redis.call('SETEX', 'arq:retry:' .. id, 88400, 0)
else
    redis.call('DEL', 'arq:retry:' .. id)
end
if ARGV[2] == '1' then
    redis.call('DEL', 'arq:in-progress:' .. id)
end
