"""What much of one thing costs, each way: the time for one, for few and for many, so that what does
not grow in proportion shows."""

import contextlib
import json
import re
import time

# What of, and how many. One process may have 20000 files where the limit is not raised.
COUNTS = [("threads", 1000, 10000), ("processes", 200, 2000), ("areas", 6000, 65000),
          ("areas", 65000, 110000), ("files", 1500, 15000), ("holders", 12500, 50000),
          ("pipes", 400, 4000), ("memory", 256, 2048)]
AIMS = {"threads": "aim: 30 us", "processes": "aim: 1000 us"}
NAMES = {"holders": "file of several processes", "areas": "area", "memory": "MiB",
         "processes": "process"}
MAPS = "/proc/sys/vm/max_map_count"


@contextlib.contextmanager
def more_areas(wanted):
    """As many areas as asked for, if the host lets us; yields whether there are."""
    with open(MAPS, encoding="ascii") as f:
        before = int(f.read())
    try:
        if wanted > before - 500:
            with open(MAPS, "w", encoding="ascii") as f:
                f.write(str(wanted + 1000))
        yield True
    except OSError:
        yield False
    finally:
        with contextlib.suppress(OSError), open(MAPS, "w", encoding="ascii") as f:
            f.write(str(before))


def wait_for(bench, pattern):
    end = time.monotonic() + 120
    while time.monotonic() < end:
        hit = re.search(pattern, bench.firn("logs", "scale"), re.M)
        if hit:
            return hit.group()
        time.sleep(0.1)
    raise SystemExit(f"the guest does not say {pattern}")


def measure(bench, kind, count):
    """Microseconds of one: (dump, restore), engine time."""
    bench.firn("run", "-d", "--name", "scale", "--pids-limit", "0", "guests", "/guests/scale", kind,
               str(count))
    wait_for(bench, "^(ready|FAIL)")
    out = json.loads(bench.firn("container", "checkpoint", "--print-stats", "scale"))
    s = out["container_statistics"][0]
    dump = s.get("firn_images_time", s["criu_statistics"]["frozen_time"])
    out = json.loads(bench.firn("container", "restore", "--print-stats", "scale"))
    restore = out["container_statistics"][0]["criu_statistics"]["restore_time"]
    bench.firn("kill", "-s", "USR1", "scale")
    answer = wait_for(bench, "^(ok|FAIL) 1.*")
    bench.firn("rm", "-f", "-t", "0", "scale")
    if answer != "ok 1":
        raise SystemExit(f"{count} {kind}: {answer}")
    return dump / count, restore / count


def report(bench, counts=None):
    print(f"\n{'one of so many':<38}{'checkpoint':>14}{'restore':>14}")
    done = set()
    for kind, *sizes in counts or COUNTS:
        for count in sizes:
            if (kind, count) in done:
                continue
            done.add((kind, count))
            with more_areas(count if kind == "areas" else 0) as possible:
                if not possible:
                    print(f"{count} areas: vm.max_map_count cannot be raised")
                    continue
                dump, restore = measure(bench, kind, count)
            what = f"{NAMES.get(kind, kind.rstrip('s'))}, of {count}"
            print(f"{what:<38}{dump:>11.1f} us{restore:>11.1f} us  {AIMS.get(kind, '')}", flush=True)
