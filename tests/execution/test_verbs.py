"""firn execution: each verb."""

import json
import os
import subprocess
import time

from harness.case import ID, check, contains, equal, matches
from harness.executions import Executions

COUNT = "i=0; while true; do echo $i; i=$(expr $i + 1); sleep 0.02; done"


def count(t, name):
    """The last number of a counter; none may be missing."""
    lines = t.firn("execution", "logs", name).lines
    equal(lines, [str(n) for n in range(len(lines))], "the count")
    return len(lines) - 1


def counts_on(t, name, last):
    t.wait_for(f"a number after {last}", lambda: count(t, name) > last)


def test_run_to_the_end(t):
    x = Executions(t)
    r = x.run(x.config("/w/worker", "3", "/out/effects", "0"), "--wait")
    equal(r.json, {"steps": 3, "restores": 0}, "output")
    equal(x.effects(), [0, 1, 2])
    id_ = t.firn("execution", "list", "-q").out.strip()
    o = x.inspect(id_)
    equal((o["State"], o["ExitCode"], o["Output"]), ("finished", 0, {"steps": 3, "restores": 0}))
    equal(o["Checkpoint"]["Sequence"], 3)
    check(os.path.isfile(x.checkpoint_path(o["Id"])), "no checkpoint in the store")
    equal(os.stat(x.checkpoint_path(o["Id"])).st_mode & 0o077, 0, "others may read it")
    contains(t.firn("execution", "logs", id_).out, "step 2")
    equal(t.firn("execution", "wait", id_).out, "0\n")
    equal(t.firn("execution", "cleanup", id_).out.strip(), o["Id"])
    equal(t.firn("execution", "list", "-q").out, "")
    equal(os.listdir(x.store), [], "store")
    equal(t.ids(), [], "containers")


def test_environment_and_network(t):
    x = Executions(t)
    id_ = x.shell("echo $FIRN_EXECUTION_ID; echo $FIRN_API; echo $A; pwd; id -u; test -S "
                  "${FIRN_API#unix://}", env={"A": "1"}, work_dir="/tmp", user="1000",
                  labels={"k": "v"})
    matches(id_, ID.pattern, "id")
    equal(t.firn("execution", "wait", id_).out, "0\n")
    lines = t.firn("execution", "logs", id_).lines
    equal(lines[0], id_)
    equal(lines[1:], ["unix:///run/firn-execution/api.sock", "1", "/tmp", "1000"])
    o = t.inspect(id_)
    equal((o["HostConfig"]["NetworkMode"], o["Config"]["Labels"]["k"]), ("host", "v"))


def test_checkpoint_and_resume(t):
    x = Executions(t)
    id_ = x.shell(COUNT)
    counts_on(t, id_, 3)
    t.firn("execution", "checkpoint", "--leave-running", id_[:12])
    equal(x.state(id_), "running")
    counts_on(t, id_, count(t, id_))
    t.firn("execution", "checkpoint", id_)
    o = x.inspect(id_)
    equal((o["State"], o["WakeAt"], o["Checkpoint"]["Sequence"]), ("suspended", None, 2))
    equal(x.init(id_), 0, "worker")
    last = count(t, id_)
    t.firn("execution", "resume", id_)
    counts_on(t, id_, last)
    t.fails("execution", "resume", id_, err="is not suspended: it is running")


def test_suspend_for_a_while(t):
    x = Executions(t)
    id_ = x.shell(COUNT)
    counts_on(t, id_, 3)
    t.firn("execution", "suspend", "--for", "700ms", id_)
    begin = time.monotonic()
    o = x.inspect(id_)
    equal(o["State"], "suspended")
    contains(t.firn("execution", "list").out, "suspended")
    last = count(t, id_)
    counts_on(t, id_, last)
    check(time.monotonic() - begin > 0.4, "it woke up too early")
    at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 2))
    t.firn("execution", "suspend", "--until", at, id_)
    counts_on(t, id_, count(t, id_))
    t.fails("execution", "suspend", "--for", "1s", "--until", at, id_, err="exclude each other")


def test_kill(t):
    x = Executions(t)
    a, b = x.shell(COUNT), x.shell(COUNT)
    t.firn("execution", "suspend", b)
    t.firn("execution", "kill", a)
    equal(t.firn("execution", "wait", a).out, "137\n")
    t.firn("execution", "kill", "--all")
    equal((x.state(a), x.state(b)), ("killed", "killed"))
    t.fails("execution", "suspend", a, err="is over: it is killed")
    equal(x.init(a), 0, "worker")


def test_restore_on_another_node(t):
    x = Executions(t)
    there = t.path("node")
    other = [t.program, "--root", there + "/root", "--runroot", there + "/run"]
    id_ = x.worker(20, 30)
    x.wait_for_effect(0)
    x.wait_for_state(id_, "suspended")
    os.rename(x.checkpoint_path(id_), t.path("moved.tar"))
    t.firn("execution", "cleanup", "-f", id_)
    try:
        r = t.run([*other, "execution", "restore", "--store", t.path("store2"), t.path("moved.tar")])
        check(r.rc == 125 and "needs image" in r.err, str(r))
        equal(os.listdir(t.path("store2")), [], "what a failed restore left")
        r = t.run([*other, "import", "-q", "-c", 'CMD ["sh"]', t.tars["busybox"], "busybox"])
        equal(r.rc, 0, r.err)
        r = t.run([*other, "execution", "restore", "--store", t.path("store2"), t.path("moved.tar")])
        equal((r.rc, r.out.strip()), (0, id_), r.err)
        t.wait_for("step 1 on the other node", lambda: 1 in x.effects())
        again = t.run([*other, "execution", "restore", "--store", t.path("store2"),
                       t.path("moved.tar")])
        contains(again.err, "is here already")
    finally:
        t.run([*other, "execution", "cleanup", "-f", "-a"])
        t.run([*other, "rm", "-f", "-a", "-t", "0"])
    equal(x.effects(), [0, 1])


