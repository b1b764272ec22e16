"""What schemathesis cannot know: ids of tasks that are there, and how lines of JSON are written.

TASKS in the environment has the ids, the first of them that of a finished task.
"""

import json
import os

import schemathesis

TASKS = os.environ["TASKS"].split(",")
calls = 0


@schemathesis.serializer("application/x-ndjson")
def ndjson(context, value):
    return value if isinstance(value, str) else json.dumps(value)


@schemathesis.hook
def before_call(context, case, kwargs):
    global calls
    calls += 1
    task_id = (case.path_parameters or {}).get("task_id")
    if task_id is not None and len(str(task_id)) == 36 and calls % 3:
        # The stream of a task that waits has no end.
        ended = case.path.endswith("/stream")
        case.path_parameters["task_id"] = TASKS[0] if ended else TASKS[calls % len(TASKS)]
    if case.path.endswith("/claim") and isinstance(case.body, dict):
        wait = case.body.get("wait")
        if isinstance(wait, (int, float)) and 0.1 < wait <= 60:
            case.body["wait"] = 0.1
