"""firn killed by SIGKILL at random moments of checkpoint and restore: afterwards the container runs,
or is cleanly checkpointed, or is cleanly gone; and it always counts on without a gap."""

import fcntl
import os
import random
import time

from harness.case import Failed, check, equal

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
    """The state once nobody works at the container any more: what a killed firn has begun may be
    undone or finished by its helper, which holds the container's lock meanwhile. None: gone."""
    r = t.firn("container", "inspect", name, rc=None)
    if r.rc:
        return None
    try:
        with open(f"{t.runroot}/locks/{r.json[0]['Id']}.lock", "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
    except FileNotFoundError:
        pass
    r = t.firn("container", "inspect", name, rc=None)
    return r.json[0]["State"]["Status"] if r.rc == 0 else None


def revive(t, name, moment):
    """Brings the container back to running from whatever the kill left; it must count on."""
    state = settled_state(t, name)
    if state != "running":
        r = t.firn("container", "restore", name, rc=None)
        check(r.rc == 0 or t.status(name) == "running",
              f"killed after {moment * 1000:.1f} ms the container is {state}, and then: {r}")
    last = t.count(name)
    try:
        t.counts_on(name, last)
    except Failed as e:
        raise Failed(f"{e}, killed after {moment * 1000:.1f} ms, it was {state} and is "
                     f"{t.status(name)}: {processes_of(t, name)}") from e


def processes_of(t, name):
    """The states of its processes, for a failure's text."""
    pid = t.inspect(name)["State"]["Pid"]
    out = t.run(["sh", "-c", f"grep -E 'Name|State|TracerPid' /proc/{pid}/status;"
                 f"cat /proc/{pid}/wchan; grep freezer /proc/{pid}/cgroup; "
                 f"cat /sys/fs/cgroup/freezer$(sed -n 's/.*:freezer://p' /proc/{pid}/cgroup)/freezer.state"])
    return out.out + out.err


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
        if settled_state(t, "twin") == "running":
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


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(x) for x in f.read().split()]
    except FileNotFoundError:
        return []


def kill_both_after(t, seconds, *args):
    """Kills firn and the process that does its work, which traces the container: nobody is left to
    undo anything."""
    p = t.start(*args, stdout=-3, stderr=-3)
    time.sleep(seconds)
    victims = children(p.pid)
    p.kill()
    for victim in victims:
        try:
            os.kill(victim, 9)
        except ProcessLookupError:
            pass
    p.wait()


def test_with_the_tracer_during_a_checkpoint_that_leaves_it_running(t):
    t.firn("run", "-d", "--name", "busy", "busybox", "sh", "-c",
           "i=0; while true; do i=$((i+1)); echo $i; done"
           " | while read n; do [ $((n % 500)) = 0 ] && echo $((n / 500 - 1)); done")
    t.wait_for_log("busy", "1")
    whole = typical(t, "container", "checkpoint", "-R", "busy")
    dice = random.Random(6)
    for _ in range(2 * ROUNDS):
        moment = dice.uniform(0, whole * 1.1)
        kill_both_after(t, moment, "container", "checkpoint", "-R", "busy")
        equal(settled_state(t, "busy"), "running", f"the state after {moment * 1000:.1f} ms")
    last = t.count("busy")
    t.counts_on("busy", last + 1)


def test_with_the_tracer_during_checkpoint_and_restore(t):
    t.looper("c")
    t.firn("container", "checkpoint", "c")
    whole = typical(t, "container", "restore", "c")
    dice = random.Random(7)
    for _ in range(ROUNDS):
        moment = dice.uniform(0, whole * 1.1)
        kill_both_after(t, moment, "container", "checkpoint", "c")
        revive(t, "c", moment)
        if t.status("c") == "running":
            t.firn("container", "checkpoint", "c")
        moment = dice.uniform(0, whole * 1.1)
        kill_both_after(t, moment, "container", "restore", "c")
        time.sleep(0.5)  # the kernel kills half-made processes with their tracer, but not at once
        revive(t, "c", moment)
