"""The protocol of a side, and how it reaches into a server."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from infra.outputs import Replica, Server
from labkit.shell import Outcome


class Run(Protocol):
    """Runs a command inside a server; raises CommandError when it fails or exceeds its bound."""

    def __call__(self, command: Sequence[str], timeout_s: float = 60.0) -> Outcome:
        """Run it to its end."""


class Side(Protocol):
    """One side. A replica that was started is not yet ready: that is for a prober to see."""

    def exec_command(
        self, replica: Replica, server: Server, lab_dir: Path, command: Sequence[str], *, tty: bool
    ) -> list[str]:
        """The command line that runs `command` inside a replica; an empty one is a shell."""

    def start(self, replica: Replica, run: Run) -> None:
        """Start a replica that is shut off."""

    def stop(self, replica: Replica, run: Run) -> None:
        """Shut a replica down in order and wait until it is off."""
