"""Names of values as people read them. Numbers with their units are labkit.judge.words'. Pure."""

from __future__ import annotations

from labkit.judge.words import quantity

BYTES = "bytes"

_SUFFIXES = {
    "_mib_per_s": "MiB/s",
    "_per_s": "/s",
    "_bytes": BYTES,
    "_mib": "MiB",
    "_gib": "GiB",
    "_ms": "ms",
    "_s": "s",
    "_percent": "%",
}
"""Suffix of a value's name -> its unit, longest first."""

_SECONDS_UP_TO = 100


def unit_of(name: str) -> str:
    """The unit that a value's name ends with; empty for a count. `start_s` -> `s`."""
    return next((unit for suffix, unit in _SUFFIXES.items() if name.endswith(suffix)), "")


def label_of(name: str) -> str:
    """A value's name without its unit, in words. `host_memory_mib` -> `host memory`."""
    suffix = next((suffix for suffix in _SUFFIXES if name.endswith(suffix)), "")
    return name.removesuffix(suffix).replace("_", " ").strip() or name


def duration(seconds: float) -> str:
    """Seconds as a person says them. 754 -> "12 min 34 s"."""
    if seconds < _SECONDS_UP_TO:
        return quantity(seconds, "s")
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}\u00a0min\u00a0{rest}\u00a0s"
