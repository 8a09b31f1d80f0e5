"""The rungs that a guest climbs before Ansible may reach it: its sshd answers, and its host key is known."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from infra import last_lines
from infra.worker.events import PlaybookError, Tally

_POLL_S = 0.25
_CONNECT_S = 1.0
_LOOK_S = 15.0
"""How often one looks whether a guest that does not greet runs at all: that costs its server a little."""
PARTS = 12
"""A guest that may take ssh_timeout_s until its sshd answers may take this part of it for one answer later."""


class Ladder(threading.Thread):
    """Climbs beside Ansible's own start, and sets `stop` where a rung fails: that ends the runner."""

    def __init__(self, inputs: Mapping[str, Any], known: Path, tally: Tally, stop: threading.Event) -> None:
        super().__init__(daemon=True)
        self._inputs, self._known, self._tally, self._stop_event = inputs, known, tally, stop
        self._started_again = False
        self.problem = ""
        self.seconds = 0.0

    def run(self) -> None:
        inputs = self._inputs
        try:
            self.seconds = wait_for_sshd(
                inputs["host"],
                inputs["port"],
                inputs["ssh_timeout_s"],
                inputs["hint"],
                self._stop_event,
                ended=self._ended,
            )
            self._tally.reached("sshd answers", self.seconds)
            know_host(inputs, self._known)
        except PlaybookError as error:
            if not self._stop_event.is_set():
                self.problem = str(error) + last_lines.of(inputs.get("console", []))
            self._stop_event.set()

    def _ended(self) -> bool:
        """Whether the guest has ended for good: where something may start it, it is started again, once, and told of.

        An emulator may crash while a guest boots; seen once in hundreds of boots with several virtual CPUs.
        """
        console, start = self._inputs.get("console", []), self._inputs.get("start", [])
        if not last_lines.gone(console):
            return False
        if self._started_again or not start:
            return True
        self._started_again = True
        self._tally.missed("the guest has ended before its sshd answered: it is started again" + last_lines.of(console))
        return last_lines.status(start) != 0


def wait_for_sshd(
    host: str,
    port: int,
    timeout_s: float,
    hint: str,
    stop: threading.Event,
    *,
    ended: Callable[[], bool] = lambda: False,
) -> float:
    """Wait until something at host:port greets as an ssh server. Returns the seconds it took.

    `ended` says now and then whether the guest has, for good. Raises PlaybookError at the bound, and where it has.
    """
    begin = looked = time.monotonic()
    last = "not tried yet"
    where = f" {hint}" if hint else ""
    while (elapsed := time.monotonic() - begin) < timeout_s and not stop.is_set():
        pause = begin + elapsed + _POLL_S
        try:
            # A machine on which sshd is long in coming up is one on which it is long in greeting.
            left = min(max(_CONNECT_S, elapsed / 10), timeout_s - elapsed)
            with socket.create_connection((host, port), timeout=left) as connection:
                banner = connection.recv(64)
            if banner.startswith(b"SSH-"):
                return time.monotonic() - begin
            last = f"it greets with {banner!r}" if banner else "it closes the connection"
        except OSError as error:
            last = str(error)
        if time.monotonic() - looked >= _LOOK_S:
            if ended():
                raise PlaybookError(
                    f"Rung 'sshd answers': the guest of {host}:{port} has ended; seen {time.monotonic() - begin:.0f} s "
                    f"after the wait began. Look at the machine: ./lab doctor.{where}"
                )
            looked = time.monotonic()
        stop.wait(max(0.0, min(pause, begin + timeout_s) - time.monotonic()))
    raise PlaybookError(
        f"Rung 'sshd answers': no ssh greeting from {host}:{port} after {time.monotonic() - begin:.1f} s "
        f"(bound: {timeout_s:.0f} s). Last: {last}.{where}"
    )


def know_host(inputs: Mapping[str, Any], file: Path) -> None:
    """Let Ansible's ssh go: it takes the host key that it meets first, and no other for as long as it is that machine.

    `triggers` tell machines apart: a replaced VM has a new key, and the same one must not.
    """
    machine = hashlib.sha256(json.dumps([inputs["host"], inputs["port"], inputs["triggers"]]).encode()).hexdigest()
    mark = f"# machine {machine}\n"
    keep = file.with_suffix(".host_key")
    if not keep.is_file() or not keep.read_text(encoding="utf-8").startswith(mark):
        keep.write_text(mark, encoding="utf-8")
    # What holds ssh back, and where it notes the key.
    file.symlink_to(keep.name)
