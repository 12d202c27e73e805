"""Programs of every day, run from the host's /usr: what they were doing goes on."""

import os
import re
import subprocess

from harness import host
from harness.case import equal

CYCLES = 2


def cycle(t, name, *options):
    t.firn("container", "checkpoint", *options, name)
    t.firn("container", "restore", *options, name)


# Each of these counts, in its own way: name: (programs it needs, command). A number that is lost or
# said twice is a failure.
FEED = "n=0; while :; do echo %s; n=$((n+1)); sleep 0.03; done"
COUNTERS = {
    "awk": (["mawk"], ["sh", "-c", f"({FEED % 'x'}) | mawk -W interactive '{{ print NR - 1 }}'"]),
    "bash": (["bash"], ["bash", "-c", """
        coproc DOUBLE { while read n; do echo $((2 * n)); done; }
        for ((n = 0; ; n++)); do
            echo $n >&${DOUBLE[1]}; read twice <&${DOUBLE[0]}
            echo $((twice / 2)); read -t 0.03 <> <(:)
        done"""]),
    "bc": (["bc"], ["sh", "-c", f"({FEED % 'x++'}) | bc"]),
    "lua": (["lua5.4"], ["lua5.4", "-e", """
        local count = coroutine.wrap(function() for n = 0, 1e9 do coroutine.yield(n) end end)
        io.stdout:setvbuf('line')
        while true do print(string.format('%d', count())); os.execute('sleep 0.03') end"""]),
    "node": (["node"], ["node", "-e", """
        const { spawn } = require('child_process'), fs = require('fs')
        const file = fs.openSync('/tmp/kept', 'w+')
        const child = spawn('/usr/bin/cat'), wait = s => new Promise(r => setTimeout(r, s))
        const reply = () => new Promise(r => child.stdout.once('data', d => r(Number(d))))
        const main = async () => {
          for (let n = 0; ; n++) {
            const answer = reply()
            child.stdin.write(`${n}\\n`)
            fs.writeSync(file, String(await answer).padEnd(10), 0)
            const kept = Buffer.alloc(10)
            fs.readSync(file, kept, 0, 10, 0)
            console.log(Number(kept.toString()))
            await wait(30)
          }
        }
        main()"""]),
    "perl": (["perl"], ["perl", "-e", """
        $| = 1; pipe(R, W); pipe(S, T);
        if (!fork) { close W; close S; select(T); $| = 1; while (<R>) { print T $_ + 1, "\\n" } exit }
        close R; close T; select(W); $| = 1; select(STDOUT);
        for (my $n = 0; ; ) { print "$n\\n"; print W "$n\\n"; $n = <S> + 0; select(undef, undef, undef, 0.03) }
        """]),
    "php": (["php"], ["php", "-n", "-r", """
        function count_on() { for ($n = 0; ; $n++) yield $n; }
        $p = proc_open(['/usr/bin/cat'], [['pipe', 'r'], ['pipe', 'w']], $pipes);
        foreach (count_on() as $n) {
            fwrite($pipes[0], "$n\\n"); echo fgets($pipes[1]); usleep(30000);
        }"""]),
    "python": (["python3"], ["/usr/bin/python3", "-u", "-c", """
import multiprocessing, queue, sqlite3, threading, time
def work(asked, answers):
    for n in iter(asked.get, None):
        answers.put(n + 1)
asked, answers, told = multiprocessing.Queue(), multiprocessing.Queue(), queue.Queue()
multiprocessing.Process(target=work, args=(asked, answers), daemon=True).start()
def tell():
    for n in iter(told.get, None):
        print(n)
threading.Thread(target=tell, daemon=True).start()
db = sqlite3.connect("/tmp/db")
db.execute("create table t (n integer)")
db.execute("insert into t values (0)")
while True:
    n, = db.execute("select max(n) from t").fetchone()
    told.put(n)
    asked.put(n)
    with db:
        db.execute("insert into t values (?)", (answers.get(),))
        time.sleep(0.03)
"""]),
    "ruby": (["ruby"], ["ruby", "-e", """
        $stdout.sync = true
        asked, answers = Queue.new, Queue.new
        Thread.new { loop { answers << asked.pop + 1 } }
        n = 0
        loop { puts n; asked << n; n = answers.pop; sleep 0.03 }"""]),
    "sed": (["sed"], ["sh", "-c", f"({FEED % 'a${n}b'}) | sed -u 's/a//' | sed -u 's/b//'"]),
    "sqlite3": (["sqlite3"], ["sh", "-c", "(echo 'create table t (n integer);'; " + FEED %
                              '"insert into t select count(*) from t; select max(n) from t;"'
                              + ") | sqlite3 /tmp/db"]),
    "tcl": (["tclsh"], ["sh", "-c", """echo 'fconfigure stdout -buffering line
        set n 0
        proc tell {} { global n; puts $n; incr n; after 30 tell }
        tell
        vwait forever' >/tmp/count; exec tclsh /tmp/count"""]),
    "socat": (["socat"], ["sh", "-c", "socat UNIX-LISTEN:/tmp/s,fork EXEC:cat & sleep 0.3; "
                          f"({FEED % '$n'}) | socat - UNIX-CONNECT:/tmp/s"]),
    "xz": (["xz", "zstd"], ["sh", "-c", "n=0; while :; do "
                            "echo $n | xz | zstd -q | zstd -qd | xz -d; n=$((n+1)); done"]),
}


