"""What a test left behind: processes, mounts, cgroups and files of a store that should be empty."""

import os
import re
import signal
import subprocess
import time


def _read(path):
    try:
        with open(path, "rb") as f:
            return f.read().decode(errors="replace")
    except OSError:
        return ""


def mounts(place):
    """Mount points of this mount namespace that lie in `place`, the innermost first."""
    points = [line.split()[4] for line in _read("/proc/self/mountinfo").splitlines()]
    return sorted((p for p in points if p.startswith(place + "/")), reverse=True)


def _belongs(pid, place):
    """Its command line says so, or its root is a container of `place`. That it merely sees a mount
    of `place` says nothing: so does every monitor that was started meanwhile."""
    if place in _read(f"/proc/{pid}/cmdline"):
        return True
    lines = [line.split() for line in _read(f"/proc/{pid}/mountinfo").splitlines()]
    return any(len(f) > 4 and f[4] == "/" and any(place in word for word in f) for f in lines)


def processes(place):
    """(pid, command line) of processes that work for, or live in, a container of `place`."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) in _ancestors():
            continue
        state = _read(f"/proc/{name}/stat").rpartition(")")[2].split()
        if state and state[0] not in "ZX" and _belongs(int(name), place):
            found.append((int(name), _read(f"/proc/{name}/cmdline").replace("\0", " ").strip()))
    return found


def _ancestors():
    pids, pid = set(), os.getpid()
    while pid > 0:
        pids.add(pid)
        fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return pids


def cgroups():
    """All cgroup directories of all hierarchies."""
    found = set()
    for top, dirs, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(top, d) for d in dirs)
    return found


def _ids(root):
    """Of all containers there have been, by the event log."""
    text = _read(root + "/events/log.1") + _read(root + "/events/log")
    return set(re.findall(r"[0-9a-f]{64}", text))


def _own_groups(root, groups_before):
    """Cgroups that came since, but not those of somebody else's containers."""
    own, found = _ids(root), set()
    for group in cgroups() - groups_before:
        ids = re.findall(r"[0-9a-f]{64}", group)
        if ids and own.intersection(ids):
            found.add(group)
    return found


def _abandoned(group):
    """The cgroup and all below it are empty: nobody's, unless it is about to be used."""
    for top, _, files in os.walk(group):
        if "cgroup.procs" in files and _read(os.path.join(top, "cgroup.procs")).strip():
            return False
    return os.path.isdir(group)


def _files(root, runroot):
    found = []
    for top, names in ((root, ["containers", "volumes"]),
                       (runroot, ["containers", "executions", "exits", "crun", "locks", "netns"])):
        for name in names:
            path = os.path.join(top, name)
            if os.path.isdir(path):
                found += [os.path.join(path, e) for e in os.listdir(path)]
    return found


def find(place, root, runroot, groups_before):
    """Everything left, as lines of text."""
    left = [f"process {pid}: {command[:160]}" for pid, command in processes(place)]
    left += [f"mount {path}" for path in mounts(place)]
    left += [f"cgroup {g}" for g in sorted(_own_groups(root, groups_before))
             if _abandoned(g)]
    left += [f"file {path}" for path in _files(root, runroot)]
    return left


def settle(place, root, runroot, groups_before, seconds=5.0):
    """As find, but waits a little for what is just going away (conmon and its cleanup)."""
    end = time.monotonic() + seconds
    while True:
        left = find(place, root, runroot, groups_before)
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.05)


def sweep(place, root, groups_before):
    """Removes by force what find() found, so that the next test starts on clean ground."""
    for pid, _ in processes(place):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    time.sleep(0.2)
    for path in mounts(place):
        subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL, check=False)
    for group in sorted(_own_groups(root, groups_before), reverse=True):
        if _abandoned(group):
            try:
                os.rmdir(group)
            except OSError:
                pass
