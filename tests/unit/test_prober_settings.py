"""Settings of a prober: everything wrong is said at once, before anything is touched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from labkit.measure.prober.settings import check
from labkit.system.errors import LabError

URL = "http://127.0.0.1:8000"
CASES: tuple[tuple[dict[str, Any], str], ...] = (
    ({"reads_per_s": 0, "writes_per_s": 0}, "reads_per_s 0 and writes_per_s 0: one of them must be above 0"),
    ({"reads_per_s": -1}, "reads_per_s -1: must be 0 (none) or 0.01 to 2000 a second"),
    ({"reads_per_s": 2001}, "reads_per_s 2001: must be 0 (none) or 0.01 to 2000 a second"),
    ({"reads_per_s": 1500, "writes_per_s": 600}, "reads_per_s 1500 and writes_per_s 600: together at most 2000"),
    ({"reads_per_s": float("nan")}, "reads_per_s nan: must be"),
    ({"reads_per_s": "50"}, "reads_per_s '50': must be"),
    ({"reads_per_s": True}, "reads_per_s True: must be"),
    ({"deadline_s": 0}, "deadline_s 0: must be 0.001 to 60 s"),
    ({"deadline_s": 61}, "deadline_s 61: must be 0.001 to 60 s"),
    ({"reads_per_s": 500, "writes_per_s": 0, "deadline_s": 10}, "5000 could be open at once; at most 4000"),
    ({"duration_s": 0}, "duration_s 0: must be 0.1 to 86400 s"),
    ({"duration_s": float("inf")}, "duration_s inf: must be"),
    ({"urls": []}, "urls []: must be one or more of http://host:port, without path"),
    ({"urls": ["127.0.0.1:8000"]}, "urls ['127.0.0.1:8000']: must be"),
    ({"urls": ["https://127.0.0.1"]}, "urls ['https://127.0.0.1']: must be"),
    ({"urls": ["http://127.0.0.1:99999"]}, "urls ['http://127.0.0.1:99999']: must be"),
    ({"urls": ["http://127.0.0.1/whoami"]}, "urls ['http://127.0.0.1/whoami']: must be"),
    ({"urls": ["http://u:p@127.0.0.1"]}, "urls ['http://u:p@127.0.0.1']: must be"),
    ({"urls": URL}, f"urls '{URL}': must be"),
    ({"stream": "../x"}, "stream '../x': must be 1 to 40 of A-Z a-z 0-9 . _ -"),
    ({"client": "a b"}, "client 'a b': must be"),
    ({"folder": "/nonexistent"}, "folder /nonexistent: must be an existing folder"),
    ({"expect": {"version": 1}}, "expect {'version': 1}: must be names and texts"),
    ({"priority": "highest"}, "priority 'highest': must be real-time, high, normal"),
    ({"parent_pid": -1}, "parent_pid -1: must be a process id or null"),
    ({"rate": 5}, "rate is no setting: urls, folder, stream"),
)


@pytest.mark.parametrize(("changes", "message"), CASES)
def test_bad_values_are_named_with_their_rule(changes: dict[str, Any], message: str, tmp_path: Path) -> None:
    """Value and rule are in the message."""
    with pytest.raises(LabError) as error:
        check({"urls": [URL], "folder": str(tmp_path), **changes})
    assert message in error.value.problem
    assert error.value.hint
    assert list(tmp_path.iterdir()) == []


def test_all_problems_are_said_at_once(tmp_path: Path) -> None:
    """One line each, what is missing included."""
    with pytest.raises(LabError) as error:
        check({"folder": str(tmp_path), "reads_per_s": -1, "deadline_s": 0, "stream": ""})
    assert len(error.value.problem.splitlines()) == 1 + 4


def test_defaults_are_those_of_the_definition(tmp_path: Path) -> None:
    """50 reads and 10 writes a second, deadline 1 s."""
    found = check({"urls": [f"{URL}/"], "folder": str(tmp_path)})
    assert (found.reads_per_s, found.writes_per_s, found.deadline_s, found.urls) == (50, 10, 1, (URL,))


@pytest.mark.parametrize("name", ["probe.jsonl", "probe.prober.json"])
def test_samples_are_never_overwritten(name: str, tmp_path: Path) -> None:
    """A stream whose file is there already is refused, and the file stays."""
    (tmp_path / name).write_text("precious", encoding="utf-8")
    with pytest.raises(LabError, match="is there already, and samples are never overwritten"):
        check({"urls": [URL], "folder": str(tmp_path)})
    assert (tmp_path / name).read_text(encoding="utf-8") == "precious"
