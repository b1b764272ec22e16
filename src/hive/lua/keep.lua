-- How claims stand, and keeps them. ARGV: ms by which they are extended or 0, the same if they have expired,
-- then for each: job id, the claim's token, the number of this start.
-- Answers one character for each: k it is kept, a somebody wants the job aborted, l another worker has it or it is
-- gone.
local standings = {}
for at = 3, #ARGV, 3 do
    local id = ARGV[at]
    local claim = 'arq:in-progress:' .. id
    local owner = redis.pcall('GET', claim)
    local standing = 'k'
    if owner == ARGV[at + 1] then
        if ARGV[1] ~= '0' then
            redis.call('PEXPIRE', claim, ARGV[1])
        end
    elseif not owner and redis.pcall('GET', 'arq:retry:' .. id) == ARGV[at + 2] then
        redis.call('SET', claim, ARGV[at + 1], 'PX', ARGV[2])
    else
        standing = 'l'
    end
    if standing == 'k' and type(redis.pcall('ZSCORE', 'arq:abort', id)) == 'string' then
        standing = 'a'
    end
    standings[#standings + 1] = standing
end
return table.concat(standings)
