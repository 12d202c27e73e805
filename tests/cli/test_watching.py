"""events, stats, top."""

import json
import subprocess
import time

from harness.case import check, contains, equal, matches, needs_root


def now():
    time.sleep(0.001)
    return f"{time.time():.6f}"


def events(t, since, *options):
    """The log is everybody's: what happened before `since` is not ours."""
    out = t.firn("events", "--stream=false", "--since", since, "--format", "json", *options).lines
    return [json.loads(line) for line in out]


def statuses(t, since, *options):
    return [e["Status"] for e in events(t, since, *options)]


def test_a_life_in_events(t):
    begin = now()
    t.firn("run", "--name", "c", "--label", "k=v", "busybox", "sh", "-c", "exit 3", rc=3)
    t.firn("rm", "c")
    equal([s for s in statuses(t, begin, "--filter", "container=c") if s != "attach"],
          ["create", "init", "start", "died", "cleanup", "remove"])
    died = events(t, begin, "--filter", "event=died", "--filter", "container=c")[0]
    equal(died["ContainerExitCode"], 3, "exit code")
    equal((died["Type"], died["Name"], died["Attributes"]), ("container", "c", {"k": "v"}))
    contains(died["Image"], "busybox", "image")
    line = t.firn("events", "--stream=false", "--since", begin, "--filter",
                  "event=create").lines[0]
    matches(line, r"^\d{4}-\d\d-\d\d [0-9:.]+ \+0000 UTC container create [0-9a-f]{64} "
                  r"\(image=localhost/busybox:latest, name=c, k=v\)$", "the line")
    equal(t.firn("events", "--stream=false", "--since", begin, "--filter", "event=died",
                 "--format", "{{.Name}} {{.Status}}").out, "c died\n")


def test_filters_and_times(t):
    begin = now()
    t.firn("create", "--name", "a", "busybox")
    between = now()
    t.firn("create", "--name", "b", "busybox")

    def names(*o, since=begin):
        return [e["Name"] for e in events(t, since, "--filter", "event=create", *o)]

    equal(names(), ["a", "b"])
    equal(names(since=between), ["b"])
    equal(names("--until", between), ["a"])
    equal(names("--filter", "container=a", "--filter", "container=b"), ["a", "b"])
    equal(names("--filter", "type=volume"), [])
    equal(names("--filter", "image=busybox"), ["a", "b"])
    t.fails("events", "--stream=false", "--filter", "bogus=1", err="bogus is an invalid filter")


def test_of_images_and_volumes(t):
    begin = now()
    t.firn("tag", "busybox", "other:1")
    t.firn("untag", "busybox", "other:1")
    t.firn("volume", "create", "v")
    t.firn("volume", "rm", "v")
    equal([e["Name"] for e in events(t, begin, "--filter", "type=image", "--filter", "event=tag")],
          ["localhost/other:1"])
    equal(statuses(t, begin, "--filter", "volume=v"), ["create", "remove"])


def test_of_checkpoints(t):
    begin = now()
    t.looper("c")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    t.firn("stop", "-t", "0", "c")
    all_ = [s for s in statuses(t, begin, "--filter", "container=c") if s != "attach"]
    equal(all_[3:], ["died", "cleanup", "checkpoint", "init", "restore", "died", "cleanup", "stop"])


def test_a_stream(t):
    p = t.start("events", "--filter", "event=start", "--format", "{{.Name}}",
                stdout=subprocess.PIPE)
    time.sleep(0.2)
    t.firn("run", "--rm", "--name", "one", "busybox", "true")
    equal(p.stdout.readline(), b"one\n")
    t.firn("run", "--rm", "--name", "two", "busybox", "true")
    equal(p.stdout.readline(), b"two\n")


def test_top(t):
    t.firn("run", "-d", "--name", "c", "--user", "33", "busybox", "sh", "-c",
           "sleep 1000 & wait")
    t.wait_for("two processes", lambda: len(t.firn("top", "c").lines) == 3)
    lines = t.firn("top", "c").lines
    equal(lines[0].split(), "USER PID PPID %CPU ELAPSED TTY TIME COMMAND".split())
    first = lines[1].split()
    equal((first[0], first[1], first[2]), ("33", "1", "0"))
    contains(lines[2], "sleep 1000")
    out = t.firn("top", "c", "pid,comm", "hpid").lines
    equal(out[0].split(), ["PID", "COMMAND", "HPID"])
    equal(int(out[1].split()[2]), t.inspect("c")["State"]["Pid"], "the host's pid")
    t.firn("top", "c", "-ef")
    contains(t.firn("top", "--list-descriptors").lines, "seccomp", "descriptors")
    t.fails("top", "c", "bogus", err='"bogus" is no column')
    t.firn("stop", "-t", "0", "c")
    t.fails("top", "c", err="top can only be used on running containers")


@needs_root("an ordinary user's containers have no cgroup")
def test_stats(t):
    t.firn("run", "-d", "--name", "busy", "-m", "64m", "busybox", "sh", "-c", "while :; do :; done")
    o = t.wait_for("processor time", lambda: [
        x for x in t.firn("stats", "--no-stream", "--format", "json").json
        if float(x["cpu_percent"][:-1]) > 1])[0]
    equal(o["name"], "busy")
    contains(o["mem_usage"], "/ 67.11MB", "limit")
    check(int(o["pids"]) >= 1, f"pids {o['pids']}")
    lines = t.firn("stats", "--no-stream", "busy").lines
    contains(lines[0], "MEM USAGE / LIMIT", "heading")
    contains(lines[1], "busy", "row")
    equal(t.firn("stats", "--no-stream", "--format", "{{.Name}}").out, "busy\n")
    p = t.start("stats", "-i", "1", "--format", "json", "busy", stdout=subprocess.PIPE)
    seen = [p.stdout.readline() for _ in range(26)]
    equal(sum(b'"name"' in x for x in seen), 2, "looks")
    t.firn("stop", "-t", "0", "busy")
    t.fails("stats", "--no-stream", "busy", err="is not running")


def test_no_stats_without_a_cgroup(t):
    t.sleeper("c")
    result = t.firn("stats", "--no-stream", "c", rc=None)
    check(result.rc == 0 or "needs a cgroup" in result.err, str(result))
