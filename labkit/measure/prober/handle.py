"""A prober as an experiment uses it: a process of its own that is started, watched and stopped.

with probing(Settings(urls, folder, stream="vm-3")) as prober:
    fault_s = prober.now_s()
    kill(replica)
    prober.wait_good(within_s=120, for_s=10, after_s=fault_s)
result = prober.result
outage(result.samples(), fault_s)
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from infra import environment
from labkit.measure.prober import sample as samples
from labkit.measure.prober._ledger import Ledger, audit
from labkit.measure.prober.record import Record, load
from labkit.measure.prober.sample import Sample
from labkit.measure.prober.settings import Settings, check, record_file, samples_file
from labkit.measure.prober.tail import Tail
from labkit.system import endings
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labkit.system.signals import interrupts_wait
from labkit.system.waiting import until

_POLL_S = 0.02
_START_S = 60.0
_END_S = 30.0
"""To its start, and to its end after the last request's deadline, on a busy machine: what takes longer hangs."""


@dataclass(frozen=True)
class Result:
    """What a prober left in its folder, also when it was killed."""

    folder: Path
    stream: str

    @property
    def file(self) -> Path:
        """Its samples."""
        return samples_file(self.folder, self.stream)

    @property
    def record(self) -> Record:
        """Client, priority, CPU time, how it ended."""
        return load(record_file(self.folder, self.stream))

    def samples(self, since_monotonic_s: float | None = None) -> Iterator[Sample]:
        """Its samples one by one, on its own clock, or on one that began at `since_monotonic_s`, such as a run's."""
        if since_monotonic_s is None:
            yield from samples.read(self.file)
            return
        by_s = self.record.began_monotonic_s - since_monotonic_s
        for one in samples.read(self.file):
            yield one.shifted(by_s)

    def audit(self, urls: Sequence[str], within_s: float = 30.0) -> Ledger:
        """Hold its acknowledged writes against the stores behind these URLs, one URL a store."""
        return audit(self.record.client, self.samples(), urls, within_s)


class Prober:
    """The process, from its start to its end. Build with `probing`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._asides: IO[bytes] | None = None
        self._began: float | None = None
        self._killed = False
        self._tail = Tail(samples_file(settings.folder, settings.stream))

    @property
    def result(self) -> Result:
        """What it has left so far; complete after `stop`."""
        return Result(self._settings.folder, self._settings.stream)

    @property
    def pid(self) -> int:
        """Of its process. Raises LabError before the start."""
        return self._running().pid

    def start(self) -> None:
        """Start the process; returns when its clock runs. Raises LabError with its own message if it does not."""
        given = {**vars(self._settings), "folder": str(self._settings.folder), "parent_pid": os.getpid()}
        self._asides = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        with interrupts_wait():
            self._process = subprocess.Popen(
                [sys.executable, "-m", "labkit.measure.prober", json.dumps(given)],
                cwd=CHECKOUT,
                env=environment.for_python(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._asides,
                start_new_session=True,
            )
        self._until(lambda: record_file(self._settings.folder, self._settings.stream).exists(), _START_S, "its start")
        self._began = self.result.record.began_monotonic_s

    def now_s(self) -> float:
        """This instant on the samples' clock."""
        return self.at(time.monotonic())

    def at(self, monotonic_s: float) -> float:
        """An instant of `time.monotonic()`, of whatever process of this machine, on the samples' clock."""
        if self._began is None:
            raise LabError("This prober was never started", hint="call start")
        return monotonic_s - self._began

    def wait_good(self, within_s: float, *, for_s: float = 0.0, after_s: float = 0.0, each: Sequence[str] = ()) -> None:
        """Wait for steady state: a good answer after `after_s`, followed by `for_s` seconds without a failure.

        With `each`, a good answer of each of these replicas is waited for. Raises LabError after `within_s` seconds
        with what the last answers were, or when the prober has ended.
        """
        what = f"a good answer that is followed by {for_s:g} s without a failure" if for_s else "a good answer"
        missing = set(each)
        since: float | None = None

        def steady() -> bool:
            nonlocal since
            for one in self._tail.new():
                if one.good and one.done_s > after_s:
                    since = one.done_s if since is None else since
                    missing.discard(one.replica)
                elif one.failed and since is not None and one.scheduled_s > since:
                    since = None
            return since is not None and not missing and self.now_s() >= since + for_s + self._slack(for_s)

        self._tail.rewind()
        self._until(steady, within_s, what)

    def wait_end(self, within_s: float) -> None:
        """Wait until it has ended by itself, after its `duration_s`. Raises LabError after `within_s` seconds."""
        process = self._running()
        try:
            process.wait(within_s)
        except subprocess.TimeoutExpired:
            raise LabError(f"The prober still ran after {within_s:g} s", hint="give it a shorter duration") from None

    def stop(self) -> Result:
        """Tell it to end, requests under way included, and see that it does. Raises LabError if it had failed."""
        process = self._running()
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(self._settings.deadline_s + _END_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise LabError(
                "The prober did not end and was killed; its samples are kept", hint="measure again"
            ) from None
        if process.returncode != 0 and not self._killed:
            raise self._failure()
        return self.result

    def kill(self) -> Result:
        """End it at once. What it had is kept. Does nothing to one that has ended."""
        if self._process is not None and self._process.poll() is None:
            self._killed = True
            self._process.kill()
            self._process.wait(_END_S)
        return self.result

    def close(self) -> None:
        """Leave no process and no open file behind."""
        self.kill()
        if self._asides is not None:
            self._asides.close()

    def _slack(self, for_s: float) -> float:
        # A request that was scheduled in time may still fail until its deadline.
        return self._settings.deadline_s if for_s else 0.0

    def _until(self, condition: Callable[[], bool], within_s: float, what: str) -> None:
        def met() -> bool:
            # Asked before: what it left at its end is looked at once more.
            ended = self._running().poll() is not None
            if condition():
                return True
            if ended:
                raise self._failure(f"while {what} was waited for")
            return False

        if not until(met, within_s, _POLL_S):
            raise LabError(f"The prober waited {within_s:g} s for {what}: {self._tail.latest()}", hint="./lab status")

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise LabError("This prober was never started", hint="call start")
        return self._process

    def _failure(self, when: str = "") -> LabError:
        said = ""
        if self._asides is not None:
            self._asides.seek(0)
            said = self._asides.read().decode(errors="replace").strip()
        status = self._running().returncode
        return LabError(
            f"The prober ended {when} ({endings.in_words(status)}). {said}".replace("  ", " "),
            hint="see its message; measure again",
        )


@contextmanager
def probing(settings: Settings, good_within_s: float | None = 30.0) -> Iterator[Prober]:
    """Probe while inside. Returns when the first good answer was there, within `good_within_s` (None: at once).

    On the way out the prober ends in order; if the block raised, it is ended all the same and that error stays.
    """
    prober = Prober(check(vars(settings)))
    try:
        prober.start()
        if good_within_s is not None:
            prober.wait_good(good_within_s)
        yield prober
        prober.stop()
    finally:
        prober.close()
