"""Networks of containers' own: bridges for root, pasta and slirp4netns for everybody else."""

import os
import re
import shutil
import socket
import time

from harness.case import Skip, check, contains, equal, matches, needs_root
from harness.network import need_bridges

ANSWER = "while true; do echo hello | nc -l -p 80; done"
ECHO = "while true; do nc -l -p 7 -e cat; done"
BRIDGE = "bridges are root's"


def modes(t):
    """The private networks there are here."""
    if not t.rootless:
        need_bridges(t)
        return ["private"]
    if not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        raise Skip("/dev/net/tun is closed")
    found = [m for m in ("pasta", "slirp4netns") if shutil.which(m)]
    if "pasta" in found and not default_route():
        found.remove("pasta")
    if not found:
        raise Skip("neither pasta nor slirp4netns is installed")
    return found


def default_route():
    """pasta takes the addresses over from where it leads."""
    with open("/proc/net/route", encoding="ascii") as f:
        return any(line.split()[1:2] == ["00000000"] for line in f)


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, address="127.0.0.1"):
    try:
        with socket.create_connection((address, port), 2) as s:
            return s.makefile().read().strip()
    except OSError:
        return ""


def answers(t, port, address="127.0.0.1"):
    t.wait_for(f"answer at {address}:{port}", lambda: ask(port, address) == "hello")


def settings(t, name):
    return t.inspect(name)["NetworkSettings"]


def helpers(t):
    return [c for _, c in processes(t) if c.startswith(("pasta", "slirp4netns"))]


def processes(t):
    for name in os.listdir("/proc"):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as f:
                text = f.read().decode(errors="replace").replace("\0", " ")
            if t.runroot in text:
                yield int(name), text
        except (OSError, ValueError):
            pass


# ---- everybody's ----------------------------------------------------------------------------------

def test_host_and_none_take_no_notice(t):
    for mode in ("host", "none"):
        r = t.firn("run", "--rm", "--network", mode, "busybox", "ls", "/sys/class/net")
        equal("lo" in r.lines, True)
        equal(r.err, "")
    r = t.firn("run", "--rm", "--network", "host", "-p", "80:80", "busybox", "true")
    contains(r.err, "Port mappings have been discarded")
    check(not os.path.exists(t.runroot + "/netns"), "a namespace was made for nobody")


def test_private_network_has_an_address(t):
    for mode in modes(t):
        r = t.firn("run", "--rm", "--network", mode, "--name", "a", "busybox", "sh", "-c",
                   "ip -4 addr; ip route; cat /etc/hosts; hostname")
        matches(r.out, r"inet \d+\.\d+\.\d+\.\d+/\d+ .*scope global")
        contains(r.out, "default via")
        address = re.search(r"inet ((?!127)[0-9.]+)/", r.out).group(1)
        contains(r.out, f"{address}\t{r.lines[-1]} a\n")


def test_ports_are_published(t):
    for mode in modes(t):
        port, other = free_port(), free_port()
        t.firn("run", "-d", "--name", "web", "--network", mode, "-p", f"{port}:80", "-p",
               f"127.0.0.1:{other}:81/udp", "busybox", "sh", "-c", ANSWER)
        answers(t, port)
        equal(t.firn("port", "web").lines,
              [f"80/tcp -> 0.0.0.0:{port}", f"81/udp -> 127.0.0.1:{other}"])
        equal(t.firn("port", "web", "80").lines, [f"0.0.0.0:{port}"])
        equal(t.firn("port", "-l", "81/udp").lines, [f"127.0.0.1:{other}"])
        t.fails("port", "web", "99", err='failed to find published port "99"')
        equal(t.firn("ps", "--format", "{{.Ports}}").lines,
              [f"0.0.0.0:{port}->80/tcp, 127.0.0.1:{other}->81/udp"])
        equal(settings(t, "web")["Ports"]["80/tcp"], [{"HostIp": "", "HostPort": str(port)}])
        t.fails("run", "-d", "--network", mode, "-p", f"{port}:80", "busybox", "true", rc=126,
                err=f"cannot listen on the TCP port: listen tcp4 :{port}: bind: address already")
        t.firn("rm", "-f", "-t", "0", "-a")
        equal(ask(port), "")
        equal(helpers(t), [])


