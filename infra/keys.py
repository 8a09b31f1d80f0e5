"""A configuration key as a row, and what reads its value. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Accelerator = Literal["kvm", "tcg"]
_INTEGER = re.compile(r"[+-]?[0-9]{1,18}")


@dataclass(frozen=True)
class Facts:
    """What the settings must know of the machine; taken as an argument, so that they stay pure."""

    accelerator: Accelerator
    accelerator_reason: str
    memory_mib: int
    cpus: int
    subnets_in_use: Mapping[str, str]
    """Network in CIDR form -> who uses it (an interface, a Docker network). The lab's own are left out."""
    own_subnets: Mapping[str, str] = field(default_factory=dict)
    """The networks that this lab has on the engine now, by their names in the plan; empty where it is not up."""


@dataclass(frozen=True)
class Asked:
    """Whose value it is that is read, on which machine, and beside which others."""

    lab: str
    checkout: str
    facts: Facts
    config: Mapping[str, str] = field(default_factory=dict)
    """The lab's other values as they were given; each is judged by its own key."""


Reader = Callable[[str, Asked], Any]
"""Makes a value of its text. Raises ValueError with the rule that it breaks, WithNextStepError with more than that."""


@dataclass(frozen=True)
class Key:
    """One key of a stack's configuration. Default and description stand in Pulumi.yaml, too, as the rows say them."""

    name: str
    default: str | int
    reader: Reader
    description: str


class WithNextStepError(ValueError):
    """A value that cannot be used, said with the next step."""


def whole(least: int, most: Callable[[Asked], int] | int) -> Reader:
    """Reads a whole number between two, of which the greater one may be the machine's."""

    def reader(text: str, asked: Asked) -> int:
        bound = most if isinstance(most, int) else most(asked)
        if not _INTEGER.fullmatch(text) or not least <= int(text) <= bound:
            raise ValueError(f"a whole number from {least} to {bound} is needed")
        return int(text)

    return reader
