"""A Python worker for tasks that Venom Core sends through the Hive; see README.md beside this file."""

import os

from arq.connections import RedisSettings


async def summarise(ctx, task_id, payload):
    """The work itself: the first sentence of a text. What it returns becomes the task's result."""
    return payload.split(".")[0] + "."


class WorkerSettings:
    functions = [summarise]
    # A worker of ARQ reads one queue: start one for each.
    queue_name = os.environ.get("QUEUE", "venom:tasks:high")
    redis_settings = RedisSettings.from_dsn(os.environ.get("REDIS_URL", "redis://localhost:6379"))
    # Without it an abort does not reach a job that runs.
    allow_abort_jobs = True
