"""Carries bytes from one command's output into another's input, counting and digesting them on the way."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

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
    begin, digest, count = time.monotonic(), hashlib.sha256(), 0
    with tempfile.TemporaryFile() as told:
        reading = subprocess.Popen(
            source,
            env=environment.plain(os.environ),
            stdout=subprocess.PIPE,
            stderr=told,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        processes = [reading]
        expired = threading.Event()
        try:
            writing = subprocess.Popen(
                sink,
                env=environment.plain(os.environ),
                stdin=subprocess.PIPE,
                stdout=told,
                stderr=told,
                start_new_session=True,
            )
            processes.append(writing)

            def expire() -> None:
                expired.set()
                for process in processes:
                    process.kill()

            bound = threading.Timer(timeout_s, expire)
            bound.daemon = True
            bound.start()
            try:
                assert reading.stdout is not None and writing.stdin is not None  # noqa: S101, PT018 - both are pipes
                try:
                    with writing.stdin:
                        while chunk := reading.stdout.read(_CHUNK):
                            count += len(chunk)
                            digest.update(chunk)
                            writing.stdin.write(chunk)
                except BrokenPipeError:
                    reading.kill()
                for process in processes:
                    process.wait()
            finally:
                bound.cancel()
        finally:
            for process in processes:
                if process.poll() is None:
                    shell.end_group(process)  # type: ignore[arg-type]  # it only needs the process's id
                for stream in (process.stdin, process.stdout):
                    if stream is not None and not stream.closed:
                        stream.close()
        seconds = time.monotonic() - begin
        for process, words in zip(reversed(processes), (sink, source), strict=True):
            if process.returncode != 0:
                told.seek(0)
                text = told.read().decode(errors="replace")
                outcome = Outcome(tuple(words), process.returncode, text, seconds, timed_out=expired.is_set())
                raise CommandError(outcome, problem="Carrying it over failed")
    shell.note(Outcome((*source, "|", *sink), 0, f"{count} bytes", seconds))
    return Carried(count, seconds, digest.hexdigest())
