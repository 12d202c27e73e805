"""The writable layer, /dev/shm and named volumes travel in the export, exactly as they were."""

import os
import re
import stat

from harness.case import Skip, check, equal

CHANGES = r"""
echo new >/new; chmod 640 /new; chown 1000:2000 /new; touch -d '2001-02-03 04:05:06' /new
echo changed >>/weird/file; rm /weird/gone; mv /etc/motd /etc/motd.moved
chmod 700 /weird; chown 7:8 /data; chmod 1777 /home
mkdir -p /deep/er/est; echo x >/deep/er/est/f; chmod 2755 /deep/er
rm -r /home/user; mkdir /home/user; echo again >/home/user/new
ln /new /hard; ln -s ../etc/passwd /link; ln -s /nowhere /dangling; mkfifo -m 600 /fifo
chmod 4755 /bin/busybox
dd if=/dev/zero of=/sparse bs=1 count=1 seek=5000000 2>/dev/null
mkdir /empty; touch "/with space
and newline" /ünïcode
mv /tmp /tmp.moved; mkdir -m 1777 /tmp
rm -r /root; echo "now a file" >/root
rm /etc/group; mkdir /etc/group; echo x >/etc/group/x
"""

LISTING = r"""
cd / && find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run \) -prune -o \
    -exec stat -c '%N %a %u %g %h %Y %F' {} + | grep -vE "^'?\./?(etc/(hosts|resolv.conf|hostname))?'? " | sort
find . -xdev \( -path ./proc -o -path ./sys -o -path ./dev -o -path ./run -o -path ./bin \) -prune -o \
    -type f -exec md5sum {} + | grep -vE 'etc/(hosts|resolv.conf|hostname)$' | sort
"""


def listing(t, name="c"):
    """Everything find, stat and md5sum see in the container."""
    out = t.firn("exec", name, "/bin/busybox", "sh", "-c", LISTING).out
    # overlayfs counts the links of a directory in its own way, and the root's time is the mounts'
    lines = [re.sub(r" \d+ (\d+) directory$", r" \1 directory", x) for x in out.splitlines()]
    return [re.sub(r"^(\./?) (.*) \d{10} directory$", r"\1 \2 directory", x)
            for x in lines if not x.startswith(("./dev ", "./proc ", "./sys ", "./run "))]


def compare(before, after):
    lost = [x for x in before if x not in after]
    new = [x for x in after if x not in before]
    check(not lost and not new, "lost:\n  " + "\n  ".join(lost[:20]) + "\nnew:\n  "
          + "\n  ".join(new[:20]))


def cross(t, *options, name=None, compress="zstd"):
    """Export, rm with volumes, import."""
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "-c", compress, *options, "c")
    t.firn("rm", "-v", "c")
    t.firn("volume", "rm", "-a", "-f")
    t.firn("container", "restore", "-i", archive, *(["-n", name] if name else []))


def test_the_writable_layer(t):
    t.sleeper("c")
    t.firn("exec", "c", "/bin/busybox", "sh", "-c", CHANGES)
    before = listing(t)
    check(len(before) > 300, f"the listing has only {len(before)} lines")
    cross(t)
    compare(before, listing(t))


def test_the_writable_layer_twice(t):
    """What came by import travels again."""
    t.sleeper("c")
    t.firn("exec", "c", "/bin/busybox", "sh", "-c", CHANGES)
    before = listing(t)
    cross(t, compress="none")
    t.firn("exec", "c", "/bin/busybox", "sh", "-c", "rm /hard; echo later >/later")
    before = listing(t)
    cross(t, compress="gzip")
    compare(before, listing(t))


def test_the_layer_of_a_local_checkpoint(t):
    t.sleeper("c")
    t.firn("exec", "c", "/bin/busybox", "sh", "-c", CHANGES)
    before = listing(t)
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    compare(before, listing(t))


