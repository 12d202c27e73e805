"""The clocks that count from the start of the machine go on where they were, however long the
container was down."""

import os
import time

from harness.case import Skip, check

DOWN = 2.5


def said(t, word):
    """Milliseconds of CLOCK_MONOTONIC and CLOCK_BOOTTIME."""
    lines = []
    t.wait_for(f"the guest to say {word}", lambda: lines.extend(
        line for line in t.logs("guest") if line.startswith(word + " ")) or lines)
    return [int(n) for n in lines[0].split()[1:]]


def ask(t, number):
    t.firn("kill", "-s", "USR1", "guest")
    return said(t, f"at{number}")


def test_time_goes_on(t):
    if not os.path.exists("/proc/self/ns/time"):
        raise Skip("the kernel has no time namespaces")
    begin = time.monotonic()
    t.firn("run", "-d", "--name", "guest", "guests", "/guests/clocks")
    start = said(t, "ready")
    archive = t.path("c.tar.zst")
    for n in range(2):
        t.firn("container", "checkpoint", "--export", archive, "guest")
        t.firn("rm", "guest")
        time.sleep(DOWN)
        t.firn("container", "restore", "--import", archive)
        seen, lived = ask(t, n + 1), (time.monotonic() - begin - (n + 1) * DOWN) * 1000
        for clock in (0, 1):
            check(seen[clock] >= start[clock], "the clock went back")
            check(seen[clock] - start[clock] <= lived,
                  f"the clock went on for {seen[clock] - start[clock]} ms in {lived:.0f} ms of life")
    woke = said(t, "woke")
    check(4000 <= woke[0] - start[0] < 4500, f"a sleep of 4 s took {woke[0] - start[0]} ms")
