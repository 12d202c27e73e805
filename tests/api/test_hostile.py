"""Bad input, slow and vanishing clients, many at once: the service answers properly and stays."""

import json
import socket
import threading

from harness.api import DOC, POD, Service, run
from harness.case import check, contains, equal


def raw(s, data, timeout=10):
    """Sends bytes as they are and returns all that comes back."""
    with socket.socket(socket.AF_UNIX) as c:
        c.settimeout(timeout)
        c.connect(s.path)
        answer = b""
        try:
            c.sendall(data)
            c.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has heard enough
        try:
            while part := c.recv(65536):
                answer += part
        except OSError:
            pass  # it waits for the rest of a request, or has heard enough
        return answer


def status(answer):
    return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else None


def is_well(t, s):
    s("GET", "/_ping")
    t.wait_for("end of all work", lambda: not s.children())


def test_broken_bodies(t):
    s = Service(t)
    for body in (b"{", b"[]", b'"x"', b"\0", b'{"a":1,"a":2}', b"{} x", b"\xff\xfe", b"[" * 100000):
        s.refuses(400, "POST", f"{POD}/containers/create", body)
        s.refuses(400, "POST", f"{DOC}/containers/create", body)
    for body in ({"image": []}, {"image": "busybox", "command": {"a": 1}},
                 {"image": "busybox", "mounts": [7]}, {"image": "busybox", "mounts": "x"},
                 {"image": "busybox", "netns": "host"}, {"image": "busybox", "portmappings": [{}]},
                 {"image": "busybox", "r_limits": [{"type": 1}]},
                 {"image": "busybox", "stop_timeout": "soon"},
                 {"image": "busybox", "resource_limits": {"memory": {"limit": {}, "swap": [1]}}}):
        s.refuses(400, "POST", f"{POD}/containers/create", body)
    equal(t.ids(), [], "containers")
    is_well(t, s)


def test_giants(t):
    s = Service(t)
    big = b'{"image":"' + b"x" * (5 << 20) + b'"}'
    s.refuses(413, "POST", f"{POD}/containers/create", big)
    a = raw(s, b"POST /libpod/containers/create HTTP/1.1\r\nHost: d\r\n"
            b"Content-Length: 99999999999\r\n\r\n" + big)
    equal((status(a), json.loads(a.split(b"\r\n\r\n", 1)[1])["response"]), (413, 413), "absurd")
    chunks = b"".join(b"100000\r\n" + b"x" * 0x100000 + b"\r\n" for _ in range(6)) + b"0\r\n\r\n"
    a = raw(s, b"POST /libpod/containers/create HTTP/1.1\r\nHost: d\r\n"
            b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + chunks)
    equal(status(a), 413, "status of a giant chunked body")
    a = raw(s, b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"y" * 500000 + b"\r\n\r\n")
    check(status(a) in (400, 413, 431, None), a[:200])
    a = raw(s, b"GET /" + b"a" * 500000 + b" HTTP/1.1\r\nHost: d\r\n\r\n")
    check(status(a) in (400, 404, 413, 414, 431, None), a[:200])
    is_well(t, s)
    check("ASAN_OPTIONS" in t.environment or s.memory() < 20000, f"{s.memory()} KiB")


def test_names_that_lead_elsewhere(t):
    s = Service(t)
    for name in ("..", "%2e%2e", "..%2F..%2Fetc%2Fpasswd", "%2Fetc%2Fpasswd", "a%0Ab", "x" * 5000,
                 "%F0%9F%98%80", "'%20OR%201=1", "*", "%25s%25n"):
        for target in (f"{POD}/containers/{name}/json", f"{POD}/images/{name}/json",
                       f"{POD}/volumes/{name}/json", f"{POD}/networks/{name}/json",
                       f"{POD}/exec/{name}/json"):
            a = s("GET", target, status=None)
            check(a.status in (400, 404), a)
            check(a.json["message"], a)
    for target in ("/libpod/containers/%/json", "/libpod/containers/%4/json",
                   "/libpod/containers/%00/json", "/containers/x%zz/json"):
        s.refuses(400, "GET", target)
    s.refuses(400, "POST", f"{POD}/volumes/create", {"Name": "../../x"})
    s.refuses(400, "POST", f"{POD}/containers/create", {"image": "busybox", "name": "../x"})
    is_well(t, s)


