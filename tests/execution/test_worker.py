"""What a worker can ask, and the example workers through kills and reboots."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

from harness.case import Skip, check, contains, equal
from harness.executions import Executions, in_order

SLEEP = "sleep 1000"


def ask(t, execution, method, path, body=b"", raw=None):
    """As the worker would, on its socket seen from outside; (status, answer)."""
    if isinstance(body, dict):
        body = json.dumps(body).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: firn\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        directory = os.open(f"{t.runroot}/executions/{execution}/api", os.O_PATH)
        try:
            s.connect(f"/proc/self/fd/{directory}/api.sock")
        finally:
            os.close(directory)
        s.sendall(raw if raw is not None else head.encode() + body)
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    if not data:
        return 0, None
    header, _, rest = data.partition(b"\r\n\r\n")
    return int(header.split()[1]), json.loads(rest)


def test_tokens_are_answered_once_on_each_side(t):
    x = Executions(t)
    e = x.shell(SLEEP)
    first = {"side": "before", "sequence": 1, "restores": 0}
    equal(ask(t, e, "POST", "/checkpoint", {"token": "a"}), (200, first))
    equal(ask(t, e, "POST", "/checkpoint", {"token": "a"}), (200, first))
    os.kill(x.init(e), signal.SIGKILL)
    t.wait_for("a restore", lambda: x.inspect(e)["Restores"] == 1)
    after = {"side": "after", "sequence": 1, "restores": 1}
    equal(ask(t, e, "POST", "/checkpoint", {"token": "a"}), (200, after))
    status, answer = ask(t, e, "POST", "/checkpoint", {"token": "b"})
    equal((status, answer["side"], answer["sequence"]), (200, "before", 2))


def test_a_lock_keeps_checkpoints_away(t):
    x = Executions(t)
    e = x.shell(SLEEP, "--grace", "300ms")
    equal(ask(t, e, "POST", "/lock", {"holder": "h"}), (200, {"locks": ["h"]}))
    equal(ask(t, e, "POST", "/lock", {"holder": "h"}), (200, {"locks": ["h"]}))
    t.fails("execution", "checkpoint", "-R", e, err="did not release its locks [\"h\"]")
    x.kill_supervisors()
    t.wait_for("the end of the supervisor", lambda: not x.supervisors())
    t.fails("execution", "checkpoint", "-R", e, err="did not release its locks")
    equal(x.inspect(e)["Checkpoint"], None)
    waiting = t.start("execution", "checkpoint", "-R", e, stdout=subprocess.DEVNULL)
    time.sleep(0.1)
    equal(ask(t, e, "POST", "/unlock", {"holder": "h"}), (200, {"locks": []}))
    equal(waiting.wait(timeout=20), 0)
    equal(x.inspect(e)["Checkpoint"]["Sequence"], 1)


def test_exit_is_the_end(t):
    x = Executions(t)
    e = x.shell(SLEEP, "--grace", "200ms")
    equal(ask(t, e, "POST", "/exit", {"code": 4, "output": {"a": [1]}}), (200, {}))
    equal(t.firn("execution", "wait", e).out, "4\n")
    o = x.inspect(e)
    equal((o["State"], o["Output"]), ("finished", {"a": [1]}))
    t.wait_for("the worker's end", lambda: x.init(e) == 0)
    t.wait_for("the supervisor's end", lambda: not x.supervisors())


def test_bad_requests(t):
    x = Executions(t)
    e = x.shell(SLEEP)
    for body, text in (({"token": ""}, "token"), ({"token": 3}, "token"), ({"x": 1}, "unknown key"),
                       (b"[]", "not a JSON object"), (b"{", "body"),
                       ({"leave_running": False}, "unknown key")):
        status, answer = ask(t, e, "POST", "/checkpoint", body)
        equal(status, 400, f"status for {body}")
        contains(answer["error"], text)
    for body in ({}, {"for": -1}, {"for": "x"}, {"for": 1, "until": "2030-01-01T00:00:00Z"},
                 {"until": "never"}):
        equal(ask(t, e, "POST", "/suspend", body)[0], 400, f"status for {body}")
    equal(ask(t, e, "POST", "/exit", {"code": 300})[0], 400)
    for method, path in (("GET", "/nope"), ("POST", "/kill"), ("POST", "/resume")):
        equal(ask(t, e, method, path)[0], 404, path)
    huge = b"POST /exit HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n"
    equal(ask(t, e, "", "", raw=huge)[0], 400)
    equal(ask(t, e, "", "", raw=b"nonsense\r\n\r\n")[0], 400)
    status, answer = ask(t, e, "GET", "/execution")
    equal((status, answer["state"], answer["locks"]), (200, "running", []))


def test_a_killed_supervisor_is_replaced(t):
    x = Executions(t)
    e = x.worker(4, 0.6)
    x.wait_for_effect(1)
    for _ in range(3):
        x.kill_supervisors()
        t.firn("execution", "list")
        time.sleep(0.2)
    equal(t.firn("execution", "wait", e).out, "0\n")
    equal(in_order(x.effects(), 3), None)


def through_kills_and_reboot(t, config):
    x = Executions(t)
    e = x.run(config)
    x.wait_for_effect(2)
    pid = t.wait_for("a worker", lambda: x.init(e))
    with contextlib.suppress(ProcessLookupError):  # it sleeps on disk just now
        os.kill(pid, signal.SIGKILL)
    x.wait_for_effect(5)
    x.reboot()
    t.firn("execution", "recover")
    equal(t.firn("execution", "wait", e, timeout=80).out, "0\n")
    equal(in_order(x.effects(), 9), None)
    o = x.inspect(e)
    equal((o["State"], o["Output"]["steps"]), ("finished", 10))
    check(o["Restores"] >= 2, f"{o['Restores']} restores")
    t.wait_for("the supervisor's end", lambda: not x.supervisors())


def test_the_worker_in_c(t):
    x = Executions(t)
    through_kills_and_reboot(t, x.config("/w/worker", "10", "/out/effects", "0.2"))


def host_program(t, program, script):
    path = f"/usr/bin/{program}"
    if not os.path.exists(path) or not os.path.isdir("/usr/lib64"):
        raise Skip(f"{program} is not installed")
    examples = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(
        os.path.abspath(__file__)))), "examples")
    x = Executions(t)
    return x.config(path, f"/s/{script}", "10", "/out/effects", "0.2", volumes=[
        "/usr:/usr:ro", "/usr/lib:/lib:ro", "/usr/lib64:/lib64:ro", f"{examples}:/s:ro"])


def test_the_worker_in_python(t):
    through_kills_and_reboot(t, host_program(t, "python3", "worker.py"))


def test_the_worker_in_node(t):
    through_kills_and_reboot(t, host_program(t, "node", "worker.js"))
