"""The Python side of the benchmark: python arq_side.py REDIS_URL VERB…

    worker MAX_JOBS POLL_DELAY    an ARQ worker with the function `noop`, until it is killed
    enqueue COUNT                 as many jobs as ARQ's client writes them, many in one round trip
    latency COUNT PAUSE           one job after the other, each after a random time of up to PAUSE seconds;
                                  prints a list of [ms to its start, ms until its result is seen]
"""

import asyncio
import json
import random
import sys
import time
import uuid

from arq import create_pool
from arq.connections import RedisSettings
from arq.jobs import serialize_job
from arq.worker import Worker

QUEUE = "venom:tasks:background"
WEEK_MS = 7 * 24 * 3600 * 1000
URL, VERB, *WORDS = sys.argv[1:]
SETTINGS = RedisSettings.from_dsn(URL)


async def noop(ctx, task_id, payload):
    return "Processed: " + payload


def work(max_jobs, poll_delay):
    Worker(
        [noop],
        queue_name=QUEUE,
        redis_settings=SETTINGS,
        max_jobs=int(max_jobs),
        poll_delay=float(poll_delay),
    ).run()


async def enqueue(count):
    redis = await create_pool(SETTINGS)
    for start in range(0, int(count), 1000):
        async with redis.pipeline(transaction=False) as pipe:
            for number in range(start, min(start + 1000, int(count))):
                job_id, now_ms = str(uuid.uuid4()), int(time.time() * 1000)
                job = serialize_job("noop", (job_id, f"hello {number}"), {}, None, now_ms)
                pipe.psetex("arq:job:" + job_id, WEEK_MS, job)
                pipe.zadd(QUEUE, {job_id: now_ms})
            await pipe.execute()


async def time_one(redis):
    begun = time.time()
    job = await redis.enqueue_job("noop", str(uuid.uuid4()), "hello")
    while (result := await job.result_info()) is None:
        await asyncio.sleep(0.0005)
    seen = time.time()
    # The start is rounded down to a millisecond: in the middle, it is on average where it was.
    started = result.start_time.timestamp() + 0.0005
    return [max(0.0, started - begun) * 1000, (seen - begun) * 1000]


async def latency(count, pause):
    redis = await create_pool(SETTINGS, default_queue_name=QUEUE)
    for _ in range(3):
        await time_one(redis)
    times = []
    for _ in range(int(count)):
        await asyncio.sleep(random.uniform(0, float(pause)))
        times.append(await time_one(redis))
    print(json.dumps(times))


if VERB == "worker":
    work(*WORDS)
else:
    asyncio.run({"enqueue": enqueue, "latency": latency}[VERB](*WORDS))
