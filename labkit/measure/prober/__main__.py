"""The prober's own process: `python -m labkit.measure.prober SETTINGS`, SETTINGS being JSON, or on stdin without it.

Ends with status 0 after its duration, on SIGTERM or SIGINT, or when its parent is gone, requests under way finished
and recorded; with 1 and a message on stderr when it could not go on, with 2 when the settings are wrong.
"""

from __future__ import annotations

import asyncio
import gc
import json
import math
import os
import resource
import signal
import sys
import time
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from pathlib import Path

from infra import surprise
from labkit.measure.prober import _priority, _timing
from labkit.measure.prober._sender import Sender
from labkit.measure.prober.record import Record, Writer
from labkit.measure.prober.settings import Settings, check, record_file, samples_file
from labkit.system.errors import LabError
from labkit.system.paths import STATE

_WATCH_S = 0.25
_RUN_UP_S = 0.05
"""From taking the clock to the first request."""
_OTHER_FILES = 64
_BAD_SETTINGS = 2


def main(words: list[str]) -> int:
    """Probe as told; the exit status."""
    try:
        given = json.loads(words[0] if words else sys.stdin.read())
        if not isinstance(given, dict):
            raise TypeError("not an object")  # noqa: TRY301 - one message for both
    except (ValueError, TypeError) as error:
        return _say(
            LabError(f"The prober's settings are no JSON object: {error}", hint="correct the settings"), _BAD_SETTINGS
        )
    try:
        settings = check(given)
    except LabError as error:
        return _say(error, _BAD_SETTINGS)
    try:
        return _probe(settings)
    except LabError as error:
        return _say(error, 1)
    except Exception as error:  # noqa: BLE001 - who started it gets a sentence, the log the traceback
        log = surprise.note(error, STATE / "logs" / f"{time.strftime('%Y%m%dT%H%M%S')}-prober.log")
        met = f"The prober met what it does not expect: {surprise.sentence(error)} (log: {log})"
        return _say(LabError(met, hint="./lab doctor --bundle"), 1)


def _probe(settings: Settings) -> int:
    _allow_open(settings)
    client = settings.client or f"{settings.stream}-{time.time_ns() // 1_000_000:x}-{os.getpid():x}"
    got, problem = _priority.take(settings.priority)
    begin = time.monotonic() + _RUN_UP_S
    record = Record(
        stream=settings.stream,
        client=client,
        began_monotonic_s=begin,
        began=(datetime.now().astimezone() + timedelta(seconds=_RUN_UP_S)).isoformat(timespec="milliseconds"),
        pid=os.getpid(),
        priority=got,
        priority_problem=problem,
        # Where the record lies is no part of what was measured, and names a person's folders.
        settings={name: value for name, value in asdict(settings).items() if name != "folder"},
    )
    file = record_file(settings.folder, settings.stream)
    writer = Writer(samples_file(settings.folder, settings.stream))
    sender = Sender(settings, client, writer.add)
    state, failure = "failed", None
    try:
        record.save(file)
        # What is there now stays: the collector need not look at it between two requests.
        gc.collect()
        gc.freeze()
        with asyncio.Runner(loop_factory=_timing.loop) as runner:
            runner.run(_send(sender, begin, settings.parent_pid))
        state = "stopped" if sender.stopped else "complete"
    except* LabError as group:
        failure = _first(group)
    finally:
        writer.close()
        _save_end(record, file, state, failure, writer.count)
    return 0 if failure is None else _say(failure, 1)


def _allow_open(settings: Settings) -> None:
    """Raise the limit of open files to what these settings can need."""
    needed = math.ceil((settings.reads_per_s + settings.writes_per_s) * settings.deadline_s) + _OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if resource.RLIM_INFINITY in {soft, hard} or hard >= needed:
        if soft != resource.RLIM_INFINITY and soft < needed:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        return
    raise LabError(
        f"The prober cannot run: {needed} open files are needed for these rates and this deadline, {hard} are allowed",
        hint="a lower rate or deadline, or as root: ulimit -Hn",
    )


async def _send(sender: Sender, begin: float, parent_pid: int | None) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, sender.stop)
    watch = loop.create_task(_watch(parent_pid, sender))
    try:
        await sender.run(begin)
    finally:
        watch.cancel()


async def _watch(parent_pid: int | None, sender: Sender) -> None:
    while parent_pid is not None:
        if os.getppid() != parent_pid:
            sender.stop()
            return
        await asyncio.sleep(_WATCH_S)


def _save_end(record: Record, file: Path, state: str, failure: LabError | None, samples: int) -> None:
    used = resource.getrusage(resource.RUSAGE_SELF)
    ended = replace(
        record,
        state=state,
        problem=failure.problem if failure else "",
        seconds=round(time.monotonic() - record.began_monotonic_s, 3),
        cpu_s=round(used.ru_utime + used.ru_stime, 3),
        samples=samples,
    )
    try:
        ended.save(file)
    except LabError:
        # The samples are what counts, and a full disk has been said already.
        if failure is None:
            raise


def _first(group: BaseExceptionGroup[LabError]) -> LabError:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _say(error: LabError, status: int) -> int:
    sys.stderr.write(f"{error.problem}\n" + (f"Next: {error.hint}\n" if error.hint else ""))
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
