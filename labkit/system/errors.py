"""What labkit raises. Library code raises; only the command line prints and chooses exit codes.

LabError                 something a person must know about, with one next step
└── CommandError        an external program failed; carries its outcome
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from infra import telling
from labkit.system.outcome import Outcome

LOOK = "./lab doctor"
"""The next step where nothing better is known: a look at all that labs stand on."""

FULL = "the disk is full: free some space, or put the caches elsewhere: VVC_CACHE=FOLDER ./lab setup"


class LabError(Exception):
    """A problem with one next step for the person at the terminal.

    `problem` says what was found and which rule it breaks; `hint` says what to do next.
    """

    def __init__(self, problem: str, *, hint: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.hint = hint or LOOK


class CommandError(LabError):
    """An external program ended with a non-zero status or ran into its time limit.

    The message has the line that tells why; all that it said, and a long command as a whole, is in the log.
    """

    def __init__(self, outcome: Outcome, *, problem: str = "", hint: str = "") -> None:
        if "No space left on device" in outcome.output:
            hint = FULL
        command = telling.command(outcome.command)
        told = f"{problem or 'A command failed'}{telling.because(outcome.output)}"
        super().__init__(f"{told}\n  {command}: {outcome.ending}", hint=hint)
        self.outcome = outcome


def meant(given: str, known: Sequence[str], otherwise: str = "") -> str:
    """Pure: "Did you mean X?" where a known name is close to the given one, else the other text."""
    folded = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), list(folded), 1)
    return f"Did you mean {folded[close[0]]}?" if close else otherwise
