"""What the experiment *neighbours* does to a lab, for the suite."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from labkit.measure.prober.sample import Sample
from labkit.measure.testing import CHANGED, FakeLab, Patch
from labkit.system import carry
from labs.isolation import burden, neighbour, neighbours
from labs.isolation.sides.neighbour import SIDES

LIFTED, BURNS, LISTENS = "limits lifted", "burns in ", "listens"
CARRIED = f"the program in it{CHANGED}"
ENDS = f"what ends it{CHANGED}"
RAN = "dispatching hogs\nconnected to\nleast_free_kib 4096\nstatus 0\n"
"""It ends by itself in time; that it has is for `END` to see."""
ROOM = "memory_kib 16777216\ndisk_kib 16777216\nprocesses 4096\n"
SAMPLES = [Sample("s", "read", at, at, at, at + 0.01, at + 0.02, "ok", 200, "vm-1", "server-1") for at in range(40)]


def does(fake: FakeLab, where: str, words: Sequence[str]) -> str | None:
    """What a command of this experiment does and prints; None where it is none of theirs."""
    script = words[2] if words[:2] == ["sh", "-c"] else " ".join(words)
    here = f"{BURNS}{where}"
    changes: dict[str, tuple[str, tuple[str, ...], tuple[str, ...], str]] = {
        neighbour.PROGRAM: ("look for the program", (), (), "there\n" if CARRIED in fake.touched else ""),
        neighbour.PUT: ("put what ends it", (ENDS,), (), ""),
        neighbour.RUN: ("burn", (here,), (), RAN),
        neighbour.END: ("end", (), (here, *(() if "keep" in words else (CARRIED, ENDS))), ""),
        neighbour.LISTEN: ("listen", (LISTENS,), (), ""),
        neighbour.DEAFEN: ("deafen", (), (LISTENS,), ""),
        "nproc": ("count CPUs", (), (), "2\n"),
        burden.ROOM: ("look for room", (), (), ROOM),
    }
    for held in SIDES.values():
        changes |= {one: ("look", (), (), "oom_kills 0\n") for one in (held.inside, held.beside) if one}
        changes |= {held.lift: ("lift", (LIFTED,), (), "")} if held.lift else {}
    if script not in changes:
        return None
    step, add, drop, said = changes[script]
    fake.step(step, *add, drop=drop)
    return said


def patches(fake: FakeLab) -> list[Patch]:
    """What it calls by other ways than the place."""
    clock = itertools.count()

    @contextmanager
    def probing(*_words: Any) -> Iterator[Any]:
        fake.step("probe")
        result = SimpleNamespace(samples=lambda: list(SAMPLES))
        yield SimpleNamespace(now_s=lambda: float(next(clock)), at=lambda _s: 10.0, result=result)

    return [
        (neighbours, "probing", probing),
        (neighbours, "until", lambda *_words: True),
        (carry, "carry", lambda *_words: fake.step("carry the program in", CARRIED)),
    ]