def test_restore_of_something_else(t):
    x = Executions(t)
    t.looper("c")
    t.firn("container", "checkpoint", "-e", t.path("c.tar"), "c")
    t.fails("execution", "restore", t.path("c.tar"), err="is the checkpoint of a container, but of")
    t.fails("execution", "restore", t.path("nope.tar"), err="nope.tar")
    t.write("junk", "junk")
    t.fails("execution", "restore", t.path("junk"), err="junk")
    equal(t.firn("execution", "list", "-q").out, "")
    check(not os.path.exists(x.store) or not os.listdir(x.store), "something was left in the store")


def test_retries_and_backoff(t):
    x = Executions(t)
    id_ = x.shell("echo x >> /out/tries; exit 3", "--retries", "2", "--backoff", "50ms")
    equal(t.firn("execution", "wait", id_).out, "3\n")
    o = x.inspect(id_)
    equal((o["State"], o["Failures"]), ("failed", 3))
    contains(o["Error"], "ended with exit code 3")
    with open(t.path("out/tries"), encoding="ascii") as f:
        equal(len(f.readlines()), 3, "tries")


def test_what_cannot_start_leaves_nothing(t):
    x = Executions(t)
    for config, text in ((x.config("/nope"), "/nope"), ({"image": "no-such-image"}, "no-such-image")):
        r = x.run(config, rc=None)
        check(r.rc == 125 and text in r.err and r.errors == 1, str(r))
    equal(t.firn("execution", "list", "-q").out, "")
    equal(t.ids(), [])
    check(not os.path.exists(x.store) or not os.listdir(x.store), "something was left in the store")


def test_names_that_are_not_there(t):
    for verb in ("inspect", "logs", "wait", "kill", "cleanup", "checkpoint", "suspend", "resume"):
        result = t.firn("execution", verb, "abcdef", rc=125)
        contains(result.err, 'no execution with ID "abcdef": no such execution')
        t.firn("execution", verb, rc=125)


def test_a_store_of_others_is_refused(t):
    x = Executions(t)
    os.makedirs(t.path("open/inner"))
    os.chmod(t.path("open"), 0o777)
    for store in ("open", "open/inner"):
        r = x.run(x.config("/bin/true"), "--store", t.path(store), rc=125)
        contains(r.err, "/open is not a directory that only we may write to")
    os.makedirs(t.path("real"), 0o700)
    os.symlink("real", t.path("link"))
    equal(x.run(x.config("/bin/true"), "--wait", "--store", t.path("link"), rc=0).rc, 0)
    equal(t.firn("execution", "inspect", "-f", "{{.Policy.Store}}",
                 t.firn("execution", "ls", "-q").out.strip()).out.strip(), t.path("real"))


def test_a_container_that_is_taken_away_comes_back(t):
    x = Executions(t)
    id_ = x.worker(3, 0.7, "--backoff", "50ms")
    x.wait_for_effect(1)
    t.wait_for("a container", lambda: t.firn("rm", "-f", "-t", "0", id_, rc=None).rc == 0)
    equal(t.firn("execution", "wait", id_).out, "0\n")
    equal(sorted(set(x.effects())), [0, 1, 2])


def test_list_formats(t):
    x = Executions(t)
    id_ = x.run(x.config("/bin/true"))
    t.firn("execution", "wait", id_)
    equal(t.firn("execution", "ls", "--format", "{{.ID}} {{.State}}").out, f"{id_[:12]} finished\n")
    o = json.loads(t.firn("execution", "ls", "--format", "json").out)[0]
    equal((o["Id"], o["ExitCode"]), (id_, 0))
    equal(t.firn("execution", "inspect", "-f", "{{.State}}", id_).out, "finished\n")


def test_logs_are_followed_to_the_end(t):
    x = Executions(t)
    id_ = x.worker(4, 0.3)
    r = t.firn("execution", "logs", "-f", id_, timeout=30)
    equal(r.lines, [f"step {n}" for n in range(4)])
    equal(x.state(id_), "finished")
    equal(t.firn("execution", "logs", "--tail", "1", id_).out, "step 3\n")


def test_a_start_that_is_killed_is_taken_up(t):
    """Wherever it is killed: the execution is not there, or it comes to its end."""
    x = Executions(t)
    for n in range(6):
        p = t.start("execution", "run", "-", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        p.stdin.write(json.dumps(x.config("/w/worker", "1", f"/out/{n}", "0")).encode())
        p.stdin.close()
        time.sleep(0.004 * n * n)
        p.kill()
        p.wait()
    t.firn("execution", "recover")
    for id_ in t.firn("execution", "list", "-q", "--no-trunc").lines:
        equal(t.firn("execution", "wait", id_).out, "0\n")
    kept = t.firn("execution", "list", "-q", "--no-trunc").lines
    equal(sorted(t.ids()), sorted(kept), "containers")
