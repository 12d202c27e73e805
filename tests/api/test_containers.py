"""Containers over the socket, in Podman's and in Docker's dialect."""

import json
import time

from harness.api import DOC, POD, Service, create, frames, hijack, read_all, run
from harness.case import check, contains, equal, matches

COUNT = "i=0; while true; do echo $i; i=$(expr $i + 1); sleep 0.05; done"


def test_life_libpod(t):
    s = Service(t)
    cid = create(s, "c1", "sleep", "100", labels={"a": "b"}, env={"X": "y"}, work_dir="/tmp",
                 hostname="hh", stop_timeout=1)
    matches(cid, "^[0-9a-f]{64}$", "id")
    c = f"{POD}/containers/c1"
    equal(s("GET", f"{c}/json").json["State"]["Status"], "created", "state")
    s("POST", f"{c}/init", status=204)
    s("POST", f"{c}/start", status=204)
    s("POST", f"{c}/start", status=304)
    i = s("GET", f"{c}/json").json
    equal((i["State"]["Status"], i["Config"]["WorkingDir"], i["Config"]["Hostname"]),
          ("running", "/tmp", "hh"), "inspect")
    equal(i["Config"]["StopSignal"], 15, "the old client's type of StopSignal")
    equal(s("GET", "/v5.0.0/libpod/containers/c1/json").json["Config"]["StopSignal"], "SIGTERM",
          "the new client's")
    check("X=y" in i["Config"]["Env"], i["Config"]["Env"])
    if s.is_root():
        s("POST", f"{c}/pause", status=204)
        s.refuses(409, "POST", f"{c}/pause", message="already paused")
        s("POST", f"{c}/unpause", status=204)
    s("POST", f"{c}/rename?name=c2", status=204)
    s("GET", f"{POD}/containers/c1/exists", status=404)
    s("GET", f"{POD}/containers/c2/exists", status=204)
    s.refuses(409, "DELETE", f"{POD}/containers/c2", message="container state improper")
    s("POST", f"{POD}/containers/c2/kill?signal=KILL", status=204)
    equal(s("POST", f"{POD}/containers/c2/wait").json, 137, "exit code")
    s.refuses(409, "POST", f"{POD}/containers/c2/kill", message="can only kill running containers")
    s("POST", f"{POD}/containers/c2/stop", status=304)
    s("POST", f"{POD}/containers/c2/restart?timeout=0", status=204)
    equal(s("DELETE", f"{POD}/containers/c2?force=true&timeout=0").json[0]["Id"], cid, "removed")
    s.refuses(404, "GET", f"{POD}/containers/c2/json", message="no such container")


def test_life_docker(t):
    s = Service(t)
    a = s("POST", f"{DOC}/containers/create?name=d1", status=201, body={
        "Image": "busybox", "Cmd": ["sleep", "100"], "Env": ["A=b"], "Labels": {"k": "v"},
        "StopTimeout": 0,
        "HostConfig": {"NetworkMode": "none", "Memory": 0, "CapAdd": ["NET_ADMIN"],
                       "RestartPolicy": {"Name": "no", "MaximumRetryCount": 0}}})
    c = f"{DOC}/containers/d1"
    s("POST", f"{c}/start", status=204)
    s("POST", f"{c}/start", status=304)
    i = s("GET", f"{c}/json").json
    equal((i["Name"], i["State"]["Running"], i["HostConfig"]["NetworkMode"]), ("/d1", True, "none"),
          "inspect")
    check(i["Image"].startswith("sha256:"), i["Image"])
    row = s("GET", f"{DOC}/containers/json").json[0]
    equal((row["Id"], row["Names"], row["Command"], row["State"]),
          (a.json["Id"], ["/d1"], "sleep 100", "running"), "row")
    s("POST", f"{c}/stop?t=0", status=204)
    equal(s("GET", f"{DOC}/containers/json").json, [], "what runs")
    equal(len(s("GET", f"{DOC}/containers/json?all=1").json), 1, "all")
    equal(s("POST", f"{c}/wait").json["StatusCode"], 137, "exit code")
    s("DELETE", c, status=204)


def test_list_and_filters(t):
    s = Service(t)
    run(s, "r1", "sleep", "100", labels={"x": "1"})
    create(s, "r2", "sleep", "100")
    rows = s("GET", f"{POD}/containers/json").json
    equal([r["Names"] for r in rows], [["r1"]], "running")
    matches(rows[0]["Created"], "^20..-..-..T", "Created")
    equal(len(s("GET", f"{POD}/containers/json?all=true").json), 2, "all")
    for filters, names in (({"name": ["r2"]}, ["r2"]), ({"label": ["x=1"]}, ["r1"]),
                           ({"status": ["created"]}, ["r2"]), ({"name": {"r1": True}}, ["r1"])):
        rows = s("GET", f"{POD}/containers/json", all="true", filters=filters).json
        equal([r["Names"][0] for r in rows], names, f"names with {filters}")
    s.refuses(400, "GET", f"{POD}/containers/json", filters={"bogus": ["x"]})
    s.refuses(400, "GET", f"{POD}/containers/json?filters=%7Bbroken")
    r2 = s("GET", f"{POD}/containers/r2/json").json["Id"]
    equal(s("POST", f"{POD}/containers/prune").json, [{"Id": r2, "Size": 0}], "pruned")


