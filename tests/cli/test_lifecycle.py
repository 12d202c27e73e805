"""create, init, start, stop, kill, pause, wait, rm: states and refusals."""

import re
import time

from harness.case import check, equal, matches, needs_root

IMPROPER = "container state improper"


def test_states_on_the_way(t):
    t.firn("create", "--name", "c", "busybox", "sleep", "1000")
    equal(t.status("c"), "created")
    equal(t.firn("init", "c").out, "c\n")
    equal(t.status("c"), "initialized")
    t.fails("init", "c", err=f"has already been created in runtime: {IMPROPER}")
    equal(t.firn("start", "c").out, "c\n")
    equal(t.status("c"), "running")
    equal(t.firn("start", "c").out, "", "start of a running container")
    if t.rootless:
        t.fails("pause", "c", err="needs the freezer of a cgroup")
    else:
        equal(t.firn("pause", "c").out, "c\n")
        equal(t.status("c"), "paused")
        equal(t.firn("unpause", "c").out, "c\n")
    equal(t.firn("stop", "-t", "0", "c").out, "c\n")
    equal((t.status("c"), t.inspect("c")["State"]["ExitCode"]), ("exited", 137))
    equal(t.firn("stop", "c").out, "c\n", "stop of a stopped container")
    equal(t.firn("start", "c").out, "c\n")
    equal(t.status("c"), "running")


def test_start_attached(t):
    t.firn("create", "--name", "c", "busybox", "sh", "-c", "echo hello; exit 5")
    equal(t.firn("start", "-a", "c", rc=5).out, "hello\n")
    t.firn("create", "--name", "d", "busybox", "true")
    t.fails("start", "-a", "c", "d", err="you cannot start and attach multiple containers at once")


def test_failing_start(t):
    t.firn("create", "--name", "c", "busybox", "nosuchcmd")
    r = t.firn("start", "c", rc=None)
    check(r.rc in (125, 127) and "unable to start container" in r.err, f"{r}")


def test_stop_kills_after_the_timeout(t):
    t.firn("run", "-d", "--name", "c", "busybox", "sh", "-c",
           "trap '' TERM; echo set; while :; do sleep 0.1; done")
    t.wait_for_log("c", "set")
    begin = time.monotonic()
    r = t.firn("stop", "-t", "1", "c")
    check(0.9 < time.monotonic() - begin < 4, "the timeout is not kept")
    matches(r.err, "StopSignal SIGTERM failed to stop container c in 1 seconds, resorting to "
                   "SIGKILL", "the warning")
    equal(t.inspect("c")["State"]["ExitCode"], 137)


def test_stop_of_many_and_of_unknown(t):
    for name in ("a", "b"):
        t.sleeper(name)
    t.fails("stop", "-t", "0", "a", "nope",
            err='no container with name or ID "nope" found: no such container')
    equal(t.status("a"), "running")
    equal(t.firn("stop", "-t", "0", "a", "b").out, "a\nb\n")
    equal(t.firn("stop", "--ignore", "nope").out, "")


def test_kill(t):
    t.firn("run", "-d", "--name", "c", "busybox", "sh", "-c",
           "trap 'echo hup' HUP; echo set; while :; do sleep 0.05; done")
    t.wait_for_log("c", "set")
    equal(t.firn("kill", "-s", "HUP", "c").out, "c\n")
    t.wait_for_log("c", "hup")
    equal(t.firn("kill", "--signal", "SIGHUP", "c").out, "c\n")
    equal(t.firn("kill", "-s", "1", "c").out, "c\n")
    t.fails("kill", "-s", "BOGUS", "c", err="invalid signal: BOGUS")
    equal(t.firn("kill", "c").out, "c\n")
    equal(t.firn("wait", "c").out, "137\n")
    t.fails("kill", "c", err=re.compile(
        "can only kill running containers. [0-9a-f]{64} is in state exited: " + IMPROPER))
    equal(t.firn("kill", "-a").out, "", "kill -a with nothing running")


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_a_paused_container_can_be_killed(t):
    t.sleeper("c")
    t.firn("pause", "c")
    t.firn("kill", "c")
    t.wait_for("its end", lambda: t.status("c") == "exited")


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_pause_refusals(t):
    t.sleeper("c")
    t.fails("unpause", "c", err=f"is not paused, can't unpause: {IMPROPER}")
    t.firn("pause", "c")
    t.fails("pause", "c", err=f"is already paused: {IMPROPER}")
    t.firn("unpause", "c")


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_a_paused_container_does_not_run(t):
    t.looper("c")
    t.firn("pause", "c")
    first = t.count("c")
    time.sleep(0.3)
    equal(t.count("c"), first, "the count of a paused container")
    t.firn("unpause", "c")
    t.counts_on("c", first)


def test_wait(t):
    t.firn("run", "-d", "--name", "c", "busybox", "sh", "-c", "sleep 0.5; exit 9")
    equal(t.firn("wait", "c").out, "9\n")
    equal(t.firn("wait", "c", "c").out, "9\n9\n", "waiting again, twice")
    t.firn("create", "--name", "never", "busybox")
    equal(t.firn("wait", "never").out, "0\n", "waiting for a container that never ran")
    t.sleeper("r")
    equal(t.firn("wait", "--condition", "running", "r").out, "-1\n")
    t.fails("wait", "nope", err="no such container")


