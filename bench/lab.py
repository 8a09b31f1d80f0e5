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
        for figure in bench_run.measure(self._progress, self._lab, quick=True):
            whole = figure.name == f"run {self._lab}"
            # How long each kind of turn takes is told by `./lab bench measure`.
            if "a turn of" not in figure.name:
                self._add(f"quick {figure.name}", QUICK_AIM_S if whole else None, sum(figure.repeats))
        self._add(f"down {self._lab}", None, self._time([*DESTROY]))
