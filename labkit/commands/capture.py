"""./lab capture."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from labkit.lifecycle import places, set_up
from labkit.measure import pcap
from labkit.measure.capturing import Capture, capturing, tcpdump
from labkit.sides import SIDES, Port, reach
from labkit.system.errors import LabError
from labkit.system.signals import caught

_WHOLE = Port("any", "all interfaces of the server")
_LINES = ("-l", "-s", "512")
_FILE = ("-U", "-s", "65535", "-w", "-")
_OTHER = "name another file: --write FILE"


def run(name: str, only: str, *, write: Path | None, seconds: float | None, lab_name: str | None) -> int:
    """Show packets, or write them to a new file, until Ctrl-C or the given time."""
    ready = set_up.need()
    place = places.find(ready, name, lab_name, "capture")
    if problem := places.closed(place, places.state(place), key_known=True):
        raise problem
    server = place.server.reach
    replica = place.replica
    port = SIDES[replica.side].port(replica, reach.runner(server)) if replica else _WHOLE
    words = server.words(tcpdump(port, _FILE if write else _LINES, only), stdin=True)
    if write is None:
        with _until_ended(words, seconds) as capture:
            _told(f"{port.interface}, {port.what}", seconds)
            for line in capture.shown:
                if line.strip():  # tcpdump ends with an empty one
                    click.echo(line, nl=False)
        return 0
    with _new(write) as file:
        with _until_ended(words, seconds) as capture:
            _told(f"{port.interface}, {port.what}, into {write}", seconds)
            count = written(capture.shown, file, write)
        click.echo(f"Packets in {write}: {count}", err=True)
    return 0


def _told(what: str, seconds: float | None) -> None:
    click.echo(f"Capturing {what}; it ends {f'after {seconds:g} s, or ' if seconds else ''}with Ctrl-C.", err=True)


@contextmanager
def _until_ended(words: Sequence[str], seconds: float | None) -> Iterator[Capture]:
    """A capture that ends, and what it shows with it, at Ctrl-C or after the time. Raises LabError in its own words."""
    with capturing(words) as capture:
        timer = threading.Timer(seconds or threading.TIMEOUT_MAX, capture.end)
        timer.daemon = True
        timer.start()
        try:
            with caught(lambda _number: capture.end()):
                yield capture
        finally:
            timer.cancel()
        capture.ended_well()
        if capture.lost:
            click.echo(f"Too many at once: {capture.lost} more packets passed that are not shown.", err=True)


@contextmanager
def _new(file: Path) -> Iterator[IO[bytes]]:
    """A file that was not there; where the block fails, it stays only if there is a packet in it. Raises LabError."""
    try:
        made = file.open("xb", buffering=0)
    except FileExistsError:
        raise LabError(f"{file} is there already.", hint=_OTHER) from None
    except OSError as error:
        raise LabError(f"{file} cannot be written: {error.strerror}.", hint=_OTHER) from error
    with made:
        try:
            yield made
        except BaseException:
            if os.fstat(made.fileno()).st_size <= pcap.HEADER_BYTES:
                file.unlink(missing_ok=True)
            raise


def written(shown: IO[bytes], file: IO[bytes], name: Path) -> int:
    """Write packets into the file as they come; how many there were.

    Raises LabError where the disk takes no more: the file ends with its last whole packet then, and can be opened.
    """
    parts = 0
    for part in pcap.parts(shown):
        whole, left = file.tell(), memoryview(part)
        try:
            while left:
                left = left[file.write(left) :]
        except OSError as error:
            file.truncate(whole)
            told = f"{name} takes no more: {error.strerror}. Packets in it: {max(0, parts - 1)}."
            raise LabError(told, hint=_OTHER) from error
        parts += 1
    return max(0, parts - 1)
