"""A checkpoint that leaves the program running, or is refused, leaves no trace that the program could
find in itself. FIRN_TEST_DUMPS says how many of each; the guest looks a thousand times a second."""

import os

from harness.case import equal

DUMPS = int(os.environ.get("FIRN_TEST_DUMPS", "25"))


def ask(t, number):
    t.firn("kill", "-s", "USR1", "guest")
    lines = t.wait_for_log("guest", f"ok {number}", seconds=30)
    equal([line for line in lines if line.startswith("FAIL")], [], "what the guest has seen")


def test_a_thousand_dumps(t):
    # so that it is asked for Landlock domains, too, by a child of its own
    t.firn("run", "-d", "--name", "guest", "--security-opt", "no-new-privileges", "guests",
           "/guests/unharmed")
    t.wait_for_log("guest", "ready")
    ask(t, 1)
    for _ in range(DUMPS):
        t.firn("container", "checkpoint", "--leave-running", "guest")
    ask(t, 2)
    t.firn("kill", "-s", "USR2", "guest")
    t.wait_for_log("guest", "refusable")
    for _ in range(DUMPS):
        t.fails("container", "checkpoint", "--leave-running", "guest", err="has a thread")
    ask(t, 3)


test_a_thousand_dumps.seconds = 90 + DUMPS
