"""The completion script that is installed is the one firn makes, and it completes."""

import os

from harness.case import check, equal

SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../packaging/completions/firn")


def complete(t, *words):
    """What bash would offer for the last word; firn is the one under test."""
    script = (f"source {SCRIPT}; firn() {{ :; }}; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); "
              "_firn; printf '%s\\n' \"${COMPREPLY[@]}\"")
    firn = t.write("firn", f'#!/bin/sh\nexec {" ".join(t.argv())} "$@"\n')
    os.chmod(firn, 0o755)
    return t.run(["bash", "-c", script, "bash", firn, *words]).lines


def test_the_script_is_the_installed_one(t):
    with open(SCRIPT, encoding="utf-8") as f:
        equal(t.firn("completion", "bash").out, f.read(), "the completion script")


def test_words(t):
    t.firn("create", "--name", "mycontainer", "busybox")
    check("checkpoint" in complete(t, "container", "ch"), "container ch -> checkpoint")
    check("--leave-running" in complete(t, "container", "checkpoint", "--leave"), "options")
    check("mycontainer" in complete(t, "rm", "my"), "containers")
    check("podman" in complete(t, "network", "inspect", "po"), "networks")
