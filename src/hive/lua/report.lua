-- A node says how it is. KEYS: its record, the nodes, their last words.
-- ARGV: its id, the record, ms until it counts as silent.
local time = redis.call('TIME')
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('ZADD', KEYS[2], time[1] * 1000 + math.floor(time[2] / 1000), ARGV[1])
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
