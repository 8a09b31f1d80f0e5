"""./lab bench measure: how exact this tool's own measuring is, and what it costs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import run as bench_run
from bench import vegeta
from bench.common import pulumi
from bench.figure import Figure
from infra import outputs
from labkit.lifecycle import leftovers
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.lifecycle.set_up import Ready
from labkit.measure import labs, session
from labkit.measure.machine_box import machine_box
from labkit.measure.prober.handle import probing
from labkit.measure.prober.reference import reference
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import Quantiles, quantiles, summarise
from labkit.system.errors import LabError
from labkit.system.progress import Progress

RATES = (50, 100, 300)
"""Requests a second."""
SECONDS = 5.0
"""Of each repeat."""
AIM_MS = 5.0
"""p99 scheduling error of the prober alone on the machine, at the highest rate."""

_MS = 1000


@dataclass(frozen=True)
class _Shot:
    """One repeat of one generator."""

    scheduling: Quantiles | None
    latency: Quantiles | None
    good_percent: float
    cpu_s: float


def prober(ready: Ready, progress: Progress, lab: str, repeats: int) -> list[Figure]:
    """The prober's scheduling error and CPU time, alone and beside the lab. The lab is down before and after."""
    _down(ready, lab)
    with reference() as server:
        figures = measure_prober([server.url], "alone", progress, repeats)
    with _up(ready, progress, lab) as urls:
        return figures + measure_prober(urls, "beside the lab", progress, repeats)


def whole_run(ready: Ready, progress: Progress, lab: str, _repeats: int) -> list[Figure]:
    """One whole `./lab run`, part by part; the turns of an experiment are the repeats."""
    with _up(ready, progress, lab):
        loaded = labs.load(lab)
        return bench_run.figures(session.conduct(loaded, loaded.chosen(()), progress)[0])


PARTS: tuple[Callable[[Ready, Progress, str, int], list[Figure]], ...] = (prober, whole_run)
"""What is measured, in order. A further part is one more function here."""


def run(ready: Ready, progress: Progress, lab: str, repeats: int) -> dict[str, Any]:
    """Measure everything; what bench/measure.json holds."""
    before = os.getloadavg()[0]
    figures = [figure for part in PARTS for figure in part(ready, progress, lab, repeats)]
    return {
        "schema_version": 1,
        "machine": machine_box(ready),
        "load_1min": {"before": round(before, 2), "after": round(os.getloadavg()[0], 2)},
        "repeats": repeats,
        "figures": [figure.summary() for figure in figures],
    }


def measure_prober(urls: Sequence[str], where: str, progress: Progress, repeats: int) -> list[Figure]:
    """p99 scheduling error, median latency, good answers and CPU at each rate, generators taking turns.

    Both read /whoami over new connections with the same deadline and, where it is allowed, the same priority.
    """
    generators: dict[str, Callable[[int], _Shot]] = {"prober": lambda per_s: _probe(urls, per_s)}
    try:
        program = vegeta.ensure(progress)
    except LabError as error:
        progress.line(f"Without Vegeta beside the prober: {error.problem.splitlines()[0]}")
    else:
        generators[f"Vegeta {vegeta.VERSION}"] = lambda per_s: _attack(program, urls, per_s)
    figures: dict[str, Figure] = {}
    for per_s in RATES:
        for number in range(repeats):
            for generator, shoot in generators.items():
                shot = shoot(per_s)
                named = f"{generator}, {where}, {per_s} requests/s"
                _add(figures, named, shot, aimed=generator == "prober" and where == "alone")
                late_ms = shot.scheduling.p99_s * _MS if shot.scheduling else float("nan")
                progress.line(f"  {named}, {number + 1} of {repeats}: p99 {late_ms:.2f} ms late")
    return list(figures.values())


def _add(figures: dict[str, Figure], named: str, shot: _Shot, *, aimed: bool) -> None:
    values: dict[tuple[str, str], float | None] = {
        ("p99 scheduling error", "ms"): shot.scheduling.p99_s * _MS if shot.scheduling else None,
        ("median latency", "ms"): shot.latency.p50_s * _MS if shot.latency else None,
        ("good answers", "%"): shot.good_percent,
        ("CPU", "% of a core"): 100 * shot.cpu_s / SECONDS,
    }
    for (what, unit), value in values.items():
        aim = AIM_MS if aimed and what == "p99 scheduling error" else None
        if value is not None:
            name = f"{named}: {what}"
            figures.setdefault(name, Figure(name, unit, aim)).repeats.append(value)


def _probe(urls: Sequence[str], per_s: int) -> _Shot:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(urls, Path(folder), reads_per_s=per_s, writes_per_s=0, duration_s=SECONDS)
        with probing(settings, good_within_s=None) as running:
            running.wait_end(SECONDS + 60)
        found, record = summarise(running.result.samples()), running.result.record
    good_percent = 100 * found.good / found.requests
    return _Shot(found.scheduling, found.latency, good_percent, record.cpu_s or 0.0)


def _attack(program: Path, urls: Sequence[str], per_s: int) -> _Shot:
    prefix = ("chrt", "--rr", "1") if os.geteuid() == 0 else ()
    found = vegeta.attack(program, urls, per_s, SECONDS, deadline_s=Settings.deadline_s, prefix=prefix)
    good_percent = 100 * len(found.latency_s) / max(1, found.requests)
    return _Shot(quantiles(found.lateness_s), quantiles(found.latency_s), good_percent, found.cpu_s)


@contextmanager
def _up(ready: Ready, progress: Progress, lab: str) -> Iterator[list[str]]:
    """The lab's URLs while it is up."""
    try:
        with progress.step("pulumi up"):
            pulumi(ready, [*UP, "-s", lab])
        yield [replica.url for replica in outputs.from_outputs(ready.pulumi.outputs(lab)).replicas]
    finally:
        _down(ready, lab)


def _down(ready: Ready, lab: str) -> None:
    pulumi(ready, [*DESTROY, "-s", lab])
    leftovers.remove(ready.machine, lab)
