"""A lab without engines: it keeps what an experiment has done to it, and Ctrl-C can come at any of its steps.

The suite measures with each experiment of each lab on one of these, is interrupted at every step, and demands that the
experiment's restore leaves nothing (tests/unit/test_experiments_restore.py). What a command does inside a server or a
replica only its lab can say: labs/NAME/fakes.py has a class `Fake`, made from FakeLab. A command of which it says
nothing counts as something that was done and is never undone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast
from unittest import mock

from infra import answers, paths
from infra.outputs import Contract, Replica, Server
from infra.reach import Reach
from labkit.lifecycle import change, steady, strays
from labkit.measure import labs
from labkit.measure.experiment import Place
from labkit.sides import SIDES, Port, Runner, Side
from labkit.system.outcome import Outcome
from labkit.system.progress import Quiet

Patch = tuple[Any, str, Any]
"""A module or class, the name of something in it, and what stands in for that."""

CHANGED, GONE, OFF = " is changed", " is gone", "off "
"""How `touched` names a setting, a resource of Pulumi's that was destroyed, and a replica that was stopped."""


class FakeLab:
    """`touched` is what differs from the lab that was there before. Ctrl-C comes before or after step `interrupt_at`/2.

    `replicas` and `servers` are how many there are now.
    """

    ONLY_LOOKS: ClassVar[Mapping[tuple[str, ...], str]] = {}
    """Commands that change nothing, inside a server or a replica, and what they print."""
    PATHS: Sequence[str] = ()
    """Those of which it has replicas, as in the lab's own configuration; the first ones, if none is named."""

    def __init__(self, name: str, folder: Path, interrupt_at: int = -1) -> None:
        self.name = name
        self.folder = folder
        self.interrupt_at = interrupt_at
        self.steps: list[str] = []
        self.touched: set[str] = set()
        self.replicas = 1
        self.servers = 1

    def step(self, name: str, *add: str, drop: Sequence[str] = ()) -> None:
        """Something happens to the lab; it is interrupted just before, or just after, if that is asked for."""
        self.steps.append(name)
        at = len(self.steps) - 1
        if 2 * at == self.interrupt_at:
            raise KeyboardInterrupt
        self.touched |= set(add)
        self.touched -= set(drop)
        if 2 * at + 1 == self.interrupt_at:
            raise KeyboardInterrupt

    def does(self, where: str, words: Sequence[str]) -> str:
        """A command runs inside a server or a replica, called `where`; what it prints. To be extended by a lab."""
        text = " ".join(words)
        if tuple(words) in self.ONLY_LOOKS:
            self.step(text)
            return self.ONLY_LOOKS[tuple(words)]
        self.step(text, f"{text} in {where}")
        return ""

    @property
    def contract(self) -> Contract:
        """What the lab exports now."""
        servers = [
            Server(f"server-{n}", f"10.0.0.{n + 1}", Reach("docker", "unix:///x", f"s-{n}"), "unix:///d", "qemu:///l")
            for n in range(1, self.servers + 1)
        ]
        replicas = [
            Replica(f"{side}-{n}", side, "server-1", f"http://{side}:8000", f"{side}-{n}", path)
            for side in SIDES
            for n, path in enumerate(paths.along(self.PATHS, side) * self.replicas, 1)
        ]
        return Contract(self.name, "tcg", "1", tuple(servers), tuple(replicas), vcpus=1, memory_mib=512)

    @property
    def place(self) -> Place:
        """Where an experiment works."""
        machine = SimpleNamespace(docker_host="unix:///x", server_image="server:1", lab_dir=lambda _lab: self.folder)
        ready = cast(Any, SimpleNamespace(machine=machine, pulumi=_Pulumi(self)))
        return _Place(
            self.name, ready, self.contract, Quiet(), lambda one: self.runner(one.name), self.folder, fake=self
        )

    def runner(self, where: str) -> Runner:
        """Runs commands inside a server or a replica."""

        def run(
            command: Sequence[str],
            timeout_s: float = 60.0,  # noqa: ARG001 - nothing takes time here
            on_line: Callable[[str], None] | None = None,
        ) -> Outcome:
            said = self.does(where, list(command))
            if on_line is not None:
                for line in said.splitlines():
                    on_line(line)
            return Outcome(tuple(command), 0, said, 0.0)

        return run

    def side(self) -> Side:
        """What stands in for each side."""
        return cast(Side, FakeSide(self))

    def patches(self) -> list[Patch]:
        """What of this tool is replaced meanwhile. A lab adds what its experiments call by other ways."""
        return [
            (change, "up", self.up),
            (change, "destroy", self.destroy),
            (change, "now", lambda _place: self.contract),
            (change, "as_committed", self.as_committed),
            (steady, "bring_back", self.bring_back),
            (steady, "wrong", lambda _replica, *_words: "off" if self.touched else ""),
            (steady, "whoami", lambda _replica, *_words: {"kernel_release": "6.1", "boot_id": "b", "python": "3.13"}),
            (strays, "find", lambda _place: []),
            (answers, "wait_until_ready", lambda *_words: self.step("wait until ready")),
            (time, "sleep", lambda _seconds: None),
        ]

    @contextmanager
    def standing_in(self) -> Iterator[Place]:
        """While inside, experiments that work in the place given work on this lab."""
        with ExitStack() as stack:
            for target, name, fake in self.patches():
                stack.enter_context(mock.patch.object(target, name, fake))
            yield self.place

    def up(self, _place: Place, settings: Mapping[str, Any], *, targets: Sequence[str] = ()) -> Contract:
        """`pulumi up` with other settings; what was destroyed before is made."""
        committed = self.contract.service_version
        back = settings.get("service_version") == committed
        made = [one for one in self.touched if one.endswith(GONE) or (back and one.endswith(CHANGED))]
        self.step("up", *([] if back else [f"{name}{CHANGED}" for name in (*settings, *targets)]), drop=made)
        self.replicas = int(settings.get("replicas", self.replicas))
        self.servers = int(settings.get("servers", self.servers))
        return self.contract

    def destroy(self, _place: Place, targets: Sequence[str]) -> None:
        """`pulumi destroy` of some resources."""
        self.step("destroy", *(f"{name}{GONE}" for name in targets))

    def as_committed(self, _place: Place) -> Contract:
        """`pulumi up` as the stack's file says."""
        self.replicas = self.servers = 1
        self.step("up as committed", drop=[one for one in self.touched if one.endswith((CHANGED, GONE))])
        return self.contract

    def bring_back(self, _place: Place) -> None:
        """What the tool does after each experiment: it starts what is off, and makes what is gone."""
        self.step("bring back", drop=[one for one in self.touched if one.startswith(OFF) or one.endswith(GONE)])


