"""The sides that a lab can compare, as rows. Pure: the program, the tool and the service's tests read them.

A side is one row here, one module in infra/stacks/ that declares it, and one class in labkit/sides/ that works on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SideKind:
    """What is known of a side beforehand: what it is called in a sentence, and whose kernel runs it."""

    name: str
    """In the configuration, in the contract and in a run; its replicas are called NAME-1, NAME-2 …"""
    word: str
    column: str
    """The column of the article's table that it stands for."""
    shares_kernel: bool
    """Its boot id is its server's; otherwise it booted a kernel of its own and has another boot id."""
    port: int = 0
    """The port of its server at which its first replica answers, the next one at the next; unless the side has rows in
    infra/paths.py, which say how its replicas are reached."""


KINDS: Mapping[str, SideKind] = {
    row.name: row
    for row in (
        SideKind("vm", "VM", "VMs", shares_kernel=False),
        SideKind("container", "container", "containers", shares_kernel=True),
    )
}
NAMES = tuple(KINDS)
