"""Processes that are known by a marker among their words: who sees them can read what else is there."""

from __future__ import annotations

import os
import secrets
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from infra import environment
from infra.outputs import Replica
from labkit.measure.experiment import Place
from labkit.system.errors import LabError

WITHIN_S = 60.0


@contextmanager
def inside(place: Place, replica: Replica) -> Iterator[str]:
    """While inside: a shell in the replica that has the marker among its words and waits for its input to end."""
    words = _words()
    with _waiting(place.words_inside(replica, words)):
        yield words[-1]


@contextmanager
def in_server(place: Place, replica: Replica) -> Iterator[str]:
    """The same in the replica's server."""
    words = _words()
    with _waiting(place.server(replica).reach.words(words, stdin=True)):
        yield words[-1]


def _words() -> list[str]:
    return ["sh", "-c", "echo here; read -r _", f"vvc-marker-{secrets.token_hex(8)}"]


@contextmanager
def _waiting(command: Sequence[str]) -> Iterator[None]:
    process = subprocess.Popen(
        command,
        env=environment.plain(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    bound = threading.Timer(WITHIN_S, process.kill)
    bound.start()
    try:
        if process.stdout is None or process.stdout.readline().strip() != b"here":
            raise LabError(f"No marked process within {WITHIN_S:.0f} s: {' '.join(command)}", hint="./lab status")
        yield
    finally:
        bound.cancel()
        # Its input ends, so that the shell on the far side ends by itself; what leads there may hang.
        try:
            process.communicate(timeout=WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
