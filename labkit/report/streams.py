"""Probe streams as one draws them: least and most latency a pixel column, and every failed request.

A million samples are read in blocks; what stays in memory is some 20 bytes a sample.
"""

from __future__ import annotations

import json
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.errors import LabError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BLOCK = 20_000
"""Lines parsed at once: one call of the JSON parser instead of 20 000."""

_MOST_COLUMNS = 456
"""As many as the plot has pixels across."""

_ALL_COLUMNS = 8_000
"""Of all streams of a page together, so that many streams do not make a large page."""

_FEWEST_COLUMNS = 40

_STREAM, _KIND, _SCHEDULED, _DONE, _OUTCOME = 0, 1, 3, 6, 7
WIDTH = 12
"""Columns of a line of samples.jsonl; see labkit.prober.sample."""

GOOD = "ok"
OURS = ("unsent", "local")
"""Outcomes that say nothing about the service: the prober itself could not send."""


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
class Kind:
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
    side: str
    seconds: float
    columns: tuple[Column, ...]
    failures: tuple[Failure, ...]
    kinds: tuple[Kind, ...]

    @property
    def sent(self) -> int:
        """Requests of all kinds."""
        return sum(kind.sent for kind in self.kinds)

    @property
    def failed(self) -> int:
        """Failed requests of all kinds."""
        return sum(kind.failed for kind in self.kinds)


class _Raw:
    """A stream's samples in columns."""

    def __init__(self) -> None:
        self.scheduled = array("d")
        self.latency = array("f")
        self.kind = array("B")
        self.outcome = array("B")


def read(file: Path, wanted: Iterable[str]) -> list[Stream]:
    """The wanted streams of a samples.jsonl, in the wanted order; those that the file does not have are left out.

    Raises LabError naming the file and the line that is no sample. A last line without its end is left out.
    """
    names = list(dict.fromkeys(wanted))
    if not names:
        return []
    raw: dict[str, _Raw] = {name: _Raw() for name in names}
    kinds: dict[str, int] = {}
    outcomes: dict[str, int] = {GOOD: 0}
    for stream, kind, scheduled, done, outcome in _rows(file):
        one = raw.get(stream)
        if one is not None:
            one.scheduled.append(scheduled)
            one.latency.append(done - scheduled)
            one.kind.append(kinds.setdefault(kind, len(kinds)))
            one.outcome.append(outcomes.setdefault(outcome, len(outcomes)))
    present = [name for name in names if raw[name].scheduled]
    columns = max(_FEWEST_COLUMNS, min(_MOST_COLUMNS, _ALL_COLUMNS // max(1, len(present))))
    return [_reduced(name, raw[name], list(kinds), list(outcomes), columns) for name in present]


def _rows(file: Path) -> Iterator[tuple[str, str, float, float, str]]:
    number = 0
    with file.open("rb") as lines:
        while block := list(islice(lines, _BLOCK)):
            if not block[-1].endswith(b"\n"):
                block.pop()
            try:
                rows = json.loads(b"[" + b",".join(block) + b"]")
                yield from (
                    (row[_STREAM], row[_KIND], row[_SCHEDULED], row[_DONE], row[_OUTCOME])
                    for row in rows
                    if len(row) == WIDTH or _refuse(file)
                )
            except (ValueError, TypeError, LookupError) as error:
                raise LabError(
                    f"{file}, line {number + _first_bad(block)} is no sample.",
                    hint="the file was edited; measure again: ./lab run",
                ) from error
            number += len(block)


def _refuse(file: Path) -> bool:
    raise ValueError(f"{file}: a line has another number of columns")


def _first_bad(block: Sequence[bytes]) -> int:
    for number, line in enumerate(block, 1):
        try:
            row = json.loads(line)
        except ValueError:
            return number
        if not isinstance(row, list) or len(row) != WIDTH:
            return number
        if not all(isinstance(row[at], int | float) for at in (_SCHEDULED, _DONE)):
            return number
    return len(block)


def _reduced(name: str, raw: _Raw, kinds: Sequence[str], outcomes: Sequence[str], columns: int) -> Stream:
    import numpy as np  # noqa: PLC0415 - a page without streams does not need it

    scheduled = np.frombuffer(raw.scheduled, dtype=np.float64)
    latency_ms = np.frombuffer(raw.latency, dtype=np.float32).astype(np.float64) * 1e3
    kind = np.frombuffer(raw.kind, dtype=np.uint8)
    outcome = np.frombuffer(raw.outcome, dtype=np.uint8)
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
        side="",
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


def _kind(name: str, latency_ms: NDArray[Any], outcome: NDArray[Any], outcomes: Sequence[str]) -> Kind:
    import numpy as np  # noqa: PLC0415

    good = latency_ms[outcome == 0]
    median, p99, most = np.quantile(good, [0.5, 0.99, 1.0]).tolist() if good.size else (float("nan"),) * 3
    counted = {told: int((outcome == at).sum()) for at, told in enumerate(outcomes) if told != GOOD}
    return Kind(name, int(outcome.size), median, p99, most, {told: count for told, count in counted.items() if count})
