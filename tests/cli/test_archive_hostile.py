"""Archives made to do harm: nothing outside the container's place is touched, nothing is left."""

import copy
import io
import json
import os
import tarfile

from harness.case import Skip, check, equal
from harness.network import need_bridges


def good(t):
    t.looper("c", "-v", "vol:/data")
    t.firn("exec", "c", "sh", "-c", "echo new >/new; echo x >/dev/shm/x")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "-c", "none", "c")
    t.firn("rm", "-v", "c")
    t.firn("volume", "rm", "-a", "-f")
    with tarfile.open(archive) as tar:
        return [(copy.copy(m), tar.extractfile(m).read() if m.isreg() else None)
                for m in tar.getmembers()]


def pack(t, members):
    path = t.path("hostile.tar")
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in members:
            if data is not None:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return path


def entry(name, data=b"harm", type_=tarfile.REGTYPE, link=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = type_, link, 0o644
    return (info, data if type_ == tarfile.REGTYPE else None)


def inner(entries):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, data in entries:
            if data is not None:
                info.size = len(data)
            tar.addfile(info, io.BytesIO(data) if data is not None else None)
    return out.getvalue()


def refused_or_harmless(t, members, target):
    """The import fails cleanly or keeps the entry inside; `target` is not touched either way."""
    r = t.firn("container", "restore", "-i", pack(t, members), rc=None)
    check(r.rc in (0, 125, 126, 127), f"exit code {r.rc}:\n{r}")
    check(not os.path.lexists(target), f"{target} was made:\n{r}")
    if r.rc:
        check(r.errors == 1, f"not one clear sentence: {r.err}")
        equal(t.ids(), [], "containers after the failed import")
    t.firn("rm", "-f", "-t", "0", "-a", "-v")
    t.firn("volume", "rm", "-a", "-f")
    return r


def replaced(members, name, data):
    return [(i, data if i.name == name else d) for i, d in members]


def test_paths_that_leave(t):
    members = good(t)
    target = "/var/tmp/firn-escaped"
    up = "../" * 12 + target[1:]
    for bad in (entry(up), entry(target), entry("checkpoint/" + up), entry("volumes/" + up),
                entry("x", type_=tarfile.SYMTYPE, link=target),
                entry("x", type_=tarfile.LNKTYPE, link="/etc/passwd"),
                entry("checkpoint/../../" + up)):
        for order in ([bad, *members], [*members, bad]):
            refused_or_harmless(t, order, target)


test_paths_that_leave.seconds = 180


def test_writing_through_links(t):
    members = good(t)
    target = "/var/tmp/firn-escaped"
    for first, second in (
            (entry("checkpoint", type_=tarfile.SYMTYPE, link="/var/tmp"),
             entry("checkpoint/firn-escaped")),
            (entry("a", type_=tarfile.SYMTYPE, link="/var/tmp"), entry("a/firn-escaped")),
            (entry("ctr.log", type_=tarfile.SYMTYPE, link=target), entry("ctr.log"))):
        refused_or_harmless(t, [first, second, *members], target)
        refused_or_harmless(t, [*members, first, second], target)


def test_links_in_the_layer_and_volumes(t):
    members = good(t)
    target = "/var/tmp/firn-escaped"
    up = "../" * 14 + target[1:]
    evil = inner([entry("l", type_=tarfile.SYMTYPE, link="/var/tmp"), entry("l/firn-escaped"),
                  entry(up), entry(target), entry("h", type_=tarfile.LNKTYPE, link="/etc/shadow")])
    for name in ("rootfs-diff.tar", "devshm-checkpoint.tar", "volumes/vol.tar"):
        check([1 for i, _ in members if i.name == name], f"the archive has no {name}")
        refused_or_harmless(t, replaced(members, name, evil), target)
    # what a hard link to /etc/shadow would show
    shadow = ""
    if not t.rootless:
        with open("/etc/shadow", encoding="utf-8") as f:
            shadow = f.read()
    r = t.firn("container", "restore", "-i", pack(t, replaced(
        members, "rootfs-diff.tar", inner([entry("h", type_=tarfile.LNKTYPE, link="/etc/shadow")]))),
        rc=None)
    if r.rc == 0:
        seen = t.firn("exec", "c", "cat", "/h", rc=None).out
        check(not seen or seen not in shadow, "the host's /etc/shadow is in the container")


def test_deleted_files_that_leave(t):
    members = good(t)
    victim = t.write("victim", "still here")
    up = "../" * 14
    names = json.dumps([up + victim[1:], "/" + up + victim[1:], victim, "/..", "/", ""]).encode()
    members = [m for m in members if m[0].name != "deleted.files"]
    r = t.firn("container", "restore", "-i", pack(t, [*members, entry("deleted.files", names)]),
               rc=None)
    check(r.rc in (0, 125), f"exit code {r.rc}")
    with open(victim, encoding="utf-8") as f:
        equal(f.read(), "still here", "the file outside")
    for bad in (b"{}", b"[1]", b"[", b"[\"/x\0y\"]", b"[[\"/etc\"]]"):
        t.firn("rm", "-f", "-t", "0", "-a", "-v")
        t.firn("volume", "rm", "-a", "-f")
        r = t.firn("container", "restore", "-i", pack(t, [*members, entry("deleted.files", bad)]),
                   rc=None)
        check(r.rc in (0, 125), f"{bad}: exit code {r.rc}")


def test_bad_documents(t):
    members = good(t)
    config = json.loads([d for i, d in members if i.name == "config.dump"][0])
    spec = json.loads([d for i, d in members if i.name == "spec.dump"][0])

    def changed(document, **keys):
        new = {**document, **keys}
        return json.dumps({k: v for k, v in new.items() if v is not None}).encode()
    cases = [("config.dump", d) for d in (
        b"", b"{", b"[]", b"null", b"[" * 100000, changed(config, id="../../x"),
        changed(config, id=5), changed(config, id=None), changed(config, name="../x"),
        changed(config, name=None), changed(config, rootfsImageID="nope", rootfsImageName="nope:1"),
        changed(config, runtime="/bin/sh"), changed(config, runtime="nosuchruntime"),
        changed(config, id="a" * 64 + "/.."))]
    cases += [("spec.dump", d) for d in (
        b"", b"{", b"[]", changed(spec, process=None), changed(spec, root=None),
        changed(spec, process=[]), changed(spec, mounts="x"), changed(spec, linux=7))]
    for name, data in cases:
        r = t.firn("container", "restore", "-i", pack(t, replaced(members, name, data)), rc=None)
        check(r.rc in (0, 125, 126, 127), f"{name} {data[:60]}: {r}")
        if r.rc:
            check(r.errors == 1, f"{name} {data[:60]}: {r.err}")
            equal(t.ids(), [], f"containers after {name} {data[:60]}")
        t.firn("rm", "-f", "-t", "0", "-a", "-v")
        t.firn("volume", "rm", "-a", "-f")


test_bad_documents.seconds = 180


def test_the_archive_gets_no_more_than_a_caller_could(t):
    """What the spec of an archive asks of the host is not granted blindly: no bind of the host's
    files, no host program as a hook."""
    members = good(t)
    spec = json.loads([d for i, d in members if i.name == "spec.dump"][0])
    mark = t.path("hook-ran")
    evil = copy.deepcopy(spec)
    evil["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"touch {mark}"]}]
                     for kind in ("prestart", "createRuntime", "poststart", "poststop")}
    r = t.firn("container", "restore", "-i",
               pack(t, replaced(members, "spec.dump", json.dumps(evil).encode())), rc=None)
    check(r.rc in (0, 125), f"{r}")
    t.firn("rm", "-f", "-t", "0", "-a", "-v")
    check(not os.path.exists(mark), "a hook of the archive ran on the host")


def test_huge_sizes(t):
    """An entry that says it is huge costs no memory and no disk."""
    members = good(t)
    for name in ("config.dump", "checkpoint/inventory.img", "checkpoint/pstree.img", "ctr.log"):
        path = t.path("huge.tar")
        info = tarfile.TarInfo(name)
        info.size = 1 << 50
        with open(path, "wb") as f:
            f.write(info.tobuf(tarfile.GNU_FORMAT))
            f.write(b"\0" * 4096)
        t.fails("container", "restore", "-i", path)
        equal(t.ids(), [], "containers")
    # an image whose entries claim lengths beyond the file
    for image in ("checkpoint/pstree.img", "checkpoint/files.img", "checkpoint/mm-1.img"):
        data = [d for i, d in members if i.name == image]
        check(data, f"there is no {image}")
        broken = data[0][:8] + b"\xff\xff\xff\x7f" + data[0][12:]
        r = t.firn("container", "restore", "-i", pack(t, replaced(members, image, broken)), rc=None)
        check(r.rc in (125, 126, 127), f"{image}: {r}")
        equal(t.ids(), [], f"containers after {image}")
        t.firn("volume", "rm", "-a", "-f")


def test_devices_in_the_archive(t):
    members = good(t)
    device = tarfile.TarInfo("checkpoint/core-1.img")
    device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 8
    fifo = tarfile.TarInfo("spec.dump")
    fifo.type = tarfile.FIFOTYPE
    for bad in (device, fifo):
        rest = [m for m in members if m[0].name != bad.name]
        r = t.firn("container", "restore", "-i", pack(t, [*rest, (bad, None)]), rc=None, timeout=20)
        check(r.rc in (125, 126, 127), f"{bad.name} as a device: {r}")
        equal(t.ids(), [], "containers")
        t.firn("volume", "rm", "-a", "-f")


def test_networks(t):
    """What an archive says of its network is no more than `run` could have asked for."""
    if t.rootless:
        raise Skip("bridges are root's")
    need_bridges(t)
    members = good(t)
    config = json.loads(dict((i.name, d) for i, d in members)["config.dump"])

    def attempt(networks=None, **changes):
        made = {"networkMode": "bridge", "createNetNS": True, **changes,
                "newNetworks": {"podman": networks or {}}}
        data = json.dumps({**config, **made}).encode()
        r = t.firn("container", "restore", "-i", pack(t, replaced(members, "config.dump", data)),
                   rc=None)
        out = t.inspect("c")["NetworkSettings"] if not r.rc else r.err
        t.firn("rm", "-f", "-t", "0", "-a", "-v")
        t.firn("volume", "rm", "-a", "-f")
        return out

    for bad in ({"networks": {"aliases": ["x\n1.2.3.4 y"]}}, {"networks": {"aliases": "x"}},
                {"networks": {"static_ips": ["10.1.2.3"]}}, {"networks": {"static_ips": ["10.88.0.1"]}},
                {"networkMode": "container:x"}, {"networkMode": "ns:/proc/1/ns/net"},
                {"newPortMappings": [{"host_port": 0, "container_port": 80, "range": 1}]},
                {"newPortMappings": [{"host_port": 80, "container_port": 80, "range": 70000}]},
                {"newPortMappings": [{"host_port": 1, "container_port": 1, "protocol": "x;y"}]}):
        out = attempt(**bad)
        check(isinstance(out, str) and out.count("Error: ") == 1, f"{bad}: {out}")
        equal(os.listdir(t.runroot + "/netns") if os.path.isdir(t.runroot + "/netns") else [], [])
    for odd in ({"interface_name": "../x"}, {"interface_name": "a b\n"}, {"static_mac": "x y"}):
        out = attempt(networks=odd)
        check(not isinstance(out, str) and out["IPAddress"].startswith("10.88."), f"{odd}: {out}")


def test_control_groups_that_leave(t):
    members = [(i, d) for i, d in good(t) if i.name != "checkpoint/cgroups.json"]
    images = next(n for n, (i, _) in enumerate(members) if i.name.startswith("checkpoint/"))
    for hierarchy, path in (("pids", "../../firn-escaped"), ("pids", "a/../../../firn-escaped"),
                            ("../../../var/tmp", "firn-escaped"), ("", "../firn-escaped"),
                            ("pids", "/firn-escaped"), (None, 7)):
        group = {"hierarchy": hierarchy, "path": path, "settings": {"pids.max": "9"},
                 "processes": [1]}
        bad = list(members)
        bad.insert(images + 1, entry("checkpoint/cgroups.json", json.dumps([group]).encode()))
        for target in ("/sys/fs/cgroup/pids/firn-escaped", "/sys/fs/cgroup/firn-escaped",
                       "/sys/fs/cgroup/pids/libpod_parent/firn-escaped"):
            check(not os.path.lexists(target), f"{target} is there already")
        r = refused_or_harmless(t, bad, "/sys/fs/cgroup/pids/libpod_parent/firn-escaped")
        check(t.rootless or "cgroups.json" in r.err, f"{path} is not refused: {r.err}")
        check(not os.path.lexists("/sys/fs/cgroup/pids/firn-escaped"), "it has left")
        check(not os.path.lexists("/var/tmp/firn-escaped"), "it has left")
