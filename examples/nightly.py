"""A nightly job that needs three tries: an example of a task that is tried again."""

import os
import sys
import time

attempt = int(os.environ["VENOM_ATTEMPT"])
print(f"copying to the backup disk, attempt {attempt}", file=sys.stderr)
time.sleep(1)  # stands for real work
if attempt < 3:
    sys.exit("the backup disk is busy")
print("all copied")
