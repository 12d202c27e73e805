"""firn started by ordinary users, made for these tests, with nothing configured for them. The other
tests run as one of them with `tests/run --user`."""

import copy
import io
import json
import os
import shutil
import signal
import subprocess
import tarfile
import time

from harness.case import Failed, Result, Skip, check, contains, equal, matches, needs_root
from harness.network import need_bridges
from harness.user import User, open_device

LOOP = "i=0; while true; do echo $i; i=$((i+1)); sleep 0.05; done"


def own_name():
    """Each process that runs tests makes users of its own."""
    return f"firn-{os.getpid()}"


class Account(User):
    """A user with firn and the busybox image."""

    def __init__(self, t, name, **options):
        super().__init__(name, **options)
        self.t = t

    def __enter__(self):
        if self.t.rootless:
            raise Skip("making users needs root")
        super().__enter__()
        shutil.copy(self.t.program, f"{self.home}/firn")
        self.give(self.t.tars["busybox"], "busybox.tar")
        self.imported = self.firn("import", "-q", "-c", 'CMD ["sh"]', "busybox.tar", "busybox")
        return self

    def give(self, path, name):
        shutil.copy(path, f"{self.home}/{name}")
        os.chown(f"{self.home}/{name}", self.uid, self.gid)

    def firn(self, *args, rc=0):
        p = self.run("./firn", *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                     stderr=subprocess.PIPE, timeout=60)
        r = Result(args, p.returncode, p.stdout.decode(errors="replace"),
                   p.stderr.decode(errors="replace"))
        if rc is not None and r.rc != rc:
            raise Failed(f"exit code is not {rc}:\n{r}")
        return r

    def looper(self, name="c", *options):
        self.firn("run", "-d", "--name", name, *options, "busybox", "sh", "-c", LOOP)
        self.t.wait_for("a count", lambda: len(self.count(name)) > 3)

    def count(self, name):
        lines = self.firn("logs", name).lines
        for n, line in enumerate(lines):
            equal(line, str(n), f"line {n} of the count")
        return lines

    def goes_on(self, name="c"):
        before = len(self.count(name))
        self.t.wait_for("the count to go on", lambda: len(self.count(name)) > before)

    def holder(self):
        with open(f"{self.runroot}/holder", encoding="ascii") as f:
            return int(f.read().split()[0])

    def init(self, name):
        return int(self.firn("inspect", "--format", "{{.State.Pid}}", name).out)


def test_nothing_configured(t):
    with Account(t, own_name()) as user:
        user.looper()
        equal(os.stat(f"/proc/{user.init('c')}").st_uid, user.uid, "whose process it is")
        equal(oct(os.stat(user.runroot).st_mode & 0o777), "0o700", "the run directory's mode")
        check(os.path.isdir(f"{user.home}/.local/share/firn"), "the store is elsewhere")
        for _ in range(5):
            user.firn("container", "checkpoint", "c")
            user.firn("container", "restore", "c")
            user.goes_on()
        user.firn("container", "checkpoint", "-e", "c.tar.zst", "c")
        equal(os.stat(f"{user.home}/c.tar.zst").st_uid, user.uid, "the archive's owner")
        user.firn("rm", "c")
        user.firn("container", "restore", "-i", "c.tar.zst")
        user.firn("container", "restore", "-i", "c.tar.zst", "-n", "second")
        user.goes_on("c")
        user.goes_on("second")
        matches(user.firn("exec", "c", "grep", "Seccomp", "/proc/1/status").out, r"Seccomp:\s+2")
        user.firn("stop", "-t", "0", "-a")
        user.firn("rm", "-a")
        equal([m for m in open("/proc/self/mountinfo", encoding="utf-8") if user.home in m], [],
              "mounts on the host")


def test_unshare(t):
    with Account(t, own_name()) as user:
        equal(user.firn("unshare", "id", "-u").out, "0\n")
        user.firn("unshare", "sh", "-c", "exit 7", rc=7)
        user.firn("unshare", "nosuchprogram", rc=127)
        maps = user.firn("unshare", "cat", "/proc/self/uid_map").lines
        equal((maps[0].split(), len(maps)), (["0", str(user.uid), "1"], 2), "the map")
        equal(user.firn("unshare", "pwd").out.strip(), user.home, "the directory")
    t.fails("unshare", "true", err="please use unshare with rootless")


