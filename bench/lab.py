"""./lab bench LAB: one lab, from nothing through all its experiments to nothing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, cast

from bench.common import Bench
from labkit.lifecycle import servers
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.measure import labs, session
from labkit.measure.experiment import Experiment, Turn, turns
from labkit.measure.labs import Lab
from labkit.runs.records import Run

AIMS = {"quick run": 480.0}
"""Of every lab that says no other: what a class can wait for, in seconds."""

_MIB = 2**20


class OneLab(Bench):
    """Its `up` with warm caches, its memory, each experiment of a quick run, what it has aims for, and its `down`."""

    def _round(self) -> None:
        lab = labs.load(self._lab)
        aims = {**AIMS, **lab.aims}
        self._add(f"up {self._lab}", aims.get("up"), self._time([*UP]))
        self._add(f"memory {self._lab}", aims.get("memory"), self._memory_mib(), "MiB")
        run, _ = session.conduct(lab, lab.chosen(()), self._progress, quick=True)
        self._add(f"quick run {self._lab}", aims.get("quick run"), sum(one.seconds for one in run.experiments))
        for one in run.experiments:
            self._add(f"quick run {self._lab}: {one.name}", None, one.seconds)
        if aimed := aimed_at(lab, aims):
            deep, _ = session.conduct(lab, aimed, self._progress, quick=True, full=True)
            for name, value in values(deep):
                if name in aims:
                    self._add(name, aims[name], value, "s" if name.endswith("_s") else "")
        self._add(f"down {self._lab}", aims.get("down"), self._time([*DESTROY]))

    def _memory_mib(self) -> float:
        """Of all that the lab has on the engine, its guests included; without files that are only cached."""
        with servers.engine(self._ready.machine) as client:
            running = client.containers.list(filters=servers.filters(self._lab))
            found = [cast("dict[str, Any]", one.stats(stream=False))["memory_stats"] for one in running]
        return float(sum(one["usage"] - _cached(one["stats"]) for one in found)) / _MIB


def aimed_at(lab: Lab, aims: Iterable[str]) -> tuple[Experiment, ...]:
    """The experiments whose values have aims, with those arms alone that do. Pure."""
    arms = {tuple(name.split(": ")[:2]) for name in aims if ": " in name}

    def only(one: Experiment, sides: Sequence[str]) -> Sequence[Turn]:
        return [turn for turn in turns(one, sides, full=True) if (one.name, str(turn.arm)) in arms]

    named = {name for name, _ in arms}
    return tuple(replace(one, full=partial(only, one)) for one in lab.experiments if one.name in named)


def values(run: Run) -> Iterator[tuple[str, float]]:
    """Each value of each repeat that counts, by its name among a lab's aims. Pure."""
    for experiment in run.experiments:
        for repeat in experiment.repeats:
            if repeat.counts:
                of = f"{experiment.name}: {repeat.arm}"
                yield from ((f"{of}: {name}", value) for name, value in repeat.values.items())


def _cached(stats: dict[str, int]) -> int:
    """As `docker stats` has it: of cgroup v1, else of v2."""
    return stats.get("total_inactive_file", stats.get("inactive_file", 0))
