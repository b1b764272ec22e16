"""An ARQ client for tests: python arq_client.py REDIS_URL QUEUE CODEC VERB…; prints the answer as JSON.

    enqueue JOB_ID FUNCTION TASK_ID PAYLOAD    true, or false if there is such a job
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
    job = Job(JOB_ID, redis, _queue_name=QUEUE, _deserializer=deserializer)
    if VERB == "result":
        return await result(job)
    if VERB == "status":
        return await job.status()
    if VERB == "abort":
        return await job.abort(poll_delay=0.02)
    sys.exit(f"no such verb: {VERB}")


print(json.dumps(asyncio.run(main())))
