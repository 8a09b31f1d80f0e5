"""./lab bench up: from nothing to both sides' first 200, stage by stage, from Pulumi's own events and from outside."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from bench.common import BOTH, FIRST_200_S, Bench, pulumi, until, urls_of
from labkit.lifecycle import leftovers, servers
from labkit.lifecycle.change import config_file
from labkit.lifecycle.following import following
from labkit.lifecycle.pulumi import DESTROY, UP
from labkit.measure.first_answers import POLL_S, polling
from labkit.sides import SIDES, reach
from labkit.system.errors import LabError

STAGES = {
    "Volume vm-base": "upload of the guest's disk image",
    "Network lan": "LAN",
    "Container server-1": "server container until healthy",
    "RemoteImage container-base": "build of the container base image",
    "RemoteImage container-image": "build of the service's container image",
    "Container container-1": "container created and started",
    "Ready container-1-ready": "container's service answers",
    "Domain vm-1": "domain defined and started",
    "Playbook vm-1-playbook": "guest's sshd answers, Ansible configures it",
    "Ready vm-1-ready": "guest's service answers",
}
"""Pulumi's type and name of a resource -> what its creation is, for the stages that take time."""


class Up(Bench):
    """Bringing the lab up, changing nothing, and taking it down."""

    def _round(self) -> None:
        # First what needs no address: where the lab answers is known once it is up.
        pulumi(self._ready, [*UP, "-s", self._lab])
        urls = urls_of(self._contract(), BOTH)
        killed_s = self._down_after_a_kill()
        self._add("container side alone: up to its first 200", 15.0, self._time_up("container", urls))
        self._down()
        self._add("both sides: up to both first 200s", 45.0, self._time_up(BOTH, urls))
        self._add("pulumi preview without changes", 3.0, self._time(["preview"]))
        self._add("pulumi up without changes", None, self._time([*UP]))
        self._add("VM: from QEMU's start to the configured service's 200", 12.0, self._restart())
        self._add("down", 8.0, self._time([*DESTROY]))
        leftovers.remove(self._ready.machine, self._lab)
        self._add("down after the server was killed", 8.0, killed_s)

    def _down_after_a_kill(self) -> float:
        with servers.engine(self._ready.machine) as engine:
            for server in servers.of(engine, self._lab):
                server.kill()
        seconds = self._time([*DESTROY])
        leftovers.remove(self._ready.machine, self._lab)
        return seconds

    def _time_up(self, sides: str, every: Mapping[str, str]) -> float:
        """Seconds from the start of `pulumi up` to the last of the sides' first correct 200."""
        urls = {side: every[side] for side in sides.split(",")}
        with config_file(self._lab, {"sides": sides}) as config, tempfile.TemporaryDirectory() as folder:
            events = Path(folder, "events.json")
            events.touch()
            begin = time.monotonic()
            with polling(urls) as first, following(events) as seen:
                pulumi(self._ready, [*UP, "-s", self._lab, "--config-file", str(config), "--event-log", str(events)])
                end = time.monotonic()
                time.sleep(2 * POLL_S)
            missing = set(urls.values()) - set(first)
            if missing:
                raise LabError(f"up ended, but no first 200 was seen at {', '.join(missing)}", hint="./lab status")
        prefix = "both sides" if "," in sides else f"{sides} side alone"
        for side, url in urls.items():
            self._add(f"{prefix}: first 200 of side {side}", None, first[url] - begin)
        self._add(f"{prefix}: pulumi up ends", None, end - begin)
        self._add_stages(prefix, seen)
        return max(first.values()) - begin

    def _add_stages(self, prefix: str, seen: dict[str, list[float]]) -> None:
        for name, what in STAGES.items():
            if len(seen.get(name, [])) > 1:
                self._add(f"{prefix}: stage {what}", None, seen[name][-1] - seen[name][0])

    def _restart(self) -> float:
        contract = self._contract()
        replica = contract.side("vm")[0]
        server = next(server for server in contract.servers if server.name == replica.server)
        side = SIDES[replica.side]
        run = reach.runner(server.reach)
        side.stop(replica, run)
        begin = time.monotonic()
        with polling({replica.name: replica.url}) as first:
            side.start(replica, run)
            until(lambda: bool(first), FIRST_200_S)
        return first[replica.url] - begin
