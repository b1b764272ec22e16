-- Tries what nodes of the Hive do in Redis, on names that hold nothing. ARGV: an id that is this node's alone, then the
-- keys that have to be writable.
-- Answers three texts for each refusal: the command, the key, and what Redis says.
local id = ARGV[1]
local text, set, hash = 'venom:hive:check:' .. id, 'venom:hive:check-set:' .. id, 'venom:hive:check-hash:' .. id
local refusals = {}
local function try(command, key, ...)
    local answer = redis.pcall(command, key, ...)
    if type(answer) == 'table' and answer.err then
        refusals[#refusals + 1] = command
        refusals[#refusals + 1] = key or ''
        refusals[#refusals + 1] = answer.err
    end
end
-- First what a full Redis refuses: after another write it refuses a script nothing more.
try('SET', text, '1', 'PX', 10000)
for _, command in ipairs({ 'GET', 'STRLEN', 'EXISTS', 'PTTL', 'TYPE', 'INCR', 'DECR' }) do
    try(command, text)
end
try('GETRANGE', text, 0, 1)
try('PEXPIRE', text, 10000)
try('EXPIRE', text, 10)
try('SETEX', text, 10, '1')
try('PSETEX', text, 10000, '1')
try('ZADD', set, 1, id)
try('ZSCORE', set, id)
try('ZCARD', set)
try('ZRANGEBYSCORE', set, '-inf', '+inf', 'LIMIT', 0, 1)
try('ZREVRANGE', set, 0, 0)
try('ZREM', set, id)
try('HSET', hash, id, '1')
try('HGET', hash, id)
try('HSTRLEN', hash, id)
try('HDEL', hash, id)
try('DEL', text)
try('TIME')
try('SCAN', '0', 'COUNT', 1)
for at = 2, #ARGV do
    try('ZREM', ARGV[at], id)
end
return refusals
