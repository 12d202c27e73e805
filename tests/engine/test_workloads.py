"""Containers as people run them: a pipeline, a terminal, another user, exec'd processes."""

import time

from harness.case import check, contains, equal

CYCLES = 5


def cycle(t, name):
    t.firn("container", "checkpoint", name)
    t.firn("container", "restore", name)


def answered(t, name, n):
    t.firn("kill", "-s", "USR1", name)
    lines = t.wait_for_log(name, f"ok {n}")
    check(not [x for x in lines if x.startswith("FAIL")], f"it failed: {lines[-3:]}")


def test_pipeline_of_four(t):
    t.firn("run", "-d", "--name", "pipe", "busybox", "sh", "-c",
           "i=0; while true; do echo $i; i=$((i+1)); sleep 0.01; done"
           " | while read n; do echo a$n; done"
           " | cat"
           " | while read n; do echo ${n#a}; done")
    t.wait_for_log("pipe", "3")
    last = t.count("pipe")
    for _ in range(CYCLES):
        cycle(t, "pipe")
        last = t.counts_on("pipe", last + 3)


def test_user_without_capabilities(t):
    t.firn("run", "-d", "--name", "user", "--user", "1000:1000", "--cap-drop", "all", "guests",
           "/guests/credentials")
    t.wait_for_log("user", "ready")
    for n in range(CYCLES):
        cycle(t, "user")
        answered(t, "user", n + 1)
    status = t.firn("exec", "user", "grep", "-E", "Uid|CapEff", "/proc/1/status").out.split()
    equal(status, ["Uid:", "1000", "1000", "1000", "1000", "CapEff:", "0000000000000000"])


def seccomp(t, name):
    lines = t.firn("exec", "-u", "0", name, "grep", "-E", "Seccomp|NoNewPrivs",
                   "/proc/1/status").lines
    return dict(line.replace("\t", "").split(":") for line in lines)


def test_default_seccomp_profile(t):
    t.firn("run", "-d", "--name", "box", "guests", "/guests/idle")
    t.wait_for_log("box", "ready")
    before = seccomp(t, "box")
    equal(before["Seccomp"], "2", "the seccomp mode")
    for n in range(CYCLES):
        cycle(t, "box")
        answered(t, "box", n + 1)
        equal(seccomp(t, "box"), before, "seccomp state")
        contains(t.firn("exec", "box", "grep", "Seccomp:", "/proc/self/status").out, "2",
                 "the mode of what comes by exec")


def test_unconfined_stays_unconfined(t):
    t.firn("run", "-d", "--name", "box", "--security-opt", "seccomp=unconfined",
           "--security-opt", "no-new-privileges", "guests", "/guests/idle")
    t.wait_for_log("box", "ready")
    cycle(t, "box")
    answered(t, "box", 1)
    now = seccomp(t, "box")
    equal((now["Seccomp"], now["NoNewPrivs"]), ("0", "1"), "seccomp and no_new_privs")


def test_three_processes_by_exec(t):
    t.firn("run", "-d", "--name", "main", "guests", "/guests/idle")
    t.wait_for_log("main", "ready")
    guests = ("pipes", "threads", "signals", "shared-memory", "memfd")
    for guest in guests:
        t.firn("exec", "-d", "main", "sh", "-c",
               f"echo $$ >/tmp/{guest}.pid; exec /guests/{guest} >/tmp/{guest}.out 2>&1")
    for guest in guests:
        t.wait_for(f"ready of {guest}", lambda g=guest: "ready" in t.firn(
            "exec", "main", "sh", "-c", f"cat /tmp/{g}.out 2>/dev/null; true").out)
    for n in range(CYCLES):
        cycle(t, "main")
        answered(t, "main", n + 1)
        for guest in guests:
            t.firn("exec", "main", "sh", "-c", f"kill -USR1 $(cat /tmp/{guest}.pid)")
            t.wait_for(f"answer {n + 1} of {guest}", lambda g=guest: f" {n + 1}" in t.firn(
                "exec", "main", "cat", f"/tmp/{g}.out").out)
            out = t.firn("exec", "main", "cat", f"/tmp/{guest}.out").out
            check("FAIL" not in out, f"{guest} says {out}")


