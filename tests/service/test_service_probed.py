"""The real service under the real prober: killed and started again, nothing that it acknowledged is lost."""

from __future__ import annotations

import time
from pathlib import Path

from labkit.measure.prober.handle import probing
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import outage, summarise
from tests.service.running import replica

DOWN_S = 1.0


def test_a_killed_service_has_an_outage_and_keeps_its_word(tmp_path: Path) -> None:
    """The outage is at least as long as nobody listened; the ledger is sound on both sides of it."""
    data = tmp_path / "data"
    data.mkdir()
    folder = tmp_path / "samples"
    folder.mkdir()
    with replica(data) as first:
        port = first.url.rsplit(":", 1)[1]
        expect = {"side": "vm", "version": "dev"}
        settings = Settings([first.url], folder, writes_per_s=25, deadline_s=5, expect=expect)
        with probing(settings, good_within_s=30) as prober:
            time.sleep(1)
            fault_s = prober.now_s()
            first.process.kill()
            first.process.wait(10)
            time.sleep(DOWN_S)
            with replica(data, VVC_PORT=port) as second:
                prober.wait_good(60, for_s=2, after_s=fault_s, each=["vm-0"])
                result = prober.stop()
                ledger = result.audit([second.url])
    found = outage(result.samples(), fault_s, quiet_s=2)
    summary = summarise(result.samples())
    assert found.problem == ""
    assert found.outage_s is not None
    assert found.outage_s >= DOWN_S
    assert summary.outcomes.get("refused", 0) > 0
    assert ledger.sound
    assert ledger.acknowledged > 25
