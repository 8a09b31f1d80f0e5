"""./lab engine."""

from __future__ import annotations

from labkit.setup.docker import engine
from labkit.system.progress import Terminal


def run() -> None:
    """Stop the private engine."""
    engine.stop(Terminal())
