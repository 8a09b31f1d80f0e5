"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar, cast

from infra.outputs import Contract
from labkit.lifecycle import strays
from labkit.measure import footprint, marking, neighbours
from labkit.measure.experiment import Place
from labkit.measure.testing import CHANGED, GONE, OFF, FakeLab, FakeSide, Patch
from labkit.sides import Side
from labkit.system import carry, shell
from labkit.system.carry import Carried
from labkit.system.outcome import Outcome
from labs.deployment import kernels, operating_system, portability, size, start, update
from labs.deployment.sides import another_kernel, updating

LOOKED = "kernel_release 6.1\nboot_id b\nfirst_process init\nprocesses 3\nkernel_threads 1\nmounts 2\n"
MEMINFO = "MemTotal: 9 kB\nMemFree: 1 kB\nBuffers: 1 kB\nCached: 1 kB\n"
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
LEDGER = SimpleNamespace(acknowledged=1, lost=(), doubled=(), changed=())
PROBER = SimpleNamespace(
    now_s=lambda: 1.0,
    at=lambda instant: instant,
    wait_good=lambda *_words, **_more: None,
    stop=lambda: SimpleNamespace(samples=list, audit=lambda _urls: LEDGER),
)
READS = ("docker inspect", "docker images", "virsh --quiet dumpxml", "ps -eo", "sh -c ls ")
"""How commands begin that change nothing."""

NEXT, COPY, ENTRIES_AWAY, UNIT_OFF = "container-1-next", "copy", "entries are away", "unit off"


class Fake(FakeLab):
    """What is done beside `pulumi up`: another kernel, a second container, a copy elsewhere, entries carried over."""

    ONLY_LOOKS: ClassVar[Mapping[tuple[str, ...], str]] = {
        ("sh", "-c", operating_system.LOOK): LOOKED,
        tuple(operating_system.COMMANDS): "marker",
        tuple(size._LIST): "python3 10\n",
    }

    def does(self, where: str, words: Sequence[str]) -> str:
        """What runs in the second server is a copy there until it is removed."""
        text = " ".join(words)
        if where == "server-2":
            gone = "rm -rf /var" in text or "docker rm" in text
            self.step(text[:40], *([] if gone else [COPY]), drop=[COPY] if gone else [])
            return "same\n"
        if "/proc/meminfo" in text:
            self.step(text[:40])
            return MEMINFO
        for fitting, act in self._acts(text, words).items():
            if fitting in text:
                return act()
        if text.startswith(READS) or "sha256sum" in text:
            self.step(text[:40])
            said = {"docker": json.dumps([CONTAINER]), "virsh": "<domain/>", "sh": "/pool/base\n"}
            return "same\n" if text.startswith("docker images") else said.get(words[0], "same\n")
        return super().does(where, words)

    def _acts(self, text: str, words: Sequence[str]) -> Mapping[str, Callable[[], str]]:
        def act(name: str, *add: str, drop: Sequence[str] = (), says: str = "") -> Callable[[], str]:
            def done() -> str:
                self.step(name, *add, drop=drop)
                return says

            return done

        run = next((script for script in another_kernel.RUN.values() if script in words), another_kernel.RUN["vm"])
        return {
            another_kernel.TREE: act("files of another kernel", "files"),
            run: act("another kernel", "another kernel", says="vvc-kernel 6.1 b\n"),
            another_kernel.REMOVE: act("remove the other kernel", drop=["another kernel", "files"]),
            "docker start container-1": act(text, drop=[f"{OFF}container-1"]),
            "docker stop container-1-next": act(text),
            "docker stop container-1": act(text, f"{OFF}container-1"),
            "docker run": act(text, NEXT),
            updating._REMOVE: act("remove the next one", drop=[NEXT, "image of the next one"]),
            "systemctl start vvc-service": act(text, drop=[UNIT_OFF]),
        }

    def destroy(self, _place: Place, targets: Sequence[str]) -> None:
        """What was on a replica's disk goes with it."""
        # Only who has stopped the service to carry its entries over has promised to bring them back.
        away = [ENTRIES_AWAY] if UNIT_OFF in self.touched else []
        self.step("destroy", *away, *(f"{name}{GONE}" for name in targets), drop=[UNIT_OFF])

    def as_committed(self, _place: Place) -> Contract:
        """What was moved to the second server goes with it, and strays go."""
        self.replicas = self.servers = 1
        back = [one for one in self.touched if one.endswith((CHANGED, GONE))]
        self.step("up as committed", drop=[*back, NEXT, COPY])
        return self.contract

    def side(self) -> Side:
        """Can say what its image takes as well."""
        return cast(Side, _Side(self))

    def patches(self) -> list[Patch]:
        """What reaches out of this process by other ways than the place."""
        return [
            *super().patches(),
            (strays, "find", lambda _place: ["a stray"] if NEXT in self.touched else []),
            (kernels, "into", lambda *_words: self._gives("6.2", "kernel", "files")),
            (footprint, "read", lambda *_words, **_more: self._gives((), "read")),
            (footprint, "read_disk", lambda *_words: {"own_disk_bytes": 1}),
            (footprint, "read_cgroup", lambda *_words: {}),
            (shell, "run", lambda words, **_more: self._built(words)),
            (carry, "carry", self._carry),
            (portability, "carry", self._carry),
            (marking, "inside", self._context("marker")),
            (marking, "in_server", self._context("marker")),
            (operating_system, "_release", lambda _url: "6.1"),
            (update, "switching", self._context(self._switch())),
            (update, "probing", self._context(PROBER)),
            (update, "_first_answer", self._context([2.0])),
            (neighbours, "pinned", self._context(None)),
            (start, "polling", self._context({})),
            (start, "following", self._context({})),
            (start, "_first", lambda *_words: self._gives(1.0, "the first answer")),
            (start, "_own_marks", lambda *_words: []),
        ]

    def _gives(self, value: Any, name: str, *add: str) -> Any:
        self.step(name, *add)
        return value

    def _switch(self) -> Any:
        return SimpleNamespace(
            url="http://switch", to=lambda _url: self.step("switch to"), away=lambda: self.step("switch away")
        )

    def _context(self, gives: Any) -> Callable[..., Any]:
        @contextmanager
        def inside(*_words: Any, **_more: Any) -> Iterator[Any]:
            self.step("begin")
            yield gives

        return inside

    def _built(self, words: Sequence[str]) -> Outcome:
        self.step("build", "image of the next one")
        return Outcome(tuple(words), 0, "", 0.0)

    def _carry(self, source: Sequence[str], sink: Sequence[str], _timeout_s: float) -> Carried:
        """Carry bytes; an archive on the laptop is a file."""
        text = " ".join([*source, *sink])
        if "systemctl stop" in " ".join(source):
            self.step("unit stops", UNIT_OFF)
            Path(sink[-1]).write_text("entries", encoding="utf-8")
            self.step("data out")
        elif "systemctl start" in text:
            self.step("data back", drop=[ENTRIES_AWAY, UNIT_OFF])
        else:
            self.step("carry", COPY)
        return Carried(3, 0.1, "same")


class _Side(FakeSide):
    def sizes(self, *_words: Any) -> Any:
        """Of an image of three bytes."""
        self.fake.step("sizes")
        return SimpleNamespace(
            image="i", virtual_bytes=3, allocated_bytes=3, compressed_bytes=3, own_bytes=1, parts={"x": 3}
        )
