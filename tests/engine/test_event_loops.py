"""Event loops of real programs, run from the host's /usr: python3's asyncio (epoll, pidfd, eventfd,
threads) and node (epoll, inotify, timers, children)."""

import os

from harness.case import Skip

CYCLES = 5

PYTHON = """
import asyncio, time
def say(what, n):
    print(what, n, flush=True)
async def tick():
    for n in range(1, 1 << 30):
        await asyncio.sleep(0.05)
        say("tick", n)
async def child():
    for n in range(1, 1 << 30):
        p = await asyncio.create_subprocess_exec("/usr/bin/sleep", "0.2")
        say("child" if await p.wait() == 0 else "failed", n)
async def thread():
    for n in range(1, 1 << 30):
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0.1)
        say("thread", n)
async def main():
    await asyncio.gather(tick(), child(), thread())
if hasattr(asyncio, "PidfdChildWatcher"):
    asyncio.set_child_watcher(asyncio.PidfdChildWatcher())
asyncio.run(main())
"""

NODE = """
const fs = require('fs'), { spawn } = require('child_process')
let tick = 0, seen = 0, thread = 0, child = 0
fs.mkdirSync('/tmp/watched', { recursive: true })
fs.watch('/tmp/watched', () => console.log('watch', ++seen))
setInterval(() => { fs.writeFileSync('/tmp/watched/' + tick % 3, ''); console.log('tick', ++tick) }, 50)
const bear = () => spawn('/usr/bin/sleep', ['0.2']).on('exit', code => {
  console.log(code === 0 ? 'child' : 'failed', ++child)
  bear()
})
bear()
const read = () => fs.readFile('/loop', () => { console.log('thread', ++thread); setTimeout(read, 50) })
read()
"""


def run(t, program, source, what):
    program = f"/usr/bin/{program}"
    if not os.path.exists(program) or not os.path.isdir("/usr/lib64"):
        raise Skip(f"{program} is not installed")
    path = os.path.join(t.dir, "loop")
    with open(path, "w", encoding="utf-8") as f:
        f.write(source)
    t.firn("run", "-d", "--name", "loop", "-v", "/usr:/usr:ro", "-v", "/usr/lib:/lib:ro", "-v",
           "/usr/lib64:/lib64:ro", "-v", f"{path}:/loop:ro", "busybox", program, "/loop")

    def last():
        lines = [line.split() for line in t.logs("loop")]
        return {w: max([int(x[1]) for x in lines if x[0] == w], default=0) for w in what}

    def goes_on(before):
        now = last()
        return all(now[w] > before[w] + 1 for w in what)

    t.wait_for("the loop", lambda: goes_on({w: 0 for w in what}), 30)
    for _ in range(CYCLES):
        t.firn("container", "checkpoint", "loop")
        t.firn("container", "restore", "loop")
        before = last()
        t.wait_for("all of the loop to go on", lambda b=before: goes_on(b), 30)


def test_python(t):
    run(t, "python3", PYTHON, ["tick", "child", "thread"])


def test_node(t):
    run(t, "node", NODE, ["tick", "child", "thread", "watch"])


test_python.seconds = test_node.seconds = 120
