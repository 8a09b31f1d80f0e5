"""What this lab's commands do to it, for the suite: see labkit.measure.testing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, ClassVar

from infra.outputs import Contract, Server
from infra.reach import Reach
from labkit.lifecycle import servers
from labkit.measure import clocks, faults
from labkit.measure.prober.summary import Outage
from labkit.measure.testing import FakeLab, FakeSide, Patch
from labkit.sides import SIDES
from labs.failover import breaking, place, split_brain
from labs.failover import faults as known
from labs.failover.clusters import OF
from labs.failover.sides import cluster, container, vm

DEAD, CUT, DRAINED, TIMERS, BROKEN = "dead ", "cut ", "drained ", "timers of ", "broken "
SECOND = "a second copy of "
_A_SIDE = 3
LEDGER = SimpleNamespace(acknowledged=1, lost=(), doubled=(), changed=())
DEFINITION = """<domain><name>vm-1</name><uuid>u</uuid><os><cmdline>vvc.address=10.0.0.16/24</cmdline></os><devices>
<disk><source file="/srv/shared/lab/vm-1.qcow2"/></disk><interface><mac address="52:76:63:00:01:00"/></interface>
</devices></domain>"""
PROBER = SimpleNamespace(
    at=lambda instant: instant,
    wait_good=lambda *_words, **_more: None,
    stop=lambda: SimpleNamespace(samples=list, audit=lambda _urls: LEDGER),
)


class Fake(FakeLab):
    """Three servers a side; a replica runs in the first of its side that lives, and the second one decides."""

    ONLY_LOOKS: ClassVar = {place.BOOT_ID: "a\n"}

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        self.now = {side: dict(one.TIMERS[cluster.DEFAULT]) for side, one in OF.items()}
        self.leads = dict.fromkeys(OF, False)

    @property
    def contract(self) -> Contract:
        """Each server carries one side."""
        base = super().contract
        own = [
            Server(
                f"{side}-server-{n}", "10.0.0.1", Reach("docker", "unix:///x", f"{side}-{n}"), "unix:///d", "l", side
            )
            for side in OF
            for n in range(1, _A_SIDE + 1)
        ]
        replicas = [replace(one, server=f"{one.side}-server-1", address="10.0.0.16") for one in base.replicas]
        return replace(base, servers=tuple(own), replicas=tuple(replicas))

    def does(self, where: str, words: Sequence[str]) -> str:
        """What the clusters are asked and told."""
        script = words[2] if words[:2] == ["sh", "-c"] else " ".join(words)
        side = where.partition("-")[0]
        asked = self._asked(side, where, script)
        if asked is not None:
            return asked
        strikes = {
            vm._KILL: f"{BROKEN}{side}",
            container._KILL: f"{BROKEN}{side}",
            cluster.CUT: f"{CUT}{where}",
            OF[side].DRAIN: f"{DRAINED}{words[-1]}",
        }
        for struck, left in strikes.items():
            if script == cluster._STAMPED.format(script=struck):
                self.step("strike", left)
                return "1.0\n"
        if script in (vm._COPY, container._COPY):
            self.step("copy the data", f"{SECOND}{side}")
        elif script in (vm._START, container._START):
            self.step("start a second copy", f"{SECOND}{side}")
        elif script == OF[side].MERGE:
            self.step("merge", drop=[f"{SECOND}{side}"])
        elif script == OF[side].MEND:
            gone = [f"{CUT}{where}", f"{DRAINED}{where}", f"{BROKEN}{side}"]
            self.step("mend", drop=gone)
        elif script in (vm._SET, container._SET):
            self._set(side, words[4:] if script == vm._SET else words[5:])
        elif script == vm._MOVE or "promote" in script:
            self.step("another one decides")
            self.leads[side] = not self.leads[side]
        elif "demote" in script or "cfgtool" in script:
            self.step("the cluster does as it is told")
        else:
            return super().does(where, words)
        return ""

    def _set(self, side: str, values: Sequence[str]) -> None:
        wanted = dict(zip(self.now[side], values, strict=True))
        back = wanted == dict(OF[side].TIMERS[cluster.DEFAULT])
        self.now[side] = wanted
        self.step("timers", *([] if back else [f"{TIMERS}{side}"]), drop=[f"{TIMERS}{side}"] if back else [])

    def _asked(self, side: str, where: str, script: str) -> str | None:
        looks = {
            SIDES[side].WHERE: f"{side}-1" if where.endswith("-1") else "",
            SIDES[side].LEADER: f"{side}-server-{1 if self.leads[side] else 2}",
            "corosync-cmapctl -g totem.token | sed 's/.*= //'": self.now["vm"]["token_ms"],
            container._TIMERS: " ".join(f"{one.removesuffix('s')}000000000" for one in self.now["container"].values()),
            container._WHOLE: "Ready Active Leader\n" + "Ready Active Reachable\n" * 2,
            container._EVENTS: "",
            vm._LOGS: "now 1 +0000\n",
            vm._DEFINITION: DEFINITION,
            f"virsh --quiet domuuid {side}-1": "u\n",
            f"docker inspect -f {{{{.Id}}}} {side}-1": "i\n",
            known._PART: "",
        }
        if script not in looks:
            return None
        self.step(script[:40])
        return looks[script]

    def side(self) -> Any:
        """Can be killed."""
        return _Side(self)

    def patches(self) -> list[Patch]:
        """What reaches out of this process by other ways than the place."""
        return [
            *super().patches(),
            (servers, "kill", lambda _machine, names: self.step("kill", *(f"{DEAD}{name}" for name in names))),
            (servers, "start", lambda *_words: self._start()),
            (breaking, "probing", _probing),
            (split_brain, "probing", _probing),
            (breaking, "outage", lambda *_words: Outage(3.0, 1.0, 4.0, 2)),
            (breaking, "_edge", lambda *_words: []),
            (cluster, "service", lambda *_words: []),
            (clocks, "boot_s", lambda: 1.0),
            (clocks, "boot_id", lambda _run: "b"),
            (clocks, "offset_s", lambda *_words: 0.0),
            (faults, "write_whole", lambda file, text: file.write_text(text, encoding="utf-8")),
        ]

    def _start(self) -> None:
        self.step("start servers", drop=[one for one in self.touched if one.startswith(DEAD)])


class _Side(FakeSide):
    def kill(self, replica: Any, _run: Any) -> None:
        """It is broken until it is mended."""
        self.fake.step("kill the replica", f"{BROKEN}{replica.side}")


@contextmanager
def _probing(*_words: Any) -> Iterator[Any]:
    yield PROBER