def test_the_holder_may_die(t):
    with Account(t, own_name()) as user:
        user.looper()
        first = user.holder()
        os.kill(first, signal.SIGKILL)
        user.goes_on()
        check(user.holder() != first, "there is no new holder")
        user.firn("container", "checkpoint", "c")
        os.kill(user.holder(), signal.SIGKILL)
        user.firn("container", "restore", "c")
        user.goes_on()
        user.firn("rm", "-f", "-t", "0", "c")


def test_a_run_directory_of_somebody_else(t):
    with Account(t, own_name()) as user:
        os.kill(user.holder(), signal.SIGKILL)
        shutil.rmtree(user.runroot)
        os.mkdir(user.runroot, 0o777)
        r = user.firn("ps", rc=125)
        contains(r.err, f"cannot use {user.runroot}: it belongs to uid 0")
        os.rmdir(user.runroot)
        os.symlink(user.home, user.runroot)
        contains(user.firn("ps", rc=125).err, "it is no directory")
        os.unlink(user.runroot)
        os.mkdir(f"{user.home}/run", 0o700)
        os.chown(f"{user.home}/run", user.uid, user.gid)
        r = user.run("env", f"XDG_RUNTIME_DIR={user.home}/run", "./firn", "ps",
                     stdout=subprocess.DEVNULL)
        equal(r.returncode, 0)
        check(os.path.exists(f"{user.home}/run/firn/holder"), "XDG_RUNTIME_DIR is not used")
        r = user.run("env", "XDG_RUNTIME_DIR=/root", "./firn", "ps", stdout=subprocess.DEVNULL)
        equal(r.returncode, 0, "with the run directory of root")


def test_without_subordinate_ids(t):
    with Account(t, own_name(), subordinate=False) as user:
        contains(user.imported.err, "no subordinate ids")
        contains(user.imported.err, "usermod --add-subuids")
        user.looper()
        user.firn("container", "checkpoint", "c")
        user.firn("container", "restore", "c")
        user.goes_on()
        equal(user.firn("exec", "c", "id", "-u").out, "0\n")
        r = user.firn("run", "--rm", "-u", "1000", "busybox", "id", rc=None)
        check(r.rc != 0, f"{r}")
        advice = [line for line in user.firn("check").lines if "usermod" in line][0]
        contains(advice, "usermod --add-subuids")
        subprocess.run(advice.split("&&")[0].split(), check=True)
        equal(len(user.firn("unshare", "cat", "/proc/self/uid_map").lines), 1,
              "the map while a container runs")
        user.firn("rm", "-f", "-t", "0", "c")
        t.wait_for("the new map", lambda: len(
            user.firn("unshare", "cat", "/proc/self/uid_map").lines) == 2)


def test_limits_are_not_silently_ignored(t):
    with Account(t, own_name()) as user:
        r = user.firn("run", "--rm", "--memory", "64m", "busybox", "true")
        contains(r.err, "Resource limits are not applied")
        user.looper()
        contains(user.firn("pause", "c", rc=125).err, "needs the freezer of a cgroup")
        user.firn("rm", "-f", "-t", "0", "c")


class Delegated(Account):
    """A user on a host with cgroups v2 alone, who was given a part of them."""

    ENTER = """mount --bind /sys/fs/cgroup/unified /sys/fs/cgroup
        echo $$ >/sys/fs/cgroup/$0/login/cgroup.procs
        exec "$@" """

    def __enter__(self):
        if not os.path.isdir("/sys/fs/cgroup/unified"):
            raise Skip("cgroups v2 are not mounted beside v1, where they can be lent")
        os.makedirs(self.group() + "/login", exist_ok=True)
        return super().__enter__()

    def argv(self, *args):
        for group in (self.group(), self.group() + "/login"):
            for name in ("", "cgroup.procs", "cgroup.subtree_control", "cgroup.threads"):
                os.chown(f"{group}/{name}", self.uid, self.gid)
        return ["unshare", "-m", "--propagation", "private", "sh", "-c", self.ENTER, own_name(),
                *super().argv(*args)]

    @staticmethod
    def group():
        return f"/sys/fs/cgroup/unified/{own_name()}"

    def groups(self):
        return [d for _, dirs, _ in os.walk(self.group()) for d in dirs if d.startswith("libpod-")]

    def __exit__(self, *args):
        super().__exit__(*args)
        for top, _, _ in os.walk(self.group(), topdown=False):
            os.rmdir(top)


