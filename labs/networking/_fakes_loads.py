"""What the experiments *latency*, *throughput* and *requests* do to a lab, for the suite."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from labkit.lifecycle import steady
from labkit.measure.prober.sample import Sample
from labkit.measure.testing import FakeLab, Patch
from labkit.system import shell
from labkit.system.outcome import Outcome
from labs.networking import cpu, far_end, impairment, latency, requests, throughput

TAP, QUEUE, FAR_END = "tap", "queue of a port", "far end"
FLOW = {
    "end": {
        "sum_received": {"bytes": 2**30, "seconds": 2.0},
        "sum_sent": {"retransmits": 1},
        "cpu_utilization_percent": {"remote_total": 10.0},
    }
}
SAMPLES = [Sample("s", "read", 0, 0.0, 0.001, 0.004, 0.005, "ok", 200, "vm-1", "server-1", "", 400)]
_STAT = f"1 (python3) S {' '.join('0' * 10)} 10 10 0 0\n"


def does(fake: FakeLab, words: Sequence[str]) -> str | None:
    """What a command of these experiments does and prints; None where it is none of theirs."""
    script = words[2] if words[:2] == ["sh", "-c"] else ""
    if script == impairment.LOOK:
        fake.step("look for netem", TAP)
        fake.step("looked for netem", drop=[TAP])
        return ""
    if script == impairment.DELAY:
        fake.step("delay", QUEUE)
        return ""
    if script == impairment.UNDO:
        fake.step("delay no more", drop=[TAP, QUEUE])
        return ""
    looks = {cpu.READ: f"at_s {len(fake.steps)}.5\nbusy_ticks {len(fake.steps) * 100}\n"}
    if script == throughput.INSIDE:
        looks[script] = f"boot_id b\nbusy_ticks 1\n{json.dumps(FLOW)}\nbusy_ticks 2\n"
    if words[-1].endswith("/stat"):
        looks[script] = _STAT
    if words[-1].endswith("/boot_id"):
        looks[script] = "a\n"
    if script in looks:
        fake.step("look")
    return looks.get(script)


def patches(fake: FakeLab) -> list[Patch]:
    """What they call by other ways than the place."""

    @contextmanager
    def probing(*_words: Any) -> Iterator[Any]:
        fake.step("probe")
        result = SimpleNamespace(samples=lambda: list(SAMPLES), record=SimpleNamespace(cpu_s=0.1))
        yield SimpleNamespace(wait_end=lambda _within_s: None, result=result)

    def run(words: Sequence[str | Path], **_more: Any) -> Outcome:
        return Outcome(tuple(map(str, words)), 0, _docker(fake, [str(word) for word in words]), 0.0)

    said = {"kernel_release": "6.1", "boot_id": "b", "python": "3.13", "pid": 1}
    return [
        (latency, "probing", probing),
        (requests, "probing", probing),
        (requests, "SECONDS", 0.0),
        (steady, "whoami", lambda _replica, *_words: said),
        (far_end, "shell", SimpleNamespace(**{**vars(shell), "run": run})),
    ]


def _docker(fake: FakeLab, words: Sequence[str]) -> str:
    match words[3]:
        case "run":
            fake.step("far end", FAR_END)
        case "rm":
            fake.step("remove the far end", drop=[FAR_END])
        case "ps":
            fake.step("look for the far end")
            return "1\n" if FAR_END in fake.touched else ""
        case "logs":
            return "Server listening on 5201\n"
        case "inspect":
            return "10.0.0.128\n"
    return ""
