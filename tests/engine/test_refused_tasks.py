"""States of processes and threads that cannot be checkpointed are refused by name, and the program
does not notice."""

from harness.case import check, equal

# The argument of the guest, and what the refusal says of whom.
STATES = {
    "uts": "process 2 (refused-tasks) of container guest has a UTS namespace of its own",
    "ipc": "process 2 (refused-tasks) of container guest has an IPC namespace of its own",
    "net": "process 2 (refused-tasks) of container guest has a network namespace of its own",
    "mount": "process 2 (refused-tasks) of container guest has a mount namespace of its own",
    "cgroup": "process 2 (refused-tasks) of container guest has a cgroup namespace of its own",
    "user": "process 2 (refused-tasks) of container guest has a user namespace of its own",
    "pid": "process 3 (refused-tasks) of container guest has a pid namespace of its own",
    "time": "process 2 (refused-tasks) of container guest has a time namespace for its children",
    "dispatch": "process 2 (refused-tasks) of container guest has its system calls dispatched",
    "landlock": "process 2 (refused-tasks) of container guest has restricted itself by Landlock",
    "landlock-by-right": "process 2 (refused-tasks) of container guest has restricted itself by "
                         "Landlock",
    "notified": "anon_inode:seccomp notify",
    "session-key": 'process 2 (refused-tasks) of container guest has a key (user "firn:guest") in '
                   "its session keyring",
    "process-key": 'process 2 (refused-tasks) of container guest has a key (user "firn:guest") in '
                   "its process keyring",
    "thread-key": 'process 2 (refused-tasks) of container guest has a key (user "firn:guest") in '
                  "its thread keyring",
    "strict": "process 2 (refused-tasks) of container guest is in strict seccomp mode",
    "across": "process 3 (refused-tasks) of container guest shares its table of descriptors with "
              "process 1 (refused-tasks), which is neither its parent",
    "thread-files": "process 1 (refused-tasks) of container guest has a thread (2) that does not "
                    "share its table of descriptors",
    "thread-directory": "process 1 (refused-tasks) of container guest has a thread (2) that does "
                        "not share its working directory",
    "thread-net": "process 1 (refused-tasks) of container guest has a thread with a network "
                  "namespace of its own",
    "traced": "process 2 (refused-tasks) of container guest is traced by process",
}


# For an ordinary user, to whom the kernel shows no filters.
OF_USERS = {"notified": "has a seccomp filter that the runtime keeps no copy of"}


def make_test(state, words):
    def test(t):
        told = OF_USERS.get(state, words) if t.rootless else words
        t.firn("run", "-d", "--name", "guest", "--privileged", "guests", "/guests/refused-tasks",
               state)
        t.wait_for_log("guest", "ready")
        failed = t.fails("container", "checkpoint", "guest")
        check(told in failed.err, f"the refusal does not say {told!r}: {failed.err}")
        equal(t.status("guest"), "running", "the state of the container")
        t.firn("kill", "-s", "USR1", "guest")
        t.wait_for_log("guest", "ok 1")
    return test


for STATE, WORDS in STATES.items():
    globals()["test_" + STATE.replace("-", "_")] = make_test(STATE, WORDS)
