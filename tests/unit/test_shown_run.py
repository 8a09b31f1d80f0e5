"""The run that is stored beside the guide: what was said of it before there were arms is said of it now."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from labkit.judge.rows import judge
from labkit.measure import labs
from labkit.report import as_json
from labkit.runs import run_folder
from labkit.system.paths import CHECKOUT

SHOWN = CHECKOUT / "labs" / "deployment" / "shown"
SAID = Path(__file__).with_name("shown_rows.json")
"""`rows` of `./lab report deployment --json` on it, recorded before there were arms."""

NEW = {"beside", "factors", "greater_factors", "other", "other_factors"}
"""What has come since."""


def _as_before(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _as_before(one) for name, one in value.items() if name not in NEW}
    return [_as_before(one) for one in value] if isinstance(value, list) else value


def test_the_stored_run_has_the_same_verdicts_as_ever() -> None:
    """Byte for byte, but for what is new: verdicts, reasons, numbers, their order and the evidence."""
    run = run_folder.load(SHOWN)
    told = json.loads(json.dumps(as_json.render(run, judge(run, labs.load("deployment").claims), "shown")))
    before = json.loads(SAID.read_text(encoding="utf-8"))
    assert json.dumps(_as_before(told["rows"]), indent=1) == json.dumps(before, indent=1)


def test_the_stored_run_is_shown_as_it_is_stored() -> None:
    """Its repeats name no factors, and get none."""
    run = run_folder.load(SHOWN)
    stored = json.loads((SHOWN / run_folder.RUN).read_text(encoding="utf-8"))["run"]
    assert as_json.render(run, (), "shown")["run"] == stored
    assert all(not repeat.factors for experiment in run.experiments for repeat in experiment.repeats)
