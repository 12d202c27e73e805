"""`firn system service`: the socket itself, what every request has in common."""

import os
import socket
import subprocess
import time

from harness.api import Service
from harness.case import check, contains, equal


def test_ping_and_version(t):
    s = Service(t)
    for path in ("/_ping", "/libpod/_ping", "/v4.3.1/libpod/_ping", "/v1.41/_ping", "/v9.9/_ping"):
        a = s("GET", path)
        equal(a.body, b"OK", path)
        equal(a.headers["Libpod-API-Version"], "4.3.1", "libpod version")
        equal(a.headers["Api-Version"], "1.41", "docker version")
        equal(a.headers["Docker-Experimental"], "true", "experimental")
    equal(s("HEAD", "/_ping").body, b"", "body of HEAD")
    v = s("GET", "/v4.3.1/libpod/version").json
    equal(v["Components"][0]["Details"]["MinAPIVersion"], "4.0.0", "least version")
    equal(s("GET", "/v1.24/version").json["MinAPIVersion"], "1.24", "least Docker version")
    equal(v["Version"], t.firn("version", "--format", "{{.Client.Version}}").out.strip(), "version")


def test_info(t):
    s = Service(t)
    i = s("GET", "/libpod/info").json
    equal(i["store"]["graphRoot"], t.root, "root")
    equal(i["host"]["serviceIsRemote"], True, "remote")
    d = s("GET", "/v1.41/info").json
    equal(d["DockerRootDir"], t.root, "root for Docker")
    equal(d["Images"], i["store"]["imageStore"]["number"], "images")


def test_curl(t):
    s = Service(t)
    r = t.run(["curl", "-s", "--unix-socket", s.path, "http://d/_ping"])
    equal((r.rc, r.out), (0, "OK"), "curl")


def test_unknown_routes(t):
    s = Service(t)
    a = s("GET", "/v4.3.1/libpod/bogus", status=404)
    equal((a.headers["Content-Type"].split(";")[0], a.body), ("text/plain", b"Not Found\n"), "404")
    equal(s("POST", "/_ping", status=405).body, b"Method Not Allowed\n", "405")
    s.refuses(400, "GET", "/libpod/%zz")


def test_ends_when_idle(t):
    s = Service(t, "-t", "1")
    equal(s.process.wait(10), 0, "exit code")
    check(not os.path.exists(s.path), "the socket is still there")


def test_ends_on_signals_with_connections_open(t):
    s = Service(t)
    c = s.open("GET", "/_ping")
    c.getresponse().read()
    s.process.terminate()
    equal(s.process.wait(10), 0, "exit code")
    check(not os.path.exists(s.path), "the socket is still there")
    c.close()


def test_one_socket_one_service(t):
    s = Service(t)
    t.fails("system", "service", "-t", "1", s.uri, err="a service does so already")
    s.process.kill()
    s.process.wait()
    check(os.path.exists(s.path), "kill -9 leaves the socket")
    Service(t)("GET", "/_ping")


def test_bad_addresses(t):
    t.fails("system", "service", "-t", "1", "http://x", err="is no address to listen on")
    t.fails("system", "service", "-t", "1", "unix://" + "/x" * 100, err="too long")
    file = t.write("file", "x")
    t.fails("system", "service", "-t", "1", "unix://" + file, err="is no socket")
    t.fails("system", "service", "-t", "-1", err="0 or more seconds")


def test_tcp_only_with_a_warning(t):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    p = t.start("system", "service", "-t", "1", f"tcp://127.0.0.1:{port}",
                stderr=subprocess.PIPE, text=True)
    r = t.run(["curl", "-s", "--retry", "20", "--retry-connrefused", "--retry-delay", "1",
               f"http://127.0.0.1:{port}/_ping"])
    equal(r.out, "OK", "answer")
    contains(p.stderr.read(), "Warning: everybody who can reach", "stderr")


def test_socket_activation(t):
    """What systemd does: descriptor 3, LISTEN_FDS and LISTEN_PID."""
    path = t.path("handed.sock")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        code = ("import os,sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
                "os.environ.update(LISTEN_FDS='1', LISTEN_PID=str(os.getpid()));"
                "os.execv(sys.argv[2], sys.argv[2:])")
        argv = ["python3", "-c", code, str(listening.fileno()),
                *t.argv("system", "service", "-t", "2")]
        p = subprocess.Popen(argv, env=t.environment, pass_fds=[listening.fileno()])
        t.started.append(p)
    r = t.run(["curl", "-s", "--unix-socket", path, "http://d/_ping"])
    equal(r.out, "OK", "answer")
    equal(p.wait(10), 0, "exit code")


def test_small_and_quick(t):
    s = Service(t)
    c = s.open("GET", "/_ping")
    c.getresponse().read()
    started = time.monotonic()
    for _ in range(500):
        c.request("GET", "/_ping")
        c.getresponse().read()
    each = (time.monotonic() - started) / 500
    c.close()
    check(each < 0.005, f"a ping takes {each * 1e6:.0f} us")
    sanitized = "ASAN_OPTIONS" in t.environment
    check(sanitized or s.memory() < 8192, f"the service takes {s.memory()} KiB")