def count(t, programs, command):
    host.need(*programs)
    host.run(t, "c", *command)
    t.wait_for_log("c", "3", 30)
    for _ in range(CYCLES):
        cycle(t, "c")
        t.counts_on("c", t.count("c") + 3)


def make_test(programs, command):
    return lambda t: count(t, programs, command)


for NAME, (PROGRAMS, COMMAND) in COUNTERS.items():
    globals()["test_" + NAME] = make_test(PROGRAMS, COMMAND)

# Semaphores of multiprocessing are mappings of files without a name.
# pylint: disable-next=undefined-variable
test_python.needs_root = "only root may look at mappings of deleted files"  # noqa: F821


# Work with an end: in the middle of it there are checkpoints, and the result is what it should be.

def work(t, script, name="w", options=()):
    """Runs the script, which says "begun" early and "done" last; returns what it says then."""
    host.run(t, name, "sh", "-c", script, options=options)
    t.wait_for_log(name, "begun", 30)
    for _ in range(CYCLES):
        cycle(t, name)
    lines = t.wait_for_log(name, "done", 60)
    return "\n".join(x for x in lines if x not in ("begun", "done"))


def test_tar_and_gzip(t):
    host.need("tar", "gzip", "md5sum")
    # The pipeline waits in the middle for as long as the checkpoints take.
    said = work(t, """head -c 8000000 /dev/urandom >/tmp/data; mkdir /tmp/out; (sleep 1; echo begun) &
        tar -C /tmp -cf - data | gzip -1 | (head -c 3000000; sleep 2; cat) | gzip -d | tar -C /tmp/out -xf -
        cmp /tmp/data /tmp/out/data && echo same; echo done""")
    equal(said, "same", "the file after the pipeline")


def test_make_and_gcc(t):
    host.need("make", "gcc")
    said = work(t, """cd /tmp; for n in $(seq 12); do echo "int f$n(void) { return $n; }" >f$n.c; done
        { for n in $(seq 12); do echo "int f$n(void);"; done
          echo '#include <stdio.h>'
          echo 'int main(void) { printf("%d", 0'; for n in $(seq 12); do echo "+ f$n()"; done
          echo '); return 0; }'; } >main.c
        printf 'all: %s main.o\\n\\tgcc -o all $^\\n%%.o: %%.c\\n\\tgcc -O2 -c $<; sleep 0.3\\n' \
            "$(for n in $(seq 12); do printf 'f%d.o ' $n; done)" >Makefile
        echo begun; make -s -j2 2>&1 && ./all; echo; echo done""")
    equal(said, str(sum(range(13))), "what the program built says")


def test_ssh_agent(t):
    host.need("ssh-agent", "ssh-add", "ssh-keygen")
    host.run(t, "a", "sh", "-c", "ssh-keygen -q -t ed25519 -N '' -f /tmp/key && "
             "exec ssh-agent -D -a /tmp/agent")
    list_keys = "SSH_AUTH_SOCK=/tmp/agent ssh-add -l"
    t.wait_for("agent", lambda: t.firn("exec", "a", "test", "-S", "/tmp/agent", rc=None).rc == 0)
    host.sh(t, "a", "SSH_AUTH_SOCK=/tmp/agent ssh-add -q /tmp/key")
    before = host.sh(t, "a", list_keys)
    for _ in range(CYCLES):
        cycle(t, "a")
        equal(host.sh(t, "a", list_keys), before, "the keys")
    host.sh(t, "a", "echo text >/tmp/text; SSH_AUTH_SOCK=/tmp/agent ssh-keygen -q -Y sign -n test "
            "-f /tmp/key.pub /tmp/text && test -s /tmp/text.sig")


HAPROXY = """global
  log stdout format raw local0 emerg
defaults
  mode http
  timeout connect 5s
  timeout client 1000s
  timeout server 1000s
frontend f
  bind 127.0.0.1:80
  default_backend b
backend b
  server s 127.0.0.1:81
"""
LIGHTTPD = """server.document-root = "/tmp/www"
server.bind = "127.0.0.1"
server.port = 81
server.modules = ()
"""


