"""The shape of a topology: what a module in infra/topologies/ brings. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from infra import plan
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
    servers: Callable[[Own, Sequence[str]], Sequence[int]]
    """The indexes of a lab's servers, by its sides; without one, those of the others are what they are with it."""
    reserve_mib: Callable[[int], int]
    """Memory left to the laptop and to so many servers' daemons when guests and containers have taken theirs."""
    build: Callable[[Blueprint], Ground]
    """Declares it."""
    stacks: str = "infra.stacks"
    """Package of what its sides declare on it, a module each."""
    clusters: bool = False
    """Whether each side's servers are a cluster, which says where a replica runs."""
    most_replicas: int = plan.MAX_REPLICAS
    """Of each side, along all its paths."""
