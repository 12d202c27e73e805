"""Much of one thing comes back; `make bench` tells what each costs."""

import re

from harness.case import Failed, contains

# Enough to show that nothing is lost between the batches in which they are handled.
COUNTS = {"threads": 500, "processes": 100, "areas": 5000, "files": 3000, "pipes": 500}


def ask(t, number):
    t.firn("kill", "-s", "USR1", "guest")
    answer = t.wait_for_log("guest", re.compile(rf"^(ok|FAIL) {number}\b"), seconds=60)[-1]
    if answer != f"ok {number}":
        raise Failed(answer)


def make_test(kind, count):
    def test(t):
        t.firn("run", "-d", "--name", "guest", "guests", "/guests/scale", kind, count)
        contains(t.wait_for_log("guest", re.compile("^(ready|FAIL)"))[-1], "ready", "the guest")
        for number in (1, 2):
            t.firn("container", "checkpoint", "guest")
            t.firn("container", "restore", "guest")
            ask(t, number)
    return test


for KIND, COUNT in COUNTS.items():
    globals()["test_" + KIND] = make_test(KIND, str(COUNT))
