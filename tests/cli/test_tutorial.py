"""The tutorial, word for word with `podman` replaced by `firn`."""

import re
import time

from harness.case import ID, check, equal, matches

LOOPER = "i=0; while true; do echo $i; i=$(expr $i + 1); sleep 1; done"


def run_looper(t):
    out = t.firn("run", "-d", "--name", "looper", "busybox", "/bin/sh", "-c", LOOPER).out
    matches(out, r"^[0-9a-f]{64}\n$", "what `run -d` prints")
    return out.strip()


def rows(t, *args):
    return t.firn("ps", *args).lines[1:]


def test_word_for_word(t):
    id_ = run_looper(t)
    t.wait_for("2 seconds of log", lambda: len(t.firn("logs", "-l").lines) >= 2)
    equal(t.firn("logs", "-l").lines[:2], ["0", "1"], "the log")
    header = "CONTAINER ID  IMAGE"
    lines = t.firn("ps").lines
    check(lines[0].startswith(header), f"the header is {lines[0]!r}")
    matches(lines[1], rf"^{id_[:12]}  \S*busybox:latest  /bin/sh -c i=0; w\.\.\.  .* Up \d+ seconds?"
                      r"( ago)? .*looper$", "the row")
    equal(t.firn("container", "checkpoint", "-l").out, id_ + "\n", "output of checkpoint")
    equal(rows(t), [], "ps after the checkpoint")
    matches(rows(t, "-a")[0], r"Exited \(0\) .* ago", "the row after the checkpoint")
    before = len(t.firn("logs", "-l").lines)
    equal(t.firn("container", "restore", "-l").out, id_ + "\n", "output of restore")
    equal(len(rows(t)), 1, "running containers after the restore")
    last = t.counts_on("looper", before)
    check(last >= before, "it did not go on")
    equal(t.firn("kill", "-a").out, id_ + "\n", "output of kill -a")
    t.wait_for("exit", lambda: "Exited (137)" in rows(t, "-a")[0])
    equal(t.firn("rm", "looper").out, "looper\n", "output of rm")
    equal(rows(t, "-a"), [], "ps -a at the end")


def test_twenty_cycles(t):
    t.looper("looper")
    last = t.count("looper")
    for n in range(20):
        equal(t.firn("container", "checkpoint", "looper").out, "looper\n")
        stopped = t.count("looper")
        equal(t.firn("container", "restore", "looper").out, "looper\n")
        check(stopped >= last, f"cycle {n}: {stopped} after {last}")
        last = t.counts_on("looper", stopped)


test_twenty_cycles.seconds = 180


def test_export_and_import_under_the_same_name(t):
    id_ = t.looper("looper")
    archive = t.path("looper.tar.gz")
    for _ in range(5):
        equal(t.firn("container", "checkpoint", "--export", archive, "looper").out, "looper\n")
        last = t.count("looper")
        equal(t.firn("rm", "looper").out, "looper\n")
        equal(t.ids(), [], "containers after rm")
        equal(t.firn("container", "restore", "--import", archive).out, id_ + "\n")
        equal(t.inspect("looper")["Id"], id_, "the id")
        t.counts_on("looper", last)


def test_import_under_a_new_name(t):
    id_ = t.looper("looper")
    archive = t.path("c.tar.zst")
    t.firn("container", "checkpoint", "-e", archive, "looper")
    last = t.count("looper")
    t.firn("rm", "looper")
    ids = set()
    for name in ("one", "two", "three"):
        new = t.firn("container", "restore", "-i", archive, "-n", name).out.strip()
        matches(new, ID.pattern, "the id")
        equal(t.inspect(name)["Id"], new, "the id of " + name)
        ids.add(new)
        t.counts_on(name, last)
    check(len(ids) == 3 and id_ not in ids, f"the ids are not new: {ids}")


def test_import_while_the_original_runs_on(t):
    t.looper("looper")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-R", "-e", archive, "looper")
    equal(t.status("looper"), "running")
    t.firn("container", "restore", "-i", archive, "-n", "twin")
    last, twin = t.count("looper"), t.count("twin")
    t.counts_on("looper", last)
    t.counts_on("twin", twin)
    names = sorted(t.firn("ps", "--format", "{{.Names}}").lines)
    equal(names, ["looper", "twin"], "running containers")


def test_twenty_imports_while_the_original_runs_on(t):
    t.looper("looper")
    archive = t.path("c.tar")
    for _ in range(20):
        t.firn("container", "checkpoint", "-R", "-e", archive, "looper")
        t.firn("container", "restore", "-i", archive, "-n", "twin")
        last = t.count("twin")
        t.counts_on("twin", last)
        t.firn("rm", "-f", "-t", "0", "twin")
    t.counts_on("looper", t.count("looper"))


test_twenty_imports_while_the_original_runs_on.seconds = 240


def test_logs_follow_through_a_checkpoint(t):
    t.looper("looper", pause="0.1")
    with open(t.path("followed"), "wb") as out:
        t.start("logs", "-f", "looper", stdout=out)
        time.sleep(0.5)
        t.firn("container", "checkpoint", "looper")
        t.firn("container", "restore", "looper")
        last = t.counts_on("looper", t.count("looper") + 3)

        def followed():
            with open(t.path("followed"), encoding="utf-8") as f:
                return f.read().split()
        t.wait_for("followed lines after the restore", lambda: str(last) in followed())
    lines = followed()
    equal(lines, [str(n) for n in range(len(lines))], "what `logs -f` printed")


def test_start_of_a_checkpointed_container_is_cold(t):
    t.looper("looper")
    t.firn("container", "checkpoint", "looper")
    check(t.inspect("looper")["State"]["Checkpointed"], "it is not shown as checkpointed")
    warm = len(t.logs("looper"))
    t.firn("start", "looper")
    t.wait_for("a second count from 0", lambda: "0" in t.logs("looper")[warm:])
    check(not t.inspect("looper")["State"].get("Checkpointed"), "it is still shown as checkpointed")


def test_wait_and_states_around_a_checkpoint(t):
    t.looper("looper")
    t.firn("container", "checkpoint", "looper")
    state = t.inspect("looper")["State"]
    equal((state["Status"], state["Running"], state["ExitCode"], state["Checkpointed"]),
          ("exited", False, 0, True), "the state")
    check(re.match(r"20\d\d-", state["CheckpointedAt"]), "CheckpointedAt is not set")
    t.fails("wait", "looper", err=re.compile("exit code|checkpoint"))
    t.firn("container", "restore", "looper")
    state = t.inspect("looper")["State"]
    equal((state["Status"], state["Running"], state["Restored"]), ("running", True, True))
    t.firn("kill", "looper")
    equal(t.firn("wait", "looper").out, "137\n", "the exit code after the restore")
