-- Counts a job's starts from a number on. ARGV: job id, the number, s for which starts are counted.
redis.call('SETEX', 'arq:retry:' .. ARGV[1], ARGV[3], ARGV[2])
