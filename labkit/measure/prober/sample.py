"""One timed request, and its line in a file of samples.

A line is a JSON array in the order of COLUMNS, which is a third of the size of an object with names and twice as fast
to read: a million samples are some 90 MB and are read one by one. Lines stand for themselves: files may be joined.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from labkit.system.errors import LabError

KINDS = ("read", "write")
GOOD = "ok"
OUTCOMES = {
    GOOD: "the right answer, whole and within the deadline",
    "refused": "the connection was refused",
    "unreachable": "no route to the host, or the network said so",
    "reset": "the connection was reset",
    "closed": "the connection was closed before the first byte of an answer",
    "half": "the connection was closed in the middle of an answer",
    "wrong": "an answer with another status, body or sender than expected, or not HTTP",
    "deadline": "no whole answer within the deadline, which counts from the scheduled time",
    "unsent": "the prober itself was too late to send it: neither good nor a failure of the service",
    "local": "the prober's machine could not send it (out of ports or file descriptors): as unsent",
}
OURS = frozenset({"unsent", "local"})
"""Outcomes that say nothing about the service."""


class Sample(NamedTuple):
    """One request. Instants are seconds since the prober's start on its monotonic clock; None where not reached."""

    stream: str
    kind: str
    """`read` or `write`."""
    seq: int
    """0, 1, … within stream and kind; of a write, the `seq` of its entry."""
    scheduled_s: float
    """When it was to leave."""
    sent_s: float | None
    """When its connection was begun."""
    first_byte_s: float | None
    done_s: float
    """When its outcome was known."""
    outcome: str
    """A key of OUTCOMES."""
    status: int | None = None
    """Of the answer. An acknowledged write has 201 (stored now) or 200 (was there already)."""
    replica: str = ""
    server: str = ""
    """Who answered, as the answer's headers say."""
    detail: str = ""
    """What was wrong, in a few words."""
    connect_us: int | None = None
    """Microseconds until its connection was there, as the prober's kernel measured it. Earlier versions had it not."""

    @property
    def good(self) -> bool:
        """The right answer in time."""
        return self.outcome == GOOD

    @property
    def failed(self) -> bool:
        """The service did not give the right answer in time."""
        return self.outcome != GOOD and self.outcome not in OURS

    @property
    def latency_s(self) -> float:
        """Seconds from the scheduled time to the outcome."""
        return self.done_s - self.scheduled_s

    @property
    def late_s(self) -> float:
        """Scheduling error: by how much it left too late, in seconds."""
        return (self.done_s if self.sent_s is None else self.sent_s) - self.scheduled_s

    def shifted(self, by_s: float) -> Sample:
        """The same on a clock that reads `by_s` more."""
        return self._replace(
            scheduled_s=self.scheduled_s + by_s,
            sent_s=None if self.sent_s is None else self.sent_s + by_s,
            first_byte_s=None if self.first_byte_s is None else self.first_byte_s + by_s,
            done_s=self.done_s + by_s,
        )


COLUMNS = Sample._fields
LENGTHS = (len(COLUMNS), COLUMNS.index("connect_us"))
"""How many columns a line may have: those of today, or those of versions before `connect_us`."""

_COLUMN_TYPES: dict[str, tuple[bool, tuple[type, ...]]] = {
    "seq": (False, (int,)),
    "scheduled_s": (False, (int, float)),
    "sent_s": (True, (int, float)),
    "first_byte_s": (True, (int, float)),
    "done_s": (False, (int, float)),
    "status": (True, (int,)),
    "connect_us": (True, (int,)),
}
"""Column -> whether it may be null, and its types; every other column is text."""
_TYPES: set[tuple[type, ...]] = set()
"""Types of lines that were found right: a million lines have a handful of them."""


def line(sample: Sample) -> str:
    """The sample's line, with its newline; instants to the microsecond."""
    values = [round(value, 6) if isinstance(value, float) else value for value in sample]
    return json.dumps(values, separators=(",", ":")) + "\n"


def parse(text: str | bytes) -> Sample:
    """The sample of a line. Raises ValueError saying what is wrong with it."""
    values = json.loads(text)
    if not isinstance(values, list) or len(values) not in LENGTHS:
        raise ValueError(f"not an array of the {len(COLUMNS)} columns {', '.join(COLUMNS)}")
    if tuple(map(type, values)) not in _TYPES:
        _check_types(values)
    sample = Sample(*values)
    if sample.kind not in KINDS:
        raise ValueError(f"kind {sample.kind!r} is none of {', '.join(KINDS)}")
    if sample.outcome not in OUTCOMES:
        raise ValueError(f"outcome {sample.outcome!r} is none of {', '.join(OUTCOMES)}")
    return sample


def _check_types(values: list[object]) -> None:
    for column, value in zip(COLUMNS, values, strict=False):
        optional, types = _COLUMN_TYPES.get(column, (False, (str,)))
        if not (isinstance(value, types) and not isinstance(value, bool)) and not (optional and value is None):
            kind = "text" if types == (str,) else "a number"
            raise ValueError(f"{column} {value!r} must be {kind}{' or null' if optional else ''}")
    _TYPES.add(tuple(map(type, values)))


def read(file: Path) -> Iterator[Sample]:
    """The samples of a file, one by one, in the order in which their outcomes were known.

    A last line without its end, as a killed prober leaves it, is left out. Anything else that is no sample raises
    LabError with the file and the line's number.
    """
    with file.open("rb") as lines:
        for number, text in enumerate(lines, 1):
            if not text.endswith(b"\n"):
                return
            try:
                yield parse(text)
            except ValueError as error:
                raise LabError(
                    f"{file}, line {number} is no sample: {error}", hint="the file was edited; measure again"
                ) from error


def write(samples: Iterable[Sample], file: Path) -> int:
    """Append samples to a file; how many there were."""
    count = 0
    with file.open("a", encoding="utf-8") as out:
        for count, sample in enumerate(samples, 1):  # noqa: B007 - the count is the result
            out.write(line(sample))
    return count
