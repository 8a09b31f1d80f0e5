"""Where things lie. Caches are shared by all checkouts of a user; everything else belongs to one checkout."""

from __future__ import annotations

import os
from pathlib import Path

from infra import plan

CHECKOUT = Path(__file__).resolve().parent.parent
"""The checkout that this tool runs from (its real path)."""

CHECKOUT_ID = plan.checkout_id(str(CHECKOUT))

STATE = CHECKOUT / ".state"
"""All that this checkout keeps: Pulumi's state, keys, logs. Git ignores it."""

VENV = CHECKOUT / ".venv"


def cache() -> Path:
    """Folder of what is costly to make and the same for every checkout: toolchain and images."""
    given = os.environ.get("VVC_CACHE")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / plan.PROJECT


def runtime() -> Path:
    """Short folder for this checkout's Unix sockets (their paths end at 108 bytes).

    Without root not in XDG_RUNTIME_DIR: systemd takes that away when its user logs out, which labs outlive.
    """
    base = Path("/run") if os.geteuid() == 0 else cache()
    return base / f"{plan.PREFIX}-{CHECKOUT_ID}"
