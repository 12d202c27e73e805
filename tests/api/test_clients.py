"""The clients people have, unmodified: podman --remote, docker, python3-docker."""

import importlib.util
import os
import shutil
import socket
import subprocess
import sys
import time

from harness.api import Service
from harness.case import LOOP, Skip, check, contains, equal, needs_root
from harness.network import need_bridges


class Client:
    """A command line client, pointed at the service."""

    def __init__(self, t, service, *argv):
        if not shutil.which(argv[0]):
            raise Skip(f"there is no {argv[0]} here")
        self.service = service
        self.t, self.argv = t, [a.replace("URI", service.uri) for a in argv]
        self.env = {"HOME": t.dir, "XDG_CONFIG_HOME": t.dir}

    def __call__(self, *args, rc=0, stdin=None, timeout=30):
        r = self.t.run([*self.argv, *args], env=self.env, stdin=stdin, timeout=timeout)
        check(r.rc == rc, f"exit code is not {rc}:\n{r}")
        return r

    def on_terminal(self, *args, rc=0):
        """Through a pseudo terminal."""
        command = " ".join([*self.argv, *args])
        r = self.t.run(["script", "-qec", command, "/dev/null"], env=self.env, timeout=30)
        check(r.rc == rc, f"exit code is not {rc}:\n{r}")
        return r


def podman(t):
    return Client(t, Service(t), "podman", "--remote", "--url", "URI")


def docker(t):
    return Client(t, Service(t), "docker", "-H", "URI")


def follow(client, name):
    """`logs -f`: returns what comes in two seconds."""
    p = subprocess.Popen([*client.argv, "logs", "-f", name], stdout=subprocess.PIPE, text=True,
                         env={**client.t.environment, **client.env})
    client.t.started.append(p)
    time.sleep(1)
    p.terminate()
    return p.stdout.read().split()


@needs_root("podman's client refuses checkpoints to ordinary users by itself")
def test_podman_tutorial(t):
    p = podman(t)
    cid = p("run", "-d", "--name", "looper", "busybox", "sh", "-c", LOOP % "0.05").out.strip()
    contains(p("ps").out, "looper", "ps")
    t.counts_on("looper", 3)
    equal(p("logs", "--tail", "1", "looper").rc, 0, "logs")
    equal(p("container", "checkpoint", "looper").out.strip(), "looper", "checkpoint")
    contains(p("ps", "-a").out, "Exited (0)", "ps")
    last = t.count("looper")
    equal(p("container", "restore", "looper").out.strip(), "looper", "restore")
    t.counts_on("looper", last)
    p("container", "checkpoint", "-e", t.path("c.tar"), "looper")
    last = t.count("looper")
    p("rm", "looper")
    equal(p("container", "restore", "-i", t.path("c.tar")).out.strip(), cid, "id")
    p("container", "restore", "-i", t.path("c.tar"), "-n", "clone")
    t.counts_on("looper", last)
    t.counts_on("clone", last)
    equal(p("exec", "looper", "sh", "-c", "echo in; exit 7", rc=7).out, "in\n", "exec")
    check(len(follow(p, "clone")) > last, "lines")
    p("kill", "clone")
    p("stop", "-t", "0", "looper")
    p("rm", "looper", "clone")
    equal(p("ps", "-aq").out, "", "containers")


def test_podman_foreground(t):
    p = podman(t)
    r = p("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3", rc=3)
    equal((r.out, r.err), ("out\n", "err\n"), "output")
    equal(p("run", "--rm", "-i", "busybox", "cat", stdin=b"data\n").out, "data\n", "input")
    p("run", "--rm", "busybox", "nope", rc=127)
    contains(p.on_terminal("run", "--rm", "-it", "busybox", "tty").out, "/dev/", "terminal")
    t.wait_for("no container", lambda: p("ps", "-aq").out == "")


