"""The images the tests run: busybox, and busybox with the guest programs."""

import glob
import os
import shutil
import subprocess


def _link_applets(bin_dir):
    busybox = shutil.which("busybox")
    shutil.copy(busybox, os.path.join(bin_dir, "busybox"))
    applets = subprocess.run([busybox, "--list"], stdout=subprocess.PIPE, check=True, text=True)
    for name in applets.stdout.split():
        if name != "busybox":
            os.symlink("busybox", os.path.join(bin_dir, name))


def make_root(path):
    """A root file system of busybox-static."""
    for name in ("bin", "etc", "proc", "sys", "dev", "tmp", "root", "weird", "data", "home/user"):
        os.makedirs(os.path.join(path, name))
    _link_applets(os.path.join(path, "bin"))
    files = {"etc/passwd": "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000:user:/home/user:/bin/sh\n",
             "etc/group": "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n",
             "weird/file": "the image's\n", "weird/gone": "to be deleted\n", "etc/motd": "hello\n"}
    for name, text in files.items():
        with open(os.path.join(path, name), "w", encoding="utf-8") as f:
            f.write(text)
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    os.chown(os.path.join(path, "home/user"), 1000, 1000)
    return path


def add_guests(path, build):
    """The guest programs, as /guests/NAME."""
    os.makedirs(os.path.join(path, "guests"))
    for program in glob.glob(os.path.join(build, "tests/guests/*")):
        if os.path.isfile(program) and os.access(program, os.X_OK):
            shutil.copy(program, os.path.join(path, "guests"))


def tar(directory, archive):
    subprocess.run(["tar", "-C", directory, "-cf", archive, "."], check=True)
    return archive


def make_all(place, build):
    """Tars of the image roots below `place`: {name: tar}."""
    root = make_root(os.path.join(place, "busybox-root"))
    tars = {"busybox": tar(root, os.path.join(place, "busybox.tar"))}
    add_guests(root, build)
    tars["guests"] = tar(root, os.path.join(place, "guests.tar"))
    shutil.rmtree(root)
    return tars
