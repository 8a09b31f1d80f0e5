"""All that a component must know of its lab, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from infra.machine import Machine
from infra.plan import Plan
from infra.settings import Settings


@dataclass(frozen=True)
class Blueprint:
    """What is wanted (settings), what it is called (plan), what it is built from (machine)."""

    settings: Settings
    plan: Plan
    machine: Machine
    commit: str
    """Commit of the service, see infra.source."""
