"""A disk that is full, wherever it is needed: the program runs on, nothing half done is left, and
with room again all goes well."""

import os

from harness.case import check, equal, needs_root

COUNT = "x=$(head -c 12000000 /dev/urandom | base64 -w 0); i=0; " \
        "while :; do echo $i; i=$((i+1)); sleep 0.02; done"


class Small:
    """A small file system, and a store in it."""

    def __init__(self, t, size):
        self.t, self.path, self.size = t, t.path("small"), size
        os.mkdir(self.path)
        check(t.run(["mount", "-t", "tmpfs", "-o", f"size={size}m", "small", self.path]).rc == 0,
              "no tmpfs")

    def resize(self, size):
        check(self.t.run(["mount", "-o", f"remount,size={size}m", self.path]).rc == 0, "no remount")

    def fill(self):
        """Takes all that is left."""
        with open(os.path.join(self.path, "filler"), "wb", buffering=0) as f:
            try:
                while f.write(bytes(1 << 12)):
                    pass
            except OSError:
                pass

    def empty(self):
        os.unlink(os.path.join(self.path, "filler"))

    def firn(self, *args, rc=0, timeout=60):
        argv = [self.t.program, "--root", f"{self.path}/root", "--runroot", self.t.path("run"), *args]
        r = self.t.run(argv, timeout=timeout)
        check(rc is None or r.rc == rc, f"exit code is not {rc}: {r}")
        return r

    def count(self):
        lines = self.firn("logs", "c").out.splitlines()
        equal(lines, [str(n) for n in range(len(lines))], "the count")
        return len(lines)

    def counts_on(self):
        last = self.count()
        self.t.wait_for("number", lambda: self.count() > last + 2)

    def close(self):
        self.firn("rm", "-f", "-t", "0", "-a", rc=None)
        self.t.run(["umount", "-l", self.path])


def with_small(t, size, function):
    small = Small(t, size)
    try:
        function(small)
    finally:
        small.close()


@needs_root("mounts a tmpfs")
def test_export(t):
    def export(small):
        t.looper("c")
        last = t.count("c")
        small.fill()
        for _ in range(2):
            t.fails("container", "checkpoint", "-e", f"{small.path}/c.tar", "c", err="no space left")
            equal(os.listdir(small.path), ["filler"], "what is left of the archive")
            last = t.counts_on("c", last)
        small.empty()
        t.firn("container", "checkpoint", "-e", f"{small.path}/c.tar", "c")
        t.firn("rm", "c")
        t.firn("container", "restore", "-i", f"{small.path}/c.tar")
        t.counts_on("c", last)
    with_small(t, 4, export)


@needs_root("mounts a tmpfs")
def test_store(t):
    def store(small):
        small.firn("import", "-q", os.path.join(t.place, "busybox.tar"), "busybox")
        small.firn("run", "-d", "--name", "c", "--log-opt", f"path={t.path('log')}", "busybox", "sh",
                   "-c", COUNT)
        t.wait_for("count", lambda: small.count() > 3)
        small.fill()
        for _ in range(2):
            r = small.firn("container", "checkpoint", "c", rc=125)
            check("no space left" in r.err or "is full" in r.err, r.err)
            small.counts_on()
        small.empty()
        small.firn("container", "checkpoint", "c")
        small.fill()
        restored = small.firn("container", "restore", "c", rc=None).rc == 0
        small.empty()
        if not restored:
            equal(small.firn("ps", "-q").out, "", "what runs after the failed restore")
            small.firn("container", "restore", "c")
        small.counts_on()
    with_small(t, 60, store)
