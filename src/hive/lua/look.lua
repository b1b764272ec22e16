-- How jobs stand. KEYS: their queue, once. ARGV: job ids.
-- A queue of another type is no word about its jobs: they count as in the queue.
-- Answers one character for each: r there is a result, k in progress at a worker of ours, whose claim ends soon if
-- the worker does, p in progress at one of ARQ's, q in the queue, n nothing is left.
local states = {}
for index, id in ipairs(ARGV) do
    local claim = redis.pcall('GET', 'arq:in-progress:' .. id)
    if redis.call('EXISTS', 'arq:result:' .. id) == 1 then
        states[index] = 'r'
    elseif claim then
        -- ARQ's claims are 1, and last as long as its longest job may; ours name their worker, and are extended.
        local is_ours = type(claim) == 'string' and claim ~= '1' and redis.call('PTTL', 'arq:in-progress:' .. id) > 0
        states[index] = is_ours and 'k' or 'p'
    elseif redis.pcall('ZSCORE', KEYS[1], id) then
        states[index] = 'q'
    else
        states[index] = 'n'
    end
end
return table.concat(states)