def test_publishing_asks_for_a_private_network(t):
    modes(t)
    port = free_port()
    t.firn("run", "-d", "--name", "web", "-p", f"{port}:80", "busybox", "sh", "-c", ANSWER)
    answers(t, port)
    mode = t.inspect("web")["HostConfig"]["NetworkMode"]
    check(mode in ("bridge", "pasta", "slirp4netns"), mode)


def test_bad_ports(t):
    for spec in ("x", "0:80", "80:80:80", "80-82:80", "80/icmp"):
        t.fails("create", "-p", spec, "busybox", err=f'invalid port mapping "{spec}"')


def test_network_comes_back(t):
    for mode in modes(t):
        port, new = free_port(), free_port()
        t.firn("run", "-d", "--name", "web", "--network", mode, "-p", f"{port}:80", "busybox",
               "sh", "-c", ANSWER)
        answers(t, port)
        before = settings(t, "web")
        t.firn("container", "checkpoint", "web")
        equal((ask(port), helpers(t)), ("", []))
        t.firn("container", "restore", "web")
        answers(t, port)
        after = settings(t, "web")
        equal((after["IPAddress"], after["MacAddress"]), (before["IPAddress"], before["MacAddress"]))
        t.firn("container", "checkpoint", "--export", t.path("web.tar"), "web")
        t.firn("rm", "web")
        t.firn("container", "restore", "--import", t.path("web.tar"))
        answers(t, port)
        equal(settings(t, "web")["IPAddress"], before["IPAddress"])
        t.firn("container", "restore", "--import", t.path("web.tar"), "--name", "twin", "--publish",
               f"{new}:80")
        answers(t, new)
        equal(t.firn("port", "twin").lines, [f"80/tcp -> 0.0.0.0:{new}"])
        t.fails("container", "restore", "--check", "--import", t.path("web.tar"), "--name", "third",
                err="publishes a port that is taken")
        t.fails("container", "restore", "--import", t.path("web.tar"), "--name", "third",
                rc=126, err="address already in use")
        equal(t.firn("container", "exists", "third", rc=1).rc, 1)
        t.firn("rm", "-f", "-t", "0", "-a")


def test_default_follows_containers_conf(t):
    mode = modes(t)[0]
    t.write("containers.conf", '[containers]\nnetns = "private"\n\n[network]\n'
            f'default_rootless_network_cmd = "{mode}"\n')
    env = {"CONTAINERS_CONF": t.path("containers.conf")}
    r = t.firn("run", "--rm", "busybox", "ip", "-4", "addr", env=env)
    matches(r.out, r"(eth|tap)0")
    t.write("containers.conf", '[containers]\nnetns = "none"\n')
    equal(t.firn("run", "--rm", "busybox", "ls", "/sys/class/net", env=env).lines, ["lo"])


# ---- ordinary users' ------------------------------------------------------------------------------

def test_what_users_have_not(t):
    if not t.rootless:
        for mode in ("pasta", "slirp4netns"):
            t.fails("create", "--network", mode, "busybox",
                    err=f"{mode} networking is only supported for rootless mode")
        return
    t.fails("create", "--network", "bridge", "busybox", err="only root can make")
    t.fails("network", "create", "n", err="only root can make")


def test_outer_connections_of_users_are_refused_by_name(t):
    if not t.rootless:
        raise Skip("root has bridges")
    mode, port = modes(t)[0], free_port()
    t.firn("run", "-d", "--name", "echo", "--network", mode, "-p", f"{port}:7", "busybox", "sh",
           "-c", ECHO)
    def reached():
        s = connect("127.0.0.1", port)
        try:
            s.settimeout(2)
            s.sendall(b"one\n")
            return s if s.recv(100) == b"one\n" else None
        except (OSError, AttributeError):
            return None
    with t.wait_for("connection", reached) as s:
        t.fails("container", "checkpoint", "--tcp-established", "echo",
                err=f"its outer half belongs to {mode}")
        talk(s, b"two\n")
        t.firn("container", "checkpoint", "--tcp-close", "echo")
        t.firn("container", "restore", "--tcp-close", "echo")
    t.wait_for("new connection", reached).close()


# ---- bridges --------------------------------------------------------------------------------------

