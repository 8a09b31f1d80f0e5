"""Carries bytes from one command's output into another's input, counting and digesting them on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, cast

from infra import environment
from labkit.system import shell
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome

_CHUNK = 1024**2


@dataclass(frozen=True)
class Carried:
    """What went through: bytes, seconds from the start of both commands to the end of the second, sha256."""

    bytes: int
    seconds: float
    sha256: str


def carry(source: Sequence[str], sink: Sequence[str], timeout_s: float) -> Carried:
    """Run both to their end. Raises CommandError when one fails or the bound is reached; neither outlives this."""
    begin, expired = time.monotonic(), threading.Event()
    with ExitStack() as stack:
        told = stack.enter_context(tempfile.TemporaryFile())
        reading = stack.enter_context(_running(source, told, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE))
        writing = stack.enter_context(_running(sink, told, stdin=subprocess.PIPE, stdout=told))

        def expire() -> None:
            expired.set()
            reading.kill()
            writing.kill()

        bound = threading.Timer(timeout_s, expire)
        bound.daemon = True
        bound.start()
        stack.callback(bound.cancel)
        count, sha256 = _pump(reading, writing)
        ended = [(sink, writing.wait()), (source, reading.wait())]
        seconds = time.monotonic() - begin
        for words, status in ended:
            if status != 0:
                told.seek(0)
                text = told.read().decode(errors="replace")
                outcome = Outcome(tuple(words), status, text, seconds, timed_out=expired.is_set())
                raise CommandError(outcome, problem="Carrying it over failed")
    shell.note(Outcome((*source, "|", *sink), 0, f"{count} bytes", seconds))
    return Carried(count, seconds, sha256)


@contextmanager
def _running(
    words: Sequence[str], asides: IO[bytes], *, stdin: int, stdout: int | IO[bytes]
) -> Iterator[subprocess.Popen[bytes]]:
    """A process that has ended, with all of its group, at the end of the block."""
    process = subprocess.Popen(
        words,
        env=environment.plain(os.environ),
        stdin=stdin,
        stdout=stdout,
        stderr=asides,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            shell.end_group(process)
        for stream in (process.stdin, process.stdout):
            if stream is not None and not stream.closed:
                stream.close()


def _pump(reading: subprocess.Popen[bytes], writing: subprocess.Popen[bytes]) -> tuple[int, str]:
    """How many bytes went over, and their sha256. Ends the one that is read where the other takes no more."""
    source, sink = cast("IO[bytes]", reading.stdout), cast("IO[bytes]", writing.stdin)  # both are pipes
    count, digest = 0, hashlib.sha256()
    try:
        with sink:
            while chunk := source.read(_CHUNK):
                count += len(chunk)
                digest.update(chunk)
                sink.write(chunk)
    except BrokenPipeError:
        reading.kill()
    return count, digest.hexdigest()
