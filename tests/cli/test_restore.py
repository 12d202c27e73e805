"""firn container restore: options, refusals, bad archives."""

import io
import os
import tarfile

from harness.case import check, equal, matches


def exported(t, name="c", *options, compress="none"):
    """Makes a looper, exports it, removes it; returns (path of the archive, last number)."""
    t.looper(name, *options)
    archive = t.path(f"{name}.tar")
    t.firn("container", "checkpoint", "-e", archive, "-c", compress, name)
    last = t.count(name)
    t.firn("rm", name)
    return archive, last


def unharmed(t):
    """Nothing is left of a failed import."""
    equal(t.ids(), [], "containers after the failed restore")
    equal(t.firn("volume", "ls", "-q").lines, [], "volumes after the failed restore")


def test_arguments(t):
    t.fails("container", "restore", err="you must provide at least one name or id")
    t.fails("container", "restore", "-a", "x", err="no arguments are needed with --all")
    t.fails("container", "restore", "-i", "f", "x",
            err="cannot use --import with positional arguments")
    t.fails("container", "restore", "-i", "f", "-a",
            err="cannot use --import with --all or --latest")
    t.fails("container", "restore", "-n", "new", "x",
            err="--name can only be used with image or --import")
    t.fails("container", "restore", "--ignore-rootfs", "x",
            err="--ignore-rootfs can only be used with image or --import")
    t.fails("container", "restore", "--ignore-volumes", "x",
            err="--ignore-volumes can only be used with image or --import")
    t.fails("container", "restore", "-i", "f", "-n", "new", "--tcp-established",
            err="--tcp-established cannot be used with --name")


def test_of_an_unknown_container(t):
    t.fails("container", "restore", "nope", err="no such container or image: nope")


def test_of_a_running_container(t):
    t.looper("c")
    t.fails("container", "restore", "c",
            err="is running or paused, cannot restore: container state improper")
    t.counts_on("c", t.count("c"))


def test_without_a_checkpoint(t):
    t.firn("run", "--name", "c", "busybox", "true")
    t.fails("container", "restore", "c",
            err="a complete checkpoint for this container cannot be found, cannot restore")
    equal(t.status("c"), "exited")


def test_import_of_a_missing_file(t):
    t.fails("container", "restore", "-i", t.path("none.tar"), err="no such file or directory")
    unharmed(t)


def test_import_where_the_container_still_is(t):
    t.looper("c")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-R", "-e", archive, "c")
    t.fails("container", "restore", "-i", archive, err="already in use")
    t.counts_on("c", t.count("c"))


def test_import_under_a_taken_or_bad_name(t):
    archive, last = exported(t)
    t.sleeper("other")
    t.fails("container", "restore", "-i", archive, "-n", "other", err="already in use")
    t.fails("container", "restore", "-i", archive, "-n", "bad/name", err="names must match")
    equal(len(t.ids()), 1, "containers")
    t.firn("container", "restore", "-i", archive, "-n", "good")
    t.counts_on("good", last)


def test_truncated_archives(t):
    for compress in ("none", "zstd", "gzip"):
        archive, _ = exported(t, compress=compress)
        size = os.path.getsize(archive)
        with open(archive, "rb") as f:
            data = f.read()
        for part in (1, 10, 511, 513, size // 10, size // 3, size // 2, size * 9 // 10,
                     size - 2000 if compress == "none" else size - 40):
            short = t.write("short.tar", data[:part])
            t.fails("container", "restore", "-i", short)
            unharmed(t)


test_truncated_archives.seconds = 180


def test_empty_and_foreign_archives(t):
    foreign = io.BytesIO()
    with tarfile.open(fileobj=foreign, mode="w") as tar:
        tar.addfile(tarfile.TarInfo("hello"), io.BytesIO())
    no_entries = io.BytesIO()
    with tarfile.open(fileobj=no_entries, mode="w"):
        pass
    for data in (b"", b"\0" * 10240, os.urandom(5000), b"PK\3\4" + os.urandom(3000),
                 foreign.getvalue(), no_entries.getvalue(), b"\x28\xb5\x2f\xfd" + b"\0" * 100,
                 b"\x1f\x8b\x08" + os.urandom(100)):
        t.fails("container", "restore", "-i", t.write("x.tar", data))
        unharmed(t)
    t.fails("container", "restore", "-i", t.dir)
    unharmed(t)


def test_flipped_bits_never_crash(t):
    """Damage anywhere: an error, or (where the damage meets padding) a container that counts."""
    archive, last = exported(t)
    with open(archive, "rb") as f:
        data = f.read()
    for n in range(40):
        at = (n * 7919 * 131 + 17) % len(data)
        bad = data[:at] + bytes([data[at] ^ (1 << n % 8)]) + data[at + 1:]
        r = t.firn("container", "restore", "-i", t.write("bad.tar", bad), rc=None)
        check(r.rc in (0, 125, 126, 127), f"byte {at}: exit code {r.rc}\n{r}")
        if r.rc == 0:
            t.firn("rm", "-f", "-t", "0", "-a")
        else:
            check(r.errors == 1, f"byte {at}: {r}")
            unharmed(t)
    t.firn("container", "restore", "-i", archive)
    t.counts_on("c", last)


test_flipped_bits_never_crash.seconds = 240


def test_of_another_image(t):
    """The image of the checkpoint is not here and cannot be had."""
    t.firn("tag", "busybox", "localhost/only-here:1")
    t.looper("c", image="localhost/only-here:1")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("rmi", "-f", "localhost/only-here:1", "busybox", "guests")
    r = t.firn("container", "restore", "-i", archive, rc=125)
    matches(r.err, r"(?m)^Error: .*only-here", "the error")
    unharmed(t)


def test_image_is_found_by_its_digest(t):
    """Another name for the same image is good enough."""
    t.firn("tag", "busybox", "localhost/first:1", "localhost/second:1")
    t.looper("c", image="localhost/first:1")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "c")
    last = t.count("c")
    t.firn("rm", "c")
    t.firn("untag", "localhost/first:1", rc=None)
    t.firn("rmi", "localhost/first:1", rc=None)
    t.firn("container", "restore", "-i", archive)
    t.counts_on("c", last)


def test_volume_that_exists(t):
    archive, last = exported(t, "c", "-v", "vol1:/data")
    t.fails("container", "restore", "-i", archive,
            err="volume with name vol1 already exists. Use --ignore-volumes to not restore content "
                "of volumes")
    equal(t.ids(), [], "containers")
    t.firn("container", "restore", "--ignore-volumes", "-i", archive)
    t.counts_on("c", last)


def test_all(t):
    ids = {t.looper(name) for name in ("a", "b")}
    t.firn("container", "checkpoint", "a", "b")
    equal(set(t.firn("container", "restore", "-a").lines), ids)
    equal({t.status("a"), t.status("b")}, {"running"})


def test_of_restored_containers_behaves_as_any(t):
    archive, last = exported(t)
    t.firn("container", "restore", "-i", archive)
    t.counts_on("c", last)
    equal(t.firn("exec", "c", "echo", "hello").out, "hello\n")
    if not t.rootless:
        t.firn("pause", "c")
        equal(t.status("c"), "paused")
        t.firn("unpause", "c")
    t.counts_on("c", t.count("c"))
    equal(t.firn("stop", "-t", "1", "c").out, "c\n")
    equal(t.status("c"), "exited")
    t.firn("start", "c")
    equal(t.status("c"), "running")
