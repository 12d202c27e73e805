"""Containers that run the programs installed on this machine, by its /usr, read-only."""

import os

from harness.case import Skip

PLACES = {"/usr": "/usr", "/usr/lib": "/lib", "/usr/lib64": "/lib64", "/etc/alternatives":
          "/etc/alternatives", "/etc/php": "/etc/php", "/etc/terminfo": "/etc/terminfo"}
PATH = "/usr/sbin:/usr/bin:/bin"


def need(*programs):
    """The first of each that is there, below /usr; Skip if one is not."""
    found = []
    for program in programs:
        paths = [os.path.join(d, program) for d in ("/usr/bin", "/usr/sbin")]
        there = [p for p in paths if os.path.exists(p)]
        if not there or not os.path.isdir("/usr/lib64"):
            raise Skip(f"{program} is not installed")
        found.append(there[0])
    return found


def run(t, name, *command, options=()):
    mounts = [f"-v={source}:{target}:ro" for source, target in PLACES.items()
              if os.path.isdir(source)]
    t.firn("run", "-d", "--name", name, *mounts, "-e", f"PATH={PATH}", "-e", "HOME=/tmp", *options,
           "busybox", *command)


def sh(t, name, script, *options, rc=0):
    """What a shell in the container says to this."""
    return t.firn("exec", *options, name, "sh", "-c", script, rc=rc).out
