-- Stores a job's result and takes the job away. KEYS: its queue.
-- ARGV: job id, the claim's token, the number of this start, the result, ms for which it is kept.
-- Answers 0, and does nothing, if another worker has started the job since; 1 also if this was done before, and only
-- the answer was lost.
local id = ARGV[1]
local owner = redis.pcall('GET', 'arq:in-progress:' .. id)
if owner ~= ARGV[2] then
    -- A claim that has expired is still ours as long as nobody has started the job again; so is one that Redis has
    -- forgotten with the whole job, unless somebody has ended it since.
    local starts = redis.pcall('GET', 'arq:retry:' .. id)
    local is_forgotten = not starts and redis.call('EXISTS', 'arq:result:' .. id) == 0
    if owner or not (starts == ARGV[3] or is_forgotten) then
        return redis.pcall('GET', 'arq:result:' .. id) == ARGV[4] and 1 or 0
    end
end
redis.call('SET', 'arq:result:' .. id, ARGV[4], 'PX', ARGV[5])
-- Of another type they hold nothing of this job.
redis.pcall('ZREM', KEYS[1], id)
redis.pcall('ZREM', 'arq:abort', id)
redis.call('DEL', 'arq:in-progress:' .. id, 'arq:retry:' .. id, 'arq:job:' .. id)
return 1
