"""Vegeta, a well-kept open-loop load generator, to hold our prober against. Only the bench fetches it.

Built from its Go module into the cache; what Go needs for that is removed afterwards.
"""

from __future__ import annotations

import csv
import resource
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from infra import environment
from labkit.setup.tools import build
from labkit.system import shell
from labkit.system.paths import cache
from labkit.system.progress import Progress

VERSION = "v12.13.0"
_PACKAGE = f"github.com/tsenart/vegeta/v12@{VERSION}"
_BUILD_S = 20 * 60
_ENCODE_S = 60
_GRACE_S = 30
_TIMESTAMP, _STATUS, _LATENCY, _SEQ = 0, 1, 2, 8
"""Columns of its CSV: nanoseconds since 1970, HTTP status, nanoseconds, number."""


@dataclass(frozen=True)
class Attack:
    """What one attack gave, in seconds."""

    lateness_s: tuple[float, ...]
    """By how much each request left later than its most punctual one: it does not say when its clock began."""
    latency_s: tuple[float, ...]
    """Of good answers, from when they were sent."""
    requests: int
    cpu_s: float


def ensure(progress: Progress) -> Path:
    """The program, built if it is not in the cache. Raises CommandError when the module cannot be had."""
    program = cache() / "bench" / f"vegeta-{VERSION}" / "vegeta"
    if program.is_file():
        return program
    go = build.choose_go(progress)
    program.parent.mkdir(parents=True, exist_ok=True)
    with progress.step(f"Building Vegeta {VERSION}"), tempfile.TemporaryDirectory(dir=program.parent) as folder:
        places = {name: str(Path(folder, name)) for name in ("GOPATH", "GOMODCACHE", "GOCACHE", "GOBIN")}
        shell.run(
            [go, "install", "-trimpath", "-ldflags", "-s -w", _PACKAGE],
            timeout_s=_BUILD_S,
            gets=environment.for_go,
            env={**places, "GOFLAGS": "-modcacherw", "CGO_ENABLED": "0", "GOTOOLCHAIN": "local"},
            cwd=Path(folder),
            on_line=progress.detail,
            problem="Building Vegeta failed",
            hint="The build needs Go's module proxy. Check the network (or GOPROXY), then: ./lab bench measure",
        )
        shutil.move(Path(places["GOBIN"], "vegeta"), program)
    return program


def attack(
    program: Path, urls: Sequence[str], per_s: int, seconds: float, *, deadline_s: float, prefix: Sequence[str] = ()
) -> Attack:
    """GET /whoami of each URL in turn, new connections, as the prober does it. `prefix` sets the priority."""
    with tempfile.TemporaryDirectory() as folder:
        targets, results = Path(folder, "targets"), Path(folder, "results")
        targets.write_text("".join(f"GET {url}/whoami\n" for url in urls), encoding="utf-8")
        words = [f"-rate={per_s}", f"-duration={seconds:g}s", f"-timeout={deadline_s:g}s", "-keepalive=false"]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        shell.run(
            [*prefix, program, "attack", *words, f"-targets={targets}", f"-output={results}"],
            timeout_s=seconds + deadline_s + _GRACE_S,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text = shell.run([program, "encode", "-to=csv", results], timeout_s=_ENCODE_S, stdout_only=True).output
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return parse(text, per_s, cpu_s)


def parse(text: str, per_s: int, cpu_s: float) -> Attack:
    """An attack out of its CSV. Pure."""
    rows = [(int(row[_TIMESTAMP]), int(row[_STATUS]), int(row[_LATENCY]), int(row[_SEQ])) for row in _rows(text)]
    offsets = [timestamp - seq * 10**9 // per_s for timestamp, _, _, seq in rows]
    begin = min(offsets, default=0)
    return Attack(
        lateness_s=tuple((offset - begin) / 1e9 for offset in offsets),
        latency_s=tuple(latency / 1e9 for _, status, latency, _ in rows if status == 200),  # noqa: PLR2004
        requests=len(rows),
        cpu_s=cpu_s,
    )


def _rows(text: str) -> list[list[str]]:
    csv.field_size_limit(2**24)
    return [row for row in csv.reader(text.splitlines()) if row]
