"""CRIU's own tool decodes every image of a checkpoint."""

import glob
import json
import os
import shutil
import subprocess
import tarfile

from harness.case import Skip, check, equal

# Files that are no CRIU images: raw pages, JSON, logs, and firn's own additions.
OTHERS = ("pages-", "firn-", "descriptors.json", "dump.log")


def decode(path):
    crit = shutil.which("crit")
    if not crit:
        raise Skip("crit is not installed")
    p = subprocess.run([crit, "show", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                       check=False)
    check(p.returncode == 0, f"crit show {os.path.basename(path)}: {p.stderr.decode()[-400:]}")
    return json.loads(p.stdout)


def images_of(t, name):
    """Exports and unpacks; returns {file name: decoded image}."""
    archive, place = t.path("c.tar"), t.path("unpacked")
    t.firn("container", "checkpoint", "-e", archive, "-c", "none", name)
    shutil.rmtree(place, ignore_errors=True)
    with tarfile.open(archive) as tar:
        tar.extractall(place)
    found = {}
    for path in sorted(glob.glob(place + "/checkpoint/*")):
        file = os.path.basename(path)
        if not file.startswith(OTHERS):
            found[file] = decode(path)
    stats = place + "/stats-dump"
    if os.path.exists(stats):
        found["stats-dump"] = decode(stats)
    return found


def test_every_image_of_a_small_container(t):
    t.looper("c")
    images = images_of(t, "c")
    for file in ("inventory.img", "pstree.img", "core-1.img", "mm-1.img", "files.img",
                 "pagemap-1.img", "fs-1.img", "ids-1.img"):
        check(file in images, f"there is no {file}: {sorted(images)}")
    equal(images["inventory.img"]["entries"][0]["img_version"], 2)
    tasks = images["pstree.img"]["entries"]
    equal((tasks[0]["pid"], tasks[0]["ppid"]), (1, 0))
    core = images["core-1.img"]["entries"][0]
    equal(core["tc"]["comm"], "sh")
    check(images["mm-1.img"]["entries"][0]["vmas"], "no mappings")


def test_every_image_of_many_objects(t):
    guests = ("threads", "signals", "posix-timers", "pipes", "files", "shared-memory",
              "file-mapping", "zombies", "sessions", "credentials")
    guests += () if t.rootless else ("seccomp",)  # only root may read filters of programs
    t.firn("run", "-d", "--name", "c", "guests", "sh", "-c",
           "; ".join(f"/guests/{g} & sleep 0.05" for g in guests) + "; wait; sleep 1000")
    t.wait_for("all guests", lambda: t.logs("c").count("ready") == len(guests))
    images = images_of(t, "c")
    tasks = images["pstree.img"]["entries"]
    check(max(len(e["threads"]) for e in tasks) == 65, "the 64 threads are not there")
    for task in tasks:
        for thread in task["threads"]:
            check(f"core-{thread}.img" in images, f"there is no core-{thread}.img")
    check("pipes-data.img" in images and "seccomp.img" in images, f"{sorted(images)}")


def test_every_image_of_a_terminal(t):
    t.firn("run", "-d", "-t", "--name", "c", "guests", "/guests/terminal")
    t.wait_for_log("c", "ready")
    images = images_of(t, "c")
    check(any(f.startswith("tty-info") for f in images), f"{sorted(images)}")


def test_crit_shows_the_tree(t):
    t.looper("c", pause="1")
    images_of(t, "c")
    p = subprocess.run(["crit", "x", t.path("unpacked/checkpoint"), "ps"], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, check=False)
    check(p.returncode == 0 and b"sh" in p.stdout, p.stderr.decode()[-400:])
    p = subprocess.run(["crit", "x", t.path("unpacked/checkpoint"), "mems"], stdout=subprocess.PIPE,
                       stderr=subprocess.PIPE, check=False)
    check(p.returncode == 0 and b"busybox" in p.stdout, p.stderr.decode()[-400:])
