"""What differs between the sides, behind one protocol, so that nothing else asks which side it is.

A side's class lies in a module named after its row in infra.sides; SIDE there is the one object of it.
"""

from __future__ import annotations

import importlib
from typing import cast

from infra.outputs import Contract, Replica
from infra.sides import KINDS
from labkit.sides.protocol import COMPRESSOR, Event, Object, Port, Runner, Side, Sizes, Stats

__all__ = ["COMPRESSOR", "SIDES", "Event", "Object", "Port", "Runner", "Side", "Sizes", "Stats", "accelerator"]

SIDES: dict[str, Side] = {name: cast(Side, importlib.import_module(f"{__name__}.{name}").SIDE) for name in KINDS}


def accelerator(replica: Replica, contract: Contract) -> str:
    """What runs the replica's code: `host`, or the lab's accelerator where it has a kernel of its own."""
    return "host" if KINDS[replica.side].shares_kernel else contract.accelerator
