"""What tests of executions have in common: workers, and "reboots"."""

import json
import os
import shutil
import subprocess
import time

from harness import leaks


class Executions:
    """Executions of a test, whose checkpoints and effects are below its directory."""

    def __init__(self, t):
        self.t = t
        self.store = t.path("store")
        self.out = t.path("out")
        os.makedirs(self.out, exist_ok=True)
        t.environment = dict(t.environment, FIRN_EXECUTION_STORE=self.store)

    def config(self, *command, **more):
        """A config of the image busybox; /w has the example workers, /out is `out`."""
        volumes = [f"{os.path.abspath(self.t.build)}/examples:/w:ro", f"{self.out}:/out"]
        config = {"image": "busybox", "command": list(command), "volumes": volumes}
        config["volumes"] += more.pop("volumes", [])
        config.update(more)
        return config

    def run(self, config, *options, **more):
        """Starts one; returns its id (with rc or --wait: the result)."""
        result = self.t.firn("execution", "run", *options, "-",
                             stdin=json.dumps(config).encode(), **more)
        return result if "--wait" in options or "rc" in more else result.out.strip()

    def shell(self, script, *options, **more):
        return self.run(self.config("/bin/sh", "-c", script, **more), *options)

    def worker(self, steps, seconds, *options, name="effects"):
        """The C worker; its effects go to out/NAME."""
        return self.run(self.config("/w/worker", str(steps), f"/out/{name}", str(seconds)),
                        *options)

    def inspect(self, name):
        return self.t.firn("execution", "inspect", name).json[0]

    def state(self, name):
        return self.inspect(name)["State"]

    def wait_for_state(self, name, state, seconds=20):
        self.t.wait_for(f"state {state} of {name}", lambda: self.state(name) == state, seconds)

    def effects(self, name="effects"):
        try:
            with open(os.path.join(self.out, name), encoding="ascii") as f:
                return [int(line.split()[0]) for line in f]
        except FileNotFoundError:
            return []

    def wait_for_effect(self, step, name="effects", seconds=30):
        self.t.wait_for(f"step {step}", lambda: step in self.effects(name), seconds)

    def checkpoint_path(self, execution):
        return f"{self.store}/{execution}/checkpoint-{execution}.tar.gz"

    def supervisors(self):
        return [pid for pid, command in leaks.processes(self.t.place)
                if " execution supervise " in command]

    def kill_supervisors(self):
        for pid in self.supervisors():
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass

    def init(self, execution):
        """The worker's pid."""
        r = self.t.firn("container", "inspect", "-f", "{{.State.Pid}} {{.State.Running}}", execution,
                        rc=None)
        pid, _, running = r.out.strip().partition(" ")
        return int(pid) if r.rc == 0 and running == "true" else 0

    def reboot(self):
        """All processes are gone at once, and all run-time state."""
        t = self.t
        end = time.monotonic() + 20
        while time.monotonic() < end:
            processes = leaks.processes(t.place)
            if not processes:
                break
            for pid, _ in processes:
                try:
                    os.kill(pid, 9)
                except OSError:
                    pass
            time.sleep(0.02)
        for path in leaks.mounts(t.place):
            subprocess.run(["umount", "-l", path], stderr=subprocess.DEVNULL, check=False)
        ids = os.listdir(t.root + "/containers")
        for group in sorted(leaks.cgroups(), reverse=True):
            if any(i in group for i in ids):
                try:
                    os.rmdir(group)
                except OSError:
                    pass
        shutil.rmtree(t.runroot, ignore_errors=True)


def in_order(steps, last):
    """Each step once, or again where a crash took the worker back to its last checkpoint, which it
    makes after each step. An error text, or None."""
    if not steps or steps[0] != 0 or steps[-1] != last:
        return f"not from 0 to {last}: {steps[:3]} ... {steps[-3:]}"
    for a, b in zip(steps, steps[1:]):
        if b not in (a, a + 1):
            return f"{a} is followed by {b}"
    return None
