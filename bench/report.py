"""./lab bench report: how long, how much memory and how large a page from a run with a million samples.

Each repeat is a process of its own that does what `./lab report --html` does: its wall time, its CPU time and the most
memory that it held. The run is made up, its samples too: they lie in a temporary folder.
"""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.figure import Figure
from infra import environment
from labkit.report import quantities
from labkit.runs import run_folder
from labkit.runs.records import Repeat, Results, Run
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labkit.system.progress import Progress

FILE = CHECKOUT / "bench" / "report.json"
SAMPLES = 1_000_000
AIMS: Mapping[str, float] = {"wall_s": 5.0, "peak_memory_bytes": float(1 << 30), "page_bytes": 1_000_000.0}
"""What a report must stay below."""

_SIDES = ("vm", "container")
_STREAMS = 16
_TIMEOUT_S = 300
_PAGE = """
import sys
from pathlib import Path
from labkit.measure import labs
from labkit.report import quantities
from labkit.runs import run_folder
from labkit.commands import report_html
from labkit.judge.rows import judge
folder = Path(sys.argv[1])
run = run_folder.load(folder)
source = report_html.source_of(run, judge(run, labs.load(run.lab).claims), folder)
Path(sys.argv[2]).write_text(source)
"""


def run(
    machine: Mapping[str, Any], lab: str, repeats: int, progress: Progress, samples: int = SAMPLES
) -> dict[str, Any]:
    """Measure `repeats` times; what bench/report.json holds. Raises LabError when a page cannot be made."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, lab, "made-up")
        folder.mkdir(parents=True)
        made_up(folder, machine, lab, samples)
        found: dict[str, list[float]] = {"wall_s": [], "cpu_s": [], "peak_memory_bytes": [], "page_bytes": []}
        for number in range(repeats):
            one = _once(folder)
            for figure, value in one.items():
                found[figure].append(value)
            progress.line(f"  {number + 1} of {repeats}: {one['wall_s']:.1f} s")
    return {
        "schema_version": 1,
        "machine": dict(machine),
        "load_1min": round(os.getloadavg()[0], 2),
        "samples": samples,
        "repeats": repeats,
        "figures": [
            Figure(name, quantities.unit_of(name), AIMS.get(name), list(values)).summary()
            for name, values in found.items()
        ],
    }


def made_up(folder: Path, machine: Mapping[str, Any], lab: str, samples: int) -> Run:
    """A run of experiment *update* with this many samples in 16 streams, some of them failed, written to a folder."""
    rng = random.Random(1)  # noqa: S311 - made-up latencies, no secret
    each = samples // _STREAMS
    repeats = []
    with (folder / run_folder.SAMPLES).open("w", encoding="utf-8") as file:
        for number in range(_STREAMS):
            side, stream = _SIDES[number % 2], f"update-{number}"
            repeats.append(
                Repeat("update", side, number // 2, number * 60.0, {"outage_s": 1.0 + number}, stream=stream)
            )
            file.writelines(_line(rng, stream, seq, each) for seq in range(each))
    one = Run(
        id=folder.name,
        lab=lab,
        started="2026-01-01T00:00:00+00:00",
        finished="2026-01-01T00:20:00+00:00",
        commit="unknown",
        machine=machine,
        settings={"accelerator": machine.get("accelerator", "tcg")},
        experiments=(Results("update", "What does a client notice?", "complete", 960.0, tuple(repeats)),),
    )
    return run_folder.save(one, folder)


def _line(rng: random.Random, stream: str, seq: int, each: int) -> str:
    at, took = round(seq / 60, 6), round(rng.lognormvariate(-5.6, 0.5), 6)
    bad = each // 3 < seq < each // 3 + each // 50
    answered = (at + took, at + took, "ok", 200, "vm-1", "server-1", "")
    failed = (None, at + took, "refused", None, "", "", "")
    row = [stream, "write" if seq % 6 == 0 else "read", seq, at, at, *(failed if bad else answered)]
    return json.dumps(row, separators=(",", ":")) + "\n"


def _once(folder: Path) -> dict[str, float]:
    page = folder / "report.html"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begin = time.monotonic()
    words = [sys.executable, "-P", "-c", _PAGE, str(folder), str(page)]
    with subprocess.Popen(
        words,
        cwd=CHECKOUT,
        env=environment.for_python(os.environ),
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            _, told = process.communicate(timeout=_TIMEOUT_S)
        finally:
            process.kill()
    wall_s = time.monotonic() - begin
    if process.returncode:
        raise LabError(f"The page could not be made: {told[-2000:]}", hint="./lab report --help")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall_s,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        # Of the largest child so far; the repeats are alike.
        "peak_memory_bytes": after.ru_maxrss * 1024.0,
        "page_bytes": float(page.stat().st_size),
    }