def talk(s, text):
    s.sendall(text)
    equal(s.recv(100), text)


@needs_root(BRIDGE)
def test_connection_of_a_client_is_kept(t):
    modes(t)
    t.firn("run", "-d", "--name", "echo", "--network", "bridge", "busybox", "sh", "-c", ECHO)
    address = settings(t, "echo")["IPAddress"]
    s = t.wait_for("connection", lambda: connect(address, 7))
    with s:
        s.settimeout(20)
        talk(s, b"one\n")
        t.fails("container", "checkpoint", "echo", err="tcp-established")
        talk(s, b"two\n")
        t.firn("container", "checkpoint", "--tcp-established", "--leave-running", "--export",
               t.path("running.tar"), "echo")
        talk(s, b"three\n")
        t.firn("container", "checkpoint", "--tcp-established", "echo")
        s.sendall(b"while it is down\n")
        time.sleep(0.3)
        t.firn("container", "restore", "--tcp-established", "echo")
        equal(s.recv(100), b"while it is down\n")
        t.firn("container", "checkpoint", "--tcp-established", "--export", t.path("echo.tar"),
               "echo")
        t.firn("rm", "echo")
        s.sendall(b"and again\n")
        t.firn("container", "restore", "--tcp-established", "--import", t.path("echo.tar"))
        equal(s.recv(100), b"and again\n")


def connect(address, port):
    try:
        return socket.create_connection((address, port), 2)
    except OSError:
        return None


@needs_root(BRIDGE)
def test_addresses_can_be_chosen(t):
    modes(t)
    t.firn("network", "create", "n1")
    subnet = t.firn("network", "inspect", "n1").json[0]["subnets"][0]["subnet"]
    address, mac = subnet.replace(".0/24", ".77"), "92:d0:c6:0a:29:33"
    t.firn("run", "-d", "--name", "a", "--network", "n1", "--ip", address, "--mac-address", mac,
           "--network-alias", "other", "busybox", "sleep", "1000")
    one = settings(t, "a")["Networks"]["n1"]
    equal((one["IPAddress"], one["MacAddress"]), (address, mac))
    contains(one["Aliases"], "other")
    out = t.firn("run", "--rm", "--network", "n1", "busybox", "nslookup", "other").out
    contains(out, address)
    contains(t.firn("run", "--rm", "--network", "n1", "busybox", "nslookup", "a").out, address)
    t.fails("run", "--network", "n1", "--ip", address, "busybox", "true",
            err=f"requested ip address {address} is already allocated")
    t.fails("create", "--network", "n1", "--ip", "10.1.1.1", "busybox", err="not in any subnet")
    t.fails("create", "--network", "n1", "--mac-address", "1:2", "busybox", err="invalid MAC")
    t.firn("container", "checkpoint", "a")
    t.firn("container", "restore", "--ignore-static-ip", "--ignore-static-mac", "a")
    one = settings(t, "a")["Networks"]["n1"]
    check(one["IPAddress"] not in ("", address) and one["MacAddress"] not in ("", mac), one)
    t.firn("network", "rm", "-f", "-t", "0", "n1")


@needs_root(BRIDGE)
def test_addresses_of_others_are_left_alone(t):
    """Podman's containers, say, which are on the same bridge."""
    modes(t)
    t.firn("network", "create", "n1", "--subnet", "10.234.6.0/28")
    bridge = t.firn("network", "inspect", "n1").json[0]["network_interface"]
    t.firn("run", "-d", "--name", "a", "--network", "n1", "busybox", "sleep", "1000")
    last = int(settings(t, "a")["IPAddress"].rpartition(".")[2])
    theirs, next_one = (f"10.234.6.{n if n < 15 else n - 13}" for n in (last + 1, last + 2))
    other = f"firn-{os.getpid()}"
    try:
        for command in (f"netns add {other}", f"link add {other} type veth peer eth0 netns {other}",
                        f"link set {other} master {bridge} up",
                        f"-n {other} addr add {theirs}/28 dev eth0",
                        f"-n {other} link set eth0 up"):
            equal(t.run(["ip", *command.split()]).err, "")
        t.firn("run", "-d", "--name", "b", "--network", "n1", "busybox", "sleep", "1000")
        equal(settings(t, "b")["IPAddress"], next_one)
        t.fails("run", "--network", "n1", "--ip", theirs, "busybox", "true",
                err=f"already allocated to somebody else on {bridge}")
    finally:
        t.run(["ip", "netns", "del", other])
    t.firn("network", "rm", "-f", "-t", "0", "n1")


