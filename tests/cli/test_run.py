"""firn run and firn create."""

import os
import re
import time

from harness.case import check, contains, equal, matches, needs_root


def test_foreground_passes_output_and_exit_code(t):
    r = t.firn("run", "--rm", "busybox", "sh", "-c", "echo out; echo err >&2; exit 7", rc=7)
    equal((r.out, r.err), ("out\n", "err\n"), "the output")
    equal(t.ids(), [], "containers after --rm")


def test_signals_and_missing_commands(t):
    t.firn("run", "--rm", "busybox", "sh", "-c", "kill -9 $$; sleep 1", rc=None)
    t.fails("run", "--rm", "busybox", "nosuchcmd", rc=127, err="nosuchcmd")
    t.fails("run", "--rm", "busybox", "/etc", rc=126, err=re.compile("permission denied", re.I))
    t.fails("run", "--rm", "-w", "/nowhere/file", "busybox", "true", rc=126,
            err=re.compile("/nowhere/file"))
    equal(t.ids(), [], "containers after failed runs with --rm")


def test_failed_start_leaves_created(t):
    t.fails("run", "-d", "--name", "c", "busybox", "nosuchcmd", rc=127)
    equal(t.status("c"), "created")


def test_environment(t):
    out = t.firn("run", "--rm", "-e", "A=b c", "-e", "FROMHOST", "-e", "MISSING", "--name", "c",
                 "--hostname", "box", "busybox", "env", env={"FROMHOST": "host"}).lines
    env = dict(line.split("=", 1) for line in out)
    equal((env["A"], env["FROMHOST"], env["HOSTNAME"]), ("b c", "host", "box"))
    equal((env["HOME"], env["TERM"]), ("/root", "xterm"))
    check(env["container"] in ("firn", "podman"), f"container={env['container']}")
    check("/bin" in env["PATH"] and "MISSING" not in env, f"the environment is {env}")



def test_user_workdir_and_entrypoint(t):
    out = t.firn("run", "--rm", "-u", "user", "-w", "/tmp", "busybox", "sh", "-c",
                 "id -u; id -g; id -G; pwd; echo $HOME").lines
    equal(out[0:2] + out[3:], ["1000", "1000", "/tmp", "/home/user"])
    equal(t.firn("run", "--rm", "-u", "7:8", "busybox", "sh", "-c", "id -u; id -g").lines,
          ["7", "8"])
    t.fails("run", "--rm", "-u", "nosuch", "busybox", "true", rc=126, err="nosuch")
    equal(t.firn("run", "--rm", "--entrypoint", "echo", "busybox", "a", "b").out, "a b\n")
    equal(t.firn("run", "--rm", "--entrypoint", '["echo", "x y"]', "busybox", "z").out, "x y z\n")


def test_standard_input(t):
    equal(t.firn("run", "--rm", "-i", "busybox", "cat", stdin=b"hello\n").out, "hello\n")
    big = os.urandom(300000)
    r = t.firn("run", "--rm", "-i", "busybox", "wc", "-c", stdin=big)
    equal(r.out.strip(), str(len(big)), "bytes that arrived")
    equal(t.firn("run", "--rm", "busybox", "cat", stdin=b"ignored").out, "", "without -i")


def test_output_of_all_kinds(t):
    r = t.firn("run", "--rm", "busybox", "sh", "-c", "seq 20000; printf end")
    equal(len(r.out), len("".join(f"{n}\n" for n in range(1, 20001))) + 3, "the size of the output")
    check(r.out.endswith("20000\nend"), "the end of the output is lost")


def test_names(t):
    first = t.firn("create", "--name", "a2", "busybox", "true").out.strip()
    t.fails("create", "--name", "a2", "busybox", "true",
            err=f'Error: creating container storage: the container name "a2" is already in use by '
                f"{first}. You have to remove that container to be able to reuse that name: that "
                "name is already in use")
    t.fails("create", "--name", "bad/name", "busybox", "true",
            err="names must match [a-zA-Z0-9][a-zA-Z0-9_.-]*: invalid argument")
    t.fails("create", "--name", "-x", "busybox", "true", err="names must match")
    name = t.firn("inspect", "-f", "{{.Name}}", t.firn("create", "busybox", "true").out.strip())
    matches(name.out, r"^[a-z]+_[a-z]+\n$", "a made-up name")


