"""images, tag, rmi, import, load, save, pull, volume."""

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import time

from harness.case import Skip, check, contains, equal, matches


def image_id(t, name):
    return t.firn("image", "inspect", "-f", "{{.Id}}", name).out.strip()


def test_list(t):
    lines = t.firn("images").lines
    matches(lines[0], r"^REPOSITORY +TAG +IMAGE ID +CREATED +SIZE$")
    equal(len(lines), 3)
    id_ = image_id(t, "busybox")
    check(id_[:12] in t.firn("images", "-q").lines, "the id is not in -q")
    check("sha256:" + id_ in t.firn("images", "-q", "--no-trunc").lines, "no full id")
    one = [i for i in t.firn("images", "--format", "json").json if i["Id"] == id_][0]
    check(one["Size"] > 100000 and one["Names"], one)
    equal(t.firn("image", "ls", "-n", "busybox").lines[0].split()[2], id_[:12])
    t.fails("images", "--filter", "bogus=1", err="unsupported image filter")


def test_tag_and_rmi(t):
    t.firn("tag", "busybox", "localhost/other:1", "another")
    equal(image_id(t, "localhost/other:1"), image_id(t, "localhost/another:latest"))
    t.fails("tag", "nope", "x", err="Error: nope: image not known")
    equal(t.firn("rmi", "other:1").out, "Untagged: localhost/other:1\n")
    equal(t.firn("rmi", "another").out, "Untagged: localhost/another:latest\n")
    t.fails("rmi", "nope", rc=1, err="Error: nope: image not known")
    equal(t.firn("rmi", "--ignore", "nope").out, "")
    t.firn("create", "--name", "c", "busybox")
    r = t.firn("rmi", "busybox", rc=2)
    matches(r.err, r"image used by [0-9a-f]{64}: image is in use by a container")
    check(t.firn("image", "exists", "busybox").rc == 0, "the image is gone")
    t.firn("rmi", "-f", "busybox")
    equal(t.ids(), [], "containers after rmi -f")


def layer(files):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in files:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(data or b"")
            tar.addfile(info, io.BytesIO(data or b""))
    return out.getvalue()


def oci_archive(t, layers, name="oci.tar", config=None, tag="localhost/made:1"):
    """An OCI archive of these layers (bytes of tars); returns its path."""
    base = t.path(name + ".d")
    os.makedirs(base + "/blobs/sha256")

    def blob(data):
        digest = hashlib.sha256(data).hexdigest()
        with open(f"{base}/blobs/sha256/{digest}", "wb") as f:
            f.write(data)
        return {"digest": "sha256:" + digest, "size": len(data)}
    media = "application/vnd.oci.image."
    diffs = ["sha256:" + hashlib.sha256(x).hexdigest() for x in layers]
    image = {"architecture": "amd64", "os": "linux", "config": config or {"Cmd": ["/bin/sh"]},
             "rootfs": {"type": "layers", "diff_ids": diffs}}
    manifest = {"schemaVersion": 2, "mediaType": media + "manifest.v1+json",
                "config": {"mediaType": media + "config.v1+json",
                           **blob(json.dumps(image).encode())},
                "layers": [{"mediaType": media + "layer.v1.tar", **blob(x)} for x in layers]}
    index = {"schemaVersion": 2, "manifests": [
        {"mediaType": media + "manifest.v1+json", **blob(json.dumps(manifest).encode()),
         "annotations": {"org.opencontainers.image.ref.name": tag}}]}
    for file, text in (("index.json", index), ("oci-layout", {"imageLayoutVersion": "1.0.0"})):
        with open(f"{base}/{file}", "w", encoding="utf-8") as f:
            json.dump(text, f)
    subprocess.run(["tar", "-C", base, "-cf", t.path(name), "."], check=True)
    return t.path(name)


def busybox_layer(t):
    with open(t.tars["busybox"], "rb") as f:
        return f.read()


