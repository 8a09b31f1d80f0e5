"""./lab bench LAB: one lab, from nothing through all its experiments to nothing."""

from __future__ import annotations

from bench import run as bench_run
from bench.common import Bench
from labkit.lifecycle.pulumi import DESTROY, UP

QUICK_AIM_S = 480.0
"""Of `./lab run LAB --quick`: what a class can wait for."""


class OneLab(Bench):
    """Its `up` with warm caches, each experiment of a quick run, and its `down`."""

    def _round(self) -> None:
        self._add(f"up {self._lab}", None, self._time([*UP]))
        run = bench_run.conducted(self._progress, self._lab, quick=True)
        self._add(f"quick run {self._lab}", QUICK_AIM_S, sum(one.seconds for one in run.experiments))
        for one in run.experiments:
            self._add(f"quick run {self._lab}: {one.name}", None, one.seconds)
        self._add(f"down {self._lab}", None, self._time([*DESTROY]))
