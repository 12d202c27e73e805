"""Connections that need an option, lead outside, or belong to real servers."""

import os
import re
import signal
import socket
import time

from harness.case import check, contains, equal, needs_root

CYCLES = 5


def cycle(t, name, *options):
    t.firn("container", "checkpoint", *options, name)
    t.firn("container", "restore", *options, name)


def answered(t, name, n):
    t.firn("kill", "-s", "USR1", name)
    lines = t.wait_for_log(name, re.compile(rf"^(ok|FAIL) {n}\b"))
    check(not [x for x in lines if x.startswith("FAIL")], f"it failed: {lines[-3:]}")


def established(t, *options):
    t.firn("run", "-d", "--name", "guest", *options, "guests", "/guests/sockets-established")
    t.wait_for_log("guest", "ready")


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_established(t):
    established(t)
    for n in range(CYCLES):
        cycle(t, "guest", "--tcp-established")
        answered(t, "guest", n + 1)
    t.firn("container", "checkpoint", "--tcp-established", "--leave-running", "guest")
    answered(t, "guest", CYCLES + 1)


def test_established_in_a_network_of_its_own(t):
    established(t, "--network", "none")
    for n in range(2):
        cycle(t, "guest", "--tcp-established")
        answered(t, "guest", n + 1)


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_connection_being_opened(t):
    t.firn("run", "-d", "--name", "guest", "guests", "/guests/sockets-opening")
    t.wait_for_log("guest", "ready")
    for n in range(3):
        cycle(t, "guest", "--tcp-established")
        answered(t, "guest", n + 1)


def test_established_is_refused_without_option(t):
    established(t)
    for n in (1, 2):
        failed = t.fails("container", "checkpoint", "guest")
        for part in ("process 1 (sockets-establi", "container guest", "fd 4", "127.0.0.1:",
                     "--tcp-established", "--tcp-close"):
            contains(failed.err, part, "the refusal")
        answered(t, "guest", n)


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_restore_of_established_needs_an_option(t):
    established(t)
    t.firn("container", "checkpoint", "--tcp-established", "guest")
    contains(t.fails("container", "restore", "guest").err, "--tcp-established", "the refusal")
    t.firn("container", "restore", "--tcp-established", "guest")
    answered(t, "guest", 1)


ECHO = ("while true; do nc -l -p {port} -e cat; done")


