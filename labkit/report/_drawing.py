"""Vega-Lite draws in processes beside this one, for its engine draws one plot after another on one core."""

from __future__ import annotations

import functools
import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import vl_convert

_MOST = 4
"""Processes: each takes its engine's start and some 100 MB, and a page has less than a hundred plots."""


class Plot:
    """A plot that is being drawn; where a page has it, its SVG. `finish` makes that of what Vega-Lite gives."""

    def __init__(self, spec: str, finish: Callable[[str], str]) -> None:
        self._drawn = _beside().submit(_draw, spec)
        self._finish = finish

    def __html__(self) -> str:
        """Waits until it is drawn."""
        return self._finish(self._drawn.result())


def _draw(spec: str) -> str:
    svg: str = vl_convert.vegalite_to_svg(spec)
    return svg


@functools.cache
def _beside() -> ProcessPoolExecutor:
    count = min(len(os.sched_getaffinity(0)), _MOST)
    return ProcessPoolExecutor(count, get_context("spawn"), _leave_interrupts)


def _leave_interrupts() -> None:
    # Ctrl-C is for who waits for the page, which ends these with it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
