"""The service of a test, and a client that speaks to it as programs do."""

import http.client
import json
import os
import socket
import urllib.parse

from harness.case import Failed, equal


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
