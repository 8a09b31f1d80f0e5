"""A lab without engines that keeps what an experiment has touched, and in which Ctrl-C comes at any step."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra import answers
from infra.outputs import Contract, Replica, Server
from infra.reach import Reach
from labkit.lifecycle import change, steady, strays
from labkit.measure import footprint
from labkit.measure.experiment import Place
from labkit.measure.prober._ledger import Ledger
from labkit.sides.protocol import Runner
from labkit.system import carry, shell
from labkit.system.carry import Carried
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet
from labs.deployment import kernels, operating_system, portability, resources, update
from labs.deployment.sides import another_kernel, updating
from tests.unit.lab_fakes import CONTRACT

SERVER = Server("server-1", "10.0.0.2", Reach("docker", "unix:///x", "first"), "unix:///first", "qemu:///first")
SECOND = Server("server-2", "10.0.0.3", Reach("docker", "unix:///x", "second"), "unix:///second", "qemu:///second")
LOOKED = "kernel_release 6.1\nboot_id b\nfirst_process init\nprocesses 3\nkernel_threads 1\nmounts 2\n"
CONTAINER = {
    "Image": "sha256:1",
    "Config": {"Labels": {}, "Env": ["VVC_REPLICA=container-1"], "Hostname": "container-1"},
    "HostConfig": {
        "PortBindings": {"8000/tcp": [{"HostPort": "8001"}]},
        "NanoCpus": 1_000_000_000,
        "Memory": 1,
        "MemorySwap": 1,
        "RestartPolicy": {"Name": "unless-stopped"},
    },
    "Mounts": [{"Type": "volume", "Name": "container-1-data", "Destination": "/data"}],
}


@dataclass
class World:
    """`touched` is what differs from the lab that was there before. Ctrl-C comes before step `interrupt_at`."""

    folder: Path
    interrupt_at: int = -1
    steps: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    replicas: int = 1
    servers: int = 1

    def step(self, name: str, *add: str, drop: Sequence[str] = ()) -> None:
        """Something happens, unless it is interrupted just before; or just after, with half of the steps."""
        self.steps.append(name)
        at = len(self.steps) - 1
        if 2 * at == self.interrupt_at:
            raise KeyboardInterrupt
        self.touched |= set(add)
        self.touched -= set(drop)
        if 2 * at + 1 == self.interrupt_at:
            raise KeyboardInterrupt

    @property
    def contract(self) -> Contract:
        """What the lab exports now."""
        many = [
            Replica(f"{side}-{index + 1}", side, "server-1", f"http://{side}:8000", f"{side}-{index + 1}")
            for side in ("vm", "container")
            for index in range(self.replicas)
        ]
        return replace(CONTRACT, servers=(SERVER, SECOND)[: self.servers], replicas=tuple(many))

    @property
    def place(self) -> Place:
        """Where the experiments work."""
        machine = SimpleNamespace(docker_host="unix:///x", lab_dir=lambda _lab: self.folder)
        ready = cast(Any, SimpleNamespace(machine=machine))
        return Place("deployment", ready, self.contract, Quiet(), self.runner, self.folder)

    def runner(self, server: Server) -> Runner:
        """What runs a command in a server."""

        def run(
            command: Sequence[str], timeout_s: float = 60.0, on_line: Callable[[str], None] | None = None
        ) -> Outcome:
            return Outcome(tuple(command), 0, self.inside(server, list(command)), 0.0)

        return run

    def inside(self, server: Server, words: list[str]) -> str:
        """A command and what it does to the lab."""
        text = " ".join(words)
        if words[0] == "docker" and words[1] in ("start", "stop") and words[2] == "container-1":
            self.step(
                text,
                *(["off container-1"] if words[1] == "stop" else []),
                drop=["off container-1"][words[1] == "stop" :],
            )
        elif words[:2] == ["docker", "run"] and server is SERVER:
            self.step(text, "container-1-next")
        elif updating._REMOVE in words:
            self.step("remove the next one", drop=["container-1-next", "image of the next one"])
        elif text.startswith("docker images"):
            self.step(text)
            return "vm-vs-container/container-base:1\n"
        elif any(script in words for script in another_kernel.RUN.values()):
            self.step("another kernel", "another kernel")
            return "vvc-kernel 6.1 b\n"
        elif another_kernel.REMOVE in words:
            self.step("remove the other kernel", drop=["another kernel", "files"])
        elif server is SECOND:
            removed = "rm -rf /var" in text or "docker rm" in text
            self.step(text[:40], drop=["copy"] if removed else [])
        else:
            self.step(text[:40])
        if text.startswith("docker inspect"):
            return json.dumps([CONTAINER])
        if operating_system.LOOK in words:
            return LOOKED
        return {"virsh": "<domain/>", "sh": "/pool/base\n"}.get(words[0], "same\n")

    def up(self, _place: Place, settings: dict[str, Any], *, targets: Sequence[str] = ()) -> Contract:
        """`pulumi up` with other settings; what was removed before is made."""
        what = [f"{name} is changed" for name in (*settings, *targets)]
        back = settings.get("service_version") == CONTRACT.service_version
        gone = [one for one in self.touched if one.endswith(" is gone")]
        changed = [one for one in self.touched if back and "is changed" in one]
        self.step("up", *([] if back else what), drop=[*gone, *changed])
        self.replicas = int(settings.get("replicas", self.replicas))
        self.servers = int(settings.get("servers", self.servers))
        return self.contract

    def destroy(self, _place: Place, targets: Sequence[str]) -> None:
        """`pulumi destroy` of some resources; what was on a disk goes with it."""
        self.step("destroy", "entries are away", *(f"{name} is gone" for name in targets), drop=["unit off"])

    def as_committed(self, _place: Place) -> Contract:
        """`pulumi up` as the stack's file says, strays removed."""
        self.replicas = self.servers = 1
        changed = [one for one in self.touched if one.endswith((" is changed", " is gone"))]
        # What was moved to the second server goes with it.
        self.step("up as committed", drop=[*changed, "container-1-next", "copy"])
        return self.contract

    def bring_back(self, _place: Place) -> None:
        """Start what is off."""
        self.step("bring back", drop=[one for one in self.touched if one.startswith("off ")])

    def carry(self, source: Sequence[str], sink: Sequence[str], timeout_s: float) -> Carried:
        """Carry bytes; an archive on the laptop is a file."""
        text = " ".join([*source, *sink])
        if "systemctl stop" in " ".join(source):
            self.step("unit stops", "unit off")
            Path(sink[-1]).write_text("entries", encoding="utf-8")
            self.step("data out")
        elif "systemctl start" in text:
            self.step("data back", drop=["entries are away", "unit off"])
        else:
            self.step("carry", "copy")
        return Carried(3, 0.1, "same")


