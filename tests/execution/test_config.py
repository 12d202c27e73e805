"""The JSON config of an execution."""

from harness.case import check, contains, equal
from harness.executions import Executions

BAD = [
    ({"imgae": "busybox"}, 'unknown key "imgae"'),
    ({}, 'names no "image"'),
    ({"image": 3}, '"image" of the execution\'s config must be the name of an image, not 3'),
    ({"image": "busybox", "command": [1]}, '"command" of the execution\'s config must be a list'),
    ({"image": "busybox", "cpus": "two"}, '"cpus" of the execution\'s config must be a number'),
    ({"image": "busybox", "cpus": -1}, '"cpus"'),
    ({"image": "busybox", "memory": True}, '"memory"'),
    ({"image": "busybox", "memory": "lots"}, "lots"),
    ({"image": "busybox", "env": {"A": 1}}, '"env"'),
    ({"image": "busybox", "volumes": "/a:/b"}, '"volumes"'),
    ({"image": "busybox", "labels": ["a"]}, '"labels"'),
    ({"image": "busybox", "user": []}, '"user"'),
    ({"image": "busybox", "network": None}, '"network"'),
    ({"image": "busybox", "work_dir": ""}, '"work_dir"'),
    ({"image": "busybox", "ports": ["80:80"]}, '"ports" of the execution\'s config need'),
    (["busybox"], "must be a JSON object"),
]


def test_bad_ones(t):
    x = Executions(t)
    for config, text in BAD:
        r = x.run(config, rc=125)
        contains(r.err, text, f"error for {config}")
        check(r.errors == 1, str(r))
    r = t.firn("execution", "run", "-", stdin=b"{", rc=125)
    contains(r.err, "the config on stdin")
    r = t.firn("execution", "run", t.path("nope.json"), rc=125)
    contains(r.err, "nope.json")
    equal(t.firn("execution", "list", "-q").out, "")


def test_a_file_with_everything(t):
    x = Executions(t)
    config = x.config("/bin/sh", "-c", "exit 0", network="none", work_dir="/tmp", env=["A=1"],
                      user=0, labels={"a": "b"}, volumes=["vol:/data"])
    if not t.rootless:
        config.update(memory="64m", cpus=0.5)
    id_ = x.run(config)
    equal(t.firn("execution", "wait", id_).out, "0\n")
    o = t.inspect(id_)
    equal(o["HostConfig"]["NetworkMode"], "none")
    if not t.rootless:
        equal((o["HostConfig"]["Memory"], o["HostConfig"]["NanoCpus"]), (64 << 20, 500000000))
    one_line = {"image": "busybox", "command": "exit 7"}
    equal(x.run(one_line, "--wait", "--retries", "0", rc=7).rc, 7)
