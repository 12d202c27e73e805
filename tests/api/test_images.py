"""Images, volumes, networks and what the service knows of itself, by HTTP alone."""

import json
import os
import socket
import subprocess

from harness.api import DOC, POD, Service
from harness.case import Skip, check, contains, equal, needs_root


def test_list_and_inspect(t):
    s = Service(t)
    names = {n for i in s("GET", f"{POD}/images/json").json for n in i["RepoTags"]}
    equal(names, {"localhost/busybox:latest", "localhost/guests:latest"}, "names")
    i = s("GET", f"{POD}/images/busybox/json").json
    for name in ("localhost%2Fbusybox%3Alatest", "localhost/busybox:latest", i["Id"], i["Id"][:12]):
        equal(s("GET", f"{POD}/images/{name}/json").json["Id"], i["Id"], name)
        equal(s("GET", f"{DOC}/images/{name}/json").json["Id"], "sha256:" + i["Id"], name)
    s("GET", f"{POD}/images/busybox/exists", status=204)
    s.refuses(404, "GET", f"{POD}/images/nope/exists")
    s.refuses(404, "GET", f"{DOC}/images/nope/json", message="No such image: nope")
    check(s("GET", f"{POD}/images/busybox/history").json[0]["Id"] == i["Id"], "history")
    rows = s("GET", f"{DOC}/images/json", filters={"reference": ["busybox"]}).json
    equal([r["RepoTags"] for r in rows], [["localhost/busybox:latest"]], "filtered")
    s.refuses(400, "GET", f"{DOC}/images/json", filters={"bogus": ["x"]})


def test_names(t):
    s = Service(t)
    s("POST", f"{POD}/images/busybox/tag?repo=quay.io/a/b&tag=1", status=201)
    s("GET", f"{POD}/images/quay.io%2Fa%2Fb%3A1/exists", status=204)
    s("POST", f"{POD}/images/quay.io/a/b:1/untag?repo=quay.io/a/b&tag=1", status=201)
    s("GET", f"{POD}/images/quay.io/a/b:1/exists", status=404)
    s.refuses(400, "POST", f"{POD}/images/busybox/tag", message="repo parameter")
    s("POST", f"{DOC}/images/busybox/tag?repo=other&tag=2", status=201)
    o = s("DELETE", f"{POD}/images/remove?images=other:2&images=nope").json
    equal((o["Untagged"], o["ExitCode"]), (["localhost/other:2"], 1), "report")
    contains(o["Errors"][0], "nope", "error")
    s.refuses(404, "DELETE", f"{DOC}/images/nope")
    t.firn("create", "busybox", "true")
    s.refuses(409, "DELETE", f"{DOC}/images/busybox")
    equal(s("DELETE", f"{POD}/images/remove?images=busybox").json["ExitCode"], 2, "in use")


def test_save_load_import(t):
    s = Service(t)
    s("POST", f"{POD}/images/busybox/tag?repo=saved&tag=1", status=201)
    for fmt in ("docker-archive", "oci-archive"):
        tar = s("GET", f"{POD}/images/export?references=saved:1&format={fmt}").body
        s("DELETE", f"{POD}/images/saved:1")
        equal(s("POST", f"{POD}/images/load", tar).json["Names"], ["localhost/saved:1"], "names")
    tar = s("GET", f"{DOC}/images/saved:1/get").body
    contains(s("POST", f"{DOC}/images/load", tar).json["stream"], "localhost/saved:1", "answer")
    s.refuses(404, "GET", f"{POD}/images/export?references=nope")
    s.refuses(400, "GET", f"{POD}/images/export?references=saved:1&format=bogus")
    with open(os.path.join(t.environment["FIRN_TEST_TARS"], "busybox.tar"), "rb") as f:
        root = f.read()
    o = s("POST", f"{POD}/images/import?reference=imported:1&changes=CMD%20%5B%22sh%22%5D", root)
    equal(s("GET", f"{POD}/images/imported:1/json").json["Config"]["Cmd"], ["sh"], "command")
    check(o.json["Id"].startswith("sha256:"), o)
    lines = s("POST", f"{DOC}/images/create?fromSrc=-&repo=other&tag=1", root).lines
    check(lines[-1]["status"].startswith("sha256:"), lines)
    for name in ("saved:1", "imported:1", "other:1"):
        s("DELETE", f"{POD}/images/{name}?force=true")


