"""ARQ's side of the benchmark, by its own client; the verbs and the protocol are those of load.cjs.

    python load.py PORT accept CALLERS SECONDS WARM_UP
    python load.py PORT finish CALLERS SECONDS WARM_UP
    python load.py PORT idle COUNT
    python load.py PORT work CALLERS
"""

import asyncio
import json
import sys
import time

from arq import create_pool
from arq.connections import RedisSettings
from arq.constants import default_queue_name
from arq.worker import Worker

PORT, VERB, *NUMBERS = sys.argv[1:]
SETTINGS = RedisSettings(host="127.0.0.1", port=int(PORT))


async def noop(ctx, content):
    return "Processed: " + content


async def submit_for(redis, callers, seconds):
    times = []
    end = time.perf_counter() + seconds

    async def call():
        while (begun := time.perf_counter()) < end:
            await redis.enqueue_job("noop", f"hello {len(times)}")
            times.append(time.perf_counter() - begun)

    await asyncio.gather(*(call() for _ in range(callers)))
    return times


async def drained(redis):
    """ARQ removes a job from the queue in the transaction that stores its result."""
    while await redis.zcard(default_queue_name):
        await asyncio.sleep(0.01)


async def load(callers, seconds, warm_up):
    redis = await create_pool(SETTINGS)
    finish = VERB == "finish"
    await submit_for(redis, int(callers), warm_up)
    if finish:
        await drained(redis)
    await go()
    begun, cpu = time.perf_counter(), time.process_time()
    times = await submit_for(redis, int(callers), seconds)
    if finish:
        await drained(redis)
    await report(times, time.perf_counter() - begun, cpu)


async def run_one(redis):
    job = await redis.enqueue_job("noop", "hello")
    await job.result(timeout=10, poll_delay=0.0005)


async def idle(count):
    redis = await create_pool(SETTINGS)
    for _ in range(3):
        await run_one(redis)
    await go()
    times, start, cpu = [], time.perf_counter(), time.process_time()
    for _ in range(int(count)):
        await asyncio.sleep(0.001)
        begun = time.perf_counter()
        await run_one(redis)
        times.append(time.perf_counter() - begun)
    await report(times, time.perf_counter() - start, cpu)


async def go():
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)


async def report(times, elapsed, cpu_at_start):
    times.sort()

    def at(share):
        return times[min(len(times) - 1, int(len(times) * share))] * 1000

    figures = {"answered": len(times), "seconds": elapsed}
    figures["cpu_us"] = (time.process_time() - cpu_at_start) * 1e6
    print(json.dumps(figures | {"p50_ms": at(0.5), "p99_ms": at(0.99)}), flush=True)
    await asyncio.Event().wait()


def work(callers):
    worker = Worker([noop], redis_settings=SETTINGS, max_jobs=int(callers), poll_delay=0.01)
    print("ready", flush=True)
    worker.run()


if VERB == "work":
    work(*NUMBERS)
else:
    asyncio.run({"accept": load, "finish": load, "idle": idle}[VERB](*map(float, NUMBERS)))
