"""firn ps, logs, inspect, info, version and the shape of errors."""

import json
import re
import time

from harness.case import check, contains, equal, matches

HEADER = r"^CONTAINER ID  IMAGE +COMMAND +CREATED +STATUS +PORTS +NAMES$"


def test_empty_list_has_a_header(t):
    lines = t.firn("ps").lines
    equal(len(lines), 1)
    matches(lines[0], HEADER)


def test_columns(t):
    id_ = t.sleeper("c")
    row = t.firn("ps").lines[1]
    matches(row, rf"^{id_[:12]}  \S+busybox:latest  sleep 1000  .+ ago  Up .* +c$")
    t.firn("stop", "-t", "0", "c")
    equal(len(t.firn("ps").lines), 1, "rows without -a")
    matches(t.firn("ps", "-a").lines[1], r"Exited \(137\) .* ago")
    t.firn("create", "--name", "d", "busybox")
    matches(t.firn("ps", "-a", "-l").lines[1], " Created ")
    equal(t.firn("ps", "-a", "-q", "--no-trunc").lines[0], id_)
    equal(t.firn("ps", "-aq").lines[0], id_[:12])
    equal(len(t.firn("ps", "-a", "--noheading").lines), 2)


def test_formats(t):
    id_ = t.sleeper("c", "-l", "k=v")
    equal(t.firn("ps", "--format", "{{.ID}} {{.Names}}").out, f"{id_[:12]} c\n")
    equal(t.firn("ps", "--format", "table {{.Names}}\\t{{.State}}").lines[0].split(),
          ["NAMES", "STATE"])
    one = t.firn("ps", "--format", "json").json[0]
    equal((one["Id"], one["Names"], one["State"], one["Labels"]), (id_, ["c"], "running", {"k": "v"}))
    t.fails("ps", "--format", "{{.Bogus}}", err="can't evaluate field Bogus")


def test_filters(t):
    t.sleeper("one", "-l", "x=1")
    t.firn("create", "--name", "two", "-l", "x=2", "busybox")

    def names(*filters):
        args = [a for f in filters for a in ("--filter", f)]
        return sorted(t.firn("ps", "-a", *args, "--format", "{{.Names}}").lines)
    equal(names("name=on"), ["one"])
    equal(names("status=created"), ["two"])
    equal(names("label=x=1"), ["one"])
    equal(names("label=x"), ["one", "two"])
    equal(names("label=x", "status=running"), ["one"])
    t.fails("ps", "--filter", "bogus=1", err="bogus is an invalid filter")


def test_logs(t):
    t.firn("run", "--name", "c", "busybox", "sh", "-c",
           "echo one; echo two >&2; echo three; echo four; printf part")
    r = t.firn("logs", "c")
    equal((r.out, r.err), ("one\nthree\nfour\npart", "two\n"))
    t.firn("run", "--name", "d", "busybox", "seq", "9")
    equal(t.firn("logs", "--tail", "2", "d").lines, ["8", "9"])
    matches(t.firn("logs", "-t", "c").lines[0], r"^20\d\d-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d) one$")
    equal(t.firn("logs", "--since", "1h", "c").lines[0], "one")
    equal(t.firn("logs", "--until", "1h", "c").out, "")
    t.fails("logs", "nope", err='no container with name or ID "nope" found: no such container')
    t.firn("create", "--name", "new", "busybox")
    equal(t.firn("logs", "new").out, "")


def test_logs_of_several_carry_the_id(t):
    a = t.firn("run", "--name", "a", "busybox", "echo", "x") and t.inspect("a")["Id"]
    t.firn("run", "--name", "b", "busybox", "echo", "y")
    contains(t.firn("logs", "a", "b").out, a[:12] + " x\n")


def test_logs_follow_ends_with_the_container(t):
    t.firn("run", "-d", "--name", "c", "busybox", "sh", "-c",
           "for i in 1 2 3 4 5; do echo $i; sleep 0.1; done")
    equal(t.firn("logs", "-f", "c", timeout=20).lines, ["1", "2", "3", "4", "5"])


def test_long_lines_in_the_log(t):
    t.firn("run", "--name", "c", "busybox", "sh", "-c",
           "head -c 40000 /dev/zero | tr '\\0' x; echo; echo end")
    lines = t.firn("logs", "c").lines
    equal((len(lines[0]), lines[1]), (40000, "end"))


def test_inspect(t):
    id_ = t.sleeper("c", "-e", "A=b")
    c = t.inspect("c")
    equal((c["Id"], c["Name"], c["Path"], c["Args"]), (id_, "c", "sleep", ["1000"]))
    check("A=b" in c["Config"]["Env"] and c["State"]["Pid"] > 0 and c["State"]["Running"], "c")
    equal(t.firn("inspect", "-f", "{{.State.Status}} {{.Id}}", "c").out, f"running {id_}\n")
    equal(t.firn("inspect", "busybox").json[0]["RepoTags"][0].split(":")[-1], "latest")
    r = t.firn("inspect", "c", "nope", rc=125)
    equal(r.json[0]["Id"], id_)
    contains(r.err, 'no such object: "nope"')
    r = t.firn("inspect", "nope", rc=125)
    equal(r.json, [])
    contains(r.err, 'Error: inspecting object: no such object: "nope"')
    contains(t.firn("container", "inspect", "nope", rc=125).err, "no such container")
    contains(t.firn("image", "inspect", "nope", rc=125).err, "nope: image not known")