def test_sparse_files_stay_sparse(t):
    t.sleeper("c")
    t.firn("exec", "c", "sh", "-c", "dd if=/dev/zero of=/sparse bs=1 count=1 seek=300000000 2>&1;"
           "echo end >>/sparse")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "-c", "none", "c")
    check(os.path.getsize(archive) < 50000000, f"the archive has {os.path.getsize(archive)} bytes")
    t.firn("rm", "c")
    t.firn("container", "restore", "-i", archive)
    out = t.firn("exec", "c", "sh", "-c", "stat -c '%s %b' /sparse; tail -c 4 /sparse").out.split()
    equal((out[0], out[2]), ("300000005", "end"))
    check(int(out[1]) < 10000, f"the file takes {out[1]} blocks")


def test_extended_attributes_and_sockets(t):
    t.sleeper("c")
    root = t.firn("mount", "c").out.strip()
    t.firn("exec", "c", "sh", "-c", "echo x >/attr; mkdir /attrdir; nc -l -U /socket & sleep 0.3; kill $!",
           rc=None)
    try:
        os.setxattr(root + "/attr", "user.color", b"blue\0\xff")
        os.setxattr(root + "/attrdir", "trusted.x", b"y")
        os.setxattr(root + "/weird/file", "user.copied", b"up")
    except OSError as e:
        raise Skip(f"no xattrs here: {e}") from e
    os.mknod(root + "/sock", stat.S_IFSOCK | 0o755)
    os.chmod(root + "/sock", 0o755)
    cross(t)
    root = t.firn("mount", "c").out.strip()
    equal(os.getxattr(root + "/attr", "user.color"), b"blue\0\xff")
    equal(os.getxattr(root + "/attrdir", "trusted.x"), b"y")
    equal(os.getxattr(root + "/weird/file", "user.copied"), b"up")
    st = os.stat(root + "/sock")
    check(stat.S_ISSOCK(st.st_mode) and stat.S_IMODE(st.st_mode) == 0o755, f"{oct(st.st_mode)}")
    t.firn("unmount", "c", rc=None)


def test_times_to_the_nanosecond(t):
    t.sleeper("c")
    root = t.firn("mount", "c").out.strip()
    with open(root + "/f", "w", encoding="utf-8") as f:
        f.write("x")
    os.utime(root + "/f", ns=(1234567890123456789, 987654321987654321))
    cross(t)
    root = t.firn("mount", "c").out.strip()
    equal(os.stat(root + "/f").st_mtime_ns, 987654321987654321)
    t.firn("unmount", "c", rc=None)


def test_shared_memory_files(t):
    t.sleeper("c")
    t.firn("exec", "c", "sh", "-c", "mkdir -m 750 /dev/shm/d; echo s >/dev/shm/d/f; chown 5:6 "
           "/dev/shm/d/f; ln /dev/shm/d/f /dev/shm/hard; mkfifo /dev/shm/p")
    look = ["exec", "c", "sh", "-c", "cd /dev/shm && find . | sort | xargs stat -c '%n %a %u %g %h %F' "
            "| grep -v '^\\. '; cat d/f"]
    before = t.firn(*look).out
    cross(t)
    equal(t.firn(*look).out, before, "what is in /dev/shm")


def test_shared_memory_survives_a_local_checkpoint(t):
    t.sleeper("c")
    t.firn("exec", "c", "sh", "-c", "echo s >/dev/shm/f")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    equal(t.firn("exec", "c", "cat", "/dev/shm/f").out, "s\n")


def test_what_programs_put_into_dev(t):
    t.sleeper("c", "--tmpfs", "/scratch")
    t.firn("exec", "c", "sh", "-c", "mkdir -m 711 /dev/net; echo x >/dev/net/f; mkfifo /dev/initctl;"
           " chown 3:4 /dev/initctl; ln -s net/f /dev/l; echo y >/scratch/f; chmod 1770 /dev/shm")
    look = ["exec", "c", "sh", "-c",
            "find /dev /scratch -xdev | sort | xargs stat -c '%n %a %u %g %t %T %F'; "
            "stat -c '%n %a' /dev/shm /dev/pts /dev/mqueue; cat /dev/l /scratch/f"]
    before = t.firn(*look).out
    cross(t)
    equal(t.firn(*look).out, before, "what is in /dev")
    t.firn("container", "checkpoint", "c")
    t.firn("container", "restore", "c")
    equal(t.firn(*look).out, before, "what is in /dev, restored here")


