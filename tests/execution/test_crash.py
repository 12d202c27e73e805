"""Many workers, killed at random together with their supervisors and their machine: every one
finishes, and each of its steps takes effect once, or again from the last checkpoint on.

FIRN_TEST_WORKERS (10) and FIRN_TEST_SECONDS (12) make it longer: 50 and 600."""

import os
import random
import signal
import time

from harness.case import check, equal
from harness.executions import Executions, in_order

WORKERS = int(os.environ.get("FIRN_TEST_WORKERS", "10"))
SECONDS = int(os.environ.get("FIRN_TEST_SECONDS", "12"))


def kill(pid):
    if pid:
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def disaster(t, x, executions, dice):
    """One of them."""
    what = dice.random()
    if what < 0.5:
        kill(x.init(dice.choice(executions)))
    elif what < 0.8:
        supervisors = x.supervisors()
        if supervisors:
            kill(dice.choice(supervisors))
        t.firn("execution", "recover")
    else:
        x.reboot()
        t.firn("execution", "recover")


def test_every_worker_finishes(t):
    x = Executions(t)
    dice = random.Random(20261121)
    steps = {}
    for n in range(WORKERS):
        steps[n] = dice.randrange(4, 4 + max(2, SECONDS // 3))
    executions = [x.worker(steps[n], round(dice.uniform(0.1, 1.0), 2), "--retries", "1000",
                           "--backoff", "100ms", name=f"worker-{n}") for n in range(WORKERS)]
    end, disasters = time.monotonic() + SECONDS, 0
    while time.monotonic() < end:
        disaster(t, x, executions, dice)
        disasters += 1
        time.sleep(dice.uniform(0.2, 1.5))
    codes = t.firn("execution", "wait", *executions, timeout=60 + 10 * SECONDS).lines
    equal(codes, ["0"] * WORKERS, "exit codes")
    for n, e in enumerate(executions):
        equal(in_order(x.effects(f"worker-{n}"), steps[n] - 1), None, f"worker {n}")
        o = x.inspect(e)
        equal((o["State"], o["Output"]["steps"]), ("finished", steps[n]), f"worker {n}")
    restores = sum(x.inspect(e)["Restores"] for e in executions)
    check(disasters >= 3 and restores > WORKERS, f"{disasters} disasters, {restores} restores")


test_every_worker_finishes.seconds = 120 + 12 * SECONDS
