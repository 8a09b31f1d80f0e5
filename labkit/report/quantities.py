"""Numbers as people read them: one unit a table row, three figures, never false precision. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

BYTES = "bytes"

_SUFFIXES = {
    "_per_s": "/s",
    "_bytes": BYTES,
    "_mib": "MiB",
    "_ms": "ms",
    "_s": "s",
    "_percent": "%",
}
"""Suffix of a value's name -> its unit, longest first."""

_STEPS = {
    "bytes": ((1024.0**3, "GiB"), (1024.0**2, "MiB"), (1024.0, "KiB")),
    "MiB": ((1024.0, "GiB"),),
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")),
    "ms": ((1.0, "ms"), (1e-3, "µs")),
}
_SECONDS_UP_TO = 100


def unit_of(name: str) -> str:
    """The unit that a value's name ends with; empty for a count. `start_s` -> `s`."""
    return next((unit for suffix, unit in _SUFFIXES.items() if name.endswith(suffix)), "")


def label_of(name: str) -> str:
    """A value's name without its unit, in words. `host_memory_mib` -> `host memory`."""
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix).replace("_", " ").strip() or name


def scale(values: Sequence[float], unit: str) -> tuple[float, str]:
    """Divisor and unit in which these values read well together: chosen by the largest. Bytes become MiB at 1 MiB."""
    finite = [abs(value) for value in values if math.isfinite(value)]
    largest = max(finite, default=0.0)
    if largest:
        for divisor, name in _STEPS.get(unit, ()):
            if largest >= divisor:
                return divisor, name
    return 1.0, unit


def number(value: float) -> str:
    """Three significant figures, thousands apart, no exponent; integers stay whole. NaN is an em dash."""
    if not math.isfinite(value):
        return "—"
    if value == int(value) and abs(value) < 1e15:  # noqa: PLR2004 - beyond this a float is no exact integer
        return f"{int(value):,}".replace(",", "\u202f")
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    return f"{value:,.{digits}f}".replace(",", "\u202f")


def quantity(value: float, unit: str) -> str:
    """A number with the unit that suits it. (1536, "bytes") -> "1.50 KiB"."""
    if not math.isfinite(value):
        return "—"
    divisor, name = scale([value], unit)
    glue = "" if name in ("%", "/s") else "\u00a0"
    return f"{number(value / divisor)}{glue}{name}" if name else number(value)


def duration(seconds: float) -> str:
    """Seconds as a person says them. 754 -> "12 min 34 s"."""
    if seconds < _SECONDS_UP_TO:
        return quantity(seconds, "s")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\u00a0min\u00a0{rest}\u00a0s"
