"""./lab bench recover: heal after each removal, recover after a reboot, down after each kill."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from docker.models.containers import Container

from bench.common import BOTH, FIRST_200_S, Bench, pulumi, until, urls_of
from labkit.lifecycle import clean, heal, orphans, servers
from labkit.lifecycle.following import following
from labkit.lifecycle.programs import PARTS
from labkit.lifecycle.pulumi import UP
from labkit.lifecycle.set_up import Ready
from labkit.measure.first_answers import polling
from labkit.setup.docker import engine
from labkit.sides import reach
from labkit.system.errors import LabError
from labkit.system.paths import runtime
from labkit.system.progress import Progress, Quiet

INSIDE: Mapping[str, str] = {
    "the container": "docker rm -f container-1",
    "the container, its network and its volume": "docker rm -f container-1; docker network rm lab; "
    "docker volume rm container-1-data",
    "the VM's definition": "virsh destroy vm-1; virsh undefine vm-1",
    "the VM's disk": "virsh destroy vm-1; virsh vol-delete --pool lab vm-1.qcow2",
}
"""What is removed inside the server -> the script that does it."""

_DOMAIN, _PLAYBOOK = "Domain vm-1", "Playbook vm-1-playbook"

KILLS: Mapping[str, tuple[str, str]] = {
    "the Pulumi CLI": ("cli", _PLAYBOOK),
    "libvirt's plugin": ("libvirt plugin", _DOMAIN),
    "the provider of playbooks": ("provider", _PLAYBOOK),
    "the playbook's worker": ("worker", _PLAYBOOK),
}
"""What of `up` is killed -> which of the PARTS that is; Pulumi's event at which it is at work, and is killed."""

_EVENT_S = 300.0
_WORKER_S = 10.0
_SCRIPT_S = 60.0


class Recover(Bench):
    """What healing and ending take. With `engine_too` a reboot stops the private Docker Engine as well."""

    def __init__(self, ready: Ready, progress: Progress, lab: str, *, engine_too: bool = False) -> None:
        super().__init__(ready, progress, lab)
        self._engine_too = engine_too
        if engine_too:
            self._check_engine()

    def _round(self) -> None:
        self._up()
        urls = urls_of(self._contract(), BOTH)
        for what, script in INSIDE.items():
            self._inside(script)
            self._add(f"heal after the removal of {what}", None, self._heal(urls))
        self._servers(lambda server: server.remove(force=True))
        self._add("heal after the removal of the server", None, self._heal(urls))
        self._remove_with_volumes()
        self._add("heal after the removal of the server and its volumes", None, self._heal(urls))
        self._reboot()
        name = "recover after a reboot (servers killed, /run emptied{})"
        self._add(name.format(", engine stopped" if self._engine_too else ""), None, self._heal(urls))
        self._servers(lambda server: server.kill())
        self._time_down("the server was killed")
        for what, (part, event) in KILLS.items():
            self._kill_during_up(event, partial(_kill, part))
            self._time_down(f"{what} was killed during up")
        self._kill_during_up(_PLAYBOOK, lambda: self._servers(lambda server: server.kill()))
        self._time_down("the server was killed during up")

    def _heal(self, urls: Mapping[str, str]) -> float:
        """Seconds from the start of what `./lab up` does after set-up to both sides' answers."""
        begin = time.monotonic()
        with polling(urls) as first:
            self._up()
            until(lambda: len(first) == len(urls), FIRST_200_S)
        return time.monotonic() - begin

    def _up(self) -> None:
        if self._engine_too:
            engine.ensure(Quiet())
        pulumi(self._ready, [*UP, *heal.before_up(self._ready, self._lab, Quiet()), "-s", self._lab])

    def _time_down(self, after: str) -> None:
        begin = time.monotonic()
        self._down()
        self._add(f"down after {after}", None, time.monotonic() - begin)

    def _servers(self, action: Callable[[Container], object]) -> None:
        with servers.engine(self._ready.machine) as client:
            for server in servers.of(client, self._lab):
                action(server)

    def _remove_with_volumes(self) -> None:
        with servers.engine(self._ready.machine) as client:
            for server in servers.of(client, self._lab):
                names = [mount["Name"] for mount in server.attrs["Mounts"] if mount["Type"] == "volume"]
                server.remove(force=True)
                for name in names:
                    client.volumes.get(name).remove()

    def _inside(self, script: str) -> None:
        def remove(server: Container) -> None:
            run = reach.runner(servers.reach(self._ready.machine, str(server.name)), hint="./lab status")
            run(["sh", "-ec", script], _SCRIPT_S)

        self._servers(remove)

    def _reboot(self) -> None:
        self._servers(lambda server: server.kill())
        if self._engine_too:
            self._check_engine()
            engine.stop(Quiet(), labs_too=True)
        shutil.rmtree(runtime())

    def _check_engine(self) -> None:
        """Nobody else's labs go down for a figure."""
        found = engine.connect()
        elsewhere = clean.elsewhere(found) if found else {}
        if elsewhere or found is None or not found.private:
            raise LabError(
                "The Docker Engine is the machine's own, or other checkouts have labs on it "
                f"({', '.join(elsewhere) or 'none'}): it is not stopped for a figure.",
                hint="./lab bench recover, without --engine",
            )

    def _kill_during_up(self, event: str, strike: Callable[[], None]) -> None:
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
            events = Path(folder, "events.json")
            events.touch()
            with following(events) as seen:
                words = [*UP, "-s", self._lab, "--event-log", str(events)]
                ended = pool.submit(self._ready.pulumi.quiet, words)
                try:
                    until(lambda: event in seen or ended.done(), _EVENT_S)
                finally:
                    strike()
                if ended.result().ok:
                    raise LabError("up ended before it was killed; the bench cannot go on.", hint="./lab status")


def _kill(part: str) -> None:
    def found() -> list[int]:
        return [one.pid for one in orphans.of_this_checkout() if PARTS[part](one)]

    # The worker comes a moment after the event.
    until(lambda: bool(found()), _WORKER_S)
    for pid in found():
        os.kill(pid, signal.SIGKILL)
