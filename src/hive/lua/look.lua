-- How jobs stand. KEYS: their queue, once. ARGV: job ids.
-- A queue of another type is no word about its jobs: they count as in the queue.
-- Answers one character for each: r there is a result, p in progress, q in the queue, n nothing is left.
local states = {}
for index, id in ipairs(ARGV) do
    if redis.call('EXISTS', 'arq:result:' .. id) == 1 then
        states[index] = 'r'
    elseif redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
        states[index] = 'p'
    elseif redis.pcall('ZSCORE', KEYS[1], id) then
        states[index] = 'q'
    else
        states[index] = 'n'
    end
end
return table.concat(states)
