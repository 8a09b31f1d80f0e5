"""Tells when a new interface is usable inside a replica: a program there waits for its kernel's word."""

from __future__ import annotations

import os
import queue
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from infra import environment
from infra.outputs import Replica
from labkit.measure.experiment import Place
from labkit.system.errors import LabError
from labs.networking.sides import inside

STARTED_WITHIN_S = 60.0

Next = Callable[[float], str]
"""The next line of the program, which comes within so many seconds. Raises LabError where none does."""


@contextmanager
def watching(place: Place, replica: Replica) -> Iterator[Next]:
    """While inside: a function that waits for the next interface that is usable in the replica: see WATCH."""
    words = ["python3", "-c", inside.WATCH]
    with lines(place.words_inside(replica, words)) as following:
        following(STARTED_WITHIN_S)
        yield following


@contextmanager
def lines(command: Sequence[str]) -> Iterator[Next]:
    """Run a program that prints lines until its input ends, which it does at the end, however that comes."""
    process = subprocess.Popen(
        command,
        env=environment.plain(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
        errors="replace",
    )
    told: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in process.stdout or ():
            told.put(line.strip())

    reader = threading.Thread(target=read, daemon=True)
    reader.start()

    def following(within_s: float) -> str:
        try:
            return told.get(timeout=within_s)
        except queue.Empty:
            raise LabError(
                f"Nothing came within {within_s:.0f} s from: {' '.join(command)[:200]}", hint="./lab status"
            ) from None

    try:
        yield following
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(STARTED_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reader.join()
        if process.stdout is not None:
            process.stdout.close()