def test_haproxy_and_lighttpd(t):
    host.need("haproxy", "lighttpd", "socat")
    t.write("haproxy.cfg", HAPROXY)
    t.write("lighttpd.conf", LIGHTTPD)
    os.chmod(t.dir, 0o755)
    host.run(t, "h", "sh", "-c", """mkdir /tmp/www; echo hello >/tmp/www/f
             lighttpd -D -f /conf/lighttpd.conf & exec haproxy -f /conf/haproxy.cfg""",
             options=[f"-v={t.dir}:/conf:ro", "--network=none"])
    ask = ("printf 'GET /f HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n' | "
           "socat -t 5 - TCP:127.0.0.1:80 2>/dev/null | tail -n 1")
    t.wait_for("answer", lambda: host.sh(t, "h", ask) == "hello\n")
    for _ in range(CYCLES):
        cycle(t, "h", "--tcp-close")
        equal(host.sh(t, "h", ask), "hello\n", "the answer")


# Terminals: tmux holds them, and types.

def tmux(t, command):
    return host.sh(t, "m", f"tmux -S /tmp/m {command}")


def screen(t, window):
    return tmux(t, f"capture-pane -p -t {window}")


def shown(t, window, pattern):
    t.wait_for(f"{pattern!r} in {window}",
               lambda: re.search(pattern, screen(t, window), re.MULTILINE))


def test_editor_pager_and_shell_in_tmux(t):
    host.need("tmux", "vim.tiny", "less", "bash")
    host.run(t, "m", "sh", "-c", "seq 1000 >/tmp/numbers; "
             "tmux -S /tmp/m new-session -d -s s -n vim 'vim.tiny -u NONE /tmp/text'; "
             "tmux -S /tmp/m new-window -n less 'less /tmp/numbers'; "
             "tmux -S /tmp/m new-window -n bash 'bash --norc'; echo begun; exec sleep 1000",
             options=["-e", "TERM=screen", "-e", "LC_ALL=C.UTF-8"])
    t.wait_for_log("m", "begun")
    shown(t, "bash", r"[#$] *$")
    tmux(t, "send-keys -t vim iline1 Enter")
    tmux(t, "send-keys -t less 500g")
    tmux(t, "send-keys -t bash 'sleep 1001 &' Enter 'sleep 1002' Enter")
    shown(t, "less", "^500$")
    shown(t, "bash", "sleep 1002")
    for n in range(CYCLES):
        cycle(t, "m")
        shown(t, "less", "^500$")
        tmux(t, f"send-keys -t vim again{n} Enter")
    tmux(t, "send-keys -t vim Escape :wq Enter")
    tmux(t, "send-keys -t less j")
    shown(t, "less", r"\A501$")
    tmux(t, "send-keys -t bash C-z jobs Enter")
    shown(t, "bash", r"\[1\]-? *Running *sleep 1001")
    shown(t, "bash", r"\[2\]\+? *Stopped *sleep 1002")
    cycle(t, "m")
    tmux(t, "send-keys -t bash 'kill %1' Enter 'fg' Enter")
    shown(t, "bash", "^sleep 1002$")
    tmux(t, "send-keys -t bash C-c")
    shown(t, "bash", r"\^C")
    tmux(t, "send-keys -t bash 'echo all is $((40 + 2))' Enter")
    shown(t, "bash", "^all is 42$")
    t.wait_for("text", lambda: "again1" in host.sh(t, "m", "cat /tmp/text"))
    equal(host.sh(t, "m", "cat /tmp/text").split(), ["line1", "again0", "again1"], "what vim wrote")


# A shell in the container's own terminal.

def typed(t, text):
    """What a user types who attaches for a moment."""
    p = t.start("attach", "sh", stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL)
    p.stdin.write(text)
    p.stdin.flush()
    return p


def test_job_control_in_a_terminal(t):
    host.need("bash")
    host.run(t, "sh", "bash", "--norc", "--noediting", options=["-i", "-t"])
    client = typed(t, b"sleep 1001 & sleep 1002 & sleep 1003\n")
    t.wait_for("jobs", lambda: len(host.sh(t, "sh", "pidof sleep; true").split()) == 3)
    client.kill()
    for n in range(5):
        cycle(t, "sh")
        # Ctrl-Z stops the one in the foreground, fg brings it back.
        client = typed(t, b"\x1a")
        t.wait_for("stopped job", lambda: is_stopped(t))
        client.stdin.write(b"jobs; echo cycle $((%d + 100)); fg %%3\n" % n)
        client.stdin.flush()
        t.wait_for_log("sh", re.compile(rf"^cycle {n + 100}$"))
        t.wait_for_log("sh", re.compile(r"^sleep 1003$"))
        client.kill()
    log = "\n".join(t.logs("sh"))
    equal(len(re.findall(r"\[3\]\+ +Stopped +sleep 1003", log)), 10, "stops told by bash and by jobs")
    equal(len(re.findall(r"\[1\]  +Running +sleep 1001 &", log)), 5, "jobs in the background")


def is_stopped(t):
    """Whether any process is stopped."""
    return "T" in re.findall(r"State:\s+(\w)", host.sh(t, "sh", "cat /proc/[0-9]*/status; true"))
