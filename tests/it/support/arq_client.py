"""An ARQ client for tests: python arq_client.py REDIS_URL QUEUE CODEC VERB…; prints the answer as JSON.

    enqueue JOB_ID FUNCTION TASK_ID PAYLOAD    true, or false if there is such a job
    enqueue_many PREFIX FUNCTION COUNT         how many were: PREFIX1 to PREFIXCOUNT, their payloads the same
    result JOB_ID                              {"result": …} or {"error": "ValueError: bad"}, once it is there
    status JOB_ID                              "queued", "in_progress", …
    abort JOB_ID                               whether the job was cancelled, once it has ended
"""

import asyncio
import json
import sys

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import Job

from arq_codec import CODECS

URL, QUEUE, CODEC, VERB, JOB_ID = sys.argv[1:6]
serializer, deserializer = CODECS[CODEC]


async def result(job):
    try:
        return {"result": await job.result(poll_delay=0.02)}
    # A cancelled job's error is no Exception.
    except (Exception, asyncio.CancelledError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


async def enqueue_many(redis, prefix, function, count):
    ids = iter([f"{prefix}{number}" for number in range(1, count + 1)])

    async def some():
        return [await redis.enqueue_job(function, id, id, _job_id=id) for id in ids]

    enqueued = await asyncio.gather(*[some() for _ in range(20)])
    return sum(job is not None for jobs in enqueued for job in jobs)


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
    job = Job(JOB_ID, redis, _queue_name=QUEUE, _deserializer=deserializer)
    if VERB == "result":
        return await result(job)
    if VERB == "status":
        return await job.status()
    if VERB == "abort":
        return await job.abort(poll_delay=0.02)
    sys.exit(f"no such verb: {VERB}")


print(json.dumps(asyncio.run(main())))
