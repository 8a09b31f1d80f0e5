"""Blocks of a guide are made from a run, and nothing beside them is touched."""

from __future__ import annotations

import dataclasses

import pytest

from labkit.guide import figures
from labkit.judge.rows import judge
from labkit.runs.records import Run
from labkit.system.errors import LabError
from tests.unit import judging

BOX = {"cores": 2, "cpu": "A CPU", "kernel": "6.1", "qemu": "10.0", "server_engine": "26.1", "load_1min": 0.2}


def run(accelerator: str = "kvm") -> Run:
    """A run on a machine that has a name."""
    return dataclasses.replace(judging.run(accelerator=accelerator), machine=BOX)


def page(*names: str) -> str:
    """A page with empty blocks of these names."""
    return "a\n" + "".join(f"<!-- run:{name} -->\n<!-- /run:{name} -->\nb\n" for name in names)


def filled(text: str, one: Run) -> str:
    return figures.into(text, one, judge(one, (judging.LARGER, judging.STARTS)), "README.md")


def test_every_block_is_made_and_made_again_the_same() -> None:
    """What stands around the blocks stays; a second time changes nothing."""
    before = page(*figures.BLOCKS)
    after = filled(before, run())
    assert after.startswith("a\n<!-- run:machine -->\nOne run of 2026-11-24 on 2 cores (A CPU), Linux 6.1")
    assert after.endswith("-->\nb\n")
    assert filled(after, run()) == after


def test_a_claim_is_a_line_with_numbers_and_verdict() -> None:
    """Exact bytes without a spread, times with one; n beside them."""
    told = filled(page("verdicts"), run())
    (larger,) = [line for line in told.splitlines() if "image is larger" in line]
    assert larger == (
        "| **Size** | A VM's image is larger. | VM 583 MiB, n = 1; container 173 MiB, n = 1 | "
        + larger.split(" | ")[-1]
    )
    (starts,) = [line for line in told.splitlines() if "starts slower" in line]
    assert "n = 10" in starts
    assert " to " in starts


def test_an_emulated_cpu_is_said() -> None:
    """Wherever the machine is told."""
    assert "EMULATED CPU (TCG)" in filled(page("machine"), run("tcg"))
    assert "EMULATED" not in filled(page("machine"), run("kvm"))


def test_an_unknown_block_is_refused() -> None:
    """Naming those that there are."""
    with pytest.raises(
        LabError, match=r"README\.md: there is no block run:nonsense; there is machine, stages, verdicts"
    ):
        filled(page("nonsense"), run())
