"""firn container checkpoint: options, outputs, refusals."""

import json
import os
import re
import stat
import subprocess
import tarfile

from harness.case import Skip, check, contains, equal, needs_root


def magic(path):
    with open(path, "rb") as f:
        head = f.read(4)
    return {b"\x28\xb5\x2f\xfd": "zstd"}.get(head) or ("gzip" if head[:2] == b"\x1f\x8b" else "none")


def test_of_a_stopped_container(t):
    t.firn("create", "--name", "c", "busybox", "true")
    t.fails("container", "checkpoint", "c",
            err="is not running, cannot checkpoint: container state improper")
    t.firn("start", "c")
    t.firn("wait", "c")
    t.fails("container", "checkpoint", "c",
            err='Error: "exited" is not running, cannot checkpoint: container state improper')


def test_of_an_unknown_container(t):
    t.looper("a")
    t.fails("container", "checkpoint", "a", "nope",
            err='no container with name or ID "nope" found: no such container')
    equal(t.status("a"), "running", "nothing is done when one name is unknown: a")


def test_arguments(t):
    t.fails("container", "checkpoint", err="you must provide at least one name or id")
    t.fails("container", "checkpoint", "-a", "x", err="no arguments are needed with --all")
    t.fails("container", "checkpoint", "-l", "x",
            err="--latest and containers cannot be used together")
    t.fails("container", "checkpoint", "-l", err="no such container")
    t.fails("container", "checkpoint", "--bogus",
            err="unknown flag: --bogus\nSee 'firn container checkpoint --help'")


def test_options_that_need_export(t):
    t.looper("c")
    t.fails("container", "checkpoint", "--compress", "gzip", "c",
            err="--compress can only be used with --export")
    t.fails("container", "checkpoint", "--ignore-rootfs", "c",
            err="--ignore-rootfs can only be used with --export")
    t.fails("container", "checkpoint", "--ignore-volumes", "c",
            err="--ignore-volumes can only be used with --export")
    t.fails("container", "checkpoint", "-e", t.path("x"), "--compress", "bogus", "c",
            err='selected compression algorithm ("bogus") not supported. Please select one from: '
                "gzip, none, zstd")
    equal(t.status("c"), "running")
    check(not os.path.exists(t.path("x")), "an archive was made")


def test_of_a_container_with_rm_needs_export(t):
    t.firn("run", "-d", "--rm", "--name", "c", "busybox", "sleep", "1000")
    t.fails("container", "checkpoint", "c",
            err="cannot checkpoint containers that have been started with '--rm' unless "
                "'--export' is used")
    equal(t.status("c"), "running")
    t.firn("container", "checkpoint", "-e", t.path("c.tar"), "c")
    t.wait_for("the container's removal", lambda: not t.ids())
    t.firn("container", "restore", "-i", t.path("c.tar"))
    t.firn("kill", "c")
    t.wait_for("the removal after its end", lambda: not t.ids())


def test_compression(t):
    for option, kind in ((None, "zstd"), ("zstd", "zstd"), ("gzip", "gzip"), ("none", "none")):
        t.looper("c")
        archive = t.path("c.tar.gz")
        t.firn("container", "checkpoint", "-e", archive, *(["-c", option] if option else []), "c")
        equal(magic(archive), kind, f"the compression of {option}")
        equal(stat.S_IMODE(os.stat(archive).st_mode), 0o600, "the mode of the archive")
        last = t.count("c")
        t.firn("rm", "c")
        t.firn("container", "restore", "-i", archive)
        t.counts_on("c", last)
        t.firn("rm", "-f", "-t", "0", "c")


def test_leave_running(t):
    id_ = t.looper("c")
    pid = t.inspect("c")["State"]["Pid"]
    equal(t.firn("container", "checkpoint", "--leave-running", "-l").out, id_ + "\n")
    equal((t.status("c"), t.inspect("c")["State"]["Pid"]), ("running", pid))
    t.counts_on("c", t.count("c"))


def test_all(t):
    ids = {t.looper(name) for name in ("a", "b")}
    t.firn("create", "--name", "never", "busybox", "true")
    equal(set(t.firn("container", "checkpoint", "-a").lines), ids, "output of -a")
    equal({t.status("a"), t.status("b")}, {"exited"})
    equal(set(t.firn("container", "restore", "a", "b").lines), {"a", "b"})
    equal({t.status("a"), t.status("b")}, {"running"})


def test_print_stats(t):
    id_ = t.looper("c")
    stats = t.firn("container", "checkpoint", "--print-stats", "c").json
    check(stats["podman_checkpoint_duration"] > 0, "no duration")
    one = stats["container_statistics"][0]
    equal(one["Id"], id_)
    check(one["runtime_checkpoint_duration"] > 0, "no runtime duration")
    check(one["criu_statistics"]["pages_written"] > 0, "no pages were written")
    stats = t.firn("container", "restore", "--print-stats", "c").json
    check(stats["container_statistics"][0]["criu_statistics"]["pages_restored"] > 0, "no pages")


