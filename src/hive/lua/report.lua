-- A node says how it is. KEYS: its record, the nodes, their last words, the order that stands.
-- ARGV: its id, the record, ms until it counts as silent, bytes of an order.
-- Answers with the order that stands, if there is one that can be read.
local time = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
local length = redis.pcall('STRLEN', KEYS[4])
if type(length) ~= 'number' or length == 0 or length > tonumber(ARGV[4]) then
    return false
end
return redis.call('GET', KEYS[4])
