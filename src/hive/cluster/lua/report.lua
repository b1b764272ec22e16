-- Stores the report of a node. KEYS: its record, the nodes, their last words, the command in force.
-- ARGV: its id, the record, ms until it counts as silent, the most bytes of a command.
-- Returns the command in force, if there is one that can be read, and why the report could not be stored, if it could
-- not: a damaged list of nodes keeps no node from the command.
local order = false
local length = redis.pcall('STRLEN', KEYS[4])
if type(length) == 'number' and length > 0 and length <= tonumber(ARGV[4]) then
    order = redis.call('GET', KEYS[4])
end
local time = redis.call('TIME')
local refusal = false
local function write(...)
    local answer = redis.pcall(...)
    if type(answer) == 'table' and answer.err then
        refusal = answer.err
    end
end
write('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
write('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
write('HSET', KEYS[3], ARGV[1], ARGV[2])
return { order, refusal }
