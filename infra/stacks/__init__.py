"""What a side declares on the servers that carry it: one module a side, named as in infra.sides.

Each has STACK, a component made of those servers and the lab's blueprint, whose `replicas` go into the contract.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Protocol, cast

import pulumi

from infra import outputs
from infra.lab import Blueprint
from infra.server import Server


class Stack(Protocol):
    """One side of a lab, declared."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        """Replicas on the servers in turn, the first one on the first."""

    @property
    def replicas(self) -> Sequence[pulumi.Output[outputs.Replica]]:
        """As they stand in the contract."""


def of(side: str, package: str = __name__) -> type[Stack]:
    """What declares a side; on clusters another package does."""
    return cast(type[Stack], importlib.import_module(f"{package}.{side}").STACK)