def test_bad_queries(t):
    s = Service(t)
    for query in ("all=maybe", "limit=x", "filters=[]", "filters=%7B%22name%22:7%7D", "all=%zz"):
        s.refuses(400, "GET", f"{POD}/containers/json?{query}")
    s.refuses(400, "DELETE", f"{POD}/containers/x?bogus=1", message='"bogus"')
    s.refuses(400, "POST", f"{POD}/containers/x/kill?signal=NOPE", message="invalid signal")
    s.refuses(404, "DELETE", f"{POD}/containers/x?force=&FORCE=true")
    s.refuses(501, "POST", f"{DOC}/build", message="does not support")
    is_well(t, s)


def test_garbage_on_the_socket(t):
    s = Service(t)
    for data in (b"", b"\r\n\r\n", b"\0" * 1000, b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
                 b"GET /_ping HTTP/1.1\r\n\r\n", b"POST /libpod/containers/create HTTP/1.1\r\nHost: d"
                 b"\r\nContent-Length: -1\r\n\r\n", b"POST /libpod/images/load HTTP/1.1\r\nHost: d\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\nzz\r\n", b"\x16\x03\x01\x02\x00\x01\x00"):
        a = raw(s, data, 0.3)
        check(status(a) in (None, 200, 400, 404, 500, 505), a[:300])
    a = raw(s, b"GET /_ping HTTP/1.0\r\n\r\n")
    equal((status(a), a[-2:]), (200, b"OK"), "HTTP/1.0")
    two = raw(s, b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n" * 2)
    equal(two.count(b"HTTP/1.1 200"), 2, "answers to two requests sent at once")
    is_well(t, s)


def test_slow_clients_keep_nobody_waiting(t):
    s = Service(t)
    slow = []
    for data in (b"", b"GET /_pi", b"POST /libpod/containers/create HTTP/1.1\r\nHost: d\r\n"
                 b"Content-Length: 100\r\n\r\n{", b"POST /libpod/images/load HTTP/1.1\r\nHost: d\r\n"
                 b"Content-Length: 1000\r\n\r\nxx"):
        c = socket.socket(socket.AF_UNIX)
        c.connect(s.path)
        c.sendall(data)
        slow.append(c)
    for _ in range(3):
        s("GET", f"{POD}/containers/json")
    for c in slow:
        c.close()
    is_well(t, s)


def test_clients_that_leave(t):
    s = Service(t)
    run(s, "x", "sleep", "100")
    before = s.descriptors()
    for target in ("/_ping", f"{POD}/containers/json?all=1", f"{POD}/info",
                   f"{POD}/images/export?references=guests", f"{POD}/containers/x/wait",
                   f"{POD}/events", f"{POD}/containers/x/export"):
        method = "POST" if "wait" in target else "GET"
        for _ in range(3):
            c = s.open(method, target)
            c.close()
    s.process.poll()
    is_well(t, s)
    t.wait_for("descriptors given back", lambda: s.descriptors() <= before)


def test_many_at_once(t):
    s = Service(t)
    run(s, "x", "sleep", "100")
    s("GET", f"{POD}/containers/json")
    memory, descriptors, failures = s.memory(), s.descriptors(), []

    def work():
        c = s.open("GET", "/_ping")
        c.getresponse().read()
        for i in range(40):
            target = f"{POD}/containers/json" if i % 2 else "/_ping"
            c.request("GET", target)
            r = c.getresponse()
            body = r.read()
            if r.status != 200 or (i % 2 and len(json.loads(body)) != 1):
                failures.append((r.status, body))
        c.close()

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(failures, [], "failures")
    is_well(t, s)
    t.wait_for("descriptors given back", lambda: s.descriptors() <= descriptors)
    check("ASAN_OPTIONS" in t.environment or s.memory() < memory + 3000,
          f"from {memory} to {s.memory()} KiB")


def test_upload_nobody_reads(t):
    """Work that fails early: the rest of the upload is thrown away and the error told."""
    s = Service(t)
    a = s("POST", f"{POD}/images/load", b"no archive" * 1000000, status=None)
    check(a.status in (400, 500), a)
    contains(json.dumps(a.json), "message", "error")
    is_well(t, s)
