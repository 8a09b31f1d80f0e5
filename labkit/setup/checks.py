"""One check of the machine, as `./lab doctor` shows it. The checks stand in doctor.py and in checks_*.py."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A yes/no statement about the machine. `needed` = `up` cannot work without; else it is set up by itself."""

    name: str
    ok: bool
    found: str
    hint: str = ""
    needed: bool = True
