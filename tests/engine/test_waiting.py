"""A process that cannot be stopped is waited for, not held against the checkpoint; whoever has no
patience gives up, and nothing has happened."""

import os
import pty
import re
import signal
import subprocess
import time

from harness.case import Skip, check, equal, needs_root

IN_VFORK = "cannot be stopped until its vfork child has called exec"


def start_in_vfork(t):
    t.firn("run", "-d", "--name", "guest", "guests", "/guests/vfork", "60")
    t.wait_for_log("guest", "ready")


def is_as_before(t, number):
    equal(t.status("guest"), "running", "the state of the container")
    t.firn("kill", "-s", "USR1", "guest")
    t.wait_for_log("guest", f"ok {number}")


def read_until(fd, text, seconds=20):
    seen, end = "", time.monotonic() + seconds
    while text not in seen and time.monotonic() < end:
        more = os.read(fd, 4096).decode(errors="replace")
        seen += more
        if not more:
            break
    check(text in seen, f"{text!r} does not appear: {seen!r}")


def test_a_terminal_shows_whom_it_waits_for_and_ctrl_c_gives_up(t):
    start_in_vfork(t)
    ours, theirs = pty.openpty()
    p = t.start("container", "checkpoint", "guest", stdin=theirs, stdout=subprocess.PIPE,
                stderr=theirs, start_new_session=True)
    os.close(theirs)
    read_until(ours, IN_VFORK)
    p.send_signal(signal.SIGINT)
    p.wait(timeout=10)
    check(p.returncode != 0, "the checkpoint says that it was made")
    os.close(ours)
    is_as_before(t, 1)


def test_a_log_is_warned_once(t):
    start_in_vfork(t)
    p = t.start("container", "checkpoint", "guest", stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    read_until(p.stderr.fileno(), "Process 1 (vfork) " + IN_VFORK)
    p.send_signal(signal.SIGINT)
    rest = p.stderr.read().decode()
    p.wait(timeout=10)
    check(IN_VFORK not in rest, f"it is said again: {rest}")
    is_as_before(t, 1)


def make_disk(t):
    """A small file system that can be made to stand still; its mount point and how to end it."""
    image, place = t.path("disk"), t.path("mnt")
    os.mkdir(place)
    for argv in (["truncate", "-s", "8M", image], ["mkfs.ext4", "-q", image],
                 ["mount", "-o", "loop", image, place]):
        try:
            made = t.run(argv)
        except FileNotFoundError as e:
            raise Skip(f"{e.filename} is not there") from e
        if made.rc:
            raise Skip(f"no file system for the test: {made.err.strip()}")
    return place


def state_of(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
        return re.sub(r".*\) ", "", f.read())[0]


@needs_root("a file system is mounted and frozen")
def test_a_slow_disk_is_waited_for(t):
    place = make_disk(t)
    frozen = False
    try:
        t.firn("run", "-d", "--name", "c", "-v", f"{place}:/mnt", "busybox", "sh", "-c",
               "i=0; while true; do echo $i >/mnt/file; echo $i; i=$((i + 1)); sleep 0.01; done")
        t.wait_for_log("c", "2")
        t.run(["fsfreeze", "-f", place])
        frozen = True
        pid = t.inspect("c")["State"]["Pid"]
        t.wait_for("process in the kernel", lambda: state_of(pid) == "D")
        p = t.start("container", "checkpoint", "c", stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE)
        time.sleep(1)
        equal(p.poll(), None, "what the checkpoint says")
        t.run(["fsfreeze", "-u", place])
        frozen = False
        equal(p.wait(timeout=20), 0, "the exit code of the checkpoint")
        p.stdout.close()
        t.firn("container", "restore", "c")
        t.counts_on("c", t.count("c"))
    finally:
        if frozen:
            t.run(["fsfreeze", "-u", place])
        t.firn("rm", "-f", "-t", "0", "c")
        t.run(["umount", place])
