"""Servers from the distribution's packages, in images made of their files: memcached and redis keep
what they hold and, with --tcp-established, whom they talk to; nginx goes on serving."""

import glob
import os
import shutil
import socket
import subprocess
import time

from harness.case import Skip, check, equal, needs_root

CYCLES = 5


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def image(t, program):
    """An image of busybox with one program and its libraries; returns the program's path."""
    path = shutil.which(program)
    if not path:
        raise Skip(f"{program} is not installed")
    root = os.path.join(t.dir, "root")
    for name in ("bin", "tmp", "proc", "sys", "dev", "etc", "data"):
        os.makedirs(os.path.join(root, name))
    shutil.copy(shutil.which("busybox"), os.path.join(root, "bin/sh"))
    listed = subprocess.run(["ldd", path], stdout=subprocess.PIPE, text=True, check=True).stdout
    files = [word for line in listed.splitlines() for word in line.split() if word[0] == "/"]
    for name in [path, *files]:
        os.makedirs(root + os.path.dirname(name), exist_ok=True)
        shutil.copy(name, root + name)
    with open(os.path.join(root, "etc/passwd"), "w", encoding="utf-8") as f:
        f.write("root:x:0:0:root:/:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    with open(os.path.join(root, "etc/group"), "w", encoding="utf-8") as f:
        f.write("root:x:0:\nnogroup:x:65534:\n")
    archive = os.path.join(t.dir, "root.tar")
    subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
    t.firn("import", archive, program)
    return path


class Client:
    def __init__(self, t, port):
        def attempt():
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=10)
            except OSError:
                return None
        self.socket = t.wait_for("server", attempt)
        self.file = self.socket.makefile("rb")

    def send(self, text):
        self.socket.sendall(text)

    def line(self):
        return self.file.readline().rstrip(b"\r\n")


def cycle(t, name, *options):
    t.firn("container", "checkpoint", *options, name)
    t.firn("container", "restore", *options, name)


KEYS = 1000


def memcached_get(client, n):
    client.send(b"get key%d\r\n" % n)
    if client.line() != b"VALUE key%d 0 100" % n:
        return None
    value = client.line()
    return value if client.line() == b"END" else None


def memcached_check(client, count):
    for n in range(KEYS):
        equal(memcached_get(client, n), b"%0100d" % (n * 7), f"key {n}")
    client.send(b"incr counter 1\r\n")
    equal(client.line(), b"%d" % count, "the counter")


def memcached(t, *options):
    port = free_port()
    path = image(t, "memcached")
    t.firn("run", "-d", "--name", "memcached", "memcached", path, "-u", "nobody", "-l",
           "127.0.0.1", "-p", port)
    client = Client(t, port)
    for n in range(KEYS):
        client.send(b"set key%d 0 0 100\r\n%0100d\r\n" % (n, n * 7))
        equal(client.line(), b"STORED", "set")
    client.send(b"set counter 0 0 1\r\n0\r\n")
    client.line()
    for n in range(CYCLES):
        cycle(t, "memcached", *options)
        client = client if "--tcp-established" in options else Client(t, port)
        memcached_check(client, n + 1)


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_memcached(t):
    memcached(t, "--tcp-established")


def memcached_stats(client):
    client.send(b"stats\r\n")
    lines = iter(client.line, b"END")
    return {name: value for _, name, value in (line.decode().split(" ", 2) for line in lines)}


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_memcached_with_much(t):
    """64 MiB, or FIRN_TEST_MEMCACHED MiB: all values, counters and the uptime go on."""
    size, port = int(os.environ.get("FIRN_TEST_MEMCACHED", "64")), free_port()
    path = image(t, "memcached")
    t.firn("run", "-d", "--name", "memcached", "memcached", path, "-u", "nobody", "-l",
           "127.0.0.1", "-p", port, "-m", size * 2)
    client, value = Client(t, port), os.urandom(65536)
    for n in range(size * 16):
        client.send(b"set key%d 0 0 65536\r\n%08d%s\r\n" % (n, n, value[8:]))
        equal(client.line(), b"STORED", "set")
    uptime, gets = int(memcached_stats(client)["uptime"]), 0
    for _ in range(CYCLES):
        begin = time.monotonic()
        cycle(t, "memcached", "--tcp-established")
        for n in range(size * 16):
            client.send(b"get key%d\r\n" % n)
            equal(client.line(), b"VALUE key%d 0 65536" % n, "the answer")
            check(client.file.read(65538) == b"%08d%s\r\n" % (n, value[8:]), f"value {n} is another")
            equal(client.line(), b"END", "the end of the answer")
        gets += size * 16
        stats = memcached_stats(client)
        equal((int(stats["curr_items"]), int(stats["get_hits"])), (size * 16, gets), "the counters")
        passed = int(stats["uptime"]) - uptime
        check(0 <= passed <= time.monotonic() - begin + 2, f"the uptime jumped by {passed} s")
        uptime += passed


