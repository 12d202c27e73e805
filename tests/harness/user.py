"""Ordinary users made for a test, and the tests run as one of them."""

import contextlib
import fcntl
import os
import pwd
import shutil
import subprocess
import tempfile

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def in_namespace():
    """Are we root of a user namespace only?"""
    with open("/proc/self/uid_map", encoding="ascii") as f:
        return f.read().split() != ["0", "0", "4294967295"]


@contextlib.contextmanager
def user_database():
    """Several tests may make users at once, but the files of users have one writer."""
    with open("/run/lock/firn-test-users", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


class User:
    """A user with a home directory, gone with all that is his when the `with` ends."""

    def __init__(self, name, subordinate=True):
        self.name, self.subordinate = name, subordinate

    def __enter__(self):
        with user_database():
            subprocess.run(["userdel", "-rf", self.name], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
            subprocess.run(["useradd", "-m", "-s", "/bin/sh", self.name], check=True,
                           stderr=subprocess.DEVNULL)
            if not self.subordinate:
                for path in ("/etc/subuid", "/etc/subgid"):
                    self._forget(path)
        entry = pwd.getpwnam(self.name)
        self.uid, self.gid, self.home = entry.pw_uid, entry.pw_gid, entry.pw_dir
        self.runroot = f"/tmp/firn-run-{self.uid}"
        shutil.rmtree(self.runroot, ignore_errors=True)
        return self

    def _forget(self, path):
        with open(path, encoding="ascii") as f:
            lines = [line for line in f if not line.startswith(self.name + ":")]
        with open(path, "w", encoding="ascii") as f:
            f.writelines(lines)

    def pids(self):
        """His processes, those of his subordinate users not included."""
        found = []
        for name in os.listdir("/proc"):
            try:
                if name.isdigit() and os.stat(f"/proc/{name}").st_uid == self.uid:
                    found.append(int(name))
            except OSError:
                pass
        return found

    def argv(self, *args):
        """The command line that runs `args` as he, logged in without a session."""
        return ["setpriv", f"--reuid={self.uid}", f"--regid={self.gid}", "--init-groups",
                "--reset-env", "--inh-caps=-all", *map(str, args)]

    def run(self, *args, **options):
        return subprocess.run(self.argv(*args), cwd=self.home, check=False, **options)

    def __exit__(self, *_):
        for _ in range(20):
            pids = self.pids()
            for pid in pids:
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass
            if not pids:
                break
        shutil.rmtree(self.runroot, ignore_errors=True)
        with user_database():
            subprocess.run(["userdel", "-rf", self.name], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL, check=False)
        shutil.rmtree(self.home, ignore_errors=True)


def copy_build(build, program, to):
    """What the tests use of a build, readable for everybody."""
    os.makedirs(f"{to}/build/tests")
    shutil.copy(program or f"{build}/firn", f"{to}/build/firn")
    shutil.copytree(HERE, f"{to}/tests", ignore=shutil.ignore_patterns("__pycache__"))
    os.makedirs(f"{to}/build/tests/guests")
    os.makedirs(f"{to}/build/examples")
    for folder in ("tests/guests", "examples"):
        for name in os.listdir(f"{build}/{folder}"):
            path = f"{build}/{folder}/{name}"
            if os.path.isfile(path) and os.access(path, os.X_OK):
                shutil.copy(path, f"{to}/build/{folder}")
    for path in ("README.md", "docs", "packaging", "examples"):
        source = os.path.join(HERE, "..", path)
        if os.path.isdir(source):
            shutil.copytree(source, f"{to}/{path}")
        elif os.path.exists(source):
            shutil.copy(source, to)
    subprocess.run(["chmod", "-R", "a+rX", to], check=True)


@contextlib.contextmanager
def open_device(path):
    """/dev/net/tun or /dev/fuse as udev makes it, for the time of the tests."""
    before = os.stat(path).st_mode & 0o777 if os.path.exists(path) else None
    try:
        if before is not None:
            os.chmod(path, 0o666)
        yield
    finally:
        if before is not None:
            os.chmod(path, before)


def run_tests(options, program):
    """The tests chosen by `options` as a new user, inside of his namespaces: so they see his
    mounts, and may remove files of his subordinate users. Returns the exit code."""
    tests = [t for t in options.tests or ["cli", "engine", "api", "execution"] if not t.startswith("unit")]
    if not tests:
        return 0
    place = tempfile.mkdtemp(prefix="firn-user.", dir="/var/tmp")
    results = f"{place}/results"
    try:
        os.chmod(place, 0o755)
        copy_build(options.build, program, place)
        with open(results, "w", encoding="utf-8"):
            os.chmod(results, 0o666)
        with open_device("/dev/net/tun"), User(f"firn-test-{os.getpid()}") as user:
            code = user.run(f"{place}/build/firn", "unshare", f"{place}/tests/run",
                            "--build", f"{place}/build", "--results", results,
                            "--prefix", options.prefix or "user/", "--jobs", str(options.jobs),
                            *tests).returncode
        if options.results:
            with open(results, encoding="utf-8") as f, \
                    open(options.results, "a", encoding="utf-8") as out:
                out.write(f.read())
        return code
    finally:
        shutil.rmtree(place, ignore_errors=True)
