-- Ends a claim without a result: the job stays in its queue, and this start does not count. KEYS: the queue.
-- ARGV: job id, the claim's token, the number of this start, when it is due again in ms or nothing for when it was.
-- Answers 0, and does nothing, if another worker has started the job since.
local id = ARGV[1]
local owner = redis.pcall('GET', 'arq:in-progress:' .. id)
if owner ~= ARGV[2] and (owner or redis.pcall('GET', 'arq:retry:' .. id) ~= ARGV[3]) then
    return 0
end
-- First what is never refused: after it a full Redis refuses nothing more, and no start is counted that was none.
redis.call('DEL', 'arq:in-progress:' .. id)
-- Neither may be of the type that it should be.
redis.pcall('DECR', 'arq:retry:' .. id)
local due = redis.pcall('ZSCORE', KEYS[1], id)
if type(due) == 'string' then
    -- Put in anew, because Redis tells nobody of a score that stays the same: workers that have room look for it
    -- at once.
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZADD', KEYS[1], ARGV[4] ~= '' and ARGV[4] or due, id)
end
return 1
