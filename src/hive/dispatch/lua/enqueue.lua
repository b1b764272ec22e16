-- Puts a job of a task into its queue, once for each id, as ARQ's enqueue_job does it.
-- KEYS: the task's current job, the queue. ARGV: job id, body, ms until the body expires, due time in ms,
-- task id, 1 if the job has no result. Answers with the job that the task has and its queue, apart by a blank: an earlier one of the
-- task's that is still there is taken over. Without a result nothing is there of one that has ended.
local current = redis.call('TYPE', KEYS[1]).ok == 'string' and redis.call('GETRANGE', KEYS[1], 0, 1000)
local prefix = ARGV[5] .. ':'
if current and string.sub(current, 1, #prefix) == prefix then
    local earlier = string.match(string.sub(current, #prefix + 1), '^(%d+) .+$')
    if earlier then
        earlier = prefix .. earlier
        if ARGV[6] == '1' or redis.call('EXISTS', 'arq:job:' .. earlier, 'arq:in-progress:' .. earlier,
                                        'arq:result:' .. earlier) > 0 then
            return current
        end
    end
end
local id = ARGV[1]
if redis.call('EXISTS', 'arq:job:' .. id, 'arq:result:' .. id) == 0 then
    -- First what may be refused, so that no body stays behind that belongs to nothing.
    redis.call('ZADD', KEYS[2], ARGV[4], id)
    redis.call('PSETEX', 'arq:job:' .. id, ARGV[3], ARGV[2])
end
redis.call('SET', KEYS[1], id .. ' ' .. KEYS[2], 'PX', ARGV[3])
return id .. ' ' .. KEYS[2]