@needs_root(BRIDGE)
def test_two_networks(t):
    modes(t)
    t.firn("network", "create", "n1")
    t.firn("network", "create", "--internal", "n2")
    t.firn("run", "-d", "--name", "a", "--network", "n1,n2", "busybox", "sleep", "1000")
    equal(t.firn("ps", "--format", "{{.Networks}}").lines, ["n1,n2"])
    equal(t.firn("ps", "-q", "--filter", "network=n2").lines, [t.ids()[0][:12]])
    equal(sorted(t.firn("exec", "a", "ls", "/sys/class/net").lines), ["eth0", "eth1", "lo"])
    before = settings(t, "a")["Networks"]
    t.firn("container", "checkpoint", "a")
    t.firn("container", "restore", "a")
    equal(settings(t, "a")["Networks"], before)
    t.firn("rm", "-f", "-t", "0", "a")
    t.firn("network", "rm", "n1", "n2")


@needs_root(BRIDGE)
def test_network_commands(t):
    equal(t.firn("network", "create", "n1", "--label", "k=v", "--subnet", "10.234.5.0/24").out,
          "n1\n")
    t.fails("network", "create", "n1", err="network name n1 already used: network already exists")
    t.fails("network", "create", "n2", "--subnet", "10.234.5.128/25", err="network n1 has it")
    equal(t.firn("network", "ls", "-q").lines, ["n1", "podman"])
    rows = t.firn("network", "ls").lines
    equal(rows[0].split(), ["NETWORK", "ID", "NAME", "DRIVER"])
    equal(rows[2].split(), ["2f259bab93aa", "podman", "bridge"])
    equal(t.firn("network", "ls", "-q", "--filter", "label=k=v").lines, ["n1"])
    equal(t.firn("network", "ls", "--format", "{{.Name}} {{.Driver}}").lines,
          ["n1 bridge", "podman bridge"])
    one = t.firn("network", "inspect", "n1").json[0]
    equal(one["subnets"], [{"subnet": "10.234.5.0/24", "gateway": "10.234.5.1"}])
    equal(t.firn("inspect", "--type", "network", "n1").json[0], one)
    equal(t.firn("network", "exists", "n1").rc, 0)
    t.firn("network", "exists", "nope", rc=1)
    t.firn("create", "--name", "a", "--network", "n1", "busybox")
    t.fails("network", "rm", "n1", rc=2, err="network is being used")
    equal(t.firn("network", "prune", "-f").lines, [])
    t.firn("rm", "a")
    t.firn("network", "create", "n3")
    equal(t.firn("network", "rm", "n1").out, "n1\n")
    equal(t.firn("network", "prune", "-f").lines, ["n3"])
    t.fails("network", "rm", "n1", rc=1,
            err="unable to find network with name or ID n1: network not found")
    t.fails("network", "rm", "podman", err="default network podman cannot be removed")
    t.fails("create", "--network", "nope", "busybox",
            err="unable to find network with name or ID nope: network not found")
    t.fails("network", "connect", "n1", "a", err="not supported")


@needs_root(BRIDGE)
def test_nothing_of_a_bridge_stays(t):
    modes(t)
    port = free_port()
    t.firn("run", "-d", "--name", "a", "-p", f"{port}:80", "busybox", "sleep", "1000")
    address = settings(t, "a")["IPAddress"]
    lease = f"/run/firn/leases/10.88.0.0_16/{address}"
    check(os.path.exists(lease), "no lease")
    rules = t.run(["iptables", "-t", "nat", "-S"]).out
    contains(rules, f"--dport {port}")
    t.firn("kill", "a")
    t.firn("wait", "a")
    t.wait_for("end of the lease", lambda: not os.path.exists(lease))
    check(f"--dport {port}" not in t.run(["iptables", "-t", "nat", "-S"]).out, "a rule stayed")
    equal(os.listdir(t.runroot + "/netns"), [])
