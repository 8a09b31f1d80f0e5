"""What differs between the sides, behind one protocol, so that nothing else asks which side it is."""

from __future__ import annotations

from labkit.sides import container, vm
from labkit.sides.protocol import Run, Side

__all__ = ["SIDES", "Run", "Side"]

SIDES: dict[str, Side] = {"vm": vm, "container": container}
