"""Every step of a checkpoint and of a restore fails once, and firn is killed at every step once.
After a failed checkpoint the program runs on and can be checkpointed; after a failed restore nothing
is left and the checkpoint still restores. Needs a build with -Dfaults=true (src/base/fault.h)."""

import os
import time

from harness import leaks
from harness.case import Failed, Skip, check, equal

GUESTS = ["deleted-files", "epoll", "memfd", "pipes", "sysv", "threads"]

# Comes up with all guests, and tells whether all have found all of theirs for the $1-th time.
START = """for g in $GUESTS; do /guests/$g >/tmp/$g.log 2>&1 & echo $! >/tmp/$g.pid; done
for g in $GUESTS; do until grep -q ready /tmp/$g.log; do sleep 0.02; done; done
echo ready
while :; do sleep 1000; done"""
VERIFY = """for g in $GUESTS; do kill -USR1 $(cat /tmp/$g.pid); done
for g in $GUESTS; do
    n=0
    until grep -q "^ok $1\\$" /tmp/$g.log; do
        sleep 0.02; n=$((n + 1))
        [ $n -lt 300 ] || { echo "$g:"; cat /tmp/$g.log; exit 1; }
    done
done"""


class Guests:
    def __init__(self, t):
        self.t, self.times = t, 0
        t.firn("run", "-d", "--name", "c", "--network", "none", "-v", "data:/data", "-e", "GUESTS=" + " ".join(GUESTS),
               "guests", "sh", "-c", START)
        t.wait_for_log("c", "ready", 60)

    def verify(self, after):
        self.times += 1
        r = self.t.firn("exec", "c", "sh", "-c", VERIFY, "verify", self.times, rc=None)
        check(r.rc == 0, f"after {after}: {r}")


def passed(t, *args):
    """Runs firn and returns the places it has passed, each in the form that FIRN_FAULT wants."""
    trace = t.path("trace")
    if os.path.exists(trace):
        os.unlink(trace)
    t.firn(*args, env={"FIRN_FAULT_TRACE": trace})
    if not os.path.exists(trace):
        raise Skip("this build cannot be made to fail (-Dfaults=true)")
    with open(trace, encoding="utf-8") as f:
        lines = f.read().splitlines()
    places = [p for i, p in enumerate(lines) if p not in lines[:i]]
    # What is passed often fails at the beginning, in the middle and at the end.
    often = {f"{p}#{n}" for p in places for n in (lines.count(p) // 2, lines.count(p)) if n > 1}
    return places + sorted(often)


def failing(t, how, place, *args):
    r = t.firn(*args, rc=None, env={"FIRN_FAULT": f"{how}@{place}"})
    check(r.rc == 125, f"no failure at {place}: {r}")
    if how == "fail":
        check(f'a test made this fail at "{place.partition("#")[0]}"' in r.err, f"{place}: {r}")
    else:
        check("killed by signal 9" in r.err, f"{place}: {r}")
        # Whoever works at the container next puts in order what was left half done.
        t.firn("container", "cleanup", *t.ids(), rc=None)


def each(places, killed):
    """(how, place): all fail; at every other one of the jobs in `killed` firn is killed, too."""
    return [(how, place) for n, place in enumerate(places) for how in ("fail", "kill")
            if how == "fail" or n % 2 and place.partition(":")[0] in killed]


class Ground:
    """What there is of a container that does not run."""

    def __init__(self, t, id_):
        self.t, self.id = t, id_
        self.before = self.look()

    def look(self, killed=False):
        # Monitors of other stores see our mounts in their mount namespaces.
        left = [f"process {pid}: {command}" for pid, command in leaks.processes(self.t.place)
                if self.t.place in command or "conmon" not in command]
        left += [f"mount {path}" for path in leaks.mounts(self.t.place)]
        run = os.path.join(self.t.runroot, "containers", self.id)
        left += [run] if os.path.exists(run) else []
        temporary = os.path.join(self.t.root, "tmp")
        # Those of one that was killed may wait for the next that makes some.
        return left + ([] if killed else [f"file {n}" for n in sorted(os.listdir(temporary))])

    def is_clean(self, after):
        end = time.monotonic() + 10
        killed = after.startswith("kill")
        while (left := [x for x in self.look(killed) if x not in self.before]) and time.monotonic() < end:
            time.sleep(0.05)
        if left:
            raise Failed(f"after {after} there are left: " + "; ".join(left))


def test_checkpoint(t):
    guests = Guests(t)
    places = passed(t, "container", "checkpoint", "c")
    check(len(places) > 25, f"these are not all steps: {places}")
    t.firn("container", "restore", "c")
    for n, (how, place) in enumerate(each(places, ("checkpoint", "dump"))):
        failing(t, how, place, "container", "checkpoint", "c")
        if t.status("c") != "running":
            check("killed" in place or "cleaned" in place or "marked" in place,
                  f"it is {t.status('c')} after {how} at {place}")
            t.firn("container", "restore", "c")
        if n % 8 == 0:
            guests.verify(f"{how} at {place}")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    guests.verify("all")


test_checkpoint.seconds = 300


def test_export(t):
    guests, archive = Guests(t), t.path("c.tar")
    places = passed(t, "container", "checkpoint", "-R", "-e", archive, "c")
    os.unlink(archive)
    for how, place in each(places, ("checkpoint", "sink")):
        failing(t, how, place, "container", "checkpoint", "-R", "-e", archive, "c")
        equal(t.status("c"), "running", f"the state after {how} at {place}")
        check("committed" in place or not os.path.exists(archive), f"half an archive, {place}")
        left = [n for n in os.listdir(t.dir) if n.startswith("c.tar")]
        check(how == "kill" or "committed" in place or not left, f"{left} are left, {place}")
        for name in left:
            os.unlink(t.path(name))
    guests.verify("all")


def test_restore(t):
    guests = Guests(t)
    t.firn("container", "checkpoint", "c")
    places = passed(t, "container", "restore", "c")
    check(len(places) > 25, f"these are not all steps: {places}")
    t.firn("container", "checkpoint", "c")
    ground = Ground(t, t.ids()[0])
    for how, place in each(places, ("restore", "revive")):
        failing(t, how, place, "container", "restore", "c")
        equal(t.status("c"), "exited", f"the state after {how} at {place}")
        ground.is_clean(f"{how} at {place}")
    t.firn("container", "restore", "c")
    guests.verify("all")


test_restore.seconds = test_export.seconds = 300


def test_import(t):
    guests, archive = Guests(t), t.path("c.tar")
    id_ = t.ids()[0]
    t.firn("container", "checkpoint", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("volume", "rm", "data")
    ground = Ground(t, id_)
    places = passed(t, "container", "restore", "-i", archive)
    t.firn("container", "checkpoint", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("volume", "rm", "data")
    for how, place in each(places, ("import", "revive")):
        failing(t, how, place, "container", "restore", "-i", archive)
        # Another process, the monitor's, may be at it.
        t.wait_for(f"end of the container after {how} at {place}", lambda: t.ids() == [])
        t.wait_for(f"end of its volume after {how} at {place}",
                   lambda: t.firn("volume", "ls", "-q").lines == [])
        ground.is_clean(f"{how} at {place}")
    t.firn("container", "restore", "-i", archive)
    equal(os.listdir(os.path.join(t.root, "tmp")), [], "temporary files after all")
    guests.verify("all")


test_import.seconds = 300
