"""Where things lie. Caches are shared by all checkouts of a user; everything else belongs to one checkout."""

from __future__ import annotations

import os
from pathlib import Path

from infra import checkout, plan
from infra.checkout import CHECKOUT, cache

__all__ = ["CHECKOUT", "CHECKOUT_ID", "STATE", "VENV", "cache", "runtime"]

CHECKOUT_ID = checkout.identify().id
"""The id in the names and labels of all that is ours. Of a copy it is the one with which set-up begins it anew."""

STATE = CHECKOUT / ".state"
"""All that this checkout keeps: Pulumi's state, keys, logs. Git ignores it."""

VENV = CHECKOUT / ".venv"


def runtime() -> Path:
    """Short folder for this checkout's Unix sockets (their paths end at 108 bytes).

    Without root not in XDG_RUNTIME_DIR: systemd takes that away when its user logs out, which labs outlive.
    """
    base = Path("/run") if os.geteuid() == 0 else cache()
    return base / f"{plan.PREFIX}-{CHECKOUT_ID}"