def test_export_to_an_unwritable_path(t):
    t.looper("c")
    for path in (t.path("none/c.tar"), t.dir, "/proc/c.tar"):
        t.fails("container", "checkpoint", "-e", path, "c", err=re.compile(re.escape(path)))
        equal(t.status("c"), "running", f"after the export to {path}")
    t.counts_on("c", t.count("c"))
    equal(os.listdir(t.dir), [], "files left behind")


def small_disk(t, size):
    disk = t.path("disk")
    os.mkdir(disk)
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", disk], check=False)
    if r.returncode:
        raise Skip("no tmpfs can be mounted here")
    return disk


def test_export_to_a_full_disk(t):
    t.looper("c")
    t.firn("exec", "c", "sh", "-c", "head -c 3000000 /dev/urandom >/tmp/ballast")
    for size in ("4k", "64k", "1m"):
        disk = small_disk(t, size)
        try:
            t.fails("container", "checkpoint", "-e", disk + "/c.tar", "--compress", "none", "c",
                    err="no space left on device")
            equal(t.status("c"), "running", f"after {size}")
            equal(os.listdir(disk), [], "half an archive is left")
            t.counts_on("c", t.count("c"))
        finally:
            subprocess.run(["umount", "-l", disk], check=False)
            os.rmdir(disk)


def test_failed_export_keeps_an_older_archive(t):
    t.looper("c")
    disk = small_disk(t, "1m")
    try:
        with open(disk + "/c.tar", "w", encoding="utf-8") as f:
            f.write("precious")
        t.firn("exec", "c", "sh", "-c", "head -c 3000000 /dev/urandom >/tmp/ballast")
        t.fails("container", "checkpoint", "-e", disk + "/c.tar", "-c", "none", "c",
                err="no space left on device")
        with open(disk + "/c.tar", encoding="utf-8") as f:
            equal(f.read(), "precious", "the older archive")
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def test_local_checkpoint_to_a_full_disk(t):
    """The store itself on a small disk: the container runs on."""
    disk = small_disk(t, "24m")
    store = ["--root", disk + "/root", "--runroot", t.path("run")]
    firn = [t.program, *store]
    try:
        equal(t.run([*firn, "import", "-q", t.tars["busybox"], "bb"]).rc, 0, "import")
        started = t.run([*firn, "run", "-d", "--name", "c", "bb", "sh", "-c",
                         "x=$(head -c 20000000 /dev/urandom | base64); echo ready; sleep 1000; echo $x"])
        equal(started.rc, 0, started)
        t.wait_for("ready", lambda: "ready" in t.run([*firn, "logs", "c"]).out, 60)
        failed = t.run([*firn, "container", "checkpoint", "c"])
        equal(failed.rc, 125, failed)
        contains(failed.err, "no space left on device")
        equal(t.run([*firn, "inspect", "-f", "{{.State.Status}}", "c"]).out, "running\n")
        equal(t.run([*firn, "exec", "c", "echo", "alive"]).out, "alive\n")
    finally:
        t.run([*firn, "rm", "-f", "-t", "0", "-a"])
        subprocess.run(["umount", "-l", disk], check=False)


def test_keep_and_the_local_files(t):
    t.looper("c")
    t.firn("container", "checkpoint", "--keep", "c")
    path = t.inspect("c")["State"]["CheckpointPath"]
    check(os.path.exists(os.path.join(path, "inventory.img")), f"no inventory.img in {path}")
    t.firn("container", "restore", "--keep", "c")
    check(os.path.exists(os.path.join(path, "inventory.img")), "the checkpoint is gone")


def test_a_local_checkpoint_is_restored_many_times(t):
    t.looper("c")
    t.firn("container", "checkpoint", "c")
    first = t.count("c")
    for _ in range(3):
        before = len(t.logs("c"))
        t.firn("container", "restore", "--keep", "c")
        t.wait_for("more lines", lambda n=before: len(t.logs("c")) > n)
        equal(int(t.logs("c")[before]), first + 1, "the first number after the restore")
        t.firn("kill", "c")
        t.wait_for("its end", lambda: t.status("c") == "exited")


