"""The shape of a topology: what a module in infra/topologies/ brings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra.keys import Key

if TYPE_CHECKING:
    from infra.ground import Ground
    from infra.lab import Blueprint

Own = Mapping[str, Any]
"""Values of a topology's own keys, by their names."""


@dataclass(frozen=True)
class Topology:
    """Which servers and networks a lab stands on. All but `build` is read without Pulumi, and must not import it."""

    name: str
    keys: tuple[Key, ...]
    """Configuration keys that only its labs have."""
    servers: Callable[[Own], int]
    """How many servers a lab has."""
    reserve_mib: Callable[[Own], int]
    """Memory left to the laptop and to the servers' daemons when guests and containers have taken theirs."""
    build: Callable[[Blueprint], Ground]
    """Declares it."""