def test_delegated_cgroups(t):
    with Delegated(t, own_name()) as user:
        matches(user.firn("check").out, rf"cgroups +yes +/{own_name()} with controllers: none")
        user.looper()
        identity = user.firn("ps", "-q", "--no-trunc").out.strip()
        equal(user.groups(), [f"libpod-{identity}"])
        user.firn("pause", "c")
        equal(user.firn("ps", "-a", "--format", "{{.State}}").out, "paused\n")
        before = len(user.count("c"))
        time.sleep(0.2)
        check(len(user.count("c")) <= before + 1, "it counts on while it is paused")
        user.firn("unpause", "c")
        user.goes_on()
        user.firn("container", "checkpoint", "c")
        equal(user.groups(), [])
        user.firn("container", "restore", "c")
        user.goes_on()
        equal(user.groups(), [f"libpod-{identity}"])
        r = user.firn("run", "--rm", "-m", "64m", "busybox", "true")
        contains(r.err, "not applied, because they are not delegated to you: memory")
        user.firn("rm", "-f", "-t", "0", "c")
        equal(user.groups(), [])


def test_where_the_kernel_refuses_overlays(t):
    """On an overlay there is none of the kernel's, but there is fuse-overlayfs."""
    if not shutil.which("fuse-overlayfs") or not os.path.exists("/dev/fuse"):
        raise Skip("fuse-overlayfs is not installed, or there is no /dev/fuse")
    work = ("rm /etc/group; rm -r /tmp; mkdir /tmp; echo new >/tmp/f; echo x >>/etc/passwd; "
            "chown 5:6 /etc/passwd; mkdir -p /a/b; " + LOOP)
    looks = "ls -a / /tmp /etc /a; stat -c %u:%g /etc/passwd; cat /tmp/f"
    with Account(t, own_name()) as user, open_device("/dev/fuse"):
        user.run("mkdir", "-p", "o/low", "o/up", "o/work", "o/store")
        user.firn("unshare", "mount", "-t", "overlay", "overlay", "-o",
                  "lowerdir=o/low,upperdir=o/up,workdir=o/work,userxattr", "o/store")
        there = ("--root", f"{user.home}/o/store/root", "--runroot", f"{user.home}/o/run")
        user.firn(*there, "import", "-q", "-c", 'CMD ["sh"]', "busybox.tar", "busybox")
        user.firn(*there, "run", "-d", "--name", "c", "busybox", "sh", "-c", work)
        t.wait_for("a count", lambda: len(user.firn(*there, "logs", "c").lines) > 2)
        contains(user.firn("unshare", "cat", "/proc/self/mountinfo").out, "fuse-overlayfs")
        seen = user.firn(*there, "exec", "c", "sh", "-c", looks).out
        changes = user.firn(*there, "diff", "c").lines
        for line in ("D /etc/group", "C /etc/passwd", "A /a/b", "A /tmp/f"):
            contains(changes, line)
        equal([c for c in changes if ".wh." in c], [])
        user.firn(*there, "container", "checkpoint", "c")
        user.firn(*there, "container", "restore", "c")
        equal(user.firn(*there, "exec", "c", "sh", "-c", looks).out, seen)
        user.firn(*there, "container", "checkpoint", "-e", "c.tar", "c")
        user.firn(*there, "rm", "c")
        user.firn(*there, "container", "restore", "-i", "c.tar")
        equal(user.firn(*there, "exec", "c", "sh", "-c", looks).out, seen)
        user.firn(*there, "rm", "-f", "-t", "0", "c")
        check("fuse-overlayfs" not in user.firn("unshare", "cat", "/proc/self/mountinfo").out,
              "a mount stayed")


