"""Commands in running containers over the socket."""

from harness.api import DOC, POD, Service, create, frames, hijack, read_all, run
from harness.case import contains, equal


def make(s, name, *command, **more):
    body = {"Cmd": list(command), "AttachStdout": True, "AttachStderr": True, **more}
    return s("POST", f"{POD}/containers/{name}/exec", body, status=201).json["Id"]


def code(s, eid):
    o = s("GET", f"{POD}/exec/{eid}/json").json
    equal(o["Running"], False, "running")
    return o["ExitCode"]


def test_attached(t):
    s = Service(t)
    run(s, "c1", "sleep", "100")
    for upgrade in (True, False):  # Docker's clients ask for it, Podman's do not
        eid = make(s, "c1", "sh", "-c", "echo out; echo err >&2; exit 5")
        equal(s("GET", f"{DOC}/exec/{eid}/json").json["Running"], False, "running")
        sock, _ = hijack(s, f"{POD}/exec/{eid}/start", {"Detach": False, "Tty": False}, upgrade)
        equal(sorted(frames(read_all(sock))), [(1, "out\n"), (2, "err\n")], "output")
        equal(code(s, eid), 5, "exit code")
        s.refuses(409, "POST", f"{POD}/exec/{eid}/start", {}, message="was started already")


def test_input_and_environment(t):
    s = Service(t)
    run(s, "c2", "sleep", "100")
    eid = make(s, "c2", "sh", "-c", "cat; echo $X; pwd; id -u", AttachStdin=True, Env=["X=y"],
               WorkingDir="/tmp", User="user")
    sock, _ = hijack(s, f"{DOC}/exec/{eid}/start", {"Detach": False})
    sock.sendall(b"line\n")
    sock.shutdown(1)
    text = "".join(text for _, text in frames(read_all(sock)))
    equal(text.split(), ["line", "y", "/tmp", "1000"], "output")


def test_terminal(t):
    s = Service(t)
    run(s, "c3", "sleep", "100")
    eid = make(s, "c3", "sh", "-c", "read x; stty size; exit 6", AttachStdin=True, Tty=True)
    sock, _ = hijack(s, f"{DOC}/exec/{eid}/start", {"Detach": False, "Tty": True})
    t.wait_for("running session", lambda: s("GET", f"{DOC}/exec/{eid}/json").json["Running"])
    s("POST", f"{DOC}/exec/{eid}/resize?h=31&w=97", status=201)
    sock.sendall(b"go\r")
    contains(read_all(sock).decode(), "31 97", "output")
    equal(code(s, eid), 6, "exit code")


def test_detached(t):
    s = Service(t)
    run(s, "c4", "sleep", "100")
    eid = make(s, "c4", "sh", "-c", "echo x >/tmp/there; exit 9")
    equal(s("POST", f"{POD}/exec/{eid}/start", {"Detach": True}).body, b"", "body")
    t.wait_for("end", lambda: not s("GET", f"{POD}/exec/{eid}/json").json["Running"])
    equal(code(s, eid), 9, "exit code")
    equal(t.firn("exec", "c4", "cat", "/tmp/there").out, "x\n", "file")


def test_refusals(t):
    s = Service(t)
    create(s, "c5", "sleep", "100")
    s.refuses(409, "POST", f"{POD}/containers/c5/exec", {"Cmd": ["true"]},
              message="can only create exec sessions on running containers")
    s("POST", f"{POD}/containers/c5/start", status=204)
    s.refuses(400, "POST", f"{POD}/containers/c5/exec", {"Cmd": ["x"], "Bogus": 1})
    s.refuses(400, "POST", f"{POD}/containers/c5/exec", {"Cmd": [{"x": 1}]})
    for bad in ("0" * 64, "short", "..%2F..%2Fetc"):
        s.refuses(404, "GET", f"{POD}/exec/{bad}/json", message="no such exec session")
    eid = make(s, "c5", "/nope")
    sock, _ = hijack(s, f"{POD}/exec/{eid}/start", {})
    text = "".join(text for _, text in frames(read_all(sock)))
    contains(text, "OCI runtime attempted to invoke a command that was not found", "output")
