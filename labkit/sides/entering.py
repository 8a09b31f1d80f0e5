"""What one must know of a side to go into a replica of a lab that is not whole. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from infra import plan
from infra.last_lines import CONSOLE_DIR
from infra.plan import Plan


@dataclass(frozen=True)
class Door:
    """How a side's replicas are found in a server, where they answer, and what tells why one cannot be entered."""

    kind: str
    """Of the object in the server whose name is the replica's, as labkit.lifecycle.heal has it."""
    prefix: str
    """Of that name; the replica's number follows."""
    url: Callable[[Plan, str, int], str]
    """From the plan, the server's address, and the replica's index."""
    state: Callable[[str], list[str]]
    """The command, inside the server, that prints in which state a replica is."""
    look: Callable[[str], str]
    """What one types behind `./lab exec SERVER` to see what a replica said last."""
    has_key: bool
    """Whether the laptop must know its ssh key first, which it does since the replica was configured."""


DOORS: Mapping[str, Door] = {
    "vm": Door(
        kind="domain",
        prefix="vm-",
        url=lambda planned, _server, index: f"http://{planned.vm_address(index)}:{plan.SERVICE_PORT}",
        state=lambda name: ["virsh", "--quiet", "domstate", name],
        look=lambda name: f"tail -n 50 {CONSOLE_DIR}/{name}.console",
        has_key=True,
    ),
    "container": Door(
        kind="container",
        prefix="container-",
        url=lambda planned, server, index: f"http://{server}:{planned.container_port(index)}",
        state=lambda name: ["docker", "inspect", "-f", "{{.State.Status}}", name],
        look=lambda name: f"docker logs --tail 50 {name}",
        has_key=False,
    ),
}
