"""What the experiments *reach* and *escapes* do to a lab, for the suite."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from labkit.measure import marking
from labkit.measure.testing import FakeLab, Patch
from labs.isolation import escapes, looking, reach, trying
from labs.isolation.sides import rights

MARKER, CONTAINER = "vvc-marker-0", "a container with other rights"
STATUS = {"Uid": "0\t0\t0\t0", "CapEff": "00000000a80425fb", "Seccomp": "2"}
LOOKED: dict[str, Any] = {
    "boot_id": "b",
    "status": STATUS,
    "namespaces": {},
    "processes": {"count": 3, "first": "python3", "markers": []},
    "kernel_log": {"bytes": 0, "refused": "EPERM"},
    "proc_sys": {"files": 9, "writable": 0, "some": [], "whole": True},
    "sys": {"files": 9, "writable": 0, "some": [], "whole": True},
    "devices": {"files": ["/dev/null"], "block_in_dev": {}, "block_in_sys": ["vda"]},
}
TRIED = {
    "boot_id": "b",
    "status": STATUS,
    "security_module": "",
    "attempts": {name: {"step": "open", "error": "EROFS"} for name in trying.ATTEMPTS},
}
SERVERS = {reach.SERVER: "boot_id s\n", escapes.SERVER: "boot_id s\ndisk 254:0 ext4 /\n"}
_LOOKING, _TRYING = (Path(str(one.__file__)).read_text(encoding="utf-8") for one in (looking, trying))


def does(fake: FakeLab, words: Sequence[str]) -> str | None:
    """What a command of these experiments does and prints; None where it is none of theirs."""
    for script, said in SERVERS.items():
        if script in words:
            fake.step("ask the server")
            return said
    if rights.REMOVE in words:
        fake.step("remove what had other rights", drop=[CONTAINER])
        return ""
    if "{{.Image}}" in words:
        fake.step("ask for the image")
        return "sha256:1\n"
    run = [CONTAINER] if list(words[:2]) == ["docker", "run"] else []
    if _LOOKING in words:
        fake.step("look", *run)
        asked = json.loads(words[-1])
        return json.dumps({**LOOKED, "reached": dict.fromkeys(asked["addresses"], "")})
    if _TRYING in words:
        fake.step("try", *run)
        return json.dumps(TRIED)
    return None


def patches(fake: FakeLab) -> list[Patch]:
    """What they call by other ways than the place."""

    def marked(name: str) -> Callable[..., Any]:
        @contextmanager
        def begun(*_words: Any) -> Iterator[str]:
            fake.step(name)
            yield MARKER

        return begun

    return [(marking, "inside", marked("mark inside")), (marking, "in_server", marked("mark in the server"))]
