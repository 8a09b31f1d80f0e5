"""Progress of long work: a live line with elapsed time on a terminal, plain lines elsewhere.

Library code takes a `Report` and calls it; only the command line makes one.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol, TextIO


class Progress(Protocol):
    """Where library code tells what it is doing."""

    def line(self, text: str) -> None:
        """Say one finished fact."""

    def detail(self, text: str) -> None:
        """Say what the step under way is at right now; only the newest is shown, and only on a terminal."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """Name a step; its end and its seconds are told as well."""


class Quiet:
    """A report that tells nobody; for tests and --json."""

    def line(self, text: str) -> None:
        """Drop it."""

    def detail(self, text: str) -> None:
        """Drop it."""

    @contextmanager
    def step(self, text: str) -> Iterator[None]:  # noqa: ARG002 - the interface
        """Run the step."""
        yield


ALIVE_S = 30.0
"""So often a long step says without a terminal that it lives."""


class Terminal:
    """Tells a person: on a terminal one line, redrawn; elsewhere a line when a step begins and ends."""

    def __init__(self, stream: TextIO = sys.stderr) -> None:
        self._stream = stream
        self._live = stream.isatty() and os.environ.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._detail = ""
        self.steps: list[tuple[str, float]] = []
        """Every finished step with its seconds."""

    def line(self, text: str) -> None:
        """Print one line."""
        with self._lock:
            self._clear()
            print(text, file=self._stream, flush=True)

    def detail(self, text: str) -> None:
        """Show it behind the step's name at the next redraw."""
        self._detail = text

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Show the step while it runs, then its seconds."""
        begin = time.monotonic()
        self._detail = ""
        over = threading.Event()
        if self._live:
            teller = threading.Thread(target=self._paint, args=(text, begin, over), daemon=True)
        else:
            self.line(f"… {text}")
            teller = threading.Thread(target=self._tell, args=(text, begin, over), daemon=True)
        teller.start()
        ending = "failed after"
        try:
            yield
            ending = ""
        finally:
            over.set()
            teller.join()
            seconds = time.monotonic() - begin
            self.steps.append((text, seconds))
            mark = "✗" if ending else "✓"
            self.line(f"{mark} {text} ({ending + ' ' if ending else ''}{seconds:.1f} s)")

    @contextmanager
    def alive(self, text: str) -> Iterator[None]:
        """Without a terminal, say every half minute that what shows itself, such as Pulumi, is still at work."""
        over = threading.Event()
        teller = threading.Thread(target=self._tell, args=(text, time.monotonic(), over), daemon=True)
        if not self._live:
            teller.start()
        try:
            yield
        finally:
            over.set()
            if not self._live:
                teller.join()

    def _tell(self, text: str, begin: float, over: threading.Event) -> None:
        while not over.wait(ALIVE_S):
            with suppress(OSError, ValueError):  # nobody listens any more
                self.line(f"… {text}: {time.monotonic() - begin:.0f} s  {self._detail}".rstrip())

    def _paint(self, text: str, begin: float, over: threading.Event) -> None:
        while not over.wait(0.2):
            line = f"… {text} {time.monotonic() - begin:.0f} s  {self._detail}"
            with self._lock:
                self._clear()
                self._stream.write(line[: shutil.get_terminal_size().columns - 1])
                self._stream.flush()

    def _clear(self) -> None:
        if self._live:
            self._stream.write("\r\x1b[2K")