def test_logs_are_framed(t):
    s = Service(t)
    run(s, "l1", "sh", "-c", "echo one; echo two >&2; echo three")
    s("POST", f"{POD}/containers/l1/wait")
    a = s("GET", f"{POD}/containers/l1/logs?stdout=true&stderr=true&follow=false"
          "&since=0001-01-01T00:00:00Z&until=0001-01-01T00:00:00Z&tail=-1")
    equal(sorted(frames(a.body)), [(1, "one\n"), (1, "three\n"), (2, "two\n")], "log")
    equal(frames(s("GET", f"{DOC}/containers/l1/logs?stderr=1").body), [(2, "two\n")], "stderr")
    equal(len(frames(s("GET", f"{DOC}/containers/l1/logs?stdout=1&stderr=1&tail=2").body)), 2,
          "lines of the tail")
    s.refuses(400, "GET", f"{POD}/containers/l1/logs", message="at least one of stdout or stderr")
    run(s, "l2", "sh", "-c", "echo tty", terminal=True)
    s("POST", f"{POD}/containers/l2/wait")
    equal(s("GET", f"{DOC}/containers/l2/logs?stdout=1").body, b"tty\r\n", "log of a terminal")


def test_logs_follow(t):
    s = Service(t)
    run(s, "f1", "sh", "-c", "echo a; sleep 0.5; echo b")
    c = s.open("GET", f"{DOC}/containers/f1/logs?stdout=1&follow=1")
    r = c.getresponse()
    equal(frames(r.read()), [(1, "a\n"), (1, "b\n")], "all until the end")
    c.close()


def test_dropped_streams_leave_nothing(t):
    s = Service(t)
    run(s, "p1", "sh", "-c", COUNT)
    before = s.descriptors()
    streams = [s.open("GET", f"{DOC}/containers/p1/logs?stdout=1&follow=1") for _ in range(12)]
    for c in streams:
        c.getresponse().read(8)
    check(len(s.children()) >= 12, "a process for each stream")
    for c in streams:
        c.sock.close()
        c.close()
    t.wait_for("end of the processes", lambda: not s.children())
    t.wait_for("descriptors given back", lambda: s.descriptors() <= before)


def test_wait_conditions(t):
    s = Service(t)
    create(s, "w1", "sh", "-c", "exit 7")
    s.refuses(400, "POST", f"{POD}/containers/w1/wait?condition=bogus",
              message="unknown container state")
    s.refuses(400, "POST", f"{DOC}/containers/w1/wait?condition=bogus")
    waiting = s.open("POST", f"{DOC}/containers/w1/wait?condition=next-exit")
    answer = waiting.getresponse()  # the head comes before the container is started
    s("POST", f"{DOC}/containers/w1/start", status=204)
    equal(json.loads(answer.read())["StatusCode"], 7, "exit code")
    equal(s("POST", f"{POD}/containers/w1/wait?condition=exited&interval=10ms").json, 7, "exited")
    run(s, "w2", "sh", "-c", "sleep 0.3; exit 4", remove=True)
    equal(s("POST", f"{DOC}/containers/w2/wait?condition=removed").json["StatusCode"], 4,
          "exit code of one that removes itself")
    s("GET", f"{POD}/containers/w2/exists", status=404)


def test_attach_before_start_misses_nothing(t):
    s = Service(t)
    create(s, "a1", "sh", "-c", "read x; echo got $x; echo error >&2; exit 3", stdin=True)
    sock, _ = hijack(s, f"{POD}/containers/a1/attach?stdin=1&stdout=1&stderr=1&stream=1")
    s("POST", f"{POD}/containers/a1/start", status=204)
    sock.sendall(b"hello\n")
    sock.shutdown(1)
    equal(sorted(frames(read_all(sock))), [(1, "got hello\n"), (2, "error\n")], "output")
    sock.close()
    equal(s("POST", f"{POD}/containers/a1/wait").json, 3, "exit code")


def test_attach_terminal_and_detach(t):
    s = Service(t)
    create(s, "a2", "cat", stdin=True, terminal=True)
    sock, _ = hijack(s, f"{DOC}/containers/a2/attach?stdin=1&stdout=1&stderr=1&stream=1")
    s("POST", f"{DOC}/containers/a2/start", status=204)
    s("POST", f"{DOC}/containers/a2/resize?h=10&w=20", status=200)
    sock.sendall(b"echo\r")
    data = b""
    while data.count(b"echo") < 2:
        data += sock.recv(100)
    sock.sendall(b"\x10\x11")
    equal(read_all(sock).strip(), b"", "after the detach keys")
    equal(t.status("a2"), "running", "state after detaching")


