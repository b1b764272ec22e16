"""An example of a program behind a `worker` processor.

    pip install requests
    python3 examples/worker.py http://127.0.0.1:8000 outside

SIGTERM and Ctrl-C let it finish its task and report the result, however long the service takes to
answer; a second signal ends it at once. If it is killed, nothing is lost: the task's lease runs out, and the service
gives it to the next worker.
"""

import signal
import socket
import sys
import threading
import time

import requests

URL, PROCESSOR = sys.argv[1:3]
PAUSE = float(sys.argv[3]) if len(sys.argv) > 3 else 1.0  # seconds for a line of text
stopping = threading.Event()


class Lost(Exception):
    """The attempt is over: the task was aborted, or its lease ran out."""


class Refused(Exception):
    """The service refuses the call, and would refuse it again."""


def post(path, **body):
    """Repeats a call until the service answers: it may be restarting or busy."""
    while True:
        try:
            answer = requests.post(f"{URL}/api/v1/worker/{path}", json=body, timeout=90)
        except requests.RequestException:
            answer = None
        if answer is not None and answer.status_code < 500 and answer.status_code != 429:
            if answer.status_code in (404, 409):
                raise Lost(answer.text)
            if not answer.ok:
                raise Refused(f"{answer.status_code} {answer.text}"[:1000])
            return answer.json()
        # A worker with a task repeats the call, or its result would be lost.
        if path == "claim" and stopping.is_set():
            return {"tasks": []}
        time.sleep(1)


def work(task, say):
    """The work itself: counts the words of a text. Put yours here."""
    lines = task["content"].splitlines()
    if not lines:
        raise ValueError("there is no text to count")
    words = 0
    for number, line in enumerate(lines, start=1):
        time.sleep(PAUSE)  # stands for real work
        words += len(line.split())
        say("log", line=f"line {number}: {words} words so far")
        say("progress", progress=number / len(lines))
    return str(words)


def hand_in(result, say):
    """Completes a task. A refused result (too large, for example) fails the task instead of moving it to the next worker."""
    try:
        say("complete", result=result)
    except Refused as refused:
        say("fail", error=f"the service refused the result: {refused}", retry=False)


def run(task):
    """Runs one task with a heartbeat beside it, and reports how it ended."""
    def say(verb, **fields):
        return post(f"{task['id']}/{verb}", attempt=task["attempt"], **fields)

    def beat():
        while not done.wait(task["lease_seconds"] / 3):
            try:
                say("heartbeat")
            except (Lost, Refused):
                return  # the next report of the work raises the same

    done = threading.Event()
    threading.Thread(target=beat, daemon=True).start()
    try:
        try:
            result = work(task, say)
        except Lost:
            raise
        except (ValueError, Refused) as error:  # another attempt would fail as well
            say("fail", error=str(error), retry=False)
        except Exception as error:
            say("fail", error=f"{type(error).__name__}: {error}")
        else:
            hand_in(result, say)
    except Lost as lost:
        print(f"task {task['id']}: {lost}", file=sys.stderr, flush=True)
    finally:
        done.set()


def stop(signal_number, _frame):
    stopping.set()
    signal.signal(signal_number, signal.SIG_DFL)


signal.signal(signal.SIGINT, stop)
signal.signal(signal.SIGTERM, stop)
name = f"{socket.gethostname()}-{threading.get_native_id()}"
try:
    while not stopping.is_set():
        # A short wait, because the loop checks for a signal only after it.
        for task in post("claim", processors=[PROCESSOR], limit=1, wait=5, worker=name)["tasks"]:
            run(task)
except Refused as refused:
    sys.exit(f"the service refuses this worker: {refused}")
