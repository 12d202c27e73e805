"""A container that goes on while its memory is written: what comes back is one moment of it."""

import os
import re
import signal
import time

from harness.case import Failed, check, equal


def ask(t, number, name="guest"):
    t.firn("kill", "-s", "USR1", name)
    lines = t.wait_for_log(name, re.compile(rf"^(ok {number}|FAIL {number}: .*)$"), seconds=40)
    if f"ok {number}" not in lines:
        raise Failed([line for line in lines if line.startswith(f"FAIL {number}")][0])


def start(t, *options):
    t.firn("run", "-d", "--name", "guest", *options, "guests", "/guests/twins")
    t.wait_for_log("guest", "ready")
    ask(t, 1)


def dump(t, *args):
    stats = t.firn("container", "checkpoint", "--leave-running", "--print-stats", *args, "guest").json
    return stats["container_statistics"][0]


def test_one_moment(t):
    start(t)
    archive = t.path("c.tar.zst")
    for n in range(3):
        equal(dump(t, "--export", archive)["firn_twins"], 3, "twins")
        ask(t, n + 2)
    t.firn("rm", "-f", "-t", "0", "guest")
    t.firn("container", "restore", "--import", archive)
    ask(t, 4)


def test_a_local_checkpoint(t):
    start(t)
    check(dump(t)["firn_twins"] == 3, "there were no twins")
    t.firn("kill", "guest")
    t.wait_for("its end", lambda: t.status("guest") == "exited")
    t.firn("container", "restore", "guest")
    ask(t, 2)


def test_a_target_that_fails_later(t):
    start(t)
    t.fails("container", "checkpoint", "--leave-running", "--export", "/dev/full", "guest",
            err="no space left on device")
    ask(t, 2)
    t.firn("container", "checkpoint", "guest")
    t.firn("container", "restore", "guest")
    ask(t, 3)


def test_no_memory_to_spare(t):
    if t.rootless:
        return
    start(t, "--memory", "60m")
    equal(dump(t)["firn_twins"], 0, "twins")
    ask(t, 2)


def tracers(t):
    """The processes that work at the checkpoint."""
    out = t.run(["pgrep", "-f", t.root + ".*checkpoint"]).out
    return [int(pid) for pid in out.split()]


def test_a_firn_that_is_killed(t):
    start(t)
    for n in range(6):
        p = t.start("container", "checkpoint", "--leave-running", "--export", t.path("c.tar.zst"),
                    "guest", stdout=-3, stderr=-3)
        time.sleep(0.02 + 0.02 * n)
        for pid in tracers(t) + [p.pid]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        p.wait()
    # A twin may be left as a zombie, nothing more of it.
    def alive():
        rows = t.firn("top", "guest", "state", "args").lines[1:]
        return [row for row in rows if not row.startswith("Z")]

    t.wait_for("the twins to die", lambda: len(alive()) == 3)
    dump(t, "--export", t.path("c.tar.zst"))
    t.firn("rm", "-f", "-t", "0", "guest")
    t.firn("container", "restore", "--import", t.path("c.tar.zst"))
    t.firn("kill", "-s", "USR1", "guest")
    t.wait_for_log("guest", re.compile("^(ok 2|FAIL 2: a child has ended)$"))
