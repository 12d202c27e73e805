"""Control groups that a program has made below its container's own come back, with who is in them
and their limits."""

import os

from harness.case import check, equal, needs_root

ROOT = "/sys/fs/cgroup"


def groups_of(pid):
    """{controller: path} of /proc/PID/cgroup; v2 is ""."""
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
        lines = [line.rstrip("\n").split(":", 2) for line in f]
    return {name: path for _, names, path in lines for name in names.split(",")}


def directory(pid, controller):
    groups = groups_of(pid)
    if controller in groups:
        return f"{ROOT}/{controller}{groups[controller]}"
    return ROOT + groups[""]


def write(path, text):
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)


def read(path):
    with open(path, encoding="utf-8") as f:
        return f.read().strip()


def children(pid):
    return [int(x) for x in read(f"/proc/{pid}/task/{pid}/children").split()]


def make_groups(top, init, child):
    """`top`/one holds init, `top`/two/deep its child, which may have 50 tasks."""
    for name in ("one", "two", "two/deep"):
        os.mkdir(f"{top}/{name}")
    write(f"{top}/one/cgroup.procs", str(init))
    write(f"{top}/two/deep/cgroup.procs", str(child))
    if os.path.exists(f"{top}/cgroup.subtree_control"):
        write(f"{top}/cgroup.subtree_control", "+pids")
        write(f"{top}/two/cgroup.subtree_control", "+pids")
    write(f"{top}/two/deep/pids.max", "50")


@needs_root("the host's control groups are changed")
def test_groups_below(t):
    t.firn("run", "-d", "--name", "c", "busybox", "sh", "-c", "sleep 1000 & wait")
    init = t.inspect("c")["State"]["Pid"]
    t.wait_for("child", lambda: children(init))
    make_groups(directory(init, "pids"), init, children(init)[0])
    for how in ("here", "elsewhere"):
        if how == "here":
            t.firn("container", "checkpoint", "c")
            t.firn("container", "restore", "c")
        else:
            t.firn("container", "checkpoint", "--export", t.path("a.tar"), "c")
            t.firn("rm", "c")
            t.firn("container", "restore", "--import", t.path("a.tar"))
        init = t.inspect("c")["State"]["Pid"]
        top = os.path.dirname(directory(init, "pids"))
        check(t.inspect("c")["Id"] in top, f"{top} is not the container's own")
        equal(os.path.basename(directory(init, "pids")), "one", "the group of init")
        below = directory(children(init)[0], "pids")
        equal(below, f"{top}/two/deep", "the group of its child")
        equal(read(f"{below}/pids.max"), "50", "its limit")
    t.firn("rm", "-f", "-t", "0", "c")
    check(not os.path.exists(top), f"{top} is left")
