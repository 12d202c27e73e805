"""What a test of networks needs of the host."""

import glob

from harness.case import Skip


def need_bridges(t):
    """Root's private networks work here."""
    if not glob.glob("/usr/lib*/podman/netavark"):
        raise Skip("netavark is not installed")
    if t.run(["iptables", "-t", "nat", "-S"]).rc:
        raise Skip("iptables does not work here")
