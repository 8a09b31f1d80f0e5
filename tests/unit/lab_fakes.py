"""A lab without engines, for whatever runs experiments."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from infra.outputs import Contract, Replica
from labkit.measure._conduct import Hands
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.runs.records import Run

CONTRACT = Contract(
    lab="deployment",
    accelerator="tcg",
    service_version="1",
    servers=(),
    replicas=tuple(Replica(f"{side}-1", side, "server-1", f"http://{side}", side) for side in ("vm", "container")),
    vcpus=1,
    memory_mib=512,
)


def empty_run(**changes: Any) -> Run:
    """A run before its first repeat."""
    values: dict[str, Any] = {
        "id": "20260101T000000",
        "lab": "deployment",
        "started": "2026-01-01T00:00:00+0000",
        "finished": "",
        "commit": "abc",
        "machine": {"cpu": "x"},
        "settings": {"accelerator": "tcg"},
        "experiments": (),
    }
    return Run(**{**values, **changes})


@dataclass
class Told:
    """A report that keeps what it was told."""

    lines: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        """Keep it."""
        self.lines.append(text)

    def detail(self, text: str) -> None:
        """Drop it."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Keep its name."""
        self.lines.append(text)
        yield


@dataclass
class FakeLab:
    """A lab whose state is a word, and which counts what is done to it. At `interrupt_at` Ctrl-C is pressed."""

    folder: Path
    interrupt_at: int = -1
    fails: Callable[[Turn], Exception | None] = lambda _turn: None
    steps: list[str] = field(default_factory=list)
    state: str = "steady"
    progress: Told = field(default_factory=Told)
    now_s: float = 0.0
    contract: Contract = CONTRACT

    def step(self, name: str) -> None:
        """Something happens; perhaps just before it, a person presses Ctrl-C."""
        self.steps.append(name)
        if len(self.steps) - 1 == self.interrupt_at:
            signal.raise_signal(signal.SIGINT)

    @property
    def place(self) -> Place:
        """Where the experiments work."""
        return Place("deployment", cast(Any, None), self.contract, self.progress, cast(Any, None), self.folder)

    @property
    def hands(self) -> Hands:
        """What the conductor reaches this lab by."""
        return Hands(
            check=lambda _place: self.step("check"),
            bring_back=lambda _place: self._back("bring back"),
            conditions=lambda _place, replica: {"boot_id": replica.name},
            clock=self._clock,
        )

    def experiment(self, name: str, repeats: int = 2) -> Experiment:
        """One whose measuring breaks the lab and mends it."""

        def turns(sides: Sequence[str], quick: bool) -> Sequence[Turn]:
            return take_turns(sides, 1 if quick else repeats)

        return Experiment(name, f"{name}?", "what?", turns, self._measure, lambda _place: self._back("restore"))

    def _measure(self, _place: Place, turn: Turn) -> Seen:
        self.step("before the fault")
        self.state = "broken"
        self.step("measure")
        if problem := self.fails(turn):
            raise problem
        self.state = "steady"
        self.step("measured")
        return Seen({"ready_s": 1.0 + turn.number}, facts={"kernel": "x"}, conditions={"start_line": "here"})

    def _back(self, how: str) -> None:
        self.step(how)
        self.state = "steady"
        self.step(f"{how} done")

    def _clock(self) -> float:
        self.now_s += 1.0
        return self.now_s
