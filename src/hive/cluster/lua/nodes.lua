-- The nodes, those seen last first. KEYS: the nodes, their last words.
-- ARGV: the start of a record's name, ms until a node is forgotten, how many nodes, bytes of a record.
-- Answers four texts for each: its id, ms when it was last seen, 1 if its record stands, its last words.
local time = redis.call('TIME')
local forgotten = time[1] * 1000 + math.floor(time[2] / 1000) - ARGV[2]
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', forgotten, 'LIMIT', 0, ARGV[3])) do
    redis.call('ZREM', KEYS[1], id)
    redis.call('HDEL', KEYS[2], id)
end
local found = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[3] - 1, 'WITHSCORES')
local answer = {}
for index = 1, #found, 2 do
    local id = found[index]
    local stands = redis.call('EXISTS', ARGV[1] .. id)
    local words = ''
    if redis.call('HSTRLEN', KEYS[2], id) <= tonumber(ARGV[4]) then
        words = redis.call('HGET', KEYS[2], id) or ''
    end
    answer[#answer + 1] = string.sub(id, 1, 200)
    answer[#answer + 1] = found[index + 1]
    answer[#answer + 1] = tostring(stands)
    answer[#answer + 1] = words
end
return answer
