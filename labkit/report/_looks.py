"""How an arm looks: colour and shape are its side's, by the side's place in the table of sides. Factors are told.

style.css defines the colours (--side-1 …) and draws the same shapes in the text.
"""

from __future__ import annotations

from infra.sides import KINDS
from labkit.runs.records import Arm

SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross")
"""As Vega calls them; as many as style.css has colours. More sides than that begin anew."""

_UNKNOWN = "none"


def number(arm: Arm) -> str:
    """Which colour and shape: "1", "2", …; "none" for what is no side of this version."""
    sides = list(KINDS)
    return str(sides.index(arm.side) % len(SHAPES) + 1) if arm.side in sides else _UNKNOWN


def color(arm: Arm) -> str:
    """The colour, as CSS."""
    return f"var(--side-{number(arm)})"


def shape(arm: Arm) -> str:
    """The shape of a point, as Vega calls it."""
    known = number(arm)
    return "circle" if known == _UNKNOWN else SHAPES[int(known) - 1]
