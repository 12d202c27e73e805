"""PostgreSQL under load: what clients were doing goes on, nothing is lost, and its log is sound."""

import glob

from harness import host
from harness.case import Skip, check, equal

CYCLES, FEWER = 5, 2
START = """[ -d /tmp/pg ] || initdb -D /tmp/pg -A trust --no-sync -E UTF8 --locale=C >/dev/null
exec postgres -D /tmp/pg -k /tmp -c listen_addresses= -c max_prepared_transactions=5"""
# The sums that pgbench keeps equal.
SUMS = """select sum(abalance) from pgbench_accounts; select sum(bbalance) from pgbench_branches;
select sum(tbalance) from pgbench_tellers; select sum(delta) from pgbench_history"""


class Database:
    def __init__(self, t):
        found = glob.glob("/usr/lib/postgresql/*/bin")
        if not found:
            raise Skip("postgresql is not installed")
        self.t, self.path = t, f"PATH={found[0]}:{host.PATH}"
        host.run(t, "pg", "sh", "-c", START, options=["--user", "1000:1000", "-e", self.path])
        self.wait()

    def wait(self):
        self.t.wait_for("server", lambda: self.run("select 1", rc=None) == "1\n", 60)

    def run(self, statement, rc=0):
        return self.t.firn("exec", "-e", self.path, "pg", "psql", "-h", "/tmp", "-d", "postgres",
                           "-Atq", "-c", statement, rc=rc).out

    def start(self, script):
        self.t.firn("exec", "-d", "-e", self.path, "pg", "sh", "-c", script)

    def are_equal(self, after):
        accounts, *others = self.run(f"begin isolation level repeatable read; {SUMS}; commit").split()
        equal(others, [accounts] * 3, f"the sums {after}")


class Session:
    """A client that stays, in the container."""

    def __init__(self, t, database):
        self.t = t
        database.start("mkfifo /tmp/in; exec psql -h /tmp -d postgres -Atq <>/tmp/in >/tmp/out 2>&1")
        t.wait_for("session", lambda: t.firn("exec", "pg", "test", "-e", "/tmp/out",
                                             rc=None).rc == 0)

    def say(self, statement, answer):
        host.sh(self.t, "pg", f"cat >/tmp/in <<'END'\n{statement};\nEND")
        said = lambda: host.sh(self.t, "pg", "cat /tmp/out").split()[-1:]
        self.t.wait_for(f"answer to {statement!r}", lambda: said() == [answer])


def test_under_load(t):
    database = Database(t)
    database.run("create table kept (n integer)")
    database.run("begin; insert into kept values (7); prepare transaction 'prepared'")
    session = Session(t, database)
    session.say("begin; declare c cursor for select * from generate_series(1, 1000); fetch c", "1")
    t.firn("exec", "-e", database.path, "pg", "pgbench", "-h", "/tmp", "-iq", "postgres")
    database.start("pgbench -h /tmp -c 3 -T 600 postgres >/tmp/bench 2>&1")
    done = lambda: int(database.run("select count(*) from pgbench_history"))
    t.wait_for("transactions", lambda: done() > 10)
    for n in range(FEWER if t.rootless or t.sanitizer else CYCLES):
        before = done()
        t.firn("container", "checkpoint", "pg")
        t.firn("container", "restore", "pg")
        session.say("fetch c", str(n + 2))
        t.wait_for("more transactions", lambda last=before: done() > last)
        database.are_equal(f"after cycle {n}")
    check("error" not in host.sh(t, "pg", "cat /tmp/bench").lower(), "pgbench met errors")
    equal(database.run("select count(*) from kept"), "0\n", "rows before the commit")
    # As after a power cut: what is in the files must do.
    t.firn("kill", "pg")
    t.firn("wait", "pg")
    t.firn("start", "pg")
    database.wait()
    database.are_equal("after its own recovery")
    database.run("commit prepared 'prepared'")
    equal(database.run("select n from kept"), "7\n", "what the prepared transaction wrote")


test_under_load.seconds = 150
