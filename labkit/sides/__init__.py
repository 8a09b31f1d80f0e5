"""What differs between the sides, behind one protocol, so that nothing else asks which side it is."""

from __future__ import annotations

from infra.outputs import Contract, Replica
from labkit.sides import container, vm
from labkit.sides.kinds import KINDS
from labkit.sides.protocol import COMPRESSOR, Event, Runner, Side, Sizes, Stats

__all__ = ["COMPRESSOR", "SIDES", "Event", "Runner", "Side", "Sizes", "Stats", "accelerator"]

SIDES: dict[str, Side] = {"vm": vm, "container": container}


def accelerator(replica: Replica, contract: Contract) -> str:
    """What runs the replica's code: `host`, or the lab's accelerator where it has a kernel of its own."""
    return "host" if KINDS[replica.side].shares_kernel else contract.accelerator
