"""./lab test beside a lab that is up: a person's lab is let be."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from infra import outputs
from infra.answers import Service
from tests.engines.apart.test_interrupted_suite import TEST_S, environment
from tests.engines.real import ROOT

pytestmark = [pytest.mark.engine, pytest.mark.timeout(900)]


def kept(checkout: Path) -> dict[str, str]:
    """All files of its labs, state and runs, but for logs, with their digests."""
    files = [one for root in ("runs", ".state") for one in (checkout / root).rglob("*") if one.is_file()]
    wanted = [one for one in files if "logs" not in one.relative_to(checkout).parts[:2]]
    return {str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in wanted}


def test_the_lab_that_is_up_stays_with_its_data(lab: outputs.Contract) -> None:
    """Tests that take their lab down take down the copy's; state and runs are as they were, the place is gone."""
    entry = {"client": "person", "seq": 1, "payload": "before ./lab test"}
    for replica in lab.replicas:
        with Service(replica.url, 10) as service:
            service.post("/entries", json=entry).raise_for_status()
    before = kept(ROOT)
    done = subprocess.run(
        [ROOT / "lab", "test", "--yes", "--", "tests/guides/test_engine.py", "-k", "shows_its_hint"],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TEST_S,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    assert re.search(r"= 1 passed, \d+ deselected in ", done.stdout.splitlines()[-1])
    assert kept(ROOT) == before
    assert not (ROOT / ".state" / "test").exists()
    for replica in lab.replicas:
        with Service(replica.url, 10) as service:
            answer = service.get("/entries?client=person&after=0").json()
        assert [found["payload"] for found in answer["entries"]] == [entry["payload"]], replica.name