class _Side:
    GUEST_MEMORY = ()

    def __init__(self, world: World) -> None:
        self._world = world

    def stop(self, replica: Replica, _run: Runner) -> None:
        self._world.step("stop", f"off {replica.name}")

    def start(self, replica: Replica, _run: Runner) -> None:
        self._world.step("start", drop=[f"off {replica.name}"])

    def exec_command(
        self, replica: Replica, server: Server, lab_dir: Path, words: Sequence[str], *, tty: bool
    ) -> list[str]:
        return ["exec", *words]


def build(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put the world in the place of all that reaches out of this process."""

    @contextlib.contextmanager
    def quiet(*_words: Any, **_more: Any) -> Iterator[Any]:
        world.step("begin")
        yield SimpleNamespace(
            url="http://switch",
            to=lambda _url: world.step("switch to"),
            away=lambda: world.step("switch away"),
            now_s=lambda: 1.0,
            at=lambda instant: instant,
            wait_good=lambda *_words, **_more: world.step("wait until good"),
            stop=lambda: SimpleNamespace(samples=list, audit=lambda _urls: Ledger(1, 1, (), (), (), 0)),
        )

    @contextlib.contextmanager
    def marker(*_words: Any) -> Iterator[Any]:
        world.step("marker")
        yield "marker"

    def step(name: str, *add: str, drop: Sequence[str] = (), gives: Any = None) -> Callable[..., Any]:
        def act(*_words: Any, **_more: Any) -> Any:
            world.step(name, *add, drop=drop)
            return gives

        return act

    @contextlib.contextmanager
    def first(*_words: Any) -> Iterator[list[float]]:
        yield [2.0]

    side = _Side(world)
    fakes: Sequence[tuple[Any, str, Any]] = [
        (change, "up", world.up),
        (change, "destroy", world.destroy),
        (change, "now", lambda _place: world.contract),
        (change, "as_committed", world.as_committed),
        (steady, "bring_back", world.bring_back),
        (steady, "wrong", lambda replica, *_words: "off" if world.touched else ""),
        (strays, "find", lambda _place: ["a stray"] if "container-1-next" in world.touched else []),
        (kernels, "into", step("kernel", "files", gives="6.2")),
        (footprint, "read", step("read", gives=())),
        (footprint, "read_disk", step("read", gives={})),
        (footprint, "read_cgroup", step("read", gives={})),
        (answers, "wait_until_ready", step("wait until ready")),
        (shell, "run", lambda words, **_more: world.inside(SERVER, list(words)) and _built(world, words)),
        (carry, "carry", world.carry),
        (portability, "carry", world.carry),
        (operating_system, "marked", marker),
        (operating_system, "marked_server", marker),
        (operating_system, "_release", lambda _url: "6.1"),
        (update, "switching", quiet),
        (update, "probing", quiet),
        (update, "_first_answer", first),
        (Place, "side", lambda _place, _replica: side),
        (Place, "inside", lambda _place, _replica: lambda words: _inside(world, words)),
    ]
    for target, name, fake in fakes:
        monkeypatch.setattr(target, name, fake)
    for module in (resources, update, updating):
        monkeypatch.setattr(module.time, "sleep", lambda _seconds: None)


def _built(world: World, words: Sequence[str]) -> Outcome:
    if "build" in words:
        world.touched.add("image of the next one")
    return Outcome(tuple(words), 0, "", 0.0)


def _inside(world: World, words: Sequence[str]) -> Outcome:
    world.step("inside", drop=["unit off"] if "systemctl" in words else [])
    meminfo = "MemTotal: 9 kB\nMemFree: 1 kB\nBuffers: 1 kB\nCached: 1 kB\n"
    return Outcome(tuple(words), 0, meminfo if "/proc/meminfo" in words else LOOKED, 0.0)
