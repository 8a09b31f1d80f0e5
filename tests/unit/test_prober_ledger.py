"""Acknowledged writes against what is stored: a service that loses or doubles them is caught."""

from __future__ import annotations

from pathlib import Path

import pytest

from labkit.measure.prober import _ledger
from labkit.measure.prober._ledger import Ledger, acknowledged, settle
from labkit.measure.prober._sender import payload
from labkit.measure.prober.handle import Result, probing
from labkit.measure.prober.reference import reference
from labkit.measure.prober.settings import Settings
from labkit.system.errors import LabError

pytestmark = pytest.mark.slow


def entries(*numbers: int) -> list[tuple[int, str]]:
    """What a store lists."""
    return [(seq, payload("c", seq)) for seq in numbers]


@pytest.mark.parametrize(
    ("confirmed", "stores", "expected"),
    [
        ({0, 1}, [entries(0, 1)], Ledger(2, 2, (), (), (), 0)),
        ({0, 1, 2}, [entries(0, 2)], Ledger(3, 2, (1,), (), (), 0)),
        ({0, 1}, [entries(0, 1, 1)], Ledger(2, 2, (), (1,), (), 0)),
        ({0, 1}, [entries(0), entries(1)], Ledger(2, 2, (), (), (), 0)),
        ({0, 1}, [entries(0, 1), entries(1)], Ledger(2, 2, (), (1,), (), 0)),
        ({0}, [entries(0, 7)], Ledger(1, 2, (), (), (), 1)),
        ({0, 1}, [[(0, payload("c", 0)), (1, "other")]], Ledger(2, 2, (), (), (1,), 0)),
        (set(), [[]], Ledger(0, 0, (), (), (), 0)),
    ],
)
def test_accounts_are_settled(confirmed: set[int], stores: list[list[tuple[int, str]]], expected: Ledger) -> None:
    """Lost, doubled, changed and unacknowledged entries are named; the last are no fault."""
    found = settle("c", confirmed, stores)
    assert found == expected
    assert found.sound == (not (expected.lost or expected.doubled or expected.changed))


def written(url: str, folder: Path, *, stream: str = "w", writes_per_s: float = 60) -> Result:
    """Half a second of writes."""
    settings = Settings(
        [url], folder, stream=stream, reads_per_s=0, writes_per_s=writes_per_s, deadline_s=20, duration_s=0.5
    )
    with probing(settings, good_within_s=None) as prober:
        prober.wait_end(60)
    return prober.result


def test_a_sound_service_has_what_it_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All writes are there once, over several pages, and another stream's entries are not taken for them."""
    monkeypatch.setattr(_ledger, "_PAGE", 25)
    with reference() as server:
        first = written(server.url, tmp_path, writes_per_s=100)
        second = written(server.url, tmp_path, stream="v")
        assert first.audit([server.url]) == Ledger(50, 50, (), (), (), 0)
        assert second.audit([server.url]) == Ledger(30, 30, (), (), (), 0)


def test_a_service_that_acknowledges_before_it_commits_is_caught(tmp_path: Path) -> None:
    """Each of the entries that it lost is named."""
    with reference(fault="acknowledge first") as server:
        found = written(server.url, tmp_path).audit([server.url])
    assert (found.acknowledged, found.lost, found.doubled, found.sound) == (30, tuple(range(0, 30, 3)), (), False)


def test_a_service_that_stores_twice_is_caught(tmp_path: Path) -> None:
    """Each of the entries that are there twice is named."""
    with reference(fault="store twice") as server:
        found = written(server.url, tmp_path).audit([server.url])
    assert (found.acknowledged, found.doubled, found.lost, found.sound) == (30, tuple(range(0, 30, 3)), (), False)


def test_a_write_without_acknowledgement_is_not_sent_again(tmp_path: Path) -> None:
    """A service that refuses every write gets each one once, and none is in the ledger."""
    with reference(fault="wrong status") as server:
        result = written(server.url, tmp_path)
        assert len(server.seen) == 30
    assert acknowledged(result.samples()) == frozenset()


def test_a_store_that_does_not_answer_is_said_and_bounded(tmp_path: Path) -> None:
    """The ledger is not taken for sound."""
    with reference() as server:
        result = written(server.url, tmp_path)
        server.fault = "wrong status"
        with pytest.raises(LabError, match=r"cannot be settled: .*503"):
            result.audit([server.url], within_s=0.5)