class Client:
    """One of a server on this host, outside the container."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)

    def ask(self, text):
        self.socket.sendall(text)
        have = b""
        while len(have) < len(text):
            part = self.socket.recv(65536)
            if not part:
                break
            have += part
        return have


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def connect(t, port):
    def attempt():
        try:
            return Client(port)
        except OSError:
            return None
    return t.wait_for("server", attempt)


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_client_outside_notices_nothing(t):
    port = free_port()
    t.firn("run", "-d", "--name", "echo", "busybox", "sh", "-c", ECHO.format(port=port))
    client = connect(t, port)
    equal(client.ask(b"before"), b"before", "the echo")
    for n in range(CYCLES):
        cycle(t, "echo", "--tcp-established")
        text = b"%d" % n * 5000
        equal(client.ask(text), text, "the echo")


def keepers(t):
    found = []
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", encoding="utf-8") as f:
                if t.root in f.read() and os.path.basename(os.readlink(f"/proc/{name}/cwd")) == "":
                    found.append(name)
        except OSError:
            pass
    return found


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_client_outside_speaks_while_the_container_is_down(t):
    port = free_port()
    t.firn("run", "-d", "--name", "echo", "busybox", "sh", "-c", ECHO.format(port=port))
    client = connect(t, port)
    for n in range(CYCLES):
        text = b"while you were away %d" % n
        t.firn("container", "checkpoint", "--tcp-established", "echo")
        client.socket.sendall(text)
        time.sleep(0.3)
        t.firn("container", "restore", "--tcp-established", "echo")
        equal(client.socket.recv(1000), text, "the echo")


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_connections_end_with_the_checkpoint(t):
    port = free_port()
    t.firn("run", "-d", "--name", "echo", "busybox", "sh", "-c", ECHO.format(port=port))
    client = connect(t, port)
    equal(client.ask(b"before"), b"before", "the echo")
    t.firn("container", "checkpoint", "--tcp-established", "echo")
    check(len(keepers(t)) > 0, "nobody keeps the connection")
    t.firn("container", "rm", "echo")
    t.wait_for("end of who kept the connection", lambda: not keepers(t))
    client.socket.sendall(b"anybody there?")
    try:
        equal(client.socket.recv(1), b"", "what a dead connection gives")
    except ConnectionError:
        pass


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_kept_connections_are_closed_with_tcp_close(t):
    port = free_port()
    t.firn("run", "-d", "--name", "echo", "busybox", "sh", "-c", ECHO.format(port=port))
    client = connect(t, port)
    equal(client.ask(b"before"), b"before", "the echo")
    t.firn("container", "checkpoint", "--tcp-established", "echo")
    t.firn("container", "restore", "--tcp-close", "echo")
    try:
        equal(client.socket.recv(1), b"", "what a closed connection gives")
    except ConnectionError:
        pass
    equal(connect(t, port).ask(b"after"), b"after", "the echo")


def test_client_outside_is_closed(t):
    port = free_port()
    t.firn("run", "-d", "--name", "echo", "busybox", "sh", "-c", ECHO.format(port=port))
    for _ in range(CYCLES):
        client = connect(t, port)
        equal(client.ask(b"before"), b"before", "the echo")
        cycle(t, "echo", "--tcp-close")
        try:
            equal(client.socket.recv(1), b"", "what a closed connection gives")
        except ConnectionError:
            pass
    equal(connect(t, port).ask(b"after"), b"after", "the echo")


def test_a_killed_checkpoint_gives_connections_back(t):
    established(t, "--network", "none")
    for n in range(12):
        process = t.start("container", "checkpoint", "--tcp-established", "--leave-running",
                          "guest", start_new_session=True)
        time.sleep(0.01 + 0.005 * n)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        answered(t, "guest", n + 1)


def test_unix_socket_to_outside_is_refused(t):
    path = os.path.join(t.dir, "outside")
    os.mkdir(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(os.path.join(path, "socket"))
    server.listen(1)
    t.firn("run", "-d", "--name", "box", "-v", f"{path}:/outside", "guests",
           "/guests/refused", "outside")
    t.wait_for_log("box", "ready")
    peer, _ = server.accept()
    failed = t.fails("container", "checkpoint", "box")
    for part in ("process 1 (refused)", "container box", "fd 3", "/outside/socket",
                 "outside the container", "--external-unix"):
        contains(failed.err, part, "the refusal")
    peer.close()
    server.close()


class Outside:
    """A stream server and a datagram receiver in a directory that the container sees."""

    def __init__(self, t):
        self.path = os.path.join(t.dir, "outside")
        os.mkdir(self.path)
        self.stream = socket.socket(socket.AF_UNIX)
        self.stream.bind(os.path.join(self.path, "socket"))
        self.stream.listen(2)
        self.datagrams = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.datagrams.bind(os.path.join(self.path, "log"))
        for s in self.stream, self.datagrams:
            s.settimeout(10)
        for name in "socket", "log":
            os.chmod(os.path.join(self.path, name), 0o777)

    def close(self):
        self.stream.close()
        self.datagrams.close()


def start_outside(t):
    outside = Outside(t)
    t.firn("run", "-d", "--name", "box", "-v", f"{outside.path}:/outside", "guests",
           "/guests/sockets-outside")
    t.wait_for_log("box", "ready")
    peer, _ = outside.stream.accept()
    equal(peer.recv(100), b"first", "what came through")
    return outside, peer


def test_unix_sockets_to_outside_are_hung_up(t):
    outside, peer = start_outside(t)
    for n in (1, 2):
        t.firn("container", "checkpoint", "--external-unix=close", "box")
        equal(peer.recv(100), b"", "what the server outside sees")
        t.firn("container", "restore", "box")
        t.firn("kill", "-s", "USR1", "box")
        lines = t.wait_for_log("box", f"ok {n}")
        check("hung up" in lines and "connected" not in lines, f"the program says {lines}")
        check("datagrams sent" not in lines, f"the program says {lines}")
    peer.close()
    outside.close()


def test_unix_sockets_to_outside_are_connected_again(t):
    outside, peer = start_outside(t)
    for n in (1, 2):
        peer.sendall(b"unread")
        t.firn("container", "checkpoint", "--external-unix=reconnect", "box")
        peer.close()
        t.firn("container", "restore", "box")
        peer, _ = outside.stream.accept()
        t.firn("kill", "-s", "USR1", "box")
        lines = t.wait_for_log("box", f"ok {n}")
        check("connected" in lines and "hung up" not in lines, f"the program says {lines}")
        equal(peer.recv(100), b"stream", "what came through the new connection")
        equal(outside.datagrams.recv(100), b"dg", "the datagram")
    t.firn("container", "checkpoint", "--external-unix=reconnect", "box")
    os.unlink(os.path.join(outside.path, "socket"))
    failed = t.fails("container", "restore", "box")
    for part in ("process 1", "/outside/socket", "--external-unix=close"):
        contains(failed.err, part, "the error")
    peer.close()
    outside.close()