def test_sleep_goes_on_with_the_rest_of_its_time(t):
    t.firn("run", "-d", "--name", "sleep", "guests", "/guests/long-sleep", "5")
    t.wait_for_log("sleep", "asleep")
    time.sleep(3)
    t.firn("container", "checkpoint", "sleep")
    time.sleep(1)
    t.firn("container", "restore", "sleep")
    begin = time.monotonic()
    t.wait_for_log("sleep", "awake 0 ")
    rest = time.monotonic() - begin
    check(0.8 < rest < 3.5, f"2 s of the sleep were left, it slept {rest:.1f} s more")


def test_all_sleeps_of_a_shell(t):
    t.firn("run", "-d", "--name", "sh", "busybox", "sh", "-c", "sleep 4; echo done; sleep 1000")
    time.sleep(2)
    t.firn("container", "checkpoint", "sh")
    time.sleep(2)
    t.firn("container", "restore", "sh")
    equal(t.logs("sh"), [], "the log just after the restore")
    t.wait_for_log("sh", "done", seconds=4)


def test_a_terminal_and_its_shell(t):
    t.firn("run", "-d", "-i", "-t", "--name", "tty", "busybox", "sh", "-c",
           "stty -echo rows 40 cols 123; " "i=0; while true; do echo $i; i=$((i+1)); sleep 0.02; done")
    t.wait_for_log("tty", "3")
    last = t.count("tty")
    for _ in range(CYCLES):
        cycle(t, "tty")
        last = t.counts_on("tty", last + 2)
        pty = t.firn("exec", "tty", "sh", "-c", "stty -a </proc/1/fd/0").out
        check("rows 40" in pty and "columns 123" in pty, f"the window size is lost: {pty}")
        check("-echo " in pty, f"the modes are lost: {pty}")


def test_a_shell_whose_children_come_and_go(t):
    t.firn("run", "-d", "--name", "busy", "busybox", "sh", "-c",
           "i=0; while true; do /bin/true; x=$(echo $i); echo $x; i=$(expr $i + 1); done")
    t.wait_for_log("busy", "20")
    for _ in range(3 * CYCLES):
        cycle(t, "busy")
    last = t.count("busy")
    t.counts_on("busy", last)


def test_exit_code_and_trap_after_restore(t):
    t.firn("run", "-d", "--name", "trap", "busybox", "sh", "-c",
           "trap 'echo bye; exit 42' TERM; while true; do sleep 0.05; done")
    time.sleep(0.3)
    cycle(t, "trap")
    t.firn("stop", "trap")
    equal(t.firn("wait", "trap").out, "42\n", "the exit code")
    equal(t.logs("trap"), ["bye"], "the log")


def test_leave_running_many_times(t):
    t.looper("l")
    last = t.count("l")
    for _ in range(10):
        t.firn("container", "checkpoint", "--leave-running", "l")
        last = t.counts_on("l", last)


def test_hundred_processes(t):
    t.firn("run", "-d", "--name", "many", "busybox", "sh", "-c",
           "for i in $(seq 100); do (sleep 1000; echo $i) & done; echo started; wait")
    t.wait_for_log("many", "started")
    for _ in range(2):
        cycle(t, "many")
    count = t.firn("exec", "many", "sh", "-c", "ls -d /proc/[0-9]* | wc -l").out.strip()
    check(int(count) >= 201, f"{count} processes are there")


def test_memory_of_hundred_megabytes(t):
    t.firn("run", "-d", "--name", "big", "busybox", "sh", "-c",
           "x=$(head -c 50000000 /dev/urandom | base64 -w 0); echo $x | md5sum; echo made;"
           "while true; do sleep 0.1; [ -e /tmp/go ] && { rm /tmp/go; echo $x | md5sum; }; done")
    t.wait_for_log("big", "made", seconds=60)
    cycle(t, "big")
    t.firn("exec", "big", "touch", "/tmp/go")
    t.wait_for("second sum", lambda: len(t.logs("big")) == 3, 60)
    lines = t.logs("big")
    equal(lines[2], lines[0], "the sum of the memory")