def test_archive_layout(t):
    """Podman's layout: what checkpointctl and Podman itself look for."""
    id_ = t.looper("c", "--label", "a=b", "-v", "vol:/data")
    archive = t.path("c.tar")
    t.firn("exec", "c", "sh", "-c", "echo new >/new; echo x >/dev/shm/x; rm /weird/gone")
    t.firn("container", "checkpoint", "-e", archive, "-c", "none", "c")
    with tarfile.open(archive) as tar:
        members = {m.name.rstrip("/"): m for m in tar.getmembers()}
        for name in ("checkpoint", "config.dump", "spec.dump", "checkpoint/inventory.img",
                     "checkpoint/pstree.img", "checkpoint/descriptors.json", "rootfs-diff.tar",
                     "deleted.files", "devshm-checkpoint.tar", "volumes/vol.tar", "ctr.log",
                     "network.status"):
            check(name in members, f"the archive lacks {name}: {sorted(members)}")
        check(members["checkpoint"].isdir(), "checkpoint/ has no entry of its own")
        check(not [n for n in members if n.startswith(("/", "./"))], "names are not relative")
        config = json.load(tar.extractfile("config.dump"))
        equal((config["id"], config["name"]), (id_, "c"))
        check(config["runtime"] in ("crun", "runc"), f"the runtime is {config['runtime']}")
        check(config["rootfsImageName"].endswith("busybox:latest"), "no image name")
        spec = json.load(tar.extractfile("spec.dump"))
        check(spec["process"]["args"] and spec["root"]["path"] and spec["mounts"], "no spec")
        equal(spec["annotations"]["io.container.manager"], "libpod")
        equal(json.load(tar.extractfile("deleted.files")), ["/weird/gone"])
        stdio = json.load(tar.extractfile("checkpoint/descriptors.json"))
        equal((stdio[0], stdio[1][:6]), ("/dev/null", "pipe:["))


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_paused_container(t):
    t.looper("c")
    t.firn("pause", "c")
    t.fails("container", "checkpoint", "c",
            err='"paused" is not running, cannot checkpoint: container state improper')
    equal(t.status("c"), "paused")


def test_accepts_what_podman_accepts(t):
    t.looper("c")
    t.firn("container", "checkpoint", "--tcp-established", "--file-locks", "c")
    t.firn("container", "restore", "--tcp-established", "--file-locks", "--ignore-static-ip",
           "--ignore-static-mac", "c")
    t.counts_on("c", t.count("c"))
    t.firn("container", "checkpoint", "--tcp-close", "c")
    t.firn("container", "restore", "--tcp-close", "c")


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_limits_are_applied_again(t):
    t.looper("c", "--memory", "64m", "--pids-limit", "50", "--cpus", "0.5")

    def limit(controller, name):
        pid = t.inspect("c")["State"]["Pid"]
        with open(f"/proc/{pid}/cgroup", encoding="utf-8") as f:
            groups = dict(line.strip().split(":", 2)[1:] for line in f)
        base = "/sys/fs/cgroup"
        v1 = os.path.isdir(f"{base}/{controller}")
        path = f"{base}/{controller}{groups[controller]}" if v1 else base + groups[""]
        with open(f"{path}/{name[0 if v1 else 1]}", encoding="utf-8") as f:
            return f.read().split()[0]

    def limits():
        return (limit("memory", ("memory.limit_in_bytes", "memory.max")),
                limit("pids", ("pids.max", "pids.max")),
                limit("cpu", ("cpu.cfs_quota_us", "cpu.max")))
    equal(limits(), ("67108864", "50", "50000"), "the limits")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    equal(limits(), ("67108864", "50", "50000"), "the limits after the restore")


@needs_root("runc keeps no copy of its seccomp filter, and only root may read filters")
def test_runc_does_it_too(t):
    runc = ["--runtime", "runc"]
    t.firn(*runc, "run", "-d", "--name", "c", "busybox", "/bin/sh", "-c",
           "i=0; while true; do echo $i; i=$(expr $i + 1); sleep 0.02; done")
    t.wait_for_log("c", "2")
    for _ in range(3):
        t.firn(*runc, "container", "checkpoint", "c")
        last = t.count("c")
        t.firn(*runc, "container", "restore", "c")
        t.counts_on("c", last)
    t.firn(*runc, "rm", "-f", "-t", "0", "c")


def test_through_a_pipe(t):
    t.looper("c")
    last = t.count("c")
    script = ('"$0" "$@" container checkpoint --export - c | cat >"$ARCHIVE" && '
              '"$0" "$@" rm c && cat "$ARCHIVE" | "$0" "$@" container restore --import -')
    archive = t.path("c.tar.zst")
    p = t.run(["sh", "-c", script, *t.argv()], env={"ARCHIVE": archive})
    equal(p.rc, 0, f"exit code ({p.err})")
    t.counts_on("c", last)
    t.fails("container", "checkpoint", "--export", "-", "--print-stats", "c",
            err="both want the standard output")


def test_export_is_for_one(t):
    for name in ("a", "b"):
        t.sleeper(name)
    t.fails("container", "checkpoint", "--export", t.path("x"), "--all",
            err="--export is for one container, these are 2")
