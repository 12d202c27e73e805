"""firn killed by SIGKILL at random moments of checkpoint and restore: afterwards the container runs,
or is cleanly checkpointed, or is cleanly gone; and it always counts on without a gap."""

import os
import random
import time

from harness.case import check, equal

ROUNDS = 25


def kill_after(t, seconds, *args):
    """Starts firn and kills it after a while; returns whether it was done before."""
    p = t.start(*args, stdout=-3, stderr=-3)
    try:
        p.wait(seconds)
        return True
    except Exception:  # pylint: disable=broad-except
        p.kill()
        p.wait()
        return False


def typical(t, *args):
    """How long this takes when nobody kills it."""
    begin = time.monotonic()
    t.firn(*args)
    return time.monotonic() - begin


def settled_state(t, name):
    """The state once conmon and what it starts have done their work."""
    state = t.status(name)
    end = time.monotonic() + 3
    while time.monotonic() < end and state not in ("running", "exited", "created"):
        time.sleep(0.05)
        state = t.status(name)
    return state


def revive(t, name, moment):
    """Brings the container back to running from whatever the kill left; it must count on."""
    state = settled_state(t, name)
    if state != "running":
        check(t.inspect(name)["State"].get("Checkpointed"),
              f"killed after {moment * 1000:.1f} ms the container is {state}, not checkpointed")
        t.firn("container", "restore", name)
    last = t.count(name)
    t.counts_on(name, last)


def test_during_a_local_checkpoint(t):
    t.looper("c")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    whole = typical(t, "container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    dice, done = random.Random(1), 0
    for _ in range(ROUNDS):
        moment = dice.uniform(0, whole * 1.1)
        done += kill_after(t, moment, "container", "checkpoint", "c")
        revive(t, "c", moment)
    check(done < ROUNDS, "no kill came in time")


def test_during_a_checkpoint_that_leaves_it_running(t):
    t.looper("c")
    whole = typical(t, "container", "checkpoint", "-R", "c")
    dice = random.Random(2)
    for _ in range(ROUNDS):
        moment = dice.uniform(0, whole * 1.1)
        kill_after(t, moment, "container", "checkpoint", "-R", "c")
        equal(settled_state(t, "c"), "running", f"the state after a kill at {moment * 1000:.1f} ms")
        t.counts_on("c", t.count("c"))


def test_during_a_local_restore(t):
    t.looper("c")
    t.firn("container", "checkpoint", "c")
    whole = typical(t, "container", "restore", "c")
    dice = random.Random(3)
    for _ in range(ROUNDS):
        t.firn("container", "checkpoint", "c")
        stopped = t.count("c")
        moment = dice.uniform(0, whole * 1.1)
        kill_after(t, moment, "container", "restore", "c")
        revive(t, "c", moment)
        check(t.count("c") >= stopped, "the count went back")


def test_during_an_import(t):
    t.looper("c")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-R", "-e", archive, "c")
    last = t.count("c")
    whole = typical(t, "container", "restore", "-i", archive, "-n", "twin")
    t.firn("rm", "-f", "-t", "0", "twin")
    dice = random.Random(4)
    for _ in range(ROUNDS):
        moment = dice.uniform(0, whole * 1.1)
        kill_after(t, moment, "container", "restore", "-i", archive, "-n", "twin")
        r = t.firn("container", "exists", "twin", rc=None)
        if r.rc == 0:
            state = settled_state(t, "twin")
            if state == "running":
                t.counts_on("twin", 0)
            t.firn("rm", "-f", "-t", "0", "twin")
        names = t.firn("ps", "-a", "--format", "{{.Names}}").lines
        equal(names, ["c"], f"containers after a kill at {moment * 1000:.1f} ms")
    t.counts_on("c", last)


def test_during_an_export(t):
    t.looper("c")
    archive = t.path("c.tar")
    whole = typical(t, "container", "checkpoint", "-R", "-e", archive, "c")
    os.unlink(archive)
    dice = random.Random(5)
    for _ in range(ROUNDS):
        moment = dice.uniform(0, whole * 1.1)
        kill_after(t, moment, "container", "checkpoint", "-e", archive, "c")
        state = settled_state(t, "c")
        if state == "running":
            t.counts_on("c", t.count("c"))
        else:
            check(os.path.exists(archive), "the container is gone and there is no archive")
            last = t.count("c")
            t.firn("rm", "c")
            t.firn("container", "restore", "-i", archive)
            t.counts_on("c", last)
        if os.path.exists(archive):
            os.unlink(archive)


for NAME, VALUE in list(globals().items()):
    if NAME.startswith("test_"):
        VALUE.seconds = 200
