"""How an external program ended."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from labkit.system import endings


@dataclass(frozen=True)
class Outcome:
    """How a command ended. `status` is its exit status, negative for a signal; `seconds` is wall time."""

    command: tuple[str, ...]
    status: int
    output: str
    seconds: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        """It ended by itself with status 0."""
        return self.status == 0 and not self.timed_out

    @property
    def pasteable(self) -> str:
        """The command as one can paste it into a shell."""
        return shlex.join(self.command)

    @property
    def ending(self) -> str:
        """The end in words."""
        if self.timed_out:
            return f"gave up after {self.seconds:.0f} s"
        return f"{endings.in_words(self.status)} after {self.seconds:.1f} s"
