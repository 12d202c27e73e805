"""cp: both directions, tar streams, links that would lead out."""

import io
import os
import tarfile

from harness.case import check, contains, equal


def tar_of(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.gid, info.mode = len(data), 12, 34, 0o644
            tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def cat(t, name, path):
    return t.firn("exec", name, "cat", path).out


def test_files_in_and_out(t):
    t.sleeper("c")
    t.write("f", "hello\n")
    t.firn("cp", t.path("f"), "c:/tmp/")
    t.firn("cp", t.path("f"), "c:/tmp/renamed")
    equal(cat(t, "c", "/tmp/f") + cat(t, "c", "/tmp/renamed"), "hello\nhello\n")
    t.firn("exec", "c", "sh", "-c", "echo changed > /tmp/f; chmod 751 /tmp/f")
    t.firn("cp", "c:/tmp/f", t.path("back"))
    with open(t.path("back"), encoding="ascii") as f:
        equal(f.read(), "changed\n")
    equal(os.stat(t.path("back")).st_mode & 0o777, 0o751, "mode")
    equal(t.status("c"), "running")


def test_directories(t):
    t.sleeper("c")
    os.makedirs(t.path("d/sub"))
    t.write("d/sub/f", "deep")
    t.firn("cp", t.path("d"), "c:/tmp/new")       # is not there: becomes it
    t.firn("cp", t.path("d"), "c:/tmp")           # is there: goes into it
    t.firn("cp", t.path("d") + "/.", "c:/var")    # its content
    out = t.firn("exec", "c", "cat", "/tmp/new/sub/f", "/tmp/d/sub/f", "/var/sub/f").out
    equal(out, "deep" * 3)
    t.firn("cp", "c:/tmp/new", t.path("out"))
    with open(t.path("out/sub/f"), encoding="ascii") as f:
        equal(f.read(), "deep")
    t.fails("cp", t.path("d"), "c:/tmp/new/sub/f", err="cannot overwrite non-directory")
    t.firn("cp", "--overwrite", t.path("d"), "c:/tmp/new/sub/f")
    equal(cat(t, "c", "/tmp/new/sub/f/sub/f"), "deep")


def test_a_container_that_never_ran_and_volumes(t):
    t.firn("create", "--name", "c", "-v", "vol:/data", "busybox", "cat", "/data/f", "/f")
    t.write("f", "x\n")
    t.firn("cp", t.path("f"), "c:/data/f")
    t.firn("cp", t.path("f"), "c:/f")
    equal(t.firn("start", "-a", "c").out, "x\nx\n")
    t.firn("cp", "c:/data/f", t.path("g"))
    check(os.path.exists(t.path("g")), "nothing came out of the volume")


def test_from_container_to_container(t):
    t.sleeper("a")
    t.sleeper("b")
    t.firn("exec", "a", "sh", "-c", "mkdir /tmp/d; echo 1 > /tmp/d/f; ln -s f /tmp/d/l")
    t.firn("cp", "a:/tmp/d", "b:/tmp")
    equal(cat(t, "b", "/tmp/d/l"), "1\n")


def test_streams(t):
    t.sleeper("c")
    t.firn("cp", "-", "c:/tmp", stdin=tar_of({"a/b": b"streamed"}))
    equal(cat(t, "c", "/tmp/a/b"), "streamed")
    p = t.run(["sh", "-c", '"$@" > ' + t.path("o.tar"), "sh", *t.argv("cp", "c:/tmp/a", "-")])
    equal(p.rc, 0, "exit code")
    with tarfile.open(t.path("o.tar")) as tar:
        equal(sorted(tar.getnames()), ["a", "a/b"], "names")
    t.fails("cp", "-", "c:/etc/passwd", stdin=tar_of({"x": b""}),
            err="destination must be a directory when copying from stdin")


def test_owners(t):
    t.sleeper("c", "--user", "33:33")
    t.firn("cp", "-", "c:/tmp", stdin=tar_of({"mine": b""}))
    t.firn("cp", "-a=false", "-", "c:/tmp", stdin=tar_of({"theirs": b""}))
    out = t.firn("exec", "c", "stat", "-c", "%u:%g", "/tmp/mine", "/tmp/theirs").lines
    equal(out, ["33:33", "12:34"])


def test_links_stay_inside(t):
    """A link of the container that leads to / leads to its own."""
    t.sleeper("c")
    outside = t.path("outside")
    os.mkdir(outside)
    t.write("f", "x")
    t.firn("exec", "c", "ln", "-s", outside, "/tmp/trap")
    t.firn("exec", "c", "ln", "-s", "/etc/hostname", "/tmp/name")
    t.fails("cp", t.path("f"), "c:/tmp/trap/f", err="could not be found on container c")
    t.fails("cp", t.path("f"), "c:/tmp/../../../.." + outside + "/f", err="could not be found")
    equal(os.listdir(outside), [], "what came out of the container")
    t.firn("cp", "c:/tmp/name", t.path("name"))
    with open(t.path("name"), encoding="ascii") as f:
        equal(f.read().strip(), t.firn("exec", "c", "hostname").out.strip(), "the name")
    # A tar with ".." and with a link to climb over.
    t.fails("cp", "-", "c:/tmp", stdin=tar_of({"../../x": b""}), err="points outside")
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        link = tarfile.TarInfo("up")
        link.type, link.linkname = tarfile.SYMTYPE, outside
        tar.addfile(link)
        info = tarfile.TarInfo("up/f")
        tar.addfile(info)
    t.firn("cp", "-", "c:/tmp", stdin=out.getvalue(), rc=None)
    equal(os.listdir(outside), [], "what a link of the tar let out")


def test_what_is_not_there(t):
    t.sleeper("c")
    t.fails("cp", "c:/nope", t.path("x"),
            err='"/nope" could not be found on container c: no such file or directory')
    t.fails("cp", t.path("nope"), "c:/tmp", err="could not be found on the host")
    t.write("f", "x")
    t.fails("cp", t.path("f"), "c:/no/such/place", err="could not be found on container c")
    t.fails("cp", t.path("f"), "nobody:/tmp", err="no such container")
    t.fails("cp", t.path("f"), t.path("g"), err="you must specify one container")


def test_mounts_inside_are_seen(t):
    t.sleeper("c", "--tmpfs", "/scratch")
    t.write("f", "in the tmpfs")
    t.firn("cp", t.path("f"), "c:/scratch/f")
    contains(cat(t, "c", "/scratch/f"), "in the tmpfs")
