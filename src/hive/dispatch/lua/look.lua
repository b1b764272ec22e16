-- How jobs stand. KEYS: their queue, once. ARGV: ms for which a task's current job is named, then the job ids.
-- A queue of another type is no word about its jobs: they count as in the queue.
-- Answers one character for each: r there is a result, k in progress at a worker of ours, whose claim ends soon if
-- the worker does, p in progress at one of ARQ's, q in the queue, e it has ended without a result, n nothing is left of
-- it, because Redis has forgotten it or somebody has taken it away.
local states = {}
for at = 2, #ARGV do
    local id = ARGV[at]
    local index = at - 1
    -- Where the task's current job is named: only its service takes that away.
    local current = 'venom:hive:current:' .. (string.match(id, '^(.*):') or id)
    local claim = redis.pcall('GET', 'arq:in-progress:' .. id)
    if redis.call('EXISTS', 'arq:result:' .. id) == 1 then
        states[index] = 'r'
    elseif claim then
        -- ARQ's claims are 1, and last as long as its longest job may; ours name their worker, and are extended.
        local is_ours = type(claim) == 'string' and claim ~= '1' and redis.call('PTTL', 'arq:in-progress:' .. id) > 0
        states[index] = is_ours and 'k' or 'p'
        if not redis.pcall('ZSCORE', KEYS[1], id) then
            -- A job stays in its queue while it runs: Redis has forgotten all of it, and its worker has claimed it
            -- again. It is to be found and ended as before.
            redis.pcall('SET', current, id .. ' ' .. KEYS[1], 'PX', ARGV[1], 'NX')
        end
    elseif redis.pcall('ZSCORE', KEYS[1], id) then
        states[index] = 'q'
    elseif redis.call('EXISTS', 'arq:job:' .. id) == 0 and redis.pcall('GET', current) == id .. ' ' .. KEYS[1] then
        states[index] = 'e'
    else
        states[index] = 'n'
    end
end
return table.concat(states)
