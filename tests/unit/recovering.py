"""A small lab as its state has it, and as it is there."""

from __future__ import annotations

from labkit.lifecycle.inside import There
from labkit.lifecycle.missing import Known


def there(kind: str, name: str, number: int = 1) -> There:
    """An object; `number` tells it from another one of its name."""
    return There(kind, name, f"{name}-{number}")


HERE = "server-1"
_NEEDED = ("network", "volume")
OUTER = [
    Known(there("container", "lab-container"), "urn-container", needs=tuple(f"urn-{kind}" for kind in _NEEDED)),
    *(Known(there(kind, f"lab-{kind}"), f"urn-{kind}") for kind in _NEEDED),
]
INNER = [
    Known(there(*thing), f"urn-{thing[1]}", server=HERE)
    for thing in (
        ("container", "container-1"),
        ("domain", "vm-1"),
        ("disk", "base-1"),
        ("disk", "vm-1.qcow2"),
        ("pool", "lab"),
    )
]
STATE = [*OUTER, *INNER]
LAPTOP = frozenset(one.there for one in OUTER)
INSIDE = frozenset(one.there for one in INNER)
REFRESH = ("--refresh",)
ALL = ("urn-container", "urn-network", "urn-volume")
