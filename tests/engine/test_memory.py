"""Memory as it looks from outside: what relatives share copy-on-write is shared after a restore."""

import json
import os
import re

from harness.case import check


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def processes(t, name):
    found, todo = [], [t.inspect(name)["State"]["Pid"]]
    while todo:
        pid = todo.pop()
        found.append(pid)
        for tid in os.listdir(f"/proc/{pid}/task"):
            todo += [int(p) for p in read(f"/proc/{pid}/task/{tid}/children").split()]
    return found


def in_use(t, name):
    """KiB of anonymous memory, shared pages counted once."""
    return sum(int(re.search(r"Pss_Anon:\s+(\d+)", read(f"/proc/{pid}/smaps_rollup")).group(1))
               for pid in processes(t, name))


def areas(t, name):
    return sum(len(read(f"/proc/{pid}/maps").splitlines()) for pid in processes(t, name))


def test_copy_on_write_is_shared_again(t):
    t.firn("run", "-d", "--name", "guest", "guests", "/guests/copy-on-write")
    t.wait_for_log("guest", "ready")
    before, areas_before = in_use(t, "guest"), areas(t, "guest")
    check(before < 4 * 8000 / 2, f"the guest itself shares nothing: {before} KiB")
    for _ in range(2):
        t.firn("container", "checkpoint", "guest")
        out = t.firn("container", "restore", "--print-stats", "guest").out
        times = json.loads(out)["container_statistics"][0]["criu_statistics"]
        check(times["pages_skipped_cow"] > 7000, f"nothing was found to be shared: {times}")
        after = in_use(t, "guest")
        check(after < before * 1.2, f"of {before} KiB became {after}")
        check(areas(t, "guest") == areas_before, "areas were split")
    t.firn("kill", "-s", "USR1", "guest")
    lines = t.wait_for_log("guest", re.compile("^(ok|FAIL) 1"))
    check("ok 1" in lines, str(lines))
