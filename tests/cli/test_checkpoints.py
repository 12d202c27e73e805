"""firn checkpoint ls, inspect, rm: checkpoints as objects of their own."""

from harness.case import check, contains, equal


def checkpointed(t, name="c"):
    t.looper(name)
    t.firn("container", "checkpoint", name)
    return t.inspect(name)["Id"]


def test_list(t):
    equal(t.firn("checkpoint", "ls", "--noheading").out, "", "the list of none")
    first = checkpointed(t)
    t.looper("other")
    lines = t.firn("checkpoint", "ls").lines
    equal(lines[0].split(), "CONTAINER ID NAME CREATED PROCESSES MEMORY SIZE".split())
    equal(len(lines), 2, "lines")
    contains(lines[1], first[:12])
    equal(t.firn("checkpoint", "ls", "-q").lines, [first])
    line = t.firn("checkpoint", "ls", "--format", "{{.Name}} {{.Processes}}").lines
    check(line in (["c 1"], ["c 2"]), f"a shell and its sleep, if it has one: {line}")
    t.fails("checkpoint", "ls", "-q", "--format", "json", err="cannot be used together")


def test_inspect(t):
    checkpointed(t)
    c = t.firn("checkpoint", "inspect", "c").json[0]
    equal([(p["Pid"], p["Command"], p["Threads"]) for p in c["Processes"]][0], (1, "sh", 1))
    check(c["Memory"] == sum(p["Memory"] for p in c["Processes"]) > 0, "memory")
    check(c["Size"] > c["Memory"], "its size is less than what is in it")
    equal(t.firn("checkpoint", "ls", "--format", "json").json, [c])
    t.fails("checkpoint", "inspect", "nobody", err='no container with name or ID "nobody" found')
    t.firn("container", "restore", "c")
    equal(t.firn("checkpoint", "inspect", "c").json, [c])


def test_inspect_of_an_archive(t):
    t.looper("c")
    archive = t.path("c.tar.zst")
    t.firn("container", "checkpoint", "--export", archive, "c")
    t.fails("checkpoint", "inspect", "c", err="container c has no local checkpoint")
    c = t.firn("checkpoint", "inspect", archive).json[0]
    equal((c["Name"], c["Path"], c["Processes"][0]["Command"]), ("c", archive, "sh"))
    t.fails("checkpoint", "inspect", t.write("x.tar", b"x" * 2000), err="is not a checkpoint archive")
    t.fails("checkpoint", "inspect", "/nowhere/c.tar", err="cannot open checkpoint archive")


def test_remove(t):
    checkpointed(t)
    t.fails("checkpoint", "rm", "c", err="could only begin anew")
    t.firn("container", "restore", "c")
    equal(t.firn("checkpoint", "rm", "c").lines, ["c"])
    t.fails("checkpoint", "rm", "c", err="container c has no local checkpoint")
    equal(t.status("c"), "running")
    t.firn("container", "checkpoint", "c")
    t.firn("checkpoint", "rm", "--all", "--force")
    t.fails("container", "restore", "c", err="checkpoint")
    t.firn("start", "c")
