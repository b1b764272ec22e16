-- Takes away the mark of an abort that is older than its job: ARQ leaves such marks for ever.
-- ARGV: job id, the time in ms from which on marks are meant for this job.
local id = ARGV[1]
local mark = redis.pcall('ZSCORE', 'arq:abort', id)
-- Somebody may have wanted it aborted just now.
if type(mark) == 'string' and tonumber(mark) < tonumber(ARGV[2]) then
    redis.call('ZREM', 'arq:abort', id)
end
