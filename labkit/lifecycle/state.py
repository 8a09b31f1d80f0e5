"""What Pulumi keeps of this checkout's labs in files: each stack's state, and who holds its lock. Asks no Pulumi."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from infra import checkout
from infra.plan import PROJECT
from labkit.system import processes
from labkit.system.paths import STATE
from labkit.system.processes import alive, starter_gone

BACKEND = STATE / "pulumi"

BACKEND_URL = f"file://{quote(str(BACKEND))}"
"""What all programs of a Pulumi of this checkout have in their environment as PULUMI_BACKEND_URL."""


def file(lab: str) -> Path:
    """The state of the lab's stack; there once set-up has made the stack."""
    return _stacks() / f"{lab}.json"


def is_locked(lab: str) -> bool:
    """Whether a Pulumi that lives holds the lab's stack."""
    return any(map(_is_held, _locks(lab)))


def is_ending(lab: str) -> bool:
    """Whether one does whose ./lab is gone: it ends by itself."""
    return any(map(_has_lost_its_starter, _locks(lab)))


def stale_locks(lab: str) -> list[Path]:
    """Locks of the lab's stack whose Pulumi, on this machine, is dead."""
    return [file for file in _locks(lab) if not _is_held(file)]


def mend_attributes() -> None:
    """Remove attributes of state files that a Pulumi, killed in the midst of a write, left cut short.

    Its store writes a state's attributes not in one piece, and can do without; where they are cut short it reads no
    state at all ("failed to load checkpoint: EOF"), though the state itself is whole. Those of a lab at which a Pulumi
    is at work stay.
    """
    for attributes in _stacks().glob("*.json*.attrs"):
        lab = attributes.name.split(".json")[0]
        if not _is_json(attributes) and not is_locked(lab):
            attributes.unlink(missing_ok=True)


def has_resources(lab: str) -> bool:
    """Whether the lab's stack holds anything, as its state says."""
    return bool(_latest(lab).get("resources"))


def noted_outputs(lab: str) -> dict[str, Any]:
    """The stack's outputs, as its state says. Empty when the lab is down."""
    stacks = [one for one in _latest(lab).get("resources") or [] if one.get("type") == "pulumi:pulumi:Stack"]
    return dict(stacks[0].get("outputs") or {}) if stacks else {}


def pending_operations(lab: str) -> int:
    """How many operations of a killed Pulumi the lab's state file has noted."""
    return len(_latest(lab).get("pending_operations") or [])


def _stacks() -> Path:
    return BACKEND / ".pulumi" / "stacks" / PROJECT


def _locks(lab: str) -> list[Path]:
    return list((BACKEND / ".pulumi" / "locks" / "organization" / PROJECT / lab).glob("*.json"))


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return True


def _latest(lab: str) -> dict[str, Any]:
    return checkout.latest(file(lab)) or {}


def _is_held(lock: Path) -> bool:
    try:
        held = json.loads(lock.read_text(encoding="utf-8"))
        if held["hostname"] != os.uname().nodename:
            return True
        return alive(int(held["pid"]))
    except (OSError, ValueError, KeyError):
        return False


def _has_lost_its_starter(lock: Path) -> bool:
    """Whether a living Pulumi of this tool holds the lock, and the ./lab that started it is gone."""
    try:
        holder = processes.process(int(json.loads(lock.read_text(encoding="utf-8"))["pid"]))
    except (OSError, ValueError, KeyError):
        return False
    return holder is not None and bool(starter_gone(holder))