def test_podman_tools(t):
    p = podman(t)
    p("volume", "create", "vv")
    p("run", "-d", "--name", "x", "-v", "vv:/v", "-e", "A=b", "-w", "/tmp", "busybox", "sleep",
      "100")
    equal(p("exec", "x", "sh", "-c", "echo $A; pwd").out, "b\n/tmp\n", "exec")
    t.write("f", "copied\n")
    p("cp", t.path("f"), "x:/tmp/")
    equal(p("exec", "x", "cat", "/tmp/f").out, "copied\n", "cp to")
    p("cp", "x:/etc/motd", t.path("motd"))
    contains(p("diff", "x").out, "A /tmp/f", "diff")
    contains(p("top", "x").out, "sleep 100", "top")
    contains(p("volume", "ls").out, "vv", "volumes")
    contains(p("images").out, "busybox", "images")
    p("image", "exists", "busybox")
    p("tag", "busybox", "other:1")
    contains(p("image", "inspect", "other:1").out, '"localhost/other:1"', "names")
    p("save", "-o", t.path("o.tar"), "other:1")
    p("untag", "other:1", "localhost/other:1")
    contains(p("load", "-i", t.path("o.tar")).out, "localhost/other:1", "load")
    p("rmi", "other:1")
    equal(p("inspect", "-f", "{{.State.Status}}", "x").out.strip(), "running", "inspect")
    contains(p("events", "--stream=false", "--since", "1m").out, "container start", "events")
    contains(p("info").out, "serviceIsRemote: true", "info")
    contains(p("system", "df").out, "Local Volumes", "df")
    p("rename", "x", "y")
    if p.service.is_root():
        p("pause", "y")
        p("unpause", "y")
    p("rm", "-f", "-t", "0", "y")
    p("volume", "rm", "vv")
    contains(p("inspect", "gone", rc=125).err, "no such", "error")


def test_docker_run(t):
    d = docker(t)
    d("run", "-d", "--name", "looper", "busybox", "sh", "-c", LOOP % "0.05")
    contains(d("ps").out, "looper", "ps")
    t.counts_on("looper", 3)
    check(len(follow(d, "looper")) > 3, "lines")
    r = d("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 3", rc=3)
    equal((r.out, r.err), ("out\n", "err\n"), "output")
    equal(d("run", "--rm", "-i", "busybox", "cat", stdin=b"data\n").out, "data\n", "input")
    equal(d("exec", "looper", "sh", "-c", "echo in; exit 7", rc=7).out, "in\n", "exec")
    equal(d("exec", "-i", "looper", "cat", stdin=b"abc").out, "abc", "input of exec")
    contains(d.on_terminal("exec", "-it", "looper", "tty").out, "/dev/pts", "terminal")
    contains(d("inspect", "looper").out, '"Status": "running"', "inspect")
    contains(d("stop", "-t", "0", "looper").out, "looper", "stop")
    contains(d("start", "looper").out, "looper", "start")
    d("kill", "looper")
    equal(d("wait", "looper").out.strip(), "137", "wait")
    d("rm", "looper")
    contains(d("run", "busybox", "/nope", rc=127).err, "not found", "error")
    contains(d("run", "-d", "busybox", "/nope", rc=127).err, "not found", "error")
    d("container", "prune", "-f")


def test_docker_attach(t):
    d = docker(t)
    d("run", "-d", "--name", "a", "-i", "busybox", "sh", "-c", "read x; echo got $x; exit 4")
    equal(d("attach", "a", stdin=b"word\n", rc=4).out, "got word\n", "attach")
    d("rm", "a")


def test_docker_checkpoints(t):
    d = docker(t)
    d("run", "-d", "--name", "looper", "busybox", "sh", "-c", LOOP % "0.05")
    t.counts_on("looper", 3)
    equal(d("checkpoint", "create", "--leave-running", "looper", "cp1").out, "cp1\n", "create")
    t.counts_on("looper", t.count("looper"))
    d("checkpoint", "create", "looper", "cp2")
    equal(t.status("looper"), "exited", "state")
    equal(sorted(d("checkpoint", "ls", "looper").lines[1:]), ["cp1", "cp2"], "list")
    last = t.count("looper")
    d("start", "--checkpoint", "cp2", "looper")
    t.counts_on("looper", last)
    d("checkpoint", "rm", "looper", "cp1")
    equal(d("checkpoint", "ls", "looper").lines[1:], ["cp2"], "list")


def test_docker_tools(t):
    d = docker(t)
    d("run", "-d", "--name", "x", "-e", "A=b", "busybox", "sleep", "100")
    t.write("f", "copied\n")
    d("cp", t.path("f"), "x:/tmp/")
    equal(d("exec", "x", "cat", "/tmp/f").out, "copied\n", "cp to")
    d("cp", "x:/etc/motd", t.path("motd"))
    with open(t.path("motd"), encoding="utf-8") as f:
        equal(f.read(), "hello\n", "cp from")
    contains(d("diff", "x").out, "A /tmp/f", "diff")
    contains(d("top", "x").out, "sleep 100", "top")
    d("commit", "x", "im:1")
    contains(d("images").out, "im", "images")
    d("rmi", "im:1")
    d("volume", "create", "vv")
    contains(d("volume", "ls").out, "vv", "volumes")
    d("volume", "rm", "vv")
    contains(d("network", "ls").out, "podman", "networks")
    contains(d("system", "df").out, "Local Volumes", "df")
    contains(d("info").out, "Storage Driver: overlay", "info")
    contains(d("version").out, "Experimental:     true", "version")
    since = d("events", "--since", "1m", "--until", str(int(time.time()) + 1)).out
    contains(since, "container start", "events")
    d("rm", "-f", "x")


