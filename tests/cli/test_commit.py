"""commit, export, diff, rename."""

import os
import tarfile

from harness.case import ID, check, contains, equal, matches, needs_root

CHANGE = "echo new > /new; rm /etc/passwd; mkdir /d; echo 1 > /d/f; rm -r /home"


def changed(t, name, *options):
    t.firn("run", "--name", name, *options, "busybox", "sh", "-c", CHANGE)


def test_diff(t):
    changed(t, "c", "-v", "v:/data")
    lines = t.firn("diff", "c").lines
    for line in ["A /new", "D /etc/passwd", "A /d", "A /d/f", "D /home", "C /etc"]:
        check(line in lines, f"{line!r} is missing in {lines}")
    for path in ["/etc/hosts", "/data", "/proc", "/run"]:
        check(not any(x.endswith(" " + path) for x in lines), f"{path} is no change")
    o = t.firn("diff", "--format", "json", "c").json
    contains(o["added"], "/new", "added")
    contains(o["deleted"], "/etc/passwd", "deleted")
    contains(o["changed"], "/etc", "changed")
    t.fails("diff", "nope", err="nope not found: layer not known")
    equal(t.firn("diff", "busybox").rc, 0)


def test_commit_keeps_files_and_command(t):
    t.firn("run", "--name", "c", "-e", "A=1", "--label", "l=m", "busybox", "sh", "-c", CHANGE)
    out = t.firn("commit", "c", "made").out.strip()
    matches(out, ID.pattern, "what commit prints")
    t.firn("run", "--rm", "made", "sh", "-c",
           "test $A = 1 && test -e /new && test ! -e /etc/passwd && test ! -e /home")
    o = t.firn("image", "inspect", "made").json[0]
    equal(o["Config"]["Labels"], {"l": "m"}, "labels")
    equal(o["Config"]["Cmd"], ["sh", "-c", CHANGE], "command")
    equal(t.firn("image", "exists", "made").rc, 0)
    t.firn("rm", "c")
    t.firn("rmi", "made")


def test_commit_options(t):
    changed(t, "c")
    t.firn("commit", "-q", "-a", "me", "-c", "CMD cat /new", "-c", "ENV B=2", "--squash",
           "--iidfile", t.path("iid"), "c", "one")
    equal(t.firn("run", "--rm", "one").out, "new\n")
    o = t.firn("image", "inspect", "one").json[0]
    equal((o["Author"], len(o["RootFS"]["Layers"])), ("me", 1))
    with open(t.path("iid"), encoding="ascii") as f:
        equal(f.read(), o["Id"])
    t.fails("commit", "-m", "why", "c", "two", err="messages are only compatible with the docker")
    t.firn("commit", "-f", "docker", "-m", "why", "c", "two")
    o = t.firn("image", "inspect", "two").json[0]
    contains(o["ManifestType"], "docker", "type")
    equal(o["History"][-1]["comment"], "why", "comment")
    t.fails("commit", "-c", "BOGUS 1", "c", err="BOGUS")
    t.fails("commit", "c", "Bad Name", err="")


@needs_root("an ordinary user's containers cannot be paused")
def test_commit_of_a_running_container(t):
    t.looper("c")
    t.firn("exec", "c", "sh", "-c", "echo x > /x")
    t.firn("commit", "-p", "c", "while")
    t.counts_on("c", t.count("c"))
    equal(t.firn("run", "--rm", "while", "cat", "/x").out, "x\n")


def test_export(t):
    changed(t, "c")
    t.firn("export", "-o", t.path("e.tar"), "c")
    with tarfile.open(t.path("e.tar")) as tar:
        names = tar.getnames()
    check("new" in names and "etc/passwd" not in names and "bin/sh" in names,
          f"wrong names: {names[:20]}")
    t.firn("import", "-q", "-c", "CMD cat /d/f", t.path("e.tar"), "again")
    equal(t.firn("run", "--rm", "again").out, "1\n")
    t.fails("export", "-o", t.path("x.tar"), "nope", err="no such container")
    check(not os.path.exists(t.path("x.tar")), "a file was made for nothing")


def test_rename(t):
    t.sleeper("one")
    t.firn("create", "--name", "two", "busybox")
    equal(t.firn("rename", "one", "three").out, "")
    equal(t.status("three"), "running")
    t.firn("container", "exists", "one", rc=1)
    t.fails("rename", "three", "two", err="already in use")
    t.fails("rename", "three", "not good", err="names must match")
    t.firn("stop", "-t", "0", "three")
    equal(t.inspect("three")["Name"], "three")
