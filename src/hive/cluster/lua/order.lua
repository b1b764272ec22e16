-- Publishes a command and keeps it in force. KEYS: the command in force.
-- ARGV: the command, 1 if it is a pause, the channel; without a channel the command was published by another program,
-- and then the commands follow that it may replace, besides none.
-- Returns how many subscribers received it.
local standing = redis.pcall('GET', KEYS[1])
local may_stand = true
if type(standing) == 'string' then
    if ARGV[2] == '1' then
        -- A pause does not end an emergency stop.
        local is_read, order = pcall(cjson.decode, standing)
        local is_order = is_read and type(order) == 'table' and type(order.command) == 'string'
        may_stand = not (is_order and string.lower(order.command) == 'emergency_stop')
    end
    if ARGV[3] == '' and may_stand then
        may_stand = false
        for at = 4, #ARGV do
            may_stand = may_stand or ARGV[at] == standing
        end
    end
end
if may_stand then
    redis.call('SET', KEYS[1], ARGV[1])
end
if ARGV[3] == '' then
    return 0
end
return redis.call('PUBLISH', ARGV[3], ARGV[1])