class FakeSide:
    """Stands in for a side: it stops and starts replicas."""

    SUSPENDED = "suspended"
    GUEST_MEMORY = ()

    def __init__(self, fake: FakeLab) -> None:
        self.fake = fake

    def stop(self, replica: Replica, _run: Runner) -> None:
        """It is off."""
        self.fake.step("stop", f"{OFF}{replica.name}")

    suspend = stop

    def start(self, replica: Replica, _run: Runner) -> None:
        """It is on."""
        self.fake.step("start", drop=[f"{OFF}{replica.name}"])

    def port(self, _replica: Replica, _run: Runner) -> Port:
        """At an interface of its server."""
        return Port("port", "its port")

    def exec_command(
        self, _replica: Replica, _server: Server, _lab_dir: Path, words: Sequence[str], *, tty: bool
    ) -> list[str]:
        """Words that nobody runs."""
        return ["inside a replica", *words, *(["in a terminal"] if tty else [])]


class _Pulumi:
    """`pulumi up` and `destroy`, of all or of the targets named; each replica has a resource of its name."""

    def __init__(self, fake: FakeLab) -> None:
        self._fake = fake

    def resources(self, _lab: str) -> list[dict[str, Any]]:
        return [{"urn": f"urn::{one.name}"} for one in self._fake.contract.replicas]

    def quiet(self, words: Sequence[str]) -> Outcome:
        targets = [word.removeprefix("urn::") for word in words if word.startswith("urn::")]
        if words[0] == "destroy":
            self._fake.destroy(self._fake.place, targets)
        else:
            self._fake.up(self._fake.place, {})
        return Outcome(tuple(words), 0, "", 0.0)


@dataclass(frozen=True)
class _Place(Place):
    fake: FakeLab = field(kw_only=True)

    def inside(self, replica: Replica) -> Runner:
        return self.fake.runner(replica.name)

    def side(self, _replica: Replica) -> Side:
        return self.fake.side()


def fake(lab: str) -> type[FakeLab]:
    """What stands in for a lab: the `Fake` of labs/NAME/fakes.py, else what every lab is like."""
    module = labs.part(lab, "fakes")
    found: type[FakeLab] = module.Fake if module else FakeLab
    return found