def test_import(t):
    out = t.firn("import", "-q", "-c", "CMD echo hello", "-c", "ENV A=b", "-c", "WORKDIR /tmp",
                 "-c", "LABEL x=y", t.tars["busybox"], "localhost/imp:2").out
    matches(out, r"^sha256:[0-9a-f]{64}\n$")
    equal(t.firn("run", "--rm", "localhost/imp:2").out, "hello\n")
    equal(t.firn("run", "--rm", "localhost/imp:2", "sh", "-c", "echo $A; pwd").lines, ["b", "/tmp"])
    with open(t.tars["busybox"], "rb") as f:
        matches(t.firn("import", "-", "fromstdin", stdin=f.read()).out, r"sha256:")
    t.firn("image", "exists", "localhost/fromstdin")
    t.fails("import", t.path("none.tar"), err="no such file or directory")
    t.fails("import", "-q", t.write("bad.tar", os.urandom(4000)), "bad")


def test_save_and_load(t):
    for kind in ("docker-archive", "oci-archive", "oci-dir", "docker-dir"):
        path = t.path(kind)
        t.firn("tag", "busybox", "localhost/saved:1")
        id_ = image_id(t, "localhost/saved:1")
        r = t.firn("save", "-q", "--format", kind, "-o", path, "localhost/saved:1")
        equal(r.out, "")
        t.firn("rmi", "localhost/saved:1")
        out = t.firn("load", "-q", "-i", path).out
        matches(out, r"^Loaded image: ", f"what load of {kind} prints")
        name = out.split()[-1]
        equal(image_id(t, name), id_, f"the id after {kind}")
        equal(t.firn("run", "--rm", name, "echo", "works").out, "works\n")
        t.firn("rmi", name, rc=None)


def test_load_of_nonsense(t):
    t.fails("load", "-i", t.write("x", os.urandom(1000)),
            err="payload does not match any of the supported image formats")
    t.fails("load", "-i", t.path("none"), err="no such file or directory")


def whiteout(name):
    return tarfile.TarInfo(name)


def test_layers_whiteouts_and_opaque_directories(t):
    directory = tarfile.TarInfo("opaque")
    directory.type, directory.mode = tarfile.DIRTYPE, 0o755
    one = layer([(copy_of(directory), b""), ("opaque/old", b"old"), ("gone", b"x"), ("dir/a", b"a"),
                 ("dir/b", b"b"), ("changed", b"one")])
    two = layer([(copy_of(directory), b""), ("opaque/.wh..wh..opq", b""), ("opaque/new", b"new"),
                 (".wh.gone", b""), ("dir/.wh.a", b""), ("changed", b"two")])
    t.firn("load", "-q", "-i", oci_archive(t, [busybox_layer(t), one, two]))
    out = t.firn("run", "--rm", "localhost/made:1", "sh", "-c",
                 "ls /opaque; ls -d /gon*; ls /dir; cat /changed; ls -a / | grep wh; true").out
    equal(out.split(), ["new", "b", "two"])


def copy_of(info):
    new = tarfile.TarInfo(info.name)
    new.type, new.mode = info.type, info.mode
    return new


