"""A fact's value as text, wherever it is read: a page, a guide, the table over all labs. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Sized
from typing import Any

from labkit.judge import words
from labkit.report import quantities


def evidence(seen: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What an observation rests on, each as its name and its value. {"longest_s": 20.2} -> [("longest", "20.2 s")]."""
    return [
        (quantities.label_of(name) if unit else name, told(value, unit))
        for name, value in seen.items()
        for unit in [quantities.unit_of(name)]
    ]


def told(value: Any, unit: str = "") -> str:
    """A fact's value as text: numbers with the unit, lists by commas, mappings as `name: value`.

    Lists of mappings, and mappings too long for a cell, are counted; of another list too long for it the first ones are
    told. Of a mapping of numbers, such as packages and their bytes, the largest come first, and the rest as a sum.
    """
    if isinstance(value, Mapping):
        return _told_mapping(value, unit)
    if isinstance(value, list | tuple) and any(isinstance(one, Mapping) for one in value):
        return _counted(value)
    if isinstance(value, list | tuple | set | frozenset):
        return _told_list([told(one, unit) for one in value])
    if isinstance(value, bool):
        return "yes" if value else "no"
    return words.quantity(value, unit) if unit and isinstance(value, int | float) else str(value)


def _counted(value: Sized) -> str:
    """In place of what would fill a page and is no evidence that one reads."""
    return f"{len(value)} parts, told by ./lab report --json"


def _told_list(texts: Sequence[str]) -> str:
    """As many as a cell takes, one at least, cut short if need be. Pure: a kernel's words are long, and many."""
    long, taken = 0, 0
    for text in texts:
        long += len(text)
        if taken and long > _LONG:
            break
        taken += 1
    first = ", ".join(text if len(text) <= _LONG else f"{text[:_LONG]}…" for text in texts[:taken])
    more = f", and {len(texts) - taken} more, told by ./lab report --json" if taken < len(texts) else ""
    return f"{first}{more}" or "none"


def _told_mapping(value: Mapping[Any, Any], unit: str) -> str:
    if len(value) <= _MOST or not all(isinstance(one, int | float) for one in value.values()):
        text = ", ".join(f"{name}: {told(one, unit)}" for name, one in value.items()) or "none"
        return text if len(text) <= _LONG else _counted(value)
    ordered = sorted(value.items(), key=lambda item: -item[1])
    first = ", ".join(f"{name}: {told(one, unit)}" for name, one in ordered[:_MOST])
    rest = ordered[_MOST:]
    return f"{first}, and {len(rest)} more: {words.quantity(sum(one for _, one in rest), unit)}"


_MOST = 10
_LONG = 240
"""Characters of a mapping or a list that a cell still takes."""
