-- Claims due jobs and counts their starts, in one step. KEYS: the queues, the most urgent first.
-- ARGV: the time in ms, how many jobs, the token of the claims, ms until they expire, s for which starts are counted.
-- Answers with the next due time in ms, if there is one, and for each job: its id, its queue counted from 0, its
-- body, the number of its starts, and when somebody wanted it aborted. A body or an abort that is not there is nil.
-- Asked again with the same token, because an answer was lost, it hands out the same jobs and counts them once.
-- pcall: whoever can write to Redis can put a value of another type there, which must not stop all others.
local PAGE, FAR = 200, 20000
local now, wanted, token = ARGV[1], tonumber(ARGV[2]), ARGV[3]
-- Most often the first jobs are to be had. Those that are not, because they run, are behind this page or in it.
local first_page = math.min(PAGE, wanted + 10)

local function take(id, queue_index)
    local retry, claim = 'arq:retry:' .. id, 'arq:in-progress:' .. id
    local owner = redis.pcall('GET', claim)
    local starts
    if owner == token then
        starts = tonumber(redis.pcall('GET', retry)) or 1
    elseif owner then
        return nil
    else
        redis.call('SET', claim, token, 'PX', ARGV[4])
        starts = redis.pcall('INCR', retry)
        if type(starts) ~= 'number' then
            redis.call('SET', retry, 1)
            starts = 1
        end
        redis.call('EXPIRE', retry, ARGV[5])
    end
    local body = redis.pcall('GET', 'arq:job:' .. id)
    if type(body) ~= 'string' then
        body = false
    end
    local aborted_at = redis.pcall('ZSCORE', 'arq:abort', id)
    if type(aborted_at) == 'string' then
        redis.call('ZREM', 'arq:abort', id)
    else
        aborted_at = false
    end
    return { id, queue_index - 1, body, starts, aborted_at }
end

local taken, next_due = {}, false
for index, queue in ipairs(KEYS) do
    local offset, page = 0, first_page
    while #taken < wanted and offset < FAR do
        local due = redis.pcall('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, page)
        for at = 1, #due, 2 do
            -- ARQ never runs a job whose score is 0.
            local job = #taken < wanted and tonumber(due[at + 1]) ~= 0 and take(due[at], index)
            if job then
                taken[#taken + 1] = job
            end
        end
        if #due < 2 * page then
            break
        end
        offset, page = offset + page, PAGE
    end
    local later = redis.pcall('ZRANGEBYSCORE', queue, '(' .. now, '+inf', 'WITHSCORES', 'LIMIT', 0, 1)[2]
    if later and (not next_due or tonumber(later) < tonumber(next_due)) then
        next_due = later
    end
end
return { next_due, taken }