def test_layers_with_everything_a_file_can_be(t):
    suid = tarfile.TarInfo("suid")
    suid.mode, suid.uid, suid.gid, suid.mtime = 0o4755, 5, 6, 1000000000
    hard = tarfile.TarInfo("hard")
    hard.type, hard.linkname = tarfile.LNKTYPE, "suid"
    link = tarfile.TarInfo("link")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/motd"
    fifo = tarfile.TarInfo("fifo")
    fifo.type = tarfile.FIFOTYPE
    device = tarfile.TarInfo("null")
    device.type, device.devmajor, device.devminor = tarfile.CHRTYPE, 1, 3
    extra = tarfile.TarInfo("attr")
    extra.pax_headers = {"SCHILY.xattr.user.color": "blue"}
    made = layer([(suid, b"x"), (hard, None), (link, None), (fifo, None), (device, None),
                  (extra, b"x"), ("weird name \xe4\n", b"x")])
    t.firn("load", "-q", "-i", oci_archive(t, [busybox_layer(t), made]))
    t.firn("create", "--name", "c", "localhost/made:1")
    root = t.firn("mount", "c").out.strip()
    st = os.stat(root + "/suid")
    equal((oct(st.st_mode & 0o7777), st.st_uid, st.st_gid, st.st_nlink, st.st_mtime),
          ("0o4755", 5, 6, 2, 1000000000.0))
    equal(os.readlink(root + "/link"), "/etc/motd")
    check(os.path.exists(root + "/weird name \xe4\n"), "the odd name is lost")
    if t.rootless:
        check(not os.path.lexists(root + "/null"), "a device of an ordinary user")
    else:
        equal(os.stat(root + "/null").st_rdev, os.makedev(1, 3))
    try:
        equal(os.getxattr(root + "/attr", "user.color"), b"blue")
    except OSError as e:
        raise Skip(f"no user xattrs here: {e}") from e
    t.firn("unmount", "c")


def test_hostile_layers(t):
    target = "/var/tmp/firn-layer-escaped"
    up = "../" * 14 + target[1:]
    link = tarfile.TarInfo("l")
    link.type, link.linkname = tarfile.SYMTYPE, "/var/tmp"
    hard = tarfile.TarInfo("h")
    hard.type, hard.linkname = tarfile.LNKTYPE, "../" * 14 + "etc/passwd"
    for number, files in enumerate((
            [(up, b"x")], [(target, b"x")], [(link, None), ("l/firn-layer-escaped", b"x")],
            [(hard, None)], [(".wh.." , b"")], [("a/.wh..", b""), ("a/..", b"")],
            [("x/" + up, b"x")])):
        r = t.firn("load", "-q", "-i", oci_archive(t, [layer(files)], f"bad{number}.tar"), rc=None)
        check(r.rc in (0, 125), f"{files}: {r}")
        check(not os.path.lexists(target), f"{files} left the layer")
        if r.rc == 0:
            t.firn("rmi", "-f", "localhost/made:1", rc=None)
    with open("/etc/passwd", encoding="utf-8") as f:
        check("root" in f.read(), "/etc/passwd")


def test_wrong_digests_are_refused(t):
    archive = oci_archive(t, [layer([("only-here", os.urandom(2000000))])])
    base = archive + ".d"
    biggest = max(os.listdir(base + "/blobs/sha256"),
                  key=lambda n: os.path.getsize(f"{base}/blobs/sha256/{n}"))
    with open(f"{base}/blobs/sha256/{biggest}", "r+b") as f:
        f.seek(3000)
        f.write(b"changed")
    subprocess.run(["tar", "-C", base, "-cf", archive, "."], check=True)
    t.fails("load", "-q", "-i", archive)
    t.firn("image", "exists", "localhost/made:1", rc=1)


def test_layers_are_shared(t):
    before = len(os.listdir(t.root + "/layers"))
    t.firn("load", "-q", "-i", oci_archive(t, [busybox_layer(t), layer([("a", b"1")])], "1.tar",
                                           tag="localhost/one:1"))
    t.firn("load", "-q", "-i", oci_archive(t, [busybox_layer(t), layer([("a", b"2")])], "2.tar",
                                           tag="localhost/two:1"))
    check(len(os.listdir(t.root + "/layers")) <= before + 3, "common layers are stored twice")
    t.firn("rmi", "localhost/one:1")
    equal(t.firn("run", "--rm", "localhost/two:1", "cat", "/a").out, "2")
    t.firn("rmi", "localhost/two:1")
    equal(len(os.listdir(t.root + "/layers")), before, "layers after rmi")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def start_registry(t):
    """A registry of its own on the loopback; returns its host:port."""
    program = shutil.which("docker-registry") or shutil.which("registry")
    if not program:
        raise Skip("docker-registry is not installed")
    port = free_port()
    config = t.write("registry.yml", f"""
version: 0.1
storage: {{filesystem: {{rootdirectory: {t.path('registry')}}}}}
http: {{addr: 127.0.0.1:{port}}}
""")
    with open(t.path("registry.log"), "wb") as log:
        p = subprocess.Popen([program, "serve", config], stdout=log, stderr=log)
    t.started.append(p)

    def answers():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    t.wait_for("registry", answers)
    return f"127.0.0.1:{port}"


