"""Uses the service by a client that openapi-python-client has made from /openapi.json."""

import os
from pathlib import Path

import venom_client
from venom_client import AuthenticatedClient
from venom_client.api.service import get_openapi
from venom_client.api.tasks import (
    explain_task,
    get_task,
    get_task_logs,
    list_tasks,
    submit_batch,
    submit_task,
)
from venom_client.models import (
    BatchRequest,
    Created,
    Invalid,
    ListTasksOrder,
    Refusal,
    Taken,
    Task,
    TaskRequest,
    TaskStatus,
)

client = AuthenticatedClient(base_url=os.environ["VENOM"], token=os.environ["TOKEN"])

# Every call has become a function.
document = get_openapi.sync(client=client).to_dict()
calls = sum(len(item) for item in document["paths"].values())
modules = Path(venom_client.__file__).parent.glob("api/*/*.py")
made = sum(module.name != "__init__.py" for module in modules)
assert made == calls, (made, calls)

# Submit, wait, read.
created = submit_task.sync(client=client, body=TaskRequest(content="hello", tags=["client"]))
assert isinstance(created, Created), created
task = get_task.sync(created.task_id, client=client, wait=30)
assert isinstance(task, Task), task
assert task.status == TaskStatus.COMPLETED and task.result == "Processed: hello", task
assert task.finished_at > task.created_at and task.failure is None, task
task = submit_task.sync(client=client, body=TaskRequest(content="two", priority=7), wait=30)
assert isinstance(task, Task) and task.priority == 7, task
lines = get_task_logs.sync(created.task_id, client=client, limit=100)
assert lines[-1].line.startswith("Processing completed: "), lines

# Many, and lists.
batch = BatchRequest(tasks=[TaskRequest(content=str(n), tags=["many"]) for n in range(3)])
ids = submit_batch.sync(client=client, body=batch).task_ids
assert get_task.sync(ids[2], client=client, wait=30).status == TaskStatus.COMPLETED
found = list_tasks.sync(client=client, tag="many", order=ListTasksOrder.ASC, limit=2)
assert [task.id for task in found] == ids[:2], found
assert list_tasks.sync(client=client, status=TaskStatus.FAILED) == []

# What stands in the way.
later = submit_task.sync(client=client, body=TaskRequest(content="later", delay=3600, unique_key="one"))
reasons = explain_task.sync(later.task_id, client=client).reasons
assert [reason.type_ for reason in reasons] == ["not_due"], reasons

# Refusals have types too.
wrong = submit_task.sync(client=client, body=TaskRequest(content="x", priority=101))
assert isinstance(wrong, Invalid) and wrong.detail[0].loc == ["body", "priority"], wrong
taken = submit_task.sync(client=client, body=TaskRequest(content="x", unique_key="one"))
assert isinstance(taken, Taken) and taken.task_id == later.task_id, taken
missing = get_task.sync_detailed("0190a6e2-7b5c-7d20-9a3c-5f2e8b1d4c6a", client=client)
assert missing.status_code == 404, missing
assert isinstance(missing.parsed, Refusal) and missing.parsed.detail == "Task not found", missing
stranger = AuthenticatedClient(base_url=os.environ["VENOM"], token="venom_no")
assert isinstance(list_tasks.sync(client=stranger), Refusal)