def test_attach_logs_first(t):
    s = Service(t)
    run(s, "a3", "sh", "-c", "echo before; sleep 0.7; echo after")
    t.wait_for_log("a3", "before")
    sock, _ = hijack(s, f"{POD}/containers/a3/attach?stdout=1&stderr=1&stream=1&logs=1")
    equal(frames(read_all(sock)), [(1, "before\n"), (1, "after\n")], "output")
    s.refuses(400, "POST", f"{POD}/containers/a3/attach", message="stream or logs")


def test_create_refusals(t):
    s = Service(t)
    new = f"{POD}/containers/create"
    s.refuses(404, "POST", new, {"image": "nope"}, message="No such image")
    s.refuses(400, "POST", new, {"name": "x"}, message="names no image")
    s.refuses(400, "POST", new, {"image": "busybox", "healthconfig": {"Test": ["x"]}},
              message='"healthconfig"')
    s.refuses(400, "POST", new, {"image": "busybox", "env": ["no", "object"]}, message='"env"')
    s.refuses(400, "POST", new, {"image": 7, "command": "x", "privileged": "yes"})
    s.refuses(400, "POST", f"{DOC}/containers/create", {"Image": "busybox", "Healthcheck": {
        "Test": ["CMD", "x"]}}, message='"Healthcheck"')
    s.refuses(400, "POST", new + "?bogus=1", {"image": "busybox"}, message='"bogus"')
    create(s, "n1", "true")
    s.refuses(409, "POST", new, {"image": "busybox", "name": "n1"},
              message="that name is already in use")
    equal(t.ids(), [s("GET", f"{POD}/containers/n1/json").json["Id"]], "containers")


def test_failing_command(t):
    s = Service(t)
    create(s, "x1", "/nope")
    a = s.refuses(409, "POST", f"{POD}/containers/x1/start")
    contains(a.json["cause"], "OCI runtime attempted to invoke a command that was not found",
             "cause")


def test_top_and_stats(t):
    s = Service(t)
    run(s, "s1", "sleep", "100")
    t.wait_for("the command", lambda: s("GET", f"{POD}/containers/s1/top").json["Processes"][0][-1]
               == "sleep 100")
    check("PID" in s("GET", f"{DOC}/containers/s1/top").json["Titles"], "titles")
    if not s.is_root():
        return  # no control groups to ask
    o = s("GET", f"{POD}/containers/stats?containers=s1&stream=false").json
    equal((o["Stats"][0]["Name"], o["Stats"][0]["PIDs"]), ("s1", 1), "stats")
    o = s("GET", f"{DOC}/containers/s1/stats?stream=0&one-shot=1").json
    equal((o["name"], o["pids_stats"]["current"]), ("/s1", 1), "stats for Docker")
    c = s.open("GET", f"{POD}/containers/stats?containers=s1&interval=1")
    r = c.getresponse()
    check(json.loads(r.readline())["Stats"], "first line")
    r.close()
    c.close()
    t.wait_for("end of the stream's process", lambda: not s.children())


def test_files(t):
    s = Service(t)
    run(s, "v1", "sleep", "100")
    c = f"{DOC}/containers/v1"
    a = s("HEAD", f"{c}/archive?path=/etc/motd")
    check(a.headers["X-Docker-Container-Path-Stat"], "stat")
    contains(s("GET", f"{c}/archive?path=/etc/motd").body.decode(), "hello\n", "tar")
    s.refuses(404, "GET", f"{c}/archive?path=/nope")
    s.refuses(400, "GET", f"{c}/archive", message="missing `path`")
    tar = t.path("x.tar")
    t.write("new", "from outside\n")
    t.run(["tar", "-C", t.dir, "-cf", tar, "new"])
    with open(tar, "rb") as f:
        s("PUT", f"{c}/archive?path=/tmp", f.read())
    equal(t.firn("exec", "v1", "cat", "/tmp/new").out, "from outside\n", "file")
    s.refuses(404, "PUT", f"{c}/archive?path=/nope", b"x" * 10)
    kinds = {e["Path"]: e["Kind"] for e in s("GET", f"{c}/changes").json}
    equal(kinds["/tmp/new"], 1, "kind")
    contains(s("GET", f"{POD}/containers/v1/export").body[:100000000].decode(errors="replace"),
             "etc/motd", "export")


def test_events_stream(t):
    s = Service(t)
    c = s.open("GET", f"{POD}/events?filters=" + json.dumps({"event": ["start"]}).replace(" ", ""))
    r = c.getresponse()
    time.sleep(0.2)
    cid = run(s, "e1", "true")
    e = json.loads(r.readline())
    equal((e["Action"], e["id"], e["Actor"]["Attributes"]["name"]), ("start", cid, "e1"), "event")
    r.close()
    c.close()
    s("POST", f"{POD}/containers/e1/wait")
    t.wait_for("cleanup", lambda: any(
        e["Action"] == "die" for e in s("GET", f"{DOC}/events?stream=false&since=1m&until=0s").lines))
    t.wait_for("end of the stream's process", lambda: not s.children())
