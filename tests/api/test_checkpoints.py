"""Checkpoint and restore over the socket: local, as a download and an upload, Docker's named ones."""

import subprocess

from harness.api import DOC, POD, Service
from harness.case import Skip, check, contains, equal
from harness.network import need_bridges


def test_local(t):
    s = Service(t)
    cid = t.looper()
    o = s("POST", f"{POD}/containers/looper/checkpoint?printstats=true&leaverunning=false").json
    equal((o["Id"], t.status("looper")), (cid, "exited"), "checkpoint")
    check(o["criu_statistics"]["pages_written"] > 0 and o["runtime_checkpoint_duration"] > 0, o)
    last = t.count("looper")
    o = s("POST", f"{POD}/containers/looper/restore?printstats=1").json
    equal(o["Id"], cid, "id")
    check(o["criu_statistics"]["pages_restored"] > 0, o)
    t.counts_on("looper", last)
    s.refuses(409, "POST", f"{POD}/containers/looper/restore", message="running")


def test_export_and_import(t):
    s = Service(t)
    cid = t.looper()
    a = s("POST", f"{POD}/containers/looper/checkpoint?export=true&leaverunning=true")
    equal(t.status("looper"), "running", "state")
    archive = t.write("c.tar", a.body)
    contains(t.run(["tar", "tf", archive]).out, "config.dump", "archive")
    o = s("POST", f"{POD}/containers/import/restore?import=true&name=second&importarchive=/x",
          a.body).json
    check(o["Id"] != cid, "an id of its own")
    equal(s("GET", f"{POD}/containers/second/json").json["Id"], o["Id"], "id")
    t.counts_on("second", t.count("second"))
    for program in ("gzip", "zstd"):
        packed = subprocess.run([program, "-c", archive], stdout=subprocess.PIPE, check=True).stdout
        s("POST", f"{POD}/containers/import/restore?import=true&name={program}", packed)
        t.counts_on(program, t.count(program))


def test_published_ports_can_be_others(t):
    if t.rootless:
        raise Skip("bridges are root's")
    need_bridges(t)
    s = Service(t)
    t.looper("looper", "-p", "127.0.0.1:18087:80")
    s("POST", f"{POD}/containers/looper/checkpoint")
    s("POST", f"{POD}/containers/looper/restore?publishPorts=127.0.0.1:18088:80&"
      "publishPorts=127.0.0.1:18089:81")
    equal(t.firn("port", "looper").lines,
          ["80/tcp -> 127.0.0.1:18088", "81/tcp -> 127.0.0.1:18089"])
    t.counts_on("looper", t.count("looper"))


def test_export_refused_leaves_it_running(t):
    s = Service(t)
    t.firn("create", "--name", "idle", "busybox", "true")
    s.refuses(409, "POST", f"{POD}/containers/idle/checkpoint?export=true",
              message="cannot checkpoint")
    s.refuses(404, "POST", f"{POD}/containers/nope/checkpoint?export=true")
    s.refuses(400, "POST", f"{POD}/containers/idle/checkpoint?bogus=1", message='"bogus"')
    s.refuses(400, "POST", f"{POD}/containers/idle/checkpoint?keep=zzz")


def test_broken_uploads_leave_nothing(t):
    s = Service(t)
    t.looper()
    body = s("POST", f"{POD}/containers/looper/checkpoint?export=true").body
    t.firn("rm", "looper")
    target = f"{POD}/containers/import/restore?import=true"
    for bad in (b"", b"no archive", body[:len(body) // 2], body[:512]):
        answer = s("POST", target, bad, status=None)
        check(answer.status in (400, 500), answer)
        check(answer.json["message"], answer)
    c = s.open("GET", "/_ping")  # one that goes away in the middle
    c.getresponse().read()
    c.putrequest("POST", target)
    c.putheader("Content-Length", str(len(body)))
    c.endheaders()
    c.send(body[:len(body) // 2])
    c.close()
    t.wait_for("end of the work", lambda: not s.children())
    equal(t.ids(), [], "containers")
    s("POST", target, body)
    t.counts_on("looper", t.count("looper"))


def test_client_leaves_during_download(t):
    """The container goes on as if nothing had happened."""
    s = Service(t)
    t.firn("run", "-d", "--name", "big", "busybox", "sh", "-c",
           "head -c 40000000 /dev/urandom >/dev/shm/x; i=0; while true; do echo $i; "
           "i=$(expr $i + 1); sleep 0.05; done")
    t.wait_for_log("big", "3")
    c = s.open("POST", f"{POD}/containers/big/checkpoint?export=true")
    c.getresponse().read(1000)
    c.sock.close()
    c.close()
    t.wait_for("end of the work", lambda: not s.children())
    equal(t.status("big"), "running", "state")
    t.counts_on("big", t.count("big"))


def test_killed_service_during_upload(t):
    s = Service(t)
    t.looper()
    body = s("POST", f"{POD}/containers/looper/checkpoint?export=true").body
    t.firn("rm", "looper")
    c = s.open("GET", "/_ping")
    c.getresponse().read()
    c.putrequest("POST", f"{POD}/containers/import/restore?import=true")
    c.putheader("Content-Length", str(len(body)))
    c.endheaders()
    c.send(body[:len(body) // 2])
    t.wait_for("the work", s.children)
    s.process.kill()
    s.process.wait()
    c.close()
    t.wait_for("nothing left", lambda: t.ids() == [])


def test_docker_named(t):
    s = Service(t)
    t.looper()
    c = f"{DOC}/containers/looper"
    s("POST", f"{c}/checkpoints", {"CheckpointID": "one", "CheckpointDir": "", "Exit": False},
      status=201)
    equal(t.status("looper"), "running", "state")
    first = t.count("looper")
    t.counts_on("looper", first + 5)
    s("POST", f"{c}/checkpoints", {"CheckpointID": "two", "Exit": True}, status=201)
    equal(t.status("looper"), "exited", "state")
    names = {e["Name"] for e in s("GET", f"{c}/checkpoints").json}
    equal(names, {"one", "two"}, "names")
    s("POST", f"{c}/start?checkpoint=two", status=204)
    t.counts_on("looper", t.count("looper"))
    s.refuses(409, "POST", f"{c}/checkpoints", {"CheckpointID": "two"}, message="already exists")
    for bad in ("", "../x", "a/b", ".x"):
        s.refuses(400, "POST", f"{c}/checkpoints", {"CheckpointID": bad})
    s.refuses(404, "POST", f"{c}/start?checkpoint=none", message="does not exist")
    s("DELETE", f"{c}/checkpoints/one", status=204)
    s.refuses(404, "DELETE", f"{c}/checkpoints/one")
    equal([e["Name"] for e in s("GET", f"{c}/checkpoints").json], ["two"], "names")


def test_docker_directory(t):
    s = Service(t)
    t.looper()
    c = f"{DOC}/containers/looper"
    s("POST", f"{c}/checkpoints", {"CheckpointID": "cp", "CheckpointDir": t.path("cps"),
                                   "Exit": True}, status=201)
    equal(s("GET", f"{c}/checkpoints?dir={t.path('cps')}").json, [{"Name": "cp"}], "list")
    equal(s("GET", f"{c}/checkpoints").json, [], "list of its own")
    s("POST", f"{c}/start?checkpoint=cp&checkpoint-dir={t.path('cps')}", status=204)
    t.counts_on("looper", t.count("looper"))
