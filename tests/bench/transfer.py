"""Large memory written and read: how far from what the machine can do at all. Every row stands
beside its floor, measured in the same run: the slower of zstd -1 on all cores and the disk for an
export, the slower of zstd -d and filling fresh pages on all cores for an import."""

import os
import subprocess
import sys
import time

MIB = 1 << 20


class Hog:
    """A container with so much memory of a kind, which says how long it stood still."""

    def __init__(self, bench, megabytes, kind, rate=100):
        self.bench, self.megabytes, self.answers = bench, megabytes, {"gap": 0, "sum": 0}
        bench.firn("run", "-d", "--network", "none", "--name", "hog", "-v",
                   bench.options.build + "/tests/bench:/bench:ro", "busybox", "/bench/hog",
                   str(megabytes), kind, str(rate))
        self.wait("ready")

    def lines(self):
        return self.bench.firn("logs", "hog").splitlines()

    def wait(self, word, count=1, seconds=120):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = [line for line in self.lines() if line.startswith(word)]
            if len(found) >= count:
                return found[-1]
            time.sleep(0.02)
        sys.exit(f"the container does not say {word}: {self.lines()[-5:]}")

    def gap(self):
        """The longest time in us it stood still since the last question."""
        return self.ask("gap", "USR1")

    def sum(self):
        return self.ask("sum", "USR2")

    def ask(self, word, signal):
        self.answers[word] += 1
        self.bench.firn("kill", "-s", signal, "hog")
        return int(self.wait(word, self.answers[word]).split()[1])

    def remove(self):
        self.bench.firn("rm", "-f", "-t", "0", "hog")


def seconds_of(command, **options):
    begin = time.monotonic()
    subprocess.run(command, check=True, **options)
    return time.monotonic() - begin


def synced_write(path, megabytes):
    return seconds_of(["dd", "if=/dev/zero", f"of={path}", "bs=1M", f"count={megabytes}",
                       "conv=fsync", "status=none"])


def floors(bench, megabytes, raw, packed):
    """Seconds: zstd on all cores, zstd -d, writing the data, writing it packed, filling pages."""
    cores = len(os.sched_getaffinity(0))
    scratch = bench.place + "/scratch"
    result = {
        "zstd": seconds_of(["zstd", "-q", "-1", f"-T{cores}", "-f", raw, "-o", "/dev/null"]),
        "unzstd": seconds_of(["zstd", "-q", "-d", "-f", packed, "-o", "/dev/null"]) / cores,
        "disk": synced_write(scratch, megabytes),
        "disk packed": synced_write(scratch, max(os.path.getsize(packed) // MIB, 1)),
    }
    os.unlink(scratch)
    out = subprocess.run([bench.options.build + "/tests/bench/fill", str(megabytes), str(cores)],
                         stdout=subprocess.PIPE, check=True).stdout
    result["fill"] = int(out) / 1e6
    return result


def row(what, seconds, floor, text=""):
    print(f"{what:<58}{seconds * 1000:>9.0f} ms  floor {floor * 1000:>6.0f} ms: "
          f"{seconds / floor:.2f} x  {text}", flush=True)


def export(bench, compression, path):
    if os.path.exists(path):
        os.unlink(path)
    begin = time.monotonic()
    bench.firn("container", "checkpoint", "--export", path, "--compress", compression, "hog")
    return time.monotonic() - begin


def restore(bench, hog, path):
    """From the command to the first answer."""
    bench.firn("rm", "-f", "hog")
    begin = time.monotonic()
    bench.firn("container", "restore", "--import", path)
    hog.gap()
    return time.monotonic() - begin


def pause(bench, hog):
    """How long the container stands still in a checkpoint with --leave-running, in us."""
    hog.gap()
    quiet = hog.gap()
    bench.firn("container", "checkpoint", "-R", "--export", bench.place + "/r.tar.zst", "hog")
    os.unlink(bench.place + "/r.tar.zst")
    return hog.gap(), quiet


def one_size(bench, megabytes, kind):
    name = f"{megabytes} MiB, {kind}"
    packed, raw = bench.place + "/c.tar.zst", bench.place + "/c.tar"
    hog = Hog(bench, megabytes, kind)
    stood, quiet = pause(bench, hog)
    before = hog.sum()
    times = {"export": export(bench, "zstd", packed)}
    times["import"] = restore(bench, hog, packed)
    times["export none"] = export(bench, "none", raw)
    times["import none"] = restore(bench, hog, raw)
    if hog.sum() != before:
        sys.exit("the memory is not what it was")
    hog.remove()
    f = floors(bench, megabytes, raw, packed)
    row(f"{name}: export, zstd", times["export"], max(f["zstd"], f["disk packed"]), "aim: 1.2 x")
    row(f"{name}: export, none", times["export none"], f["disk"], "aim: 1.3 x")
    row(f"{name}: import, zstd, to the first answer", times["import"],
        max(f["unzstd"], f["fill"]), "aim: 1.2 x + 60 ms")
    row(f"{name}: import, none, to the first answer", times["import none"], f["fill"],
        "aim: 1.2 x + 60 ms")
    print(f"{name + ': stood still with -R, written at 100 MB/s':<58}{stood / 1000:>9.1f} ms  "
          f"(else at most {quiet / 1000:.1f}), aim: {10 + 3 * megabytes / 1024:.0f} ms", flush=True)
    os.unlink(packed)
    os.unlink(raw)


def report(bench):
    sizes = [int(s) for s in os.environ.get("FIRN_BENCH_SIZES", "64,512,2048").split(",")]
    for megabytes in sizes:
        for kind in ("compressible", "random"):
            one_size(bench, megabytes, kind)
