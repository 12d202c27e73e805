"""What cannot be checkpointed yet is refused by name, all of it at once, and the program does not
notice."""

from harness.case import check, equal, needs_root

# The argument of the guest, and a word of the refusal that says what it is.
OBJECTS = {
    "fanotify": "fanotify",
    "io_uring": "io_uring",
    "netfilter": "packet filter",
    "unread": "not read yet",
    "vsock": "vsock",
    "mptcp": "protocol 262",
    "secretmem": "secret memory",
    "userfaultfd": "userfaultfd",
    "notified": "mq_notify",
}


# Only root's containers can have these.
PRIVILEGED = {
    "packet": "packet socket",
    "perf": "perf event",
    "bpf": "BPF object",
}


def run_guest(t, *things, options=()):
    t.firn("run", "-d", "--name", "guest", "--security-opt", "seccomp=unconfined", *options,
           "guests", "/guests/refused", *things)
    t.wait_for_log("guest", "ready")


def unharmed(t, n):
    equal(t.status("guest"), "running", "the state of the container")
    t.firn("kill", "-s", "USR1", "guest")
    t.wait_for_log("guest", f"ok {n}")


def refuse(t, thing, word):
    run_guest(t, thing)
    for n in (1, 2):
        failed = t.fails("container", "checkpoint", "guest")
        check(word.lower() in failed.err.lower(), f"the refusal does not name {word}: {failed.err}")
        check("process 1 " in failed.err, f"which process? {failed.err}")
        check("container guest" in failed.err, f"which container? {failed.err}")
        unharmed(t, n)


def make_test(thing, word):
    def test(t):
        refuse(t, thing, word)
    return test


for THING, WORD in OBJECTS.items():
    globals()["test_" + THING] = make_test(THING, WORD)


def test_all_at_once(t):
    run_guest(t, *OBJECTS)
    told = t.fails("container", "checkpoint", "guest").err.splitlines()
    equal(told[0], f"Error: container guest cannot be checkpointed for {len(OBJECTS)} reasons:")
    equal(len(told) - 1, len(OBJECTS), "lines, none for the child, which shares them")
    for word, line in zip(OBJECTS.values(), told[1:]):
        check("process 1 (refused) of container guest" in line and word in line,
              f"{word} is not named in {line}")
    equal(t.fails("container", "checkpoint", "--dry-run", "guest").err.splitlines(), told)
    unharmed(t, 1)


@needs_root("an ordinary user cannot make them")
def test_privileged_ones(t):
    run_guest(t, *PRIVILEGED, options=["--cap-add", "ALL"])
    told = t.fails("container", "checkpoint", "guest").err
    for word in PRIVILEGED.values():
        check(word in told, f"{word} is not named in {told}")
    unharmed(t, 1)


def test_dry_run(t):
    t.firn("run", "-d", "--name", "guest", "guests", "/guests/pipes")
    t.wait_for_log("guest", "ready")
    before = t.inspect("guest")
    equal(t.firn("container", "checkpoint", "--dry-run", "guest").out,
          "guest: nothing stops a checkpoint\n")
    equal(t.inspect("guest"), before, "what is known of the container")
    t.fails("container", "restore", "guest", err="running")
    t.firn("kill", "-s", "USR1", "guest")
    t.wait_for_log("guest", "ok 1")


def test_mounts_of_its_own(t):
    """Added, removed and changed mounts are told, and when they are as they were nothing is."""
    def inside(*command):
        t.firn("exec", "box", *command)

    t.firn("run", "-d", "--name", "box", "--cap-add", "ALL", "--security-opt",
           "seccomp=unconfined", "--tmpfs", "/own:noexec", "busybox", "sleep", "1000")
    inside("mkdir", "/here")
    inside("mount", "-t", "tmpfs", "none", "/here")
    inside("mount", "-o", "bind,remount,exec", "/own")
    failed = t.fails("container", "checkpoint", "box").err
    for word in ("container box has mounted tmpfs at /here", "has mounted /own again, as rw,"):
        check(word in failed, f"'{word}' is not in {failed}")
    inside("umount", "/here")
    inside("mount", "-o", "bind,remount,noexec,nosuid,nodev", "/own")
    t.firn("container", "checkpoint", "box")
    t.firn("container", "restore", "box")
    inside("umount", "/own")
    failed = t.fails("container", "checkpoint", "box").err
    check("container box has unmounted /own" in failed, failed)
