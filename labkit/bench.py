"""./lab bench up: how long this tool takes, stage by stage, from Pulumi's own events and from outside.

Every figure is wall time in seconds with all its repeats; medians and spread are derived, never typed in.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from infra import outputs, plan
from labkit import leftovers, servers, setup
from labkit.box import machine_box
from labkit.errors import LabError
from labkit.observe import POLL_S, following, polling
from labkit.paths import CHECKOUT, CHECKOUT_ID
from labkit.progress import Report
from labkit.pulumi import DESTROY, UP
from labkit.sides import SIDES

LAB = "deployment"
FILE = CHECKOUT / "bench" / "up.json"

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


@dataclass
class Figure:
    """One measured thing with all its repeats, in seconds."""

    name: str
    aim_s: float | None = None
    repeats_s: list[float] = field(default_factory=list)

    def summary(self) -> dict[str, Any]:
        """n, median, min and max beside the repeats."""
        return {
            "name": self.name,
            "aim_s": self.aim_s,
            "n": len(self.repeats_s),
            "median_s": round(statistics.median(self.repeats_s), 2),
            "min_s": round(min(self.repeats_s), 2),
            "max_s": round(max(self.repeats_s), 2),
            "repeats_s": [round(seconds, 2) for seconds in self.repeats_s],
        }


class Bench:
    """Measures one set-up machine."""

    def __init__(self, ready: setup.Ready, report: Report) -> None:
        self._ready = ready
        self._report = report
        self._figures: dict[str, Figure] = {}

    def run(self, repeats: int) -> dict[str, Any]:
        """Measure everything `repeats` times; what bench/up.json holds. The lab is down before and after."""
        self._down()
        try:
            for number in range(repeats):
                self._report.line(f"Round {number + 1} of {repeats}")
                self._round()
        finally:
            self._down()
        return {
            "schema_version": 1,
            "machine": machine_box(self._ready),
            "repeats": repeats,
            "figures": [figure.summary() for figure in self._figures.values()],
        }

    def _round(self) -> None:
        self._add("container side alone: up to its first 200", 15.0, self._time_up("container"))
        self._down()
        self._add("both sides: up to both first 200s", 45.0, self._time_up("vm,container"))
        self._add("pulumi preview without changes", 3.0, self._time(["preview"]))
        self._add("pulumi up without changes", None, self._time([*UP]))
        self._add("VM: from QEMU's start to the configured service's 200", 12.0, self._restart())
        self._add("down", 8.0, self._time([*DESTROY]))
        leftovers.remove(self._ready.machine, LAB)
        self._time_up("vm,container", stages=False)
        with servers.engine(self._ready.machine) as engine:
            for server in servers.of(engine, LAB):
                server.kill()
        self._add("down after the server was killed", 8.0, self._time([*DESTROY]))
        leftovers.remove(self._ready.machine, LAB)

    def _add(self, name: str, aim_s: float | None, seconds: float) -> None:
        self._figures.setdefault(name, Figure(name, aim_s)).repeats_s.append(seconds)
        self._report.line(f"  {name}: {seconds:.1f} s")

    def _down(self) -> None:
        self._pulumi([*DESTROY, "-s", LAB])
        leftovers.remove(self._ready.machine, LAB)

    def _time(self, words: Sequence[str]) -> float:
        begin = time.monotonic()
        self._pulumi([*words, "-s", LAB])
        return time.monotonic() - begin

    def _pulumi(self, words: Sequence[str]) -> None:
        outcome = self._ready.pulumi.quiet(words)
        if not outcome.ok:
            raise LabError(f"The bench cannot go on: {outcome.output[-2000:]}", hint="./lab status")

    def _time_up(self, sides: str, *, stages: bool = True) -> float:
        """Seconds from the start of `pulumi up` to the last of the sides' first correct 200."""
        urls = _urls(sides.split(","))
        with tempfile.TemporaryDirectory() as folder:
            config = Path(folder, "config.yaml")
            values = yaml.safe_load((CHECKOUT / f"Pulumi.{LAB}.yaml").read_text())
            values.setdefault("config", {})[f"{plan.PROJECT}:sides"] = sides
            config.write_text(yaml.safe_dump(values))
            events = Path(folder, "events.json")
            events.touch()
            begin = time.monotonic()
            with polling(urls) as first, following(events) as seen:
                self._pulumi([*UP, "-s", LAB, "--config-file", str(config), "--event-log", str(events)])
                end = time.monotonic()
                time.sleep(2 * POLL_S)
            missing = set(urls.values()) - set(first)
            if missing:
                raise LabError(f"up ended, but no first 200 was seen at {', '.join(missing)}", hint="./lab status")
        if stages:
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
        contract = outputs.from_outputs(self._ready.pulumi.outputs(LAB))
        replica = contract.side("vm")[0]
        server = next(server for server in contract.servers if server.name == replica.server)
        side = SIDES[replica.side]
        run = servers.runner(self._ready.machine, server)
        side.stop(replica, run)
        begin = time.monotonic()
        with polling({replica.name: replica.url}) as first:
            side.start(replica, run)
            _until(lambda: bool(first), 120.0)
        return first[replica.url] - begin


def _urls(sides: Sequence[str]) -> dict[str, str]:
    one = plan.Plan(CHECKOUT_ID, LAB, plan.default_subnet(CHECKOUT_ID, LAB))
    every = {
        "vm": f"http://{one.vm_address(0)}:{plan.SERVICE_PORT}",
        "container": f"http://{one.server_address()}:{one.container_port(0)}",
    }
    return {side: every[side] for side in sides}


def _until(condition: Callable[[], bool], within_s: float) -> None:
    begin = time.monotonic()
    while not condition():
        if time.monotonic() - begin > within_s:
            raise LabError(f"no 200 within {within_s:.0f} s", hint="./lab status")
        time.sleep(POLL_S)
