"""How the experiments with rules undo what they did, whoever did it, and what they set in a server."""

from __future__ import annotations

from labkit.lifecycle import inside
from labkit.measure.experiment import Place
from labkit.sides import Runner

CALLS = "/proc/sys/net/bridge/bridge-nf-call-iptables"
"""Whether the packet filter judges what a bridge carries; of each network namespace its own. Made with 1."""


def restore(place: Place) -> None:
    """What the experiments have made in the servers goes, by its name; what they took away comes back."""
    for server in place.contract.servers:
        place.runner(server)([inside.UNDO])


def bridge_calls(run: Runner) -> str:
    """What that setting is in a server: "1", "0", or "" where the kernel has no such filter."""
    return run(["sh", "-c", f"cat {CALLS} 2> /dev/null || true"]).output.strip()


def set_bridge_calls(run: Runner, value: str) -> None:
    """Set it; `restore` sets it back."""
    run(["sh", "-c", f'echo "$1" > {CALLS}', "sh", value])
