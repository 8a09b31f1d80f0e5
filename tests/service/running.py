"""A real process of the service on 127.0.0.1, for tests."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from infra.answers import Service

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = (sys.executable, "-m", "service")
START_WAIT_S = 30.0
PROBLEM = "application/problem+json"


def environment(data_dir: Path, **changes: str) -> dict[str, str]:
    """The environment of a replica that listens on a port of the kernel's choice."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("VVC_")}
    replica = {"VVC_REPLICA": "vm-0", "VVC_SIDE": "vm", "VVC_SERVER": "server-0", "VVC_DATA_DIR": str(data_dir)}
    return {**own, **replica, "VVC_HOST": "127.0.0.1", "VVC_PORT": "0", **changes}


@dataclass
class Replica:
    """One running process. `log` is its stderr so far."""

    process: subprocess.Popen[bytes]
    log_file: Path
    url: str = ""

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """What it wrote to stderr."""
        return self.log_file.read_text(encoding="utf-8")

    def client(self) -> Service:
        """A client with a connection of its own."""
        return Service(self.url, 10)

    def wait_until_listening(self) -> None:
        """Returns when it has said where it listens."""
        deadline = time.monotonic() + START_WAIT_S
        while time.monotonic() < deadline:
            if found := re.search(r"listens on (\S+) port (\d+)", self.log):
                self.url = f"http://{found[1]}:{found[2]}"
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        raise AssertionError(f"the service did not start: {self.process.poll()}\n{self.log}")


@contextmanager
def replica(
    data_dir: Path,
    *,
    prefix: Sequence[str] = (),
    command: Sequence[str] = COMMAND,
    expect_clean_log: bool = True,
    **changes: str,
) -> Iterator[Replica]:
    """Start a replica, run through `prefix` if given, or by another `command`.

    It ends with the block; it must have logged no traceback.
    """
    log_file = data_dir.parent / f"{data_dir.name}.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            [*prefix, *command], env=environment(data_dir, **changes), cwd=CHECKOUT, stderr=log, stdout=log
        )
    running = Replica(process, log_file)
    try:
        running.wait_until_listening()
        yield running
    finally:
        process.kill()
        process.wait(10)
    if expect_clean_log:
        assert "Traceback" not in running.log, running.log


def entry(seq: int, payload: str = "x", client: str = "c") -> dict[str, object]:
    """Body of a write."""
    return {"client": client, "seq": seq, "payload": payload}


def stored(client: Service, of: str = "c") -> list[tuple[int, str]]:
    """All that the service has of a client, page by page."""
    found: list[tuple[int, str]] = []
    after: int | None = -1
    while after is not None:
        answer = client.get("/entries", params={"client": of, "after": str(after), "limit": "500"})
        answer.raise_for_status()
        page = answer.json()
        found += [(one["seq"], one["payload"]) for one in page["entries"]]
        after = page["next"]
    return found
