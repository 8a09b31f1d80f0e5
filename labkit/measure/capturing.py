"""A program that shows packets until its input ends: tcpdump in a server, or what stands in for it in a replica.

Its input is held by this process, so that it ends with this process, however that ends.
"""

from __future__ import annotations

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, cast

from infra import environment, telling
from labkit.sides.protocol import Port
from labkit.system.errors import LabError

BEGINS_WITHIN_S = 30.0
_ENDS_WITHIN_S = 10.0
_LISTENS = "listening on "
_OWN = "tcpdump: "
_LOST = re.compile(r"(\d+) packets? dropped by")
_ASIDE = "verbose output suppressed"

_AT_ONCE = ("--immediate-mode", "-B", str(32 * 1024))
"""With so many KiB for those that wait."""

_UNTIL_INPUT_ENDS = """
exec 3<&0
"$@" 3<&- < /dev/null &
shown=$!
{ read -r _ <&3; kill "$shown"; } > /dev/null 2>&1 &
waits=$!
wait "$shown"
status=$?
kill "$waits" 2> /dev/null
exit "$status"
"""


def tcpdump(port: Port, more: Sequence[str], only: str = "") -> list[str]:
    """The command, in the server, that shows a port's packets, numbers as numbers, until its input ends.

    `only` is a filter as pcap-filter(7) has it; whatever it says, it is no option. Each packet is handed over at once,
    so that none is still under way at the end; `more` says how much of each, as the room for them is divided by that.
    """
    both = " and ".join(f"({part})" for part in (port.only, only) if part.strip())
    words = [
        *port.enter,
        "tcpdump",
        "-n",
        "--immediate-mode",
        "-i",
        port.interface,
        *more,
        "--",
        *([both] if both else []),
    ]
    return ["sh", "-c", _UNTIL_INPUT_ENDS, "sh", *words]


@dataclass
class Capture:
    """A program that shows packets. What it shows is `shown`, to be read to its end; `told` is what it says beside."""

    process: subprocess.Popen[bytes]
    told: list[str] = field(default_factory=list)
    listens: threading.Event = field(default_factory=threading.Event)
    heard: threading.Event = field(default_factory=threading.Event)
    """Set when it will tell no more."""

    @property
    def shown(self) -> IO[bytes]:
        """Its output."""
        return cast("IO[bytes]", self.process.stdout)

    @property
    def lost(self) -> int:
        """How many packets the kernel could not hand over in time, as tcpdump says at its end."""
        return sum(int(found[1]) for line in self.told if (found := _LOST.match(line)))

    def end(self) -> None:
        """Let it end, within a bound: nothing comes in any more. Also from another thread, and where it has ended."""
        comes_in = cast("IO[bytes]", self.process.stdin)
        if not comes_in.closed:
            comes_in.close()
            bound = threading.Timer(_ENDS_WITHIN_S, self.process.kill)
            bound.daemon = True
            bound.start()

    def ended_well(self) -> None:
        """Wait for its end; raise LabError, in its own words, where it did not show what it was told to."""
        self.end()
        status = self.process.wait()
        self.heard.wait()
        if status != 0:
            said = telling.because("\n".join(line.removeprefix(_OWN) for line in self.told if _ASIDE not in line))
            if self.listens.is_set():
                raise LabError(f"The capture ended early{said}", hint="./lab status")
            raise LabError(f"Nothing can be captured{said}", hint="a filter is like: tcp port 8000 (man 7 pcap-filter)")


@contextmanager
def capturing(words: Sequence[str]) -> Iterator[Capture]:
    """While inside, the command runs, and listens; at the end it has ended. Raises LabError where it does not begin."""
    process = subprocess.Popen(
        words,
        env=environment.plain(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    capture = Capture(process)
    begun = threading.Event()
    try:
        threading.Thread(target=_hear, args=(capture, begun), daemon=True).start()
        if not begun.wait(BEGINS_WITHIN_S):
            raise LabError(f"Nothing listens within {BEGINS_WITHIN_S:.0f} s.", hint="./lab status")
        if not capture.listens.is_set():
            capture.ended_well()
        yield capture
    finally:
        capture.end()
        process.wait()
        capture.heard.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def _hear(capture: Capture, begun: threading.Event) -> None:
    for raw in cast("IO[bytes]", capture.process.stderr):
        line = raw.decode(errors="replace").rstrip("\n")
        capture.told.append(line)
        if _LISTENS in line:
            capture.listens.set()
            begun.set()
    capture.heard.set()
    begun.set()
