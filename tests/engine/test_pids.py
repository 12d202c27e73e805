"""Pids in the container may be higher than any outside: since Linux 6.14 each pid namespace has a
limit of its own."""

from harness.case import Skip, equal, needs_root

HIGH = 200000


def child_inside(t):
    out = t.firn("exec", "c", "cat", "/proc/1/task/1/children").out.split()
    return int(out[0])


@needs_root("ns_last_pid is for root")
def test_high_pids(t):
    with open("/proc/sys/kernel/pid_max", encoding="utf-8") as f:
        if int(f.read()) > HIGH:
            raise Skip("the host has such pids itself")
    t.firn("run", "-d", "--name", "c", "--privileged", "busybox", "sh", "-c",
           f"echo {HIGH} >/proc/sys/kernel/ns_last_pid; sleep 1000 & echo $!; wait")
    log = t.wait_for("pid in the log", lambda: t.logs("c"))
    if int(log[-1]) < HIGH:
        raise Skip("this kernel has one limit for all pid namespaces")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    equal(child_inside(t), int(log[-1]), "the pid of the child")
