"""What is known of each side beforehand, for whatever judges and reports. Data only; nothing here reaches anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class SideKind:
    """One side: what it is called in a sentence, and whose kernel runs it."""

    word: str
    shares_kernel: bool
    """Its boot id is its server's; otherwise it booted a kernel of its own and has another boot id."""


KINDS: Mapping[str, SideKind] = {
    "vm": SideKind("VM", shares_kernel=False),
    "container": SideKind("container", shares_kernel=True),
}
