#!/usr/bin/env python3
"""The worker of worker.c in python: worker.py STEPS FILE SECONDS."""

import http.client
import json
import os
import socket
import sys
import time
import uuid


class Execution(http.client.HTTPConnection):
    """One exchange with firn over the unix socket of $FIRN_API."""

    def __init__(self):
        super().__init__("firn")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(os.environ["FIRN_API"].removeprefix("unix://"))


def ask(path, **body):
    """Asks until somebody has answered: a checkpoint hangs the connection up, and after a restore
    the same is asked again, by the same token."""
    while True:
        connection = Execution()
        try:
            connection.request("POST", path, json.dumps(body))
            answer = connection.getresponse()
            result = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.05)
            continue
        finally:
            connection.close()
        if answer.status != 200:
            raise RuntimeError(result["error"])
        return result


def checkpoint():
    return ask("/checkpoint", token=uuid.uuid4().hex)["side"]


def suspend(seconds):
    return ask("/suspend", token=uuid.uuid4().hex, **{"for": seconds})["side"]


def main(steps, path, seconds):
    restores = 0
    for step in range(steps):
        with open(path, "a", encoding="ascii") as f:
            f.write(f"{step} {restores}\n")
        print("step", step, flush=True)
        side = suspend(seconds) if seconds > 0 else checkpoint()
        restores += side == "after"
    ask("/exit", code=0, output={"steps": steps, "restores": restores})


main(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]))
