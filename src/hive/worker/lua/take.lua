-- Claims due jobs and counts their starts, in one step. KEYS: the queues, the most urgent first.
-- ARGV: the time in ms, how many jobs, the token of the claims, ms until they expire, s for which starts are counted,
-- the longest body and the longest id in bytes, the bytes after which no further job is handed out, then the ids of
-- the jobs that were passed over long enough.
-- Answers with the next due time in ms, if there is one, 1 if there may be more jobs although fewer are handed out
-- than were wanted, and for each job: its id, its queue counted from 0, its body, the length of that, the number of
-- its starts, and when somebody wanted it aborted. A body that is not there or too long and an abort that is not
-- there are nil. Last the ids of the jobs that are passed over, because a client may be about to abort them. The mark of
-- an abort stays, because this answer may reach nobody, or nobody who runs the job.
-- Asked again with the same token, because an answer was lost, it hands out the same jobs and counts them once.
-- pcall: whoever can write to Redis can put a value of another type there, which must not stop all others.
local PAGE, FAR = 200, 20000
local now, wanted, token = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local longest_body, longest_id, most_bytes = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
-- The bytes that are handed out, and whether there are no more to be.
local bytes, is_cut = 0, false
-- ARQ's client aborts a deferred job in two steps: it gives the job the score 1, which makes it due, and then marks it.
-- So a job of that score is passed over until its mark is there, or for a while. An old mark may be one that ARQ has
-- left behind.
local FRESH_MARK, MOST_PASSED_OVER = 60000, 1000
local passed_over, is_passed_over_enough = {}, {}
for at = 9, #ARGV do
    is_passed_over_enough[ARGV[at]] = true
end
local function may_be_aborted_soon(id, score)
    if (tonumber(score) or 0) > 1 or is_passed_over_enough[id] then
        return false
    end
    local mark = redis.pcall('ZSCORE', 'arq:abort', id)
    return type(mark) ~= 'string' or (tonumber(mark) or 0) < tonumber(now) - FRESH_MARK
end
-- Most often the first jobs are to be had. Those that are not, because they run, are behind this page or in it.
local first_page = math.min(PAGE, wanted + 10)

local function take(id, score, queue_index)
    -- The names of its keys could not be borne, nor a result that names it: nobody's job.
    if #id > longest_id then
        return nil
    end
    local retry, claim, job = 'arq:retry:' .. id, 'arq:in-progress:' .. id, 'arq:job:' .. id
    local owner = redis.pcall('GET', claim)
    if owner and owner ~= token then
        return nil
    end
    if not owner and may_be_aborted_soon(id, score) then
        if #passed_over < MOST_PASSED_OVER then
            passed_over[#passed_over + 1] = id
        end
        return nil
    end
    local length = redis.pcall('STRLEN', job)
    if type(length) ~= 'number' then
        length = 0
    end
    local body = length > 0 and length <= longest_body
    local size = #id + (body and length or 0)
    -- One is handed out in any case, and so is what this token holds already.
    if not owner and bytes > 0 and bytes + size > most_bytes then
        is_cut = true
        return nil
    end
    bytes = bytes + size
    local starts
    if owner then
        starts = tonumber(redis.pcall('GET', retry)) or 1
    else
        redis.call('SET', claim, token, 'PX', ARGV[4])
        starts = redis.pcall('INCR', retry)
        if type(starts) ~= 'number' then
            redis.call('SET', retry, 1)
            starts = 1
        end
        redis.call('EXPIRE', retry, ARGV[5])
    end
    local aborted_at = redis.pcall('ZSCORE', 'arq:abort', id)
    if type(aborted_at) ~= 'string' then
        aborted_at = false
    end
    return { id, queue_index - 1, body and redis.call('GET', job), length, starts, aborted_at }
end

local taken, next_due = {}, false
for index, queue in ipairs(KEYS) do
    local offset, page = 0, first_page
    while #taken < wanted and not is_cut and offset < FAR do
        local due = redis.pcall('ZRANGEBYSCORE', queue, '-inf', now, 'WITHSCORES', 'LIMIT', offset, page)
        for at = 1, #due, 2 do
            -- ARQ never runs a job whose score is 0.
            local job = #taken < wanted and not is_cut and tonumber(due[at + 1]) ~= 0 and take(due[at], due[at + 1], index)
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
return { next_due, is_cut and 1 or 0, taken, passed_over }
