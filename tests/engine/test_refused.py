"""What cannot be checkpointed yet is refused by name, and the program does not notice."""

from harness.case import check, equal

# The argument of the guest, and a word of the refusal that says what it is.
OBJECTS = {
    "fanotify": "fanotify",
    "io_uring": "io_uring",
    "netlink": "netlink socket",
    "notified": "mq_notify",
}


def refuse(t, thing, word):
    t.firn("run", "-d", "--name", "guest", "--security-opt", "seccomp=unconfined", "guests",
           "/guests/refused", thing)
    t.wait_for_log("guest", "ready")
    for n in (1, 2):
        failed = t.fails("container", "checkpoint", "guest")
        check(word.lower() in failed.err.lower(), f"the refusal does not name {word}: {failed.err}")
        check("process 1 " in failed.err, f"which process? {failed.err}")
        check("container guest" in failed.err, f"which container? {failed.err}")
        equal(t.status("guest"), "running", "the state of the container")
        t.firn("kill", "-s", "USR1", "guest")
        t.wait_for_log("guest", f"ok {n}")


def make_test(thing, word):
    def test(t):
        refuse(t, thing, word)
    return test


for THING, WORD in OBJECTS.items():
    globals()["test_" + THING] = make_test(THING, WORD)
