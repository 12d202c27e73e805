"""Every guest program (tests/guests) keeps its state through checkpoints and restores, here and in an
archive."""

import contextlib
import glob
import os
import re
import signal
import time

from harness.case import Failed, Skip, check

HERE = os.path.dirname(os.path.abspath(__file__))
CYCLES = 3

# What a guest needs of `firn run` (options) and gets as arguments.
OPTIONS = {"names": ["--privileged"],
           # its numbers are its own in there
           "sockets-netlink": ["--network", "none"],
           "arguments": ["-e", "GUEST=value"], "terminal": ["-t"],
           # the default profile does not know mseal(2)
           "memory-protection": ["--security-opt", "seccomp=unconfined"]}
ARGUMENTS = {"arguments": ["one", "", "three words here"]}
# And of `firn run` by an ordinary user: the kernel tells the path of a deleted socket to whom the
# network namespace belongs.
OF_USERS = {"sockets-unix": ["--network", "none"], "datagram-queue": ["--network", "none"]}
NEEDS_ROOT = {"seccomp": "only root may read filters that programs have installed"}
# These are not asked but observed: see test_refused.py, test_unharmed.py and
# test_workloads.py.
OTHERS = {"clocks", "refused", "refused-tasks", "long-sleep", "scale", "sockets-established",
          "sockets-opening", "sockets-outside", "twins", "unharmed"}


@contextlib.contextmanager
def huge_pages(_):
    """Some for this test, besides those the host has; what is in use still goes when it is freed."""
    path = "/proc/sys/vm/nr_hugepages"
    with open(path, encoding="ascii") as f:
        before = int(f.read())
    try:
        with open(path, "w", encoding="ascii") as f:
            f.write(str(before + 8))
    except OSError as e:
        raise Skip(f"no huge TLB pages: {e}") from e
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages",
                  encoding="ascii") as f:
            if int(f.read()) < 8:
                raise Skip("the host has no memory for huge TLB pages")
        yield
    finally:
        with open(path, "w", encoding="ascii") as f:
            f.write(str(before))


@contextlib.contextmanager
def transparent_huge_pages(_):
    with open("/sys/kernel/mm/transparent_hugepage/enabled", encoding="ascii") as f:
        if "[never]" in f.read():
            raise Skip("the host has switched off transparent huge pages")
    yield


# What has to be made on the host around the guest.
AROUND = {"huge-pages": huge_pages, "transparent-huge-pages": transparent_huge_pages}


def start(t, guest, *options, arguments=(), name="guest"):
    t.firn("run", "-d", "--name", name, *options, "guests", f"/guests/{guest}", *arguments)
    first = re.compile(r"^(ready|FAIL.*)$")
    lines = t.wait_for_log(name, first)
    check("ready" in lines, f"the guest cannot start: {lines}")


def ask(t, number, name="guest"):
    """Has the guest look at itself; `number` counts the questions."""
    t.firn("kill", "-s", "USR1", name)
    lines = t.wait_for_log(name, re.compile(rf"^(ok {number}|FAIL {number}: .*)$"), seconds=40)
    if f"ok {number}" not in lines:
        raise Failed([line for line in lines if line.startswith(f"FAIL {number}")][0])


def cycle(t, name="guest"):
    t.firn("container", "checkpoint", name)
    t.firn("container", "restore", name)


def travel(t, name="guest"):
    """Out into an archive and in again."""
    archive = t.path("guest.tar")
    t.firn("container", "checkpoint", "-e", archive, "-c", "none", name)
    t.firn("rm", name)
    t.firn("container", "restore", "-i", archive)


def run_guest(t, guest):
    more = OF_USERS.get(guest, []) if t.rootless else []
    start(t, guest, *OPTIONS.get(guest, []), *more, arguments=ARGUMENTS.get(guest, ()))
    ask(t, 1)
    for n in range(CYCLES):
        cycle(t)
        if n == 0:  # what is only kept once would not be noticed if the guest renewed it
            cycle(t)
        ask(t, n + 2)
    travel(t)
    ask(t, CYCLES + 2)
    t.firn("container", "checkpoint", "--leave-running", "guest")
    ask(t, CYCLES + 3)


def make_test(guest):
    def test(t):
        with AROUND.get(guest, contextlib.nullcontext)(t):
            run_guest(t, guest)
    test.seconds = 120
    test.needs_root = NEEDS_ROOT.get(guest)
    return test


for source in sorted(glob.glob(os.path.join(HERE, "../guests/*.c"))):
    GUEST = os.path.basename(source)[:-2]
    if GUEST not in OTHERS:
        globals()["test_" + GUEST.replace("-", "_")] = make_test(GUEST)


def kill_often(t, guest, times=8):
    """What a checkpoint must take out to look at it is put back even if firn is killed."""
    start(t, guest)
    begin = time.monotonic()
    t.firn("container", "checkpoint", "--leave-running", "guest")
    whole = time.monotonic() - begin
    ask(t, 1)
    for n in range(times):
        process = t.start("container", "checkpoint", "--leave-running", "guest",
                          start_new_session=True)
        time.sleep(whole * (n + 1) / (times + 1))
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        time.sleep(0.05)
        ask(t, n + 2)


def test_messages_survive_a_killed_firn(t):
    kill_often(t, "mqueue")


def test_data_in_terminals_survive_a_killed_firn(t):
    kill_often(t, "terminal-data")