def fill_registry(t, host, name, archive):
    p = subprocess.run(["skopeo", "copy", "--dest-tls-verify=false", "oci-archive:" + archive,
                        f"docker://{host}/{name}"], stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    check(p.returncode == 0, f"skopeo: {p.stdout.decode()}")


def test_pull_from_a_registry(t):
    host = start_registry(t)
    fill_registry(t, host, "made:1", oci_archive(t, [busybox_layer(t)]))
    r = t.firn("pull", "--tls-verify=false", f"{host}/made:1")
    matches(r.out, r"^[0-9a-f]{64}\n$", "the id that pull prints")
    contains(r.err, f"Trying to pull {host}/made:1...")
    equal(t.firn("run", "--rm", f"{host}/made:1", "echo", "works").out, "works\n")
    equal(t.firn("pull", "-q", "--tls-verify=false", f"{host}/made:1").out, r.out, "pull again")
    r = t.fails("pull", "--tls-verify=false", f"{host}/made:none",
                err=re.compile("manifest unknown|reading manifest"))
    r = t.fails("pull", "-q", f"127.0.0.1:{free_port()}/made:1", err="connection refused")
    t.firn("rmi", f"{host}/made:1")
    equal(t.firn("run", "-q", "--rm", "--tls-verify=false", f"{host}/made:1", "echo", "x").out, "x\n")


def test_restore_pulls_the_image(t):
    host = start_registry(t)
    fill_registry(t, host, "made:1", oci_archive(t, [busybox_layer(t), layer([("a", b"1")])]))
    conf = t.write("registries.conf",
                   f'[[registry]]\nlocation = "{host}"\ninsecure = true\n')
    env = {"CONTAINERS_REGISTRIES_CONF": conf}
    t.firn("pull", "-q", f"{host}/made:1", env=env)
    t.looper("c", image=f"{host}/made:1")
    archive = t.path("c.tar")
    t.firn("container", "checkpoint", "-e", archive, "c")
    last = t.count("c")
    t.firn("rm", "c")
    t.firn("rmi", f"{host}/made:1")
    t.firn("container", "restore", "-i", archive, env=env)
    t.counts_on("c", last)


def test_volumes(t):
    equal(t.firn("volume", "create", "v1", "-l", "a=b").out, "v1\n")
    t.fails("volume", "create", "v1",
            err="Error: volume with name v1 already exists: volume already exists")
    matches(t.firn("volume", "create").out, r"^[0-9a-f]{64}\n$")
    check("v1" in t.firn("volume", "ls", "-q").lines, "v1 is not listed")
    matches(t.firn("volume", "ls").lines[0], r"^DRIVER +VOLUME NAME$")
    t.firn("volume", "exists", "v1")
    t.firn("create", "--name", "c", "-v", "v1:/x", "busybox")
    t.fails("volume", "rm", "v1", rc=2)
    t.firn("rm", "c")
    equal(t.firn("volume", "rm", "v1").out, "v1\n")
    t.fails("volume", "rm", "v1", rc=1)


def test_killed_import_leaves_a_store_that_works(t):
    for n in range(15):
        p = t.start("import", "-q", t.tars["guests"], f"localhost/killed{n}")
        time.sleep(0.004 * n)
        p.kill()
        p.wait()
    names = t.firn("images", "--format", "{{.Repository}}").lines
    for name in [x for x in names if "killed" in x]:
        t.firn("run", "--rm", name, "true")
    t.firn("import", "-q", t.tars["guests"], "localhost/after")
    equal(t.firn("run", "--rm", "localhost/after", "echo", "fine").out, "fine\n")