test_memcached_with_much.seconds = 300


def test_memcached_with_connections_closed(t):
    memcached(t, "--tcp-close")


def redis_bulk(client):
    size = int(client.line()[1:])
    return client.line() if size >= 0 else None


def redis_size(client):
    """The number of keys; None while it loads them."""
    client.send(b"DBSIZE\r\n")
    answer = client.line()
    return None if answer.startswith(b"-LOADING") else int(answer[1:])


def redis_info(client):
    client.send(b"INFO persistence\r\n")
    size = int(client.line()[1:])
    text = client.file.read(size + 2).decode()
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


def test_redis_with_connections_closed(t):
    port = free_port()
    path = image(t, "redis-server")
    t.firn("run", "-d", "--name", "redis", "redis-server", path, "--port", port, "--bind",
           "127.0.0.1", "--appendonly", "yes", "--dir", "/data", "--save", "")
    client = Client(t, port)
    for n in range(KEYS):
        client.send(b"SET key%d value%d\r\n" % (n, n))
        equal(client.line(), b"+OK", "set")
    for _ in range(CYCLES):
        cycle(t, "redis", "--tcp-close")
        client = Client(t, port)
        for n in range(KEYS):
            client.send(b"GET key%d\r\n" % n)
            equal(redis_bulk(client), b"value%d" % n, f"key {n}")


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_redis(t):
    port = free_port()
    path = image(t, "redis-server")
    t.firn("run", "-d", "--name", "redis", "redis-server", path, "--port", port, "--bind",
           "127.0.0.1", "--appendonly", "yes", "--dir", "/data", "--save", "")
    client, subscriber = Client(t, port), Client(t, port)
    subscriber.send(b"SUBSCRIBE news\r\n")
    for _ in range(6):
        subscriber.line()
    for n in range(KEYS):
        client.send(b"SET key%d value%d\r\n" % (n, n))
        equal(client.line(), b"+OK", "set")
    for cycles in range(CYCLES):
        cycle(t, "redis", "--tcp-established")
        for n in range(KEYS):
            client.send(b"GET key%d\r\n" % n)
            equal(redis_bulk(client), b"value%d" % n, f"key {n}")
        client.send(b"EVAL \"return redis.call('INCR','n')\" 0\r\n")
        equal(client.line(), b":%d" % (cycles + 1), "the counter of the script")
        client.send(b"PUBLISH news item%d\r\n" % cycles)
        equal(client.line(), b":1", "subscribers")
        lines = [subscriber.line() for _ in range(7)]
        equal(lines[6], b"item%d" % cycles, "what is published")
    client.send(b"BGSAVE\r\n")
    check(client.line().startswith(b"+Background"), "no background save")
    t.wait_for("background save", lambda: redis_info(client)["rdb_bgsave_in_progress"] == "0")
    equal(redis_info(client)["rdb_last_bgsave_status"], "ok", "the background save")
    equal(redis_info(client)["aof_last_write_status"], "ok", "the append only file")
    # What the files hold is what it held.
    t.firn("kill", "redis")
    t.firn("wait", "redis")
    t.firn("start", "redis")
    client = Client(t, port)
    equal(t.wait_for("end of its loading", lambda: redis_size(client)), KEYS + 1,
          "the number of keys after a start from the files")


NGINX = """daemon off; worker_processes 2; pid /tmp/nginx.pid; error_log /dev/stderr;
user nobody nogroup;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path /tmp/b; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f;
 uwsgi_temp_path /tmp/u; scgi_temp_path /tmp/s; keepalive_timeout 1000;
 server {{ listen 127.0.0.1:{port}; location / {{ return 200 "hello\\n"; }} }} }}
"""


def nginx_get(client):
    client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    status, line = client.line(), b"-"
    while line:
        line = client.line()
    return status, client.file.read(6)


