"""What the kernel of a guest is told: how to run here, and who the guest is. Its initrd reads the latter."""

from __future__ import annotations

import base64

from infra.stacks._vm_networks import Attached

WORDS = "quiet rw nokaslr no_timer_check cryptomgr.notests"
VALUES = {
    "TERM": "dumb",
    "audit": "0",
    "lsm": "yama",
    "psi": "0",
    "rcupdate.rcu_expedited": "1",
}
"""Kernel parameters without and with a value: what each is for stands in images/guest/README.md."""


def values(name: str, attached: Attached, public_key: str) -> dict[str, str]:
    """The parameters that have a value, for a guest of this name on its network."""
    key = base64.b64encode(public_key.encode()).decode()
    return {
        **VALUES,
        "console": "ttyS0",
        "root": "/dev/vda",
        "vvc.address": str(attached.address),
        "vvc.gateway": str(attached.gateway),
        "vvc.hostname": name,
        "vvc.sshkey": key,
    }
