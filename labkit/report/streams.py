"""Probe streams as one draws them: least and most latency a pixel column, and every failed request.

A million samples are read in blocks; what stays in memory is some 22 bytes a sample.
"""

from __future__ import annotations

import gc
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.measure.prober.sample import COLUMNS, GOOD, LENGTHS, OURS
from labkit.runs.records import Arm
from labkit.system.errors import LabError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 20_000
"""Lines parsed at once: one call of the JSON parser instead of 20 000."""

_MOST_COLUMNS = 456
"""As many as the plot has pixels across."""

_ALL_COLUMNS = 5_000
"""Of all streams of a page together, so that many streams do not make a large page."""

_FEWEST_COLUMNS = 40

_READ = tuple(COLUMNS.index(name) for name in ("stream", "kind", "scheduled_s", "done_s", "outcome"))
"""Where in a line stands what is drawn of a sample."""

_NUMBERS = (COLUMNS.index("scheduled_s"), COLUMNS.index("done_s"))
"""What of that must be numbers."""


@dataclass(frozen=True)
class Column:
    """What lies on one column of pixels; latencies are NaN where no request was answered."""

    at_s: float
    least_ms: float
    most_ms: float


@dataclass(frozen=True)
class Failure:
    """Failed requests on one pixel column with one outcome: at least one."""

    at_s: float
    outcome: str
    count: int


@dataclass(frozen=True)
class RequestKind:
    """The requests of one kind in a stream. Quantiles in ms over good answers, counted from the scheduled time."""

    name: str
    sent: int
    median_ms: float
    p99_ms: float
    most_ms: float
    outcomes: Mapping[str, int] = field(default_factory=dict)
    """Outcome -> how many of the requests without a good answer ended so."""

    @property
    def failed(self) -> int:
        """Requests to which the service gave no good answer in time."""
        return sum(count for outcome, count in self.outcomes.items() if outcome not in OURS)


@dataclass(frozen=True)
class Stream:
    """One probe stream, reduced. Instants in seconds since its first request was to leave."""

    name: str
    label: str
    arm: Arm
    seconds: float
    columns: tuple[Column, ...]
    failures: tuple[Failure, ...]
    kinds: tuple[RequestKind, ...]

    @property
    def sent(self) -> int:
        """Requests of all kinds."""
        return sum(kind.sent for kind in self.kinds)

    @property
    def failed(self) -> int:
        """Failed requests of all kinds."""
        return sum(kind.failed for kind in self.kinds)


class _Codes(dict[str, int]):
    """Text -> a small number, given at first sight: columns of text become columns of numbers."""

    def __missing__(self, text: str) -> int:
        self[text] = len(self)
        return self[text]


class _Table:
    """A file's samples in columns of numbers."""

    def __init__(self, file: Path) -> None:
        import numpy as np  # noqa: PLC0415 - a page without streams does not need it

        self.streams, self.kinds, self.outcomes = _Codes(), _Codes(), _Codes({GOOD: 0})
        blocks = list(self._blocks(file))
        columns: list[NDArray[Any]] = (
            [np.concatenate(column) for column in zip(*blocks, strict=True)] if blocks else [np.empty(0)] * 5
        )
        self.stream, self.kind, self.scheduled, self.done, self.outcome = columns

    def _blocks(self, file: Path) -> Iterator[Sequence[NDArray[Any]]]:
        number = 0
        with file.open("rb") as lines, _uncollected():
            while block := list(islice(lines, _BLOCK)):
                if not block[-1].endswith(b"\n"):
                    block.pop()
                try:
                    yield self._parsed(block)
                except (ValueError, TypeError) as error:
                    raise LabError(
                        f"{file}, line {number + _first_bad(block)} is no sample.",
                        hint="the file was edited; measure again: ./lab run",
                    ) from error
                number += len(block)

    def _parsed(self, block: Sequence[bytes]) -> Sequence[NDArray[Any]]:
        import numpy as np  # noqa: PLC0415
        import orjson  # noqa: PLC0415 - the standard library's parser would take half of a report's time

        columns = list(zip(*orjson.loads(b"[" + b",".join(block) + b"]"), strict=True))
        if block and len(columns) not in LENGTHS:
            raise ValueError(f"{len(columns)} columns")
        stream, kind, scheduled, done, outcome = (columns[at] for at in _READ) if block else [()] * 5
        return (
            np.fromiter((self.streams[one] for one in stream), np.uint32),
            np.fromiter((self.kinds[one] for one in kind), np.uint8),
            np.array(scheduled, np.float64),
            np.array(done, np.float64),
            np.fromiter((self.outcomes[one] for one in outcome), np.uint8),
        )