def test_info(t):
    info = t.firn("info", "--format", "json").json
    equal(info["store"]["graphRoot"], t.root)
    check("crun" in t.firn("info", "--format", "{{.Host.OCIRuntime.Path}}").out, "no runtime")
    matches(t.firn("info").out, r"(?m)^host:$")


def test_version(t):
    matches(t.firn("--version").out, r"^firn version \d+\.\d+\.\d+\S*\n$")
    matches(t.firn("-v").out, r"^firn version ")
    matches(t.firn("version").out, r"(?m)^Version: +\d+\.\d+\.\d+")
    check(t.firn("version", "--format", "json").json["Client"]["Version"], "no version")


def test_check_says_what_the_host_can(t):
    r = t.firn("check", rc=None)
    check(r.rc in (0, 1) and len(r.lines) > 5, f"{r}")


def test_unknown_commands_and_options(t):
    r = t.fails("bogus", err="Error: unrecognized command `firn bogus`")
    contains(r.err, "Try 'firn --help' for more information")
    matches(t.fails("log").err, r"Did you mean this\?\n(\t\w+\n)*\tlogs\n")
    t.fails("--bogus", err="unknown flag: --bogus")
    t.fails("ps", "--bogus", err="Error: unknown flag: --bogus\nSee 'firn ps --help'")
    t.fails("container", "bogus", err="bogus")
    contains(t.firn("volume", rc=125).err, "Error: missing command 'firn volume COMMAND'")


def test_help(t):
    out = t.firn("--help").out
    for command in ("run", "ps", "logs", "container", "image", "volume"):
        matches(out, rf"(?m)^ +{command} ", f"the help of {command}")
    for command in (["run"], ["container", "checkpoint"], ["container", "restore"]):
        out = t.firn(*command, "--help").out
        matches(out, r"(?m)^Usage:", f"the help of {command}")
    for option in ("--export", "--leave-running", "--compress", "--keep", "--print-stats"):
        contains(t.firn("container", "checkpoint", "--help").out, option)


def test_container_commands_are_under_container_too(t):
    t.sleeper("c")
    equal(t.firn("container", "ls").lines[1:], t.firn("container", "ps").lines[1:])
    equal(t.firn("container", "kill", "c").out, "c\n")
    equal(t.firn("container", "wait", "c").out, "137\n")
    equal(t.firn("container", "rm", "c").out, "c\n")


def test_output_is_only_the_id(t):
    """Callers take both streams together as the id."""
    limit = [] if t.rootless else ["--memory", "64m"]
    r = t.firn("run", "-d", "--name", "c", "--label", "a=b", "--network", "host", *limit,
               "busybox", "sleep", "1000")
    matches(r.out + r.err, r"^[0-9a-f]{64}\n$")
    archive = t.path("c.tar.gz")
    t.firn("container", "checkpoint", "--export", archive, "--tcp-established", "c")
    t.firn("rm", "-f", "--volumes", "c")
    r = t.firn("container", "restore", "--import", archive, "--tcp-established")
    matches(r.out + r.err, r"^[0-9a-f]{64}\n$")


def test_log_driver_writes_what_podman_reads(t):
    t.firn("run", "--name", "c", "busybox", "echo", "x")
    path = t.inspect("c")["HostConfig"]["LogConfig"]["Path"]
    with open(path, encoding="utf-8") as f:
        matches(f.read(), r"^20\d\d-\d\d-\d\dT[\d:.]+[+-]\d\d:\d\d stdout F x\n$")


def test_concurrent_commands(t):
    """Many commands at once on one store: none fails."""
    t.sleeper("c")
    jobs = [t.start(*args, stdout=-3) for _ in range(8)
            for args in (["ps", "-a"], ["inspect", "c"], ["exec", "c", "true"],
                         ["create", "busybox", "true"])]
    equal([p.wait(60) for p in jobs], [0] * len(jobs), "exit codes")
    equal(len(t.ids()), 9, "containers")


def test_times_are_sane(t):
    t.sleeper("c")
    state = t.inspect("c")["State"]
    check(re.match(r"20\d\d-", state["StartedAt"]), state["StartedAt"])
    check(state["FinishedAt"].startswith("0001-01-01"), state["FinishedAt"])
    one = t.firn("ps", "--format", "json").json[0]
    check(abs(one["StartedAt"] - time.time()) < 30, json.dumps(one))
