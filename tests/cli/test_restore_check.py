"""`restore --check` tells all that stops a restore, at once, and makes nothing."""

import os
import shutil
import socket

from harness.case import check, equal


def listener(t, port):
    """A container that listens on the host's port and has a directory of the host."""
    os.mkdir(os.path.join(t.dir, "outside"))
    t.firn("run", "-d", "--name", "web", "-v", f"{t.dir}/outside:/outside", "-v", "data:/data",
           "busybox", "nc", "-l", "-p", port)
    t.wait_for("listener", lambda: occupied(port))


def occupied(port):
    with socket.socket() as s:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            s.bind(("", port))
        except OSError:
            return True
    return False


def free_port():
    with socket.socket() as s:
        s.bind(("", 0))
        return s.getsockname()[1]


def reasons(t, *args):
    """The lines below the heading."""
    told = t.fails("container", "restore", "--check", *args).err.splitlines()
    check(told[0].endswith(f"cannot be restored for {len(told) - 1} reasons:"), told)
    return told[1:]


def test_local(t):
    port = free_port()
    listener(t, port)
    t.firn("container", "checkpoint", "web")
    equal(t.firn("container", "restore", "--check", "web").out, "web: nothing stops a restore\n")
    equal(t.status("web"), "exited", "after --check")
    shutil.rmtree(os.path.join(t.dir, "outside"))
    with socket.create_server(("", port)):
        mount, address = reasons(t, "web")
        check(f"{t.dir}/outside for its mount at /outside" in mount, mount)
        check("TCP address" in address and f":{port}, which is in use here" in address, address)
    t.fails("container", "restore", "web", err=f"{t.dir}/outside for its mount")
    os.mkdir(os.path.join(t.dir, "outside"))
    t.firn("container", "restore", "--check", "web")
    t.firn("container", "restore", "web")
    t.fails("container", "restore", "--check", "web", err="is running")


def test_import(t):
    port, archive = free_port(), os.path.join(t.dir, "web.tar")
    listener(t, port)
    t.firn("container", "checkpoint", "-e", archive, "web")
    t.firn("rm", "web")
    t.firn("create", "--name", "web", "busybox", "true")
    shutil.rmtree(os.path.join(t.dir, "outside"))
    with socket.create_server(("", port)):
        name, volume, mount, address = reasons(t, "--import", archive)
    check('the container name "web" is already in use' in name, name)
    check("volume with name data already exists" in volume, volume)
    check(f"{t.dir}/outside for its mount at /outside" in mount, mount)
    check("is in use here" in address, address)
    t.firn("rm", "web")
    t.firn("volume", "rm", "data")
    os.mkdir(os.path.join(t.dir, "outside"))
    equal(t.firn("container", "restore", "--check", "-i", archive).out,
          f"{archive}: nothing stops a restore\n")
    equal(t.firn("ps", "-aq").out, "", "containers after --check")
    equal(t.firn("volume", "ls", "-q").out, "", "volumes after --check")
    t.firn("container", "restore", "-i", archive)


def test_missing_image(t):
    archive = os.path.join(t.dir, "c.tar")
    t.firn("run", "-d", "--name", "c", "busybox", "sleep", "1000")
    t.firn("container", "checkpoint", "-e", archive, "c")
    t.firn("rm", "c")
    other = os.path.join(t.dir, "other")
    result = t.run([t.program, "--root", other, "--runroot", other + "-run", "container", "restore",
                    "--check", "-i", archive])
    equal(result.rc, 125)
    check("needs image" in result.err and "which is not here" in result.err, result.err)
