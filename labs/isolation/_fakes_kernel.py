"""What the experiment *kernel* does to a lab, for the suite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from infra import answers
from infra.sides import KINDS
from labkit.lifecycle import inside
from labkit.measure.testing import OFF, FakeLab, Patch
from labs.isolation import kernel
from labs.isolation.sides import panic, parameters

SET = "set in "
BOOT_ID = "74ff70d8-15de-4c1d-8c95-5f6c8ef6b573"


def does(fake: FakeLab, where: str, words: Sequence[str]) -> str | None:
    """What a command of this experiment does and prints; None where it is none of its."""
    text = " ".join(words)
    for fits, add, drop in (
        (parameters.SET in words, (f"{SET}{where}",), ""),
        (parameters.PUT_BACK in words, (), f"{SET}{where}"),
        (text == inside.UNDO, (), f"{SET}{where}"),
        (panic.PANIC in words, (f"{OFF}{where}",), ""),
    ):
        if fits:
            fake.step(text[:30], *add, drop=[drop] if drop else [])
            return ""
    for part, said in {
        "/boot_id": BOOT_ID,
        "{{.State.Pid}}": "7\n",
        "Kernel panic": "Kernel panic - not syncing: sysrq triggered crash\n",
        parameters.MAY_SET: "sh: 1: cannot create x: Read-only file system\n",
        "cat /proc/sys/": "64\n",
    }.items():
        if part in text:
            fake.step(text[:30])
            return said
    return None


def patches(fake: FakeLab) -> list[Patch]:
    """What it calls by other ways than the place."""

    @contextmanager
    def probing(*_words: Any) -> Iterator[Any]:
        fake.step("prober")
        yield SimpleNamespace(now_s=lambda: 1.0, stop=lambda: SimpleNamespace(samples=list))

    def whoami(url: str, _within_s: float) -> dict[str, Any]:
        fake.step("ask")
        side = next(side for side in KINDS if side in url)
        return {"side": side, "boot_id": BOOT_ID, "pid": 1, "started_boottime_s": 1.0}

    def booted(*_words: Any) -> bool:
        fake.step("boots anew", drop=[one for one in fake.touched if one.startswith(OFF)])
        return True

    return [
        (kernel, "probing", probing),
        (answers, "whoami", whoami),
        (kernel, "_booted_anew", booted),
    ]
