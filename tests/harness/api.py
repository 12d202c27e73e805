"""The service of a test, and a client that speaks to it as programs do."""

import http.client
import json
import os
import socket
import struct
import urllib.parse

from harness.case import Failed, check, contains, equal

POD, DOC = "/v4.3.1/libpod", "/v1.41"


class Unix(http.client.HTTPConnection):
    def __init__(self, path, timeout=30):
        super().__init__("d", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Answer:
    def __init__(self, request, response):
        self.request, self.status = request, response.status
        self.headers, self.body = response.headers, response.read()

    def __str__(self):
        return f"{self.request}: {self.status} {self.body[:1500]!r}"

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def lines(self):
        return [json.loads(line) for line in self.body.splitlines()]


class Service:
    """Started on a socket in the test's directory; ends with the test."""

    def __init__(self, t, *options):
        self.t, self.path = t, t.path("firn.sock")
        self.uri = "unix://" + self.path
        self.process = t.start("system", "service", *(options or ("-t", "0")), self.uri)
        t.wait_for("socket of the service", self.answers)

    def answers(self):
        try:
            return self("GET", "/_ping", status=None).status == 200
        except OSError:
            return False

    def open(self, method, target, body=None, headers=None):
        """Sends a request; returns its connection."""
        c = Unix(self.path)
        headers = dict(headers or {})
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json")
        c.request(method, target, body, headers)
        return c

    def __call__(self, method, target, body=None, status=200, headers=None, **query):
        """One request; the status must be `status` (None: any)."""
        if query:
            texts = {k: v if isinstance(v, str) else json.dumps(v) for k, v in query.items()}
            target += "?" + urllib.parse.urlencode(texts)
        c = self.open(method, target, body, headers)
        answer = Answer(f"{method} {target}", c.getresponse())
        c.close()
        if status is not None and answer.status != status:
            raise Failed(f"status is not {status}: {answer}")
        return answer

    def refuses(self, status, method, target, body=None, message=None, **options):
        """The request must fail with Podman's error body."""
        answer = self(method, target, body, status=status, **options)
        equal(answer.json["response"], status, f"response in {answer}")
        if message is not None and message not in answer.json["message"]:
            raise Failed(f"message lacks {message!r}: {answer}")
        return answer

    def is_root(self):
        """Ordinary users have no control groups: no pause, no statistics."""
        return not self("GET", "/libpod/info").json["host"]["security"]["rootless"]

    def memory(self):
        """Resident KiB."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as f:
            return int(next(line for line in f if line.startswith("VmRSS")).split()[1])

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def children(self):
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as f:
            return f.read().split()


def frames(data):
    """Splits Docker's framing: [(stream, text)]."""
    found = []
    while data:
        stream, size = struct.unpack(">B3xI", data[:8])
        check(len(data) >= 8 + size, f"half a frame at the end: {data!r}")
        found.append((stream, data[8:8 + size].decode()))
        data = data[8 + size:]
    return found


def create(s, name, *command, **more):
    return s("POST", f"{POD}/containers/create", status=201,
             body={"name": name, "image": "busybox", "command": list(command), **more}).json["Id"]


def run(s, name, *command, **more):
    cid = create(s, name, *command, **more)
    s("POST", f"{POD}/containers/{cid}/start", status=204)
    return cid


def hijack(s, target, body=None, upgrade=True):
    """Sends a request and takes the connection over; returns the socket and what came behind the
    head of the answer."""
    headers = {"Connection": "Upgrade", "Upgrade": "tcp"} if upgrade else {}
    c = s.open("POST", target, body, headers)
    data = b""
    while b"\r\n\r\n" not in data:
        part = c.sock.recv(1)
        check(part, f"no whole head: {data!r}")
        data += part
    head = data.decode()
    check(head.startswith("HTTP/1.1 101 " if upgrade else "HTTP/1.1 200 "), head)
    contains(head.lower(), "content-type: application/vnd.docker.raw-stream", "head")
    return c.sock, head


def read_all(sock):
    data = b""
    while part := sock.recv(65536):
        data += part
    return data
