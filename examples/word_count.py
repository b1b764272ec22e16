"""Counts the words of a text: an example of a task that is a script.

The task's content comes on standard input. What is printed to standard error is a line of the
task's log at once; what is printed to standard output is a log line too, and the task's result.
"""

import os
import sys
import time

lines = sys.stdin.read().splitlines()
if not lines:
    sys.exit("there is no text to count")  # the last line on standard error is the task's error

print(f"attempt {os.environ['VENOM_ATTEMPT']}: {len(lines)} lines", file=sys.stderr)

words = 0
for number, line in enumerate(lines, start=1):
    time.sleep(1)  # stands for real work
    words += len(line.split())
    print(f"line {number}: {words} words so far", file=sys.stderr)
    print(f"::progress {number / len(lines):.2f}", file=sys.stderr)

print(words)
