-- How claims stand, and keeps them. ARGV: ms by which they are extended or 0, the same if they have expired, s for which
-- starts are counted, then for each: job id, the claim's token, the number of this start.
-- Answers one character for each: k it is kept, a somebody wants the job aborted, l another worker has it or it is
-- gone.
local standings = {}
for at = 4, #ARGV, 3 do
    local id = ARGV[at]
    local claim = 'arq:in-progress:' .. id
    local owner = redis.pcall('GET', claim)
    local standing = 'k'
    if owner == ARGV[at + 1] then
        if ARGV[1] ~= '0' then
            redis.call('PEXPIRE', claim, ARGV[1])
        end
    else
        local starts = not owner and redis.pcall('GET', 'arq:retry:' .. id)
        if starts == ARGV[at + 2] and not owner then
            redis.call('SET', claim, ARGV[at + 1], 'PX', ARGV[2])
        elseif not owner and not starts and redis.call('EXISTS', 'arq:result:' .. id) == 0 then
            -- Redis has forgotten the job, and nobody else has started it since: it goes on, and its result is
            -- stored. A job that was ended on purpose leaves the number of its starts, which is 0 then.
            redis.call('SET', claim, ARGV[at + 1], 'PX', ARGV[2])
            redis.call('SETEX', 'arq:retry:' .. id, ARGV[3], ARGV[at + 2])
        else
            standing = 'l'
        end
    end
    if standing == 'k' and type(redis.pcall('ZSCORE', 'arq:abort', id)) == 'string' then
        standing = 'a'
    end
    standings[#standings + 1] = standing
end
return table.concat(standings)