def test_replace_prints_and_replaces(t):
    old = t.sleeper("c")
    new = t.firn("run", "-d", "--replace", "--name", "c", "busybox", "sleep", "1000").lines[-1]
    check(new != old and t.ids() == [new], "the container was not replaced")


def test_missing_image(t):
    t.fails("run", "--rm", "--pull", "never", "localhost/nope:1", "true",
            err=re.compile("localhost/nope"))
    t.fails("run", "--rm", "Upper", "true", err="repository name must be lowercase")
    t.fails("create", "--pull", "bogus", "busybox", err="unsupported pull policy")
    equal(t.ids(), [], "containers")


def test_options_that_do_not_exist(t):
    t.fails("run", "--bogus", "busybox", err="Error: unknown flag: --bogus\nSee 'firn run --help'")
    t.fails("run", "-Z", "busybox", err="unknown shorthand flag: 'Z' in -Z")
    t.fails("run", "--cpus", "x", "busybox", "true", err='invalid argument "x" for "--cpus" flag')
    t.fails("run", err="requires at least 1 arg")


def test_options_not_there_yet_are_refused_by_name(t):
    for option in (["--pod", "p"], ["--network", "container:x"]):
        r = t.fails("run", "-d", *option, "busybox", "true")
        contains(r.err, option[0].lstrip("-"))


def test_volumes(t):
    os.mkdir(t.path("src"))
    t.write("src/f", "from the host\n")
    bind = f"{t.path('src')}:/mnt"
    equal(t.firn("run", "--rm", "-v", bind, "busybox", "cat", "/mnt/f").out, "from the host\n")
    t.firn("run", "--rm", "-v", bind, "busybox", "sh", "-c", "echo back >/mnt/g")
    with open(t.path("src/g"), encoding="utf-8") as f:
        equal(f.read(), "back\n")
    t.firn("run", "--rm", "-v", bind + ":ro", "busybox", "touch", "/mnt/h", rc=1)
    t.firn("run", "--rm", "-v", "named:/mnt", "busybox", "sh", "-c", "echo kept >/mnt/f")
    equal(t.firn("run", "--rm", "-v", "named:/mnt", "busybox", "cat", "/mnt/f").out, "kept\n")
    t.fails("run", "--rm", "-v", "/nonexistent:/mnt", "busybox", "true",
            err="statfs /nonexistent: no such file or directory")
    t.fails("run", "--rm", "-v", bind + ":zzz", "busybox", "true", err="zzz")
    equal(t.ids(), [], "containers")


def test_a_new_volume_gets_the_image_content(t):
    equal(t.firn("run", "--rm", "-v", "copied:/weird", "busybox", "cat", "/weird/file").out,
          "the image's\n")


def test_tmpfs_and_read_only(t):
    out = t.firn("run", "--rm", "--tmpfs", "/scratch:size=1m,mode=700", "busybox", "sh", "-c",
                 "grep ' /scratch tmpfs' /proc/mounts; stat -c %a /scratch").out
    check("size=1024k" in out and out.endswith("700\n"), f"the tmpfs is {out}")
    t.firn("run", "--rm", "--read-only", "busybox", "touch", "/x", rc=1)
    t.firn("run", "--rm", "--read-only", "busybox", "touch", "/tmp/x")


def test_capabilities(t):
    def effective(*options):
        out = t.firn("run", "--rm", *options, "busybox", "grep", "CapEff", "/proc/self/status").out
        return int(out.split()[1], 16)
    default = effective()
    check(default & 1 << 0 and not default & 1 << 21, f"the default set is {default:x}")
    equal(effective("--cap-drop", "all"), 0)
    equal(effective("--cap-drop", "ALL", "--cap-add", "CHOWN"), 1)
    equal(effective("--cap-add", "net_admin"), default | 1 << 12)
    t.fails("run", "--rm", "--cap-add", "nonsense", "busybox", "true",
            err=re.compile("nonsense", re.I))
    with open("/proc/self/status", encoding="utf-8") as f:
        bounding = int(re.search(r"CapBnd:\s*(\w+)", f.read()).group(1), 16)
    equal(effective("--privileged"), bounding, "privileged")


