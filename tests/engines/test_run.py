"""`./lab run` where it does not come to its end. What a whole one measures is shown in tests/guides."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from infra import outputs
from labkit.runs import run_folder
from tests.engines.real import LAB, ROOT, pulumi, tool

pytestmark = pytest.mark.engine

RUN_S = 900
"""Bound of a quick run: on an idle machine it takes some three minutes, beside other work far longer."""


def assert_steady() -> None:
    """Every replica answers, nothing is left of Pulumi's work, and Pulumi sees nothing to do."""
    assert "✓" in tool("status", LAB).stdout
    assert "unchanged" in pulumi("preview", "--suppress-outputs", timeout_s=240).stdout


@pytest.mark.long
def test_a_whole_run_leaves_the_lab_steady_and_its_report_can_be_had_again(lab: outputs.Contract) -> None:
    """The same words."""
    ran = tool("run", LAB, "size", "--quick", timeout_s=RUN_S)
    assert_steady()
    folder = ROOT / ran.stdout.strip().splitlines()[-1].removeprefix("Folder: ")
    assert tool("report", LAB, folder.name).stdout == ran.stdout


@contextmanager
def running(*words: str) -> Iterator[subprocess.Popen[str]]:
    """./lab with these words, in the background; it is gone at the end."""
    process = subprocess.Popen(
        [str(ROOT / "lab"), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        encoding="utf-8",
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.long
def test_an_interrupted_run_leaves_the_lab_steady_and_the_run_readable(lab: outputs.Contract) -> None:
    """In the middle of a deployment: exit status 130, the replica is back, the run says that it was interrupted."""
    before = run_folder.all_of(LAB)
    with running("run", LAB, "start", "--quick") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "vm deploy" in line:
                break
        time.sleep(12)
        process.send_signal(signal.SIGINT)
        told, _ = process.communicate(timeout=RUN_S)
    assert process.returncode == 130, told
    assert "Interrupted" in told
    assert_steady()
    (folder,) = set(run_folder.all_of(LAB)) - set(before)
    left = run_folder.load(folder)
    assert [(one.name, one.state) for one in left.experiments] == [("start", "interrupted")]


def test_a_side_that_does_not_answer_is_named_and_nothing_is_measured(lab: outputs.Contract) -> None:
    """Exit status 1, no run folder; the lab is left as it was found."""
    container = lab.side("container")[0]
    before = run_folder.all_of(LAB)
    server = ["docker", "exec", lab.servers[0].container, "docker"]
    subprocess.run([*server, "stop", container.handle], check=True, timeout=60, capture_output=True)
    try:
        done = tool("run", LAB, "--quick", check=False)
    finally:
        subprocess.run([*server, "start", container.handle], check=True, timeout=60, capture_output=True)
    assert done.returncode == 1
    assert (
        f"The lab {LAB} is not in its steady state:\n  {container.name} at {container.url} does not answer"
        in done.stderr
    )
    assert f"Next: ./lab up {LAB}" in done.stderr
    assert run_folder.all_of(LAB) == before