def test_rm(t):
    id_ = t.sleeper("c")
    t.fails("rm", "c", rc=2, err=f"cannot remove container {id_} as it is running - running or "
                                 f"paused containers cannot be removed without force: {IMPROPER}")
    t.fails("rm", "nope", rc=1,
            err='Error: no container with name or ID "nope" found: no such container')
    equal(t.firn("rm", "-f", "nope").out, "")
    equal(t.firn("rm", "--ignore", "nope").out, "")
    equal(t.firn("rm", "-f", "-t", "0", "c").out, "c\n")
    equal(t.ids(), [], "containers")
    ids = {t.firn("create", "busybox").out.strip() for _ in range(3)}
    equal(set(t.firn("rm", "-a").lines), ids)


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_rm_of_a_paused_container(t):
    t.sleeper("c")
    t.firn("pause", "c")
    t.fails("rm", "c", rc=2)
    t.firn("rm", "-f", "-t", "0", "c")
    equal(t.ids(), [])


def test_rm_with_volumes(t):
    t.firn("run", "--name", "c", "-v", "/anonymous", "-v", "named:/n", "busybox", "true")
    equal(len(t.firn("volume", "ls", "-q").lines), 2)
    t.firn("rm", "-v", "c")
    equal(t.firn("volume", "ls", "-q").lines, ["named"])


def test_lookup_by_prefix_and_latest(t):
    first = t.firn("create", "--name", "first", "busybox").out.strip()
    second = t.firn("create", "--name", "second", "busybox").out.strip()
    equal(t.inspect(first[:10])["Name"], "first")
    equal(t.firn("inspect", "-l", "-f", "{{.Id}}").out.strip(), second)
    t.fails("rm", "", rc=None)
    t.firn("rm", "first", "second")
    t.fails("start", "-l", err="Error: no such container")


def test_exists(t):
    t.firn("create", "--name", "c", "busybox")
    for args, rc in ((["container", "exists", "c"], 0), (["container", "exists", "nope"], 1),
                     (["image", "exists", "busybox"], 0), (["image", "exists", "nope"], 1),
                     (["volume", "exists", "nope"], 1)):
        r = t.firn(*args, rc=rc)
        equal((r.out, r.err), ("", ""), f"output of {args}")


def test_exec(t):
    t.sleeper("c")
    r = t.firn("exec", "c", "sh", "-c", "echo out; echo err >&2; exit 4", rc=4)
    equal((r.out, r.err), ("out\n", "err\n"))
    equal(t.firn("exec", "-i", "c", "cat", stdin=b"in").out, "in")
    equal(t.firn("exec", "-e", "A=b", "-w", "/tmp", "-u", "1000", "c", "sh", "-c",
                 "echo $A; pwd; id -u").lines, ["b", "/tmp", "1000"])
    t.fails("exec", "c", "nosuchcmd", rc=127)
    t.fails("exec", "c", "/etc", rc=126)
    t.fails("exec", "nope", "true", rc=125, err="no such container")
    t.firn("stop", "-t", "0", "c")
    t.fails("exec", "c", "true", rc=255,
            err=f"can only create exec sessions on running containers: {IMPROPER}")


def test_exec_detached(t):
    t.sleeper("c")
    session = t.firn("exec", "-d", "c", "sh", "-c", "echo made >/tmp/f; sleep 1000").out
    matches(session, r"^[0-9a-f]{64}\n$", "the exec session")
    t.wait_for("the file", lambda: t.firn("exec", "c", "cat", "/tmp/f", rc=None).out == "made\n")


def test_exec_terminal(t):
    t.sleeper("c")
    out = t.firn("exec", "-t", "c", "sh", "-c", "test -t 1 && echo terminal").out
    equal(out.replace("\r", ""), "terminal\n")


def test_cleanup_and_prune(t):
    t.firn("run", "--name", "c", "busybox", "true")
    equal(t.firn("container", "cleanup", "c").out, "c\n")
    r = t.firn("container", "cleanup", "nope", rc=None)
    check(r.rc in (0, 125), f"{r}")
    ids = {t.inspect("c")["Id"], t.firn("create", "busybox").out.strip()}
    keep = t.sleeper("keep")
    equal(set(t.firn("container", "prune", "-f").lines), ids)
    equal(t.ids(), [keep])
    equal(t.firn("container", "prune", "-f").out, "")
    t.fails("container", "prune", "-f", "--filter", "bogus=1", err="bogus is an invalid filter")


def test_mount_and_unmount(t):
    t.firn("create", "--name", "c", "busybox")
    path = t.firn("mount", "c").out.strip()
    with open(path + "/etc/motd", encoding="utf-8") as f:
        equal(f.read(), "hello\n")
    with open(path + "/new", "w", encoding="utf-8") as f:
        f.write("from outside\n")
    lines = t.firn("mount").lines
    matches(lines[0], rf"^{t.inspect('c')['Id'][:12]} +{path}$", "the list of mounts")
    equal(t.firn("mount", "--format", "json").json[0]["mountpoint"], path)
    equal(t.firn("unmount", "c").out, "c\n")
    equal(t.firn("umount", "c").out, "c\n")
    equal(t.firn("mount").out, "")
    t.firn("start", "-a", "c")
    path = t.firn("mount", "c").out.strip()
    with open(path + "/new", encoding="utf-8") as f:
        equal(f.read(), "from outside\n")


def test_container_vanishes_while_firn_is_away(t):
    """Everything of a container killed behind our back: the next command sees the truth."""
    t.sleeper("c")
    pid = t.inspect("c")["State"]["Pid"]
    t.run(["kill", "-9", pid])
    t.wait_for("exited", lambda: t.status("c") == "exited")
    equal(t.inspect("c")["State"]["ExitCode"], 137)
    t.firn("start", "c")
    conmon = t.inspect("c")["State"]["ConmonPid"]
    t.run(["kill", "-9", conmon])
    t.run(["kill", "-9", t.inspect("c")["State"]["Pid"]])
    t.wait_for("exited", lambda: t.status("c") == "exited")
    t.firn("rm", "c")