@needs_root("it has no cgroups, so nothing can be paused or limited")
def test_limits(t):
    out = t.firn("run", "--rm", "--ulimit", "nofile=100:200", "--ulimit", "core=0", "busybox", "sh",
                 "-c", "ulimit -Sn; ulimit -Hn; ulimit -c").lines
    equal(out, ["100", "200", "0"])
    t.firn("run", "--rm", "--memory", "32m", "busybox", "sh", "-c",
           "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo survived", rc=137)
    r = t.firn("run", "--rm", "--pids-limit", "10", "busybox", "sh", "-c",
               "for i in 1 2 3 4 5 6 7 8 9 10 11 12; do sleep 1 & done; echo done", rc=None)
    contains(r.err, "fork", "stderr of too many processes")


def test_isolation(t):
    out = t.firn("run", "--rm", "--hostname", "inner", "busybox", "sh", "-c",
                 "hostname; echo $$; echo $(cat /etc/hostname); ls /proc | grep -c '^[0-9]'; ls /dev/pts | wc -l").lines
    equal(out[:3], ["inner", "1", "inner"])
    check(int(out[3]) < 6, "processes of the host are seen")
    t.firn("run", "--rm", "busybox", "sh", "-c", "echo 1 >/proc/sysrq-trigger", rc=1)
    r = t.firn("run", "--rm", "busybox", "mount", "-t", "tmpfs", "none", "/data", rc=None)
    contains(r.err, "ermission denied", "stderr of mount")
    out = t.firn("run", "--rm", "--network", "none", "busybox", "ls", "/sys/class/net").lines
    check("lo" in out and not [n for n in out if n.startswith(("eth", "ens"))], f"devices: {out}")


def test_sysctl_shm_and_devices(t):
    equal(t.firn("run", "--rm", "--network", "none", "--sysctl", "net.ipv4.ip_forward=1", "busybox",
                 "cat", "/proc/sys/net/ipv4/ip_forward").out, "1\n")
    out = t.firn("run", "--rm", "--shm-size", "2m", "busybox", "grep", " /dev/shm ", "/proc/mounts")
    contains(out.out, "size=2048k")
    if t.rootless:
        return  # the runtime binds devices, under their own names only
    equal(t.firn("run", "--rm", "--device", "/dev/zero:/dev/nothing", "busybox", "sh", "-c",
                 "head -c 3 /dev/nothing | wc -c").out.strip(), "3")


def test_init_reaps(t):
    t.firn("run", "-d", "--init", "--name", "c", "busybox", "sh", "-c",
           "(sleep 0.1 &); exec sleep 1000")
    time.sleep(0.6)
    ps = t.firn("exec", "c", "ps").out
    check("[sleep]" not in ps, f"zombies are left:\n{ps}")


def test_cidfile(t):
    path = t.path("cid")
    id_ = t.firn("create", "--cidfile", path, "busybox", "true").out.strip()
    with open(path, encoding="utf-8") as f:
        equal(f.read().strip(), id_)
    t.fails("create", "--cidfile", path, "busybox", "true",
            err="container id file exists. Ensure another container is not using it or delete")


def test_stop_signal_and_timeout(t):
    t.firn("run", "-d", "--name", "c", "--stop-signal", "USR1", "busybox", "sh", "-c",
           "trap 'echo usr1; exit 3' USR1; while :; do sleep 0.05; done")
    time.sleep(0.3)
    t.firn("stop", "c")
    equal((t.logs("c"), t.inspect("c")["State"]["ExitCode"]), (["usr1"], 3))


def test_terminal(t):
    r = t.firn("run", "--rm", "-t", "busybox", "sh", "-c", "tty; echo x")
    equal(r.out.replace("\r", ""), "/dev/pts/0\nx\n")
    check("\r\n" in r.out, "the terminal makes no carriage returns")


def test_labels_and_annotations(t):
    t.firn("create", "--name", "c", "-l", "a=b", "--label", "c", "--annotation", "x=y", "busybox")
    labels = t.inspect("c")["Config"]["Labels"]
    equal((labels["a"], labels["c"]), ("b", ""))
    equal(t.inspect("c")["Config"]["Annotations"]["x"], "y")


def test_log_driver_none(t):
    t.firn("run", "--name", "c", "--log-driver", "none", "busybox", "echo", "x")
    t.fails("logs", "c", err="this container is using the 'none' log driver, cannot read logs: this "
                             "container is not logging output")


def test_ten_at_once(t):
    runs = [t.start("run", "--rm", "--name", f"c{n}", "busybox", "sh", "-c", f"exit {n}")
            for n in range(10)]
    equal([p.wait(60) for p in runs], list(range(10)), "the exit codes")
    equal(t.ids(), [], "containers")
