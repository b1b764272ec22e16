"""An ARQ client for tests: python arq_client.py REDIS_URL QUEUE CODEC VERB…; prints the answer as JSON.

    enqueue JOB_ID FUNCTION TASK_ID PAYLOAD    true, or false if there is such a job
    enqueue_many PREFIX FUNCTION COUNT         how many were: PREFIX1 to PREFIXCOUNT, their payloads the same
    send JOB_ID JSON                           the same for [[FUNCTION, ARGUMENT…], {OPTION_OR_KEYWORD: VALUE…}]
    result JOB_ID                              {"result": …} or {"error": "ValueError: bad"}, once it is there
    status JOB_ID                              "queued", "in_progress", …
    abort JOB_ID                               whether the job was cancelled, once it has ended
    result_now JOB_ID                          like result, with a timeout of 0
    abort_now JOB_ID                           like abort, with a timeout of 0: {"error": "TimeoutError: "} in time
    abort_deferred PREFIX FUNCTION COUNT MS    how many of so many deferred jobs an abort has cancelled, with a pause between
                                               the two commands of each
    info JOB_ID                                what is known of the job, with the names that ARQ gives it, or null
    queued JOB_ID                              the same for all jobs of the queue, whatever the job's id
    results JOB_ID                             the same for all results
"""

import asyncio
import dataclasses
import json
import sys
from datetime import datetime

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job

from arq_codec import CODECS

URL, QUEUE, CODEC, VERB, JOB_ID = sys.argv[1:6]
serializer, deserializer = CODECS[CODEC]


async def told(answer):
    try:
        return {"result": await answer}
    # A cancelled job's error is no Exception.
    except (Exception, asyncio.CancelledError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


async def enqueue_many(redis, prefix, function, count):
    ids = iter([f"{prefix}{number}" for number in range(1, count + 1)])

    async def some():
        return [await redis.enqueue_job(function, id, id, _job_id=id) for id in ids]

    enqueued = await asyncio.gather(*[some() for _ in range(20)])
    return sum(job is not None for jobs in enqueued for job in jobs)


async def abort_deferred(redis, prefix, function, count, pause):
    mark = redis.zadd

    async def mark_later(*words):
        await asyncio.sleep(pause / 1000)
        return await mark(*words)

    redis.zadd = mark_later
    cancelled = 0
    for number in range(count):
        id = f"{prefix}{number}"
        job = await redis.enqueue_job(function, id, id, _job_id=id, _defer_by=3600)
        cancelled += await job.abort(poll_delay=0.02)
    return cancelled


def plain(value):
    """What JSON has no word for: times in ms, exceptions."""
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    return f"{type(value).__name__}: {value}"


async def main():
    redis = await create_pool(
        RedisSettings.from_dsn(URL),
        default_queue_name=QUEUE,
        job_serializer=serializer,
        job_deserializer=deserializer,
    )
    if VERB == "enqueue":
        function, *arguments = sys.argv[6:]
        return await redis.enqueue_job(function, *arguments, _job_id=JOB_ID) is not None
    if VERB == "enqueue_many":
        function, count = sys.argv[6:]
        return await enqueue_many(redis, JOB_ID, function, int(count))
    if VERB == "abort_deferred":
        function, count, pause = sys.argv[6:]
        return await abort_deferred(redis, JOB_ID, function, int(count), float(pause))
    job = Job(JOB_ID, redis, _queue_name=QUEUE, _deserializer=deserializer)
    if VERB == "send":
        call, options = json.loads(sys.argv[6])
        return await redis.enqueue_job(*call, _job_id=JOB_ID, **options) is not None
    if VERB == "result":
        return await told(job.result(poll_delay=0.02))
    if VERB == "result_now":
        return await told(job.result(timeout=0, poll_delay=0.02))
    if VERB == "abort_now":
        return await told(job.abort(timeout=0, poll_delay=0.02))
    if VERB == "info":
        info = await job.info()
        return info and dataclasses.asdict(info)
    if VERB == "queued":
        return [dataclasses.asdict(found) for found in await redis.queued_jobs()]
    if VERB == "results":
        return [dataclasses.asdict(found) for found in await redis.all_job_results()]
    if VERB == "status":
        return await job.status()
    if VERB == "abort":
        return await job.abort(poll_delay=0.02)
    sys.exit(f"no such verb: {VERB}")


print(json.dumps(asyncio.run(main()), default=plain))