@needs_root("TCP_REPAIR is for the owner of the network namespace")
def test_nginx(t):
    port = free_port()
    path = image(t, "nginx")
    conf = t.write("nginx.conf", NGINX.format(port=port))
    os.chmod(t.dir, 0o755)
    t.firn("run", "-d", "--name", "nginx", "-v", f"{conf}:/nginx.conf", "nginx", path, "-e",
           "/dev/stderr", "-c", "/nginx.conf")
    kept = Client(t, port)
    equal(nginx_get(kept), (b"HTTP/1.1 200 OK", b"hello\n"), "the answer")
    for _ in range(CYCLES):
        cycle(t, "nginx", "--tcp-established")
        equal(nginx_get(kept), (b"HTTP/1.1 200 OK", b"hello\n"), "the answer to who stayed")
        equal(nginx_get(Client(t, port)), (b"HTTP/1.1 200 OK", b"hello\n"), "the answer to a new one")


JAVA = """
import java.util.concurrent.ConcurrentHashMap;

public class Count {
    public static void main(String[] arguments) throws Exception {
        ConcurrentHashMap<Integer, String> map = new ConcurrentHashMap<>();
        Thread busy = new Thread(() -> { for (int n = 0; ; n++) map.put(n % 1000, "v" + n); });
        busy.setDaemon(true);
        busy.start();
        for (int n = 0; ; n++) {
            System.out.println(n);
            if (n % 10 == 0)
                System.gc();
            Thread.sleep(50);
        }
    }
}
"""


def run_java(t, name, source, *flags):
    java, compiler = shutil.which("java"), shutil.which("javac")
    if not java or not compiler:
        raise Skip("there is no Java compiler here")
    path = t.write(f"{name}.java", source)
    check(t.run([compiler, "-d", t.dir, path]).rc == 0, "the Java program does not compile")
    os.chmod(t.dir, 0o755)
    places = ["/usr", "/lib", "/lib64", *glob.glob("/etc/java-*")]
    mounts = [f"-v={place}:{place}:ro" for place in places if os.path.exists(place)]
    t.firn("run", "-d", "--name", "jvm", *mounts, f"-v={t.dir}:/java:ro", "busybox",
           os.path.realpath(java), *flags, "-cp", "/java", name)


def test_jvm(t):
    run_java(t, "Count", JAVA, "-Xmx128m")
    t.wait_for_log("jvm", "20", 60)
    for _ in range(CYCLES):
        last = t.count("jvm")
        cycle(t, "jvm")
        t.counts_on("jvm", last + 10)


test_jvm.seconds = 150


# A line: which it is, how fast the compiled code is by the thread's own time, nanoTime() in ms.
RATE = """
import java.lang.management.ManagementFactory;

public class Rate {
    static long sum;
    static void work() { for (int n = 0; n < 20_000_000; n++) sum = sum * 31 + (n ^ sum >>> 7); }
    public static void main(String[] arguments) throws Exception {
        var threads = ManagementFactory.getThreadMXBean();
        for (int n = 0; ; n++) {
            long begin = threads.getCurrentThreadCpuTime();
            work();
            long took = threads.getCurrentThreadCpuTime() - begin;
            System.out.println(n + " " + 20_000_000_000L / took + " " + System.nanoTime() / 1_000_000);
            Thread.sleep(10);
        }
    }
}
"""


def test_jvm_stays_warm(t):
    run_java(t, "Rate", RATE, "-XX:+UseG1GC")

    def lines():
        return [tuple(map(int, line.split())) for line in t.logs("jvm")]
    t.wait_for("warm code", lambda: len(lines()) > 20, 60)
    for _ in range(CYCLES):
        before, begin = lines(), time.monotonic()
        cycle(t, "jvm")
        t.wait_for("work", lambda last=len(before): len(lines()) > last + 7)
        now, passed = lines(), (time.monotonic() - begin) * 1000
        equal([n for n, _, _ in now], list(range(len(now))), "the numbers")
        warm = sorted(rate for _, rate, _ in before[-10:])[5]
        again = sorted(rate for _, rate, _ in now[len(before) + 2:])[-1]
        check(again > 0.8 * warm, f"the code does {again} after the restore, and did {warm}")
        steps = [b[2] - a[2] for a, b in zip(now[len(before) - 1:], now[len(before):])]
        check(min(steps) >= 0 and sum(steps) < passed + 2000, f"nanoTime jumps by {max(steps)} ms")


test_jvm_stays_warm.seconds = 150
