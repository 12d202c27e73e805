"""/firn/executions."""

from harness.api import Service
from harness.case import check, contains, equal, matches, ID
from harness.executions import Executions


def test_a_life(t):
    x, s = Executions(t), Service(t)
    config = x.config("/w/worker", "3", "/out/effects", "0.2")
    e = s("POST", "/firn/executions", config, status=201, retries="2", grace="5s").json["Id"]
    matches(e, ID.pattern, "id")
    equal([o["Id"] for o in s("GET", "/v4.3.1/libpod/firn/executions").json], [e])
    o = s("POST", f"/firn/executions/{e}/wait").json
    equal((o["State"], o["ExitCode"], o["Output"]["steps"]), ("finished", 0, 3))
    equal((o["Policy"]["Retries"], o["Policy"]["Grace"]), (2, 5.0), "policy")
    equal(x.effects(), [0, 1, 2])
    contains(s("GET", f"/firn/executions/{e}/logs", follow=True).body, b"step 2")
    s("DELETE", f"/firn/executions/{e}", status=204)
    s.refuses(404, "GET", f"/firn/executions/{e}", message="no such execution")


def test_suspend_download_and_restore(t):
    x, s = Executions(t), Service(t)
    e = s("POST", "/firn/executions", x.config("/w/worker", "9", "/out/effects", "30"),
          status=201).json["Id"]
    x.wait_for_state(e, "suspended")
    archive = s("GET", f"/firn/executions/{e}/checkpoint").body
    check(len(archive) > 1000, f"{len(archive)} bytes")
    s("POST", f"/firn/executions/{e}/kill")
    equal(s("GET", f"/firn/executions/{e}").json["State"], "killed")
    s("DELETE", f"/firn/executions/{e}", status=204)
    again = s("POST", "/firn/executions/restore", archive, status=201,
              headers={"Content-Type": "application/x-tar"}).json["Id"]
    equal(again, e)
    x.wait_for_effect(1)
    x.wait_for_state(e, "suspended")
    s("POST", f"/firn/executions/{e}/resume")
    x.wait_for_effect(2)
    s("DELETE", f"/firn/executions/{e}?force=true", status=204)


def test_checkpoint_and_errors(t):
    x, s = Executions(t), Service(t)
    e = s("POST", "/firn/executions", x.config("/bin/sleep", "1000"), status=201).json["Id"]
    s.refuses(404, "GET", f"/firn/executions/{e}/checkpoint", message="has no checkpoint")
    equal(s("POST", f"/firn/executions/{e}/checkpoint", leaveRunning=True).json["sequence"], 1)
    s("POST", f"/firn/executions/{e}/suspend", {"for": "1h"})
    equal(s("GET", f"/firn/executions/{e}").json["State"], "suspended")
    s.refuses(400, "POST", f"/firn/executions/{e}/suspend", {"bogus": 1}, message="bogus")
    s.refuses(409, "POST", f"/firn/executions/{e}/checkpoint", message="does not run")
    s.refuses(409, "DELETE", f"/firn/executions/{e}", message="is not over")
    s.refuses(400, "POST", "/firn/executions", {"image": 1}, message="must be the name of an image")
    s.refuses(400, "POST", "/firn/executions", {"imgae": "x"}, message='unknown key "imgae"')
    s.refuses(400, "POST", "/firn/executions?bogus=1", {"image": "busybox"}, message="bogus")
    s.refuses(404, "POST", "/firn/executions/" + 16 * "0123" + "/kill", message="no such execution")
