"""The one argument of every test function: runs firn and checks what it does."""

import json
import os
import re
import subprocess
import time


class Skip(Exception):
    """Raised by a test that cannot be run here; the text is the reason."""


class Failed(AssertionError):
    """A check did not hold."""


def needs_root(reason):
    """Decorates a test that cannot be run as an ordinary user."""
    def mark(function):
        function.needs_root = reason
        return function
    return mark


def alone(function):
    """Decorates a test that changes or measures what the whole host has."""
    function.alone = True
    return function


class Result:
    def __init__(self, argv, rc, out, err):
        self.argv, self.rc, self.out, self.err = argv, rc, out, err

    def __str__(self):
        return (f"$ {' '.join(map(str, self.argv))}\n    rc {self.rc}\n"
                f"    stdout {self.out[-1500:]!r}\n    stderr {self.err[-1500:]!r}")

    @property
    def errors(self):
        """How many lines of stderr are errors."""
        return sum(line.startswith("Error: ") for line in self.err.splitlines())

    @property
    def lines(self):
        return self.out.splitlines()

    @property
    def json(self):
        return json.loads(self.out)


ID = re.compile(r"^[0-9a-f]{64}$")
LOOP = "i=0; while true; do echo $i; i=$(expr $i + 1); sleep %s; done"


def check(condition, text):
    if not condition:
        raise Failed(text)


def equal(is_, should, what="value"):
    if is_ != should:
        raise Failed(f"{what} is {is_!r}, not {should!r}")


def contains(text, part, what="text"):
    if part not in text:
        raise Failed(f"{what} {text!r} lacks {part!r}")


def matches(text, pattern, what="text"):
    if not re.search(pattern, text):
        raise Failed(f"{what} {text!r} does not match {pattern!r}")


class Case:
    """`place` is the directory of this run, `dir` one of this test alone."""

    def __init__(self, program, place, root, runroot, directory, environment):
        self.program, self.place, self.root, self.runroot = program, place, root, runroot
        self.dir, self.environment = directory, environment
        self.started = []

    # Running firn ------------------------------------------------------------------------------

    def argv(self, *args):
        return [self.program, "--root", self.root, "--runroot", self.runroot, *map(str, args)]

    def run(self, argv, timeout=60, stdin=None, env=None, cwd=None):
        p = subprocess.run([str(a) for a in argv], input=stdin, timeout=timeout, cwd=cwd,
                           env={**self.environment, **(env or {})}, check=False,
                           stdin=subprocess.DEVNULL if stdin is None else None,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return Result(argv, p.returncode, p.stdout.decode(errors="replace"),
                      p.stderr.decode(errors="replace"))

    def firn(self, *args, rc=0, **options):
        """Runs firn; the exit code must be `rc` (None: any)."""
        result = self.run(self.argv(*args), **options)
        if rc is not None and result.rc != rc:
            raise Failed(f"exit code is not {rc}:\n{result}")
        return result

    def fails(self, *args, rc=125, err=None, **options):
        """Runs firn, which must fail: exit code `rc`, nothing on stdout, one "Error: " on stderr
        which contains `err` (text or compiled pattern)."""
        result = self.firn(*args, rc=rc, **options)
        equal(result.out, "", f"stdout of\n{result}\nwhich")
        check(result.errors == 1, f"stderr should have one line that begins with 'Error: ':\n{result}")
        if err is not None:
            found = err.search(result.err) if hasattr(err, "search") else err in result.err
            check(found, f"stderr lacks {err!r}:\n{result}")
        return result

    def start(self, *args, **options):
        """Starts firn in the background; killed when the test ends."""
        process = subprocess.Popen(self.argv(*args), env=self.environment, **options)
        self.started.append(process)
        return process

    # Waiting -----------------------------------------------------------------------------------

    @staticmethod
    def wait_for(what, condition, seconds=20):
        """Waits until condition() gives something true and returns it."""
        end = time.monotonic() + seconds
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > end:
                raise Failed(f"in {seconds} s there was no {what}")
            time.sleep(0.02)

    def logs(self, name):
        return self.firn("logs", name).out.replace("\r", "").splitlines()

    def wait_for_log(self, name, line, seconds=20):
        """Waits for a line (text, or a compiled pattern) in the log and returns the log."""
        def there():
            lines = self.logs(name)
            hit = any(line.search(x) if hasattr(line, "search") else x == line for x in lines)
            return lines if hit else None
        try:
            return self.wait_for(f"line {line!r} in the log of {name}", there, seconds)
        except Failed as e:
            raise Failed(f"{e}; the log ends with {self.logs(name)[-8:]}") from e

    # Containers --------------------------------------------------------------------------------

    def inspect(self, name):
        return self.firn("container", "inspect", name).json[0]

    def status(self, name):
        return self.inspect(name)["State"]["Status"]

    def ids(self):
        return self.firn("ps", "-a", "-q", "--no-trunc").lines

    def looper(self, name="looper", *options, pause="0.02", image="busybox"):
        """Starts the counter of the tutorial (faster); returns its id."""
        out = self.firn("run", "-d", "--name", name, *options, image, "/bin/sh", "-c",
                        LOOP % pause).out
        matches(out.strip(), ID.pattern, "what `run -d` prints")
        self.wait_for_log(name, "2")
        return out.strip()

    def count(self, name):
        """The last number of a looper. Fails if one is missing or repeated."""
        lines = self.logs(name)
        for n, line in enumerate(lines):
            if line != str(n):
                raise Failed(f"line {n} of the count is {line!r} (after {lines[max(0, n - 3):n]})")
        return len(lines) - 1

    def counts_on(self, name, last):
        """The looper gets beyond `last`; returns the new last number."""
        self.wait_for(f"number after {last} from {name}", lambda: self.count(name) > last)
        return self.count(name)

    def sleeper(self, name, *options, image="busybox"):
        return self.firn("run", "-d", "--name", name, *options, image, "sleep", "1000").out.strip()

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data if isinstance(data, bytes) else data.encode())
        return self.path(name)