def read(file: Path, wanted: Iterable[str]) -> list[Stream]:
    """The wanted streams of a samples.jsonl, in the wanted order; those that the file does not have are left out.

    Raises LabError naming the file and the line that is no sample. A last line without its end is left out.
    """
    names = list(dict.fromkeys(wanted))
    if not names or not file.exists():
        return []
    table = _Table(file)
    present = [name for name in names if name in table.streams]
    columns = max(_FEWEST_COLUMNS, min(_MOST_COLUMNS, _ALL_COLUMNS // max(1, len(present))))
    return [_reduced(name, table, columns) for name in present]


@contextmanager
def _uncollected() -> Iterator[None]:
    # Millions of short-lived lists: looking through them for cycles, of which there are none, takes twice the parsing.
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _first_bad(block: Sequence[bytes]) -> int:
    for number, line in enumerate(block, 1):
        try:
            row = json.loads(line)
        except ValueError:
            return number
        if not isinstance(row, list) or len(row) not in LENGTHS:
            return number
        if not all(isinstance(row[at], int | float) for at in _NUMBERS):
            return number
    return len(block)


def _reduced(name: str, table: _Table, columns: int) -> Stream:
    import numpy as np  # noqa: PLC0415

    mine = table.stream == table.streams[name]
    scheduled, kind, outcome = table.scheduled[mine], table.kind[mine], table.outcome[mine]
    latency_ms = (table.done[mine] - scheduled) * 1e3
    kinds, outcomes = list(table.kinds), list(table.outcomes)
    at = scheduled - scheduled.min()
    seconds = max(float(at.max()), 1e-6)
    column = np.minimum((at * (columns / seconds)).astype(np.int64), columns - 1)
    good = outcome == 0
    least = np.full(columns, np.inf)
    most = np.full(columns, -np.inf)
    np.minimum.at(least, column[good], latency_ms[good])
    np.maximum.at(most, column[good], latency_ms[good])
    middle = (np.arange(columns) + 0.5) * (seconds / columns)
    nothing = ~np.isfinite(least)
    least[nothing] = most[nothing] = np.nan
    theirs = np.isin(outcome, [at for at, told in enumerate(outcomes) if told != GOOD and told not in OURS])
    failures = Counter(zip(column[theirs].tolist(), outcome[theirs].tolist(), strict=True))
    return Stream(
        name=name,
        label=name,
        arm=Arm(""),
        seconds=seconds,
        columns=tuple(map(Column, middle.tolist(), least.tolist(), most.tolist())),
        failures=tuple(
            Failure(float(middle[where]), outcomes[what], count) for (where, what), count in sorted(failures.items())
        ),
        kinds=tuple(
            _kind(told, latency_ms[kind == at], outcome[kind == at], outcomes)
            for at, told in enumerate(kinds)
            if (kind == at).any()
        ),
    )


def _kind(name: str, latency_ms: NDArray[Any], outcome: NDArray[Any], outcomes: Sequence[str]) -> RequestKind:
    import numpy as np  # noqa: PLC0415

    good = latency_ms[outcome == 0]
    median, p99, most = np.quantile(good, [0.5, 0.99, 1.0]).tolist() if good.size else (float("nan"),) * 3
    counted = {told: int((outcome == at).sum()) for at, told in enumerate(outcomes) if told != GOOD}
    return RequestKind(
        name, int(outcome.size), median, p99, most, {told: count for told, count in counted.items() if count}
    )
