"""./lab bench report: how long, how much memory and how large a page from a run with a million samples.

Each repeat is a process of its own that does what `./lab report LAB --html` does: its wall time, its CPU time and the
most memory that it held. The run is made up, its samples too: they lie in a temporary folder. Then `./lab report`
without a lab, in the terminal and as a page: of the runs that are stored beside the labs' guides, each with older ones.
"""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
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
AIMS: Mapping[str, float] = {"wall_s": 5.0, "peak_memory_bytes": float(1 << 30), "page_bytes": 1_000_000.0,
                              "table_wall_s": 2.0, "table_page_wall_s": 4.0}  # fmt: skip
"""What a report must stay below; the last two are of the table over all labs."""

OLDER = 9
"""Runs of each lab beside the one that the table shows."""

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
_TABLE = """
import sys
from pathlib import Path
from labkit import cli
from labkit.runs import run_folder
run_folder.RUNS = Path(sys.argv.pop(1))
cli.main()
"""


def run(
    machine: Mapping[str, Any], lab: str, repeats: int, progress: Progress, samples: int = SAMPLES
) -> dict[str, Any]:
    """Measure `repeats` times; what bench/report.json holds. Raises LabError when a page cannot be made."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, lab, "made-up")
        folder.mkdir(parents=True)
        made_up(folder, machine, lab, samples)
        stored(Path(name, "runs"))
        found: dict[str, list[float]] = {}
        for number in range(repeats):
            one = {**_once(folder), **_table(Path(name, "runs"))}
            for figure, value in one.items():
                found.setdefault(figure, []).append(value)
            progress.line(f"  {number + 1} of {repeats}: {one['wall_s']:.1f} s, table {one['table_wall_s']:.1f} s")
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


def stored(runs: Path) -> None:
    """Lay the stored run of each lab into a folder of runs, with older ones that are like it."""
    for shown in sorted((CHECKOUT / "labs").glob(f"*/{run_folder.STORED}")):
        for number in range(OLDER + 1):
            shutil.copytree(shown, runs / shown.parent.name / str(number))


def _once(folder: Path) -> dict[str, float]:
    page = folder / "report.html"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall_s = _process(_PAGE, str(folder), str(page))
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "wall_s": wall_s,
        "cpu_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        # Of the largest child so far; the repeats are alike, and the table needs less.
        "peak_memory_bytes": after.ru_maxrss * 1024.0,
        "page_bytes": float(page.stat().st_size),
    }


def _table(runs: Path) -> dict[str, float]:
    page = runs / "report.html"
    return {
        "table_wall_s": _process(_TABLE, str(runs), "report"),
        "table_page_wall_s": _process(_TABLE, str(runs), "report", "--html", str(page)),
        "table_page_bytes": float(page.stat().st_size),
    }


def _process(program: str, *arguments: str) -> float:
    """Run a program of ours in a process of its own; its wall time in seconds. Raises LabError when it fails."""
    words = [sys.executable, "-P", "-c", program, *arguments]
    begin = time.monotonic()
    with subprocess.Popen(
        words,
        cwd=CHECKOUT,
        env=environment.for_python(os.environ),
        stdout=subprocess.DEVNULL,
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
    return wall_s