def test_volumes(t):
    t.sleeper("c", "-v", "one:/one", "-v", "two:/two:ro", "-v", "/anonymous")
    t.firn("exec", "c", "sh", "-c", "echo 1 >/one/f; chown 3:4 /one/f; mkdir -m 700 /one/d; "
           "ln -s f /one/l; echo a >/anonymous/f; chown 9:9 /one")
    look = ["exec", "c", "sh", "-c",
            "find /one /anonymous | sort | xargs stat -c '%n %a %u %g %F'; cat /one/f /anonymous/f"]
    before = t.firn(*look).out
    cross(t)
    equal(t.firn(*look).out, before, "what is in the volumes")
    t.firn("exec", "c", "touch", "/two/f", rc=1)
    check({"one", "two"} <= set(t.firn("volume", "ls", "-q").lines), "the volumes have lost their names")


def test_bind_mounts_stay_outside(t):
    os.mkdir(t.path("src"))
    t.write("src/f", "host")
    t.sleeper("c", "-v", f"{t.path('src')}:/mnt")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "-c", "none", "c")
    with open(archive, "rb") as f:
        check(b"src/f" not in f.read().replace(t.path("src").encode(), b""), "the bind is inside")
    t.firn("rm", "c")
    t.write("src/f", "host, later")
    t.firn("container", "restore", "-i", archive)
    equal(t.firn("exec", "c", "cat", "/mnt/f").out, "host, later")


def test_ignore_rootfs(t):
    t.sleeper("c")
    t.firn("exec", "c", "sh", "-c", "echo x >/new")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "--ignore-rootfs", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("container", "restore", "-i", archive)
    t.firn("exec", "c", "ls", "/new", rc=1)


def test_restore_with_ignore_rootfs(t):
    t.sleeper("c")
    t.firn("exec", "c", "sh", "-c", "echo x >/new")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("container", "restore", "--ignore-rootfs", "-i", archive)
    t.firn("exec", "c", "ls", "/new", rc=1)


def test_ignore_volumes(t):
    t.sleeper("c", "-v", "vol:/v")
    t.firn("exec", "c", "sh", "-c", "echo x >/v/f")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "--ignore-volumes", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("volume", "rm", "vol")
    t.firn("container", "restore", "--ignore-volumes", "-i", archive)
    t.firn("exec", "c", "ls", "/v/f", rc=1)


def test_files_and_memory_are_of_one_instant(t):
    """A program that writes each number to a file, then keeps it in memory: in the copy, the file
    is never behind the memory nor more than one step ahead."""
    t.firn("run", "-d", "--name", "c", "busybox", "sh", "-c",
           "i=0; while :; do i=$((i+1)); echo $i >/file; echo $i >/dev/shm/f; "
           "[ -e /ask ] && { echo $i $(cat /file); rm /ask; exec sleep 1000; }; done")
    t.wait_for("the file", lambda: t.firn("exec", "c", "cat", "/file", rc=None).out.strip())
    for n in range(8):
        archive = t.path("c.tar")
        t.firn("container", "checkpoint", "-R", "-e", archive, "c")
        t.firn("container", "restore", "-i", archive, "-n", f"copy{n}")
        if not t.rootless:
            t.firn("pause", f"copy{n}")
            t.firn("unpause", f"copy{n}")
        t.firn("exec", f"copy{n}", "touch", "/ask")
        memory, file = t.wait_for("an answer", lambda k=n: t.logs(f"copy{k}"))[-1].split()
        equal(memory, file, "memory and file")
        t.firn("rm", "-f", "-t", "0", f"copy{n}")
