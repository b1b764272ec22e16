"""An ARQ worker for tests: python arq_worker.py REDIS_URL QUEUE CODEC FOLDER

Prints "ready" when it is connected. Each function notes in FOLDER/ledger what it does, one line
"WORD TASK_ID JOB_ID JOB_TRY" for each step, so that a test can count how often a job has run.
"""

import asyncio
import os
import sys
import threading

from arq import Retry, func
from arq.connections import RedisSettings
from arq.worker import Worker

from arq_codec import CODECS

URL, QUEUE, CODEC, FOLDER = sys.argv[1:]
LEDGER = os.open(os.path.join(FOLDER, "ledger"), os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def note(word, ctx, task_id):
    # One write to a file opened to append: lines of several workers do not mix.
    os.write(LEDGER, f"{word} {task_id} {ctx['job_id']} {ctx['job_try']}\n".encode())


async def opened(gate):
    while not os.path.exists(os.path.join(FOLDER, gate)):
        await asyncio.sleep(0.01)


async def ok(ctx, task_id, payload):
    note("run", ctx, task_id)
    return payload.upper()


async def structured(ctx, task_id, payload):
    note("run", ctx, task_id)
    return {"text": payload, "list": [1, 2.5, None, True]}


async def fail(ctx, task_id, payload):
    note("run", ctx, task_id)
    raise ValueError("bad")


async def fail_once(ctx, task_id, payload):
    """Fails until the gate that the payload names is open."""
    note("run", ctx, task_id)
    if not os.path.exists(os.path.join(FOLDER, payload)):
        open(os.path.join(FOLDER, payload), "x").close()
        raise ValueError("bad")
    return "better"


async def retry_once(ctx, task_id, payload):
    note("run", ctx, task_id)
    if ctx["job_try"] == 1:
        raise Retry(defer=0.1)
    return f"try {ctx['job_try']}"


async def retry_later(ctx, task_id, payload):
    note("run", ctx, task_id)
    if ctx["job_try"] == 1:
        raise Retry(defer=1000)
    return f"try {ctx['job_try']}"


async def retry_always(ctx, task_id, payload):
    note("run", ctx, task_id)
    raise Retry


async def gate(ctx, task_id, payload):
    """Waits until the file that the payload names is there."""
    note("run", ctx, task_id)
    try:
        await opened(payload)
    except asyncio.CancelledError:
        note("cancelled", ctx, task_id)
        raise
    note("done", ctx, task_id)
    return "let through"


async def stubborn(ctx, task_id, payload):
    """As gate, but does not heed the first cancellation."""
    note("run", ctx, task_id)
    try:
        await opened(payload)
    except asyncio.CancelledError:
        note("cancelled", ctx, task_id)
        await opened(payload)
    note("done", ctx, task_id)
    return "let through"


async def too_slow(ctx, task_id, payload):
    note("run", ctx, task_id)
    await asyncio.Event().wait()


async def quiet(ctx, task_id, payload):
    """As gate; its result is not kept."""
    return await gate(ctx, task_id, payload)


async def odd(ctx, task_id, payload):
    """What no other language's JSON knows."""
    note("run", ctx, task_id)
    numbers = [float("nan"), float("inf"), float("-inf"), 1.5]
    return {"numbers": numbers, "half": "a\ud83d", "whole": "\U0001f600"}


async def unserialisable(ctx, task_id, payload):
    note("run", ctx, task_id)
    return threading.Lock()


async def ready(ctx):
    print("ready", flush=True)


serializer, deserializer = CODECS[CODEC]
FUNCTIONS = [ok, structured, fail, fail_once, retry_once, retry_later, gate, stubborn, odd, unserialisable]
Worker(
    [*FUNCTIONS, func(too_slow, timeout=0.2), func(retry_always, max_tries=3), func(quiet, keep_result=0)],
    queue_name=QUEUE,
    redis_settings=RedisSettings.from_dsn(URL),
    on_startup=ready,
    allow_abort_jobs=True,
    max_jobs=int(os.environ.get("MAX_JOBS", "100")),
    poll_delay=0.02,
    job_serializer=serializer,
    job_deserializer=deserializer,
).run()