PYTHON = """
import docker, io, sys, tarfile
c = docker.DockerClient(base_url=sys.argv[1], version="1.41", timeout=30)
assert c.ping()
assert c.version()["ApiVersion"] == "1.41"
out = c.containers.run("busybox", ["sh", "-c", "echo hello; exit 0"], remove=True)
assert out == b"hello\\n", out
try:
    c.containers.run("busybox", ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    raise SystemExit("no error")
except docker.errors.ContainerError as e:
    assert e.exit_status == 3 and b"bad" in e.stderr, e
x = c.containers.run("busybox", "sleep 100", name="x", detach=True, environment={"A": "b"},
                     labels={"k": "v"})
x.reload()
assert x.status == "running" and x.labels == {"k": "v"}, x.attrs
code, out = x.exec_run(["sh", "-c", "echo $A; exit 5"])
assert (code, out) == (5, b"b\\n"), (code, out)
code, out = x.exec_run(["sh", "-c", "echo o; echo e >&2"], demux=True)
assert out == (b"o\\n", b"e\\n"), out
bits, stat = x.get_archive("/etc/motd")
tar = tarfile.open(fileobj=io.BytesIO(b"".join(bits)))
assert tar.extractfile("motd").read() == b"hello\\n" and stat["size"] == 6
assert [i for i in c.images.list() if "localhost/busybox:latest" in i.tags]
assert x.top()["Processes"]
v = c.volumes.create("vv")
assert v in c.volumes.list()
v.remove()
assert [n.name for n in c.networks.list()]
if sys.argv[2] == "root":
    x.pause(); x.unpause()
x.kill()
assert x.wait()["StatusCode"] == 137
assert [l for l in x.logs(stream=True)] == []
x.remove()
try:
    c.containers.get("x")
    raise SystemExit("still there")
except docker.errors.NotFound:
    pass
print("done")
"""


def test_python_docker(t):
    python = "/usr/bin/python3" if importlib.util.find_spec("docker") is None else sys.executable
    if t.run([python, "-c", "import docker"]).rc:
        raise Skip("there is no python3-docker here")
    s = Service(t)
    r = t.run([python, "-c", PYTHON, s.uri, "root" if s.is_root() else "user"], env={"HOME": t.dir})
    equal((r.rc, r.out), (0, "done\n"), f"{r}")


COMPOSE = """
version: "2.4"
services:
  db:
    image: localhost/busybox
    command: ["sh", "-c", "echo db up >/data/log; httpd -f -p 7000 -h /data"]
    volumes: ["data:/data"]
  web:
    image: localhost/busybox
    command: ["sh", "-c", "echo web up; sleep 1000"]
    environment: {A: b}
    depends_on: [db]
    ports: ["127.0.0.1:%d:80"]
volumes:
  data:
networks:
  default:
    ipam:
      config: [{subnet: "10.%d.%d.0/24"}]
"""


@needs_root("bridges need root")
def test_compose(t):
    """docker-compose 1.29: a network, a volume, two services that find each other by name."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    need_bridges(t)
    # A subnet that no other store on this host is likely to have.
    t.write("docker-compose.yml", COMPOSE % (port, 130 + os.getpid() % 60, port % 250))
    project = "p" + os.path.basename(t.dir).lower().replace("_", "").replace(".", "")
    c = Client(t, Service(t), "docker-compose", "-H", "URI", "-p", project, "-f",
               t.path("docker-compose.yml"), "--no-ansi")
    try:
        c("up", "-d", timeout=60)
        # A static program cannot look names up by itself.
        ask = ("until wget -qO- http://$(nslookup db | sed -n 's/^Address: \\([0-9.]*\\)$/\\1/p')"
               ":7000/log; do sleep 0.1; done 2>/dev/null; echo $A")
        equal(c("exec", "-T", "web", "sh", "-c", ask).out, "db up\nb\n", "answer of db")
        contains(t.firn("ps").out, f"127.0.0.1:{port}->80/tcp", "ports")
    finally:
        c("down", "-v", "-t", "0", timeout=60)
    equal((t.ids(), t.firn("volume", "ls", "-q").out), ([], ""), "what is left")