@needs_root("making users and bridges")
def test_networks_fit_who_restores(t):
    port = "127.0.0.1:18099"
    need_bridges(t)
    if not shutil.which("pasta") and not shutil.which("slirp4netns"):
        raise Skip("neither pasta nor slirp4netns is installed")
    with Account(t, own_name()) as user, open_device("/dev/net/tun"):
        t.firn("run", "-d", "--name", "c", "-p", f"{port}:80", "busybox", "sh", "-c", LOOP)
        t.firn("container", "checkpoint", "-e", t.path("c.tar"), "c")
        t.firn("rm", "c")
        t.firn("save", "-q", "-o", t.path("image.tar"), "busybox")
        user.firn("rmi", "-f", "busybox")
        user.give(t.path("image.tar"), "image.tar")
        user.firn("load", "-q", "-i", "image.tar")
        user.give(t.path("c.tar"), "c.tar")
        user.firn("container", "restore", "-i", "c.tar")
        user.goes_on()
        mode = user.firn("inspect", "c", "--format", "{{.HostConfig.NetworkMode}}").out.strip()
        check(mode in ("pasta", "slirp4netns"), mode)
        equal(user.firn("port", "c").out, f"80/tcp -> {port}\n")
        user.firn("container", "checkpoint", "-e", "c.tar", "c")
        user.firn("rm", "c")
        t.firn("container", "restore", "-i", f"{user.home}/c.tar")
        equal(t.inspect("c")["HostConfig"]["NetworkMode"], "bridge")
        equal(t.firn("port", "c").out, f"80/tcp -> {port}\n")


def test_filters_that_cannot_be_suspended(t):
    """A filter that would kill the program for what firn has it do is refused before it does."""
    profile = {"defaultAction": "SCMP_ACT_ALLOW",
               "syscalls": [{"names": ["timer_gettime"], "action": "SCMP_ACT_KILL_PROCESS"}]}
    with Account(t, own_name()) as user:
        user.give(t.write("kill.json", json.dumps(profile)), "kill.json")
        user.looper("c", "--security-opt", "seccomp=kill.json")
        r = user.firn("container", "checkpoint", "c", rc=125)
        contains(r.err, "kills processes for timer_gettime")
        user.goes_on()
        user.firn("rm", "-f", "-t", "0", "c")


def test_check(t):
    with Account(t, own_name()) as user:
        out = user.firn("check").out
        contains(out, "Checkpoint and restore work on this machine for this user.")
        matches(out, r"subordinate ids +yes")


def test_from_root_to_users_and_back(t):
    """Numbers of users and groups are the container's own, whoever runs it."""
    work = "chown 1000:2000 /data; touch /v/f; chown 1000 /v/f; " + LOOP
    t.firn("run", "-d", "--name", "c", "-v", "vol:/v", "busybox", "sh", "-c", work)
    t.wait_for_log("c", "3")
    archive = t.path("c.tar.zst")
    t.firn("container", "checkpoint", "-e", archive, "c")
    t.firn("rm", "c")
    t.firn("volume", "rm", "vol")
    with Account(t, own_name()) as a, Account(t, own_name() + "b") as b:
        for user in (a, b):
            user.give(archive, "in.tar.zst")
            image = t.path("image.tar")
            if not os.path.exists(image):
                t.firn("save", "-q", "-o", image, "busybox")
            user.firn("rmi", "-f", "busybox")
            user.give(image, "image.tar")
            user.firn("load", "-q", "-i", "image.tar")
            user.firn("container", "restore", "-i", "in.tar.zst")
            user.goes_on()
            equal(user.firn("exec", "c", "stat", "-c", "%u:%g", "/data", "/v/f").lines,
                  ["1000:2000", "1000:0"], f"owners for {user.name}")
            user.firn("container", "checkpoint", "-e", "out.tar.zst", "c")
            user.firn("rm", "-v", "c")
            shutil.copy(f"{user.home}/out.tar.zst", archive)
    t.firn("container", "restore", "-i", archive)
    t.counts_on("c", t.count("c"))
    equal(t.firn("exec", "c", "stat", "-c", "%u:%g", "/data", "/v/f").lines,
          ["1000:2000", "1000:0"], "owners for root again")


test_from_root_to_users_and_back.seconds = 150


# Hostile archives ---------------------------------------------------------------------------------

def changed(source, target, change):
    """A copy of an archive in which `change(config)` was done to the container's config."""
    with tarfile.open(source) as tar:
        members = [(copy.copy(m), tar.extractfile(m).read() if m.isreg() else None)
                   for m in tar.getmembers()]
    with tarfile.open(target, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            if info.name == "config.dump":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            elif info.name == "spec.dump":
                spec = {"spec": json.loads(data)}
                change(spec)
                data = json.dumps(spec["spec"]).encode()
            if data is not None:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)