def test_registry(t):
    """Pull and push with their progress, to a registry of our own."""
    try:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        config = t.write("registry.yml", "version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\n"
                         "http: {addr: '127.0.0.1:%d'}\n" % (t.path("registry"), port))
        t.started.append(subprocess.Popen(["docker-registry", "serve", config],
                                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    except FileNotFoundError as e:
        raise Skip("there is no docker-registry here") from e
    place = f"localhost:{port}/a/b:1"
    t.wait_for("registry", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
    s = Service(t)
    answer = s("POST", f"{POD}/images/busybox/push?destination={place}&tlsVerify=false")
    check(not any("error" in line for line in answer.lines), answer)
    answer = s("POST", f"{POD}/images/pull?reference={place}&tlsVerify=false&policy=always")
    contains(answer.lines[0]["stream"], "Trying to pull", "first line")
    equal(answer.lines[-1]["images"], [answer.lines[-1]["id"]], "last line")
    s("GET", f"{POD}/images/localhost:{port}%2Fa%2Fb:1/exists", status=204)
    equal(len(s("POST", f"{POD}/images/pull?reference={place}&policy=missing").lines), 1, "missing")
    s("DELETE", f"{POD}/images/{place}")
    answer = s("POST", f"{POD}/images/pull?reference=localhost:{port}/a/nope:1&tlsVerify=false")
    check(answer.lines[-1]["error"], answer)
    s.refuses(400, "POST", f"{POD}/images/pull", message="reference")
    s.refuses(400, "POST", f"{POD}/images/pull?reference={place}",
              headers={"X-Registry-Auth": "%%%"}, message="X-Registry-Auth")


def test_volumes(t):
    s = Service(t)
    o = s("POST", f"{POD}/volumes/create", {"Name": "v1", "Labels": {"a": "b"}}, status=201).json
    equal((o["Name"], o["Labels"]), ("v1", {"a": "b"}), "volume")
    s.refuses(409, "POST", f"{POD}/volumes/create", {"Name": "v1"}, message="already exists")
    equal(s("POST", f"{DOC}/volumes/create", {"Name": "v1"}, status=201).json["Name"], "v1", "again")
    s("POST", f"{DOC}/volumes/create", {"Name": "v2", "DriverOpts": None}, status=201)
    equal([v["Name"] for v in s("GET", f"{POD}/volumes/json").json], ["v1", "v2"], "list")
    equal([v["Name"] for v in s("GET", f"{DOC}/volumes", filters={"label": ["a=b"]}).json["Volumes"]],
          ["v1"], "filtered")
    s("GET", f"{POD}/volumes/v1/exists", status=204)
    s.refuses(404, "GET", f"{DOC}/volumes/nope", message="no such volume")
    t.firn("create", "--name", "user", "-v", "v1:/v", "busybox", "true")
    s.refuses(409, "DELETE", f"{POD}/volumes/v1", message="volume is being used")
    equal(s("POST", f"{POD}/volumes/prune").json, [{"Id": "v2", "Size": 0}], "pruned")
    t.firn("rm", "user")
    s("DELETE", f"{DOC}/volumes/v1", status=204)


@needs_root("bridges need root")
def test_networks(t):
    s = Service(t)
    o = s("POST", f"{POD}/networks/create", {"name": "apin1", "subnets": [
        {"subnet": "10.213.7.0/24", "gateway": "10.213.7.1"}], "labels": {"x": "y"}}).json
    equal((o["name"], o["subnets"][0]["subnet"]), ("apin1", "10.213.7.0/24"), "network")
    s.refuses(409, "POST", f"{POD}/networks/create", {"name": "apin1"})
    o = s("POST", f"{DOC}/networks/create", {"Name": "apin2", "CheckDuplicate": True}, status=201)
    equal(s("GET", f"{DOC}/networks/apin2").json["Id"], o.json["Id"], "id")
    equal([n["name"] for n in s("GET", f"{POD}/networks/json", filters={"label": ["x=y"]}).json],
          ["apin1"], "filtered")
    equal(s("GET", f"{DOC}/networks", filters={"name": ["apin1"]}).json[0]["IPAM"]["Config"],
          [{"Subnet": "10.213.7.0/24", "Gateway": "10.213.7.1"}], "for Docker")
    s.refuses(404, "GET", f"{POD}/networks/nope/json")
    s.refuses(501, "POST", f"{DOC}/networks/apin1/connect", {"Container": "x"})
    equal(s("DELETE", f"{POD}/networks/apin1").json, [{"Name": "apin1", "Err": None}], "removed")
    s("DELETE", f"{DOC}/networks/apin2", status=204)


@needs_root("bridges need root")
def test_published_ports(t):
    """Described in both dialects, and shown again."""
    s = Service(t)
    s("POST", f"{POD}/containers/create", status=201, body={
        "name": "p1", "image": "busybox", "command": ["true"], "netns": {"nsmode": "bridge"},
        "portmappings": [{"host_ip": "127.0.0.1", "container_port": 80, "host_port": 38080,
                          "range": 2, "protocol": "tcp"}]})
    s("POST", f"{DOC}/containers/create?name=p2", status=201, body={
        "Image": "busybox", "Cmd": ["true"], "ExposedPorts": {"53/udp": {}},
        "HostConfig": {"PortBindings": {"53/udp": [{"HostIp": "", "HostPort": "38053"}]}}})
    rows = {r["Names"][0]: r["Ports"] for r in s("GET", f"{DOC}/containers/json?all=1").json}
    equal([(p["IP"], p["PublicPort"], p["PrivatePort"], p["Type"]) for p in rows["/p1"]],
          [("127.0.0.1", 38080, 80, "tcp"), ("127.0.0.1", 38081, 81, "tcp")], "ports of p1")
    equal([(p["PublicPort"], p["PrivatePort"], p["Type"]) for p in rows["/p2"]],
          [(38053, 53, "udp")], "ports of p2")


def test_system(t):
    s = Service(t)
    t.firn("create", "--name", "c", "busybox", "true")
    df = s("GET", f"{POD}/system/df").json
    equal((len(df["Images"]), len(df["Containers"]), df["Volumes"]), (2, 1, []), "df")
    df = s("GET", f"{DOC}/system/df").json
    check(df["LayersSize"] > 0 and df["Containers"][0]["Names"] == ["/c"], json.dumps(df))
    o = s("POST", f"{POD}/system/prune?volumes=true").json
    equal((len(o["ContainerPruneReports"]), o["ImagePruneReports"]), (1, []), "prune")
    equal(t.ids(), [], "containers")
    equal(s("GET", f"{POD}/pods/json").json, [], "pods")
    s.refuses(404, "GET", f"{POD}/pods/x/json", message="no such pod")
