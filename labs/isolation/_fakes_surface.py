"""What the experiment *surface* does to a lab, for the suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from labkit.measure.prober.sample import Sample
from labkit.measure.testing import FakeLab, Patch
from labs.isolation import surface
from labs.isolation.sides.surface import SIDES

WATCHES = "strace watches"
SUMMARY = (
    "    calls    errors syscall\n--------- --------- ----------\n      300        20 ppoll\n      100           read\n"
)
SAMPLES = [Sample("s", "read", at, at, at, at + 0.01, at + 0.02, "ok", 200, "vm-1", "server-1") for at in range(1000)]


def does(fake: FakeLab, words: Sequence[str]) -> str | None:
    """What a command of this experiment does and prints; None where it is none of its."""
    script = words[2] if words[:2] == ["sh", "-c"] else ""
    scripts = {
        surface.WATCH: ("watch", (WATCHES,), (), ""),
        surface.SAID: ("look", (), (), "strace: Process 7 attached\n"),
        surface.STOP: ("stop", (), (), SUMMARY),
        surface.END: ("watch no more", (), (WATCHES,), ""),
        **{one.pids: ("look", (), (), "7\n") for one in SIDES.values()},
    }
    if script not in scripts:
        return None
    step, add, drop, said = scripts[script]
    fake.step(step, *add, drop=drop)
    return said


def patches(fake: FakeLab) -> list[Patch]:
    """What it calls by other ways than the place."""

    @contextmanager
    def probing(*_words: Any) -> Iterator[Any]:
        fake.step("probe")
        result = SimpleNamespace(samples=lambda: list(SAMPLES))
        yield SimpleNamespace(wait_end=lambda _within_s: None, result=result)

    return [(surface, "probing", probing)]