def add_mount(config):
    config["spec"].setdefault("mounts", []).append(
        {"destination": "/data", "type": "bind", "source": "/etc", "options": ["rbind", "rw"]})


def add_devices(config):
    linux = config["spec"]["linux"]
    linux["devices"] = [{"path": "/dev/kmsg2", "type": "c", "major": 1, "minor": 11,
                         "fileMode": 0o666, "uid": 0, "gid": 0}]
    linux.setdefault("resources", {})["devices"] = [{"allow": True, "access": "rwm"}]
    config["privileged"] = True
    config["mountAllDevices"] = True


def add_capabilities(config):
    every = ["CAP_SYS_ADMIN", "CAP_SYS_MODULE", "CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE",
             "CAP_DAC_READ_SEARCH", "CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_MKNOD"]
    config["spec"]["process"]["capabilities"] = {
        k: every for k in ("bounding", "effective", "permitted", "inheritable", "ambient")}


def join_host(config):
    config["spec"]["linux"]["namespaces"] = [{"type": "mount"}]


def join_paths(config):
    config["spec"]["linux"]["namespaces"] = [
        {"type": "mount", "path": "/proc/1/ns/mnt"}, {"type": "pid", "path": "/proc/1/ns/pid"}]


def be_another(config):
    config["user"] = "5000000"
    config["spec"]["process"]["user"] = {"uid": 5000000, "gid": 5000000}


def own_maps(config):
    config["spec"]["linux"]["uidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    config["spec"]["linux"]["gidMappings"] = [{"containerID": 0, "hostID": 0, "size": 65536}]
    config["spec"]["linux"]["namespaces"].append({"type": "user"})


def hooks(config):
    config["spec"]["hooks"] = {
        k: [{"path": "/bin/touch", "args": ["touch", "/tmp/hooked"]}]
        for k in ("prestart", "createRuntime", "poststart", "poststop")}


ATTACKS = (add_mount, add_devices, add_capabilities, join_host, join_paths, be_another, own_maps,
           hooks)


def test_hostile_archives_gain_nothing(t):
    """Whatever an archive asks for, its programs can do no more than the user who restores it."""
    secret = "/etc/firn-secret"
    with Account(t, own_name()) as user:
        user.looper()
        user.firn("container", "checkpoint", "-e", "good.tar", "-c", "none", "c")
        user.firn("rm", "c")
        try:
            with open(secret, "w", encoding="utf-8") as f:
                os.chmod(secret, 0o600)
                f.write("secret")
            for attack in ATTACKS:
                changed(f"{user.home}/good.tar", f"{user.home}/bad.tar", attack)
                attempt(user, attack.__name__, secret)
        finally:
            os.unlink(secret)
        check(not os.path.exists("/tmp/hooked") or os.stat("/tmp/hooked").st_uid == user.uid,
              "a hook ran as somebody else")


test_hostile_archives_gain_nothing.seconds = 150


def attempt(user, name, secret):
    r = user.firn("container", "restore", "-i", "bad.tar", rc=None)
    check(r.rc in (0, 125, 126, 127), f"{name}: {r}")
    if r.rc:
        check(r.errors == 1, f"{name}: not one clear sentence: {r.err}")
        equal(user.firn("ps", "-a", "-q").out, "", f"{name}: containers after the failed import")
        return
    equal(os.stat(f"/proc/{user.init('c')}").st_uid, user.uid, f"{name}: whose process it is")
    script = ("cat /data/firn-secret; echo x >/data/firn-written; "
              f"cat /proc/1/root{secret}; mknod /tmp/mem c 1 1 && cat /tmp/mem | head -c 1; "
              "head -c 1 /dev/kmsg2; head -c 1 /dev/vda; head -c 1 /dev/sda")
    out = user.firn("exec", "c", "sh", "-c", script, rc=None).out
    equal(out, "", f"{name}: what it could read")
    check(not os.path.exists("/etc/firn-written"), f"{name}: it wrote to /etc")
    user.firn("rm", "-f", "-t", "0", "c")
