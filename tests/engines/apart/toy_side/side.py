"""The toy side: how one works on a plain process of a server. It cannot be suspended, and has no image."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from infra.outputs import Replica, Server
from labkit.sides import _processes
from labkit.sides.protocol import Event, Object, Port, Runner, Side, Sizes, Stats, numbers

_ROOT = "/opt/toy/root"
_LOOK = """
for file in /run/toy-*.pid; do
    [ ! -e "$file" ] || echo "toy $(cat "$file") $(basename "$file" .pid)"
done
"""
_MAY_TAKE = "echo vcpus $(nproc); awk '/^MemTotal/ { print \"kib\", $2 }' /proc/meminfo"
_STATE = 'kill -0 "$(cat "/run/$1.pid")" 2> /dev/null && echo running || echo ended'
_END_S = 10.0


class Toy:
    """Replicas that are processes of their server."""

    SUSPENDED = ""
    STORAGE_DIR = "/opt"
    OBJECTS = (Object("toy", _LOOK),)
    PROCESSES = 'echo "replica $(cat "/run/$1.pid")"'
    DISK = ""
    GUEST_MEMORY = ()
    STATE = ("sh", "-c", _STATE, "sh")
    WHERE = LEADER = ""
    LOOK = "cat /opt/toy/{name}.log"
    HAS_KEY = False

    def exec_command(
        self, replica: Replica, server: Server, lab_dir: Path, command: Sequence[str], *, tty: bool
    ) -> list[str]:
        """In the folder that is its file system; its processes are the server's."""
        return server.reach.words(["chroot", _ROOT, *(command or ["bash"])], stdin=True, tty=tty)

    def start(self, replica: Replica, run: Runner) -> None:
        """Make the process."""
        run(["sh", f"/opt/toy/{replica.handle}.sh"])

    def stop(self, replica: Replica, run: Runner) -> None:
        """TERM, until it is gone."""
        self._signal("TERM", replica, run)

    def kill(self, replica: Replica, run: Runner) -> None:
        """KILL."""
        self._signal("KILL", replica, run)

    def suspend(self, replica: Replica, run: Runner) -> None:
        """There is no such thing; SUSPENDED says so."""
        raise NotImplementedError

    def port(self, replica: Replica, run: Runner) -> Port:
        """Its server's own, as it has none."""
        return Port("any", "its server's own", only=f"port {urlsplit(replica.url).port}")

    def stats(self, replica: Replica, run: Runner) -> Stats:
        """It may take all that its server may."""
        pss_bytes, cpu_s = _processes.usage(run, [self._pid(replica, run)])
        may = numbers(run(["sh", "-c", _MAY_TAKE]))
        return Stats(pss_bytes, cpu_s, float(may["vcpus"]), may["kib"] // 1024)

    def sizes(self, replica: Replica, run: Runner) -> Sizes:
        """There is no image; DISK says so."""
        raise NotImplementedError

    def events(self, replica: Replica, run: Runner, inside: Runner) -> tuple[Event, ...]:
        """When the server's kernel made the process."""
        at_s = _processes.started_s(run, self._pid(replica, run))
        return (Event("the server makes the process", at_s, "server", "/proc/PID/stat", 0.01),)

    def _signal(self, name: str, replica: Replica, run: Runner) -> None:
        run(["kill", f"-{name}", self._pid(replica, run)])
        begin = time.monotonic()
        while run([*self.STATE, replica.handle]).output.strip() == "running":
            if time.monotonic() - begin > _END_S:
                raise TimeoutError(f"{replica.name} does not end")
            time.sleep(0.02)

    def _pid(self, replica: Replica, run: Runner) -> str:
        return run(["cat", f"/run/{replica.handle}.pid"]).output.strip()


SIDE: Side = Toy()
