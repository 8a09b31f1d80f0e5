"""What labkit raises. Library code raises; only the command line prints and chooses exit codes.

LabError                 something a person must know about, with one next step
└── CommandError        an external program failed; carries its outcome
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.shell import Outcome


class LabError(Exception):
    """A problem with one next step for the person at the terminal.

    `problem` says what was found and which rule it breaks; `hint` says what to do next.
    """

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint


class CommandError(LabError):
    """An external program ended with a non-zero status or ran into its time limit."""

    def __init__(self, outcome: Outcome, *, problem: str = "", hint: str = "") -> None:
        if "No space left on device" in outcome.output:
            hint = "the disk is full: free some space, or put the caches elsewhere: VVC_CACHE=FOLDER ./lab setup"
        tail = "\n".join(outcome.output.strip().splitlines()[-15:])
        super().__init__(
            f"{problem or 'A command failed'}: {outcome.pasteable}\n{outcome.ending}\n{tail}".rstrip(),
            hint=hint,
        )
        self.outcome = outcome
