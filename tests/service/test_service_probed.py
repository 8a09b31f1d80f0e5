"""The real service under the real prober: killed and started again, nothing that it acknowledged is lost."""

from __future__ import annotations

import random
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from labkit.measure.prober._ledger import Ledger
from labkit.measure.prober.handle import Result, probing
from labkit.measure.prober.settings import Settings
from labkit.measure.prober.summary import outage, summarise
from tests.service import acknowledges_early
from tests.service.running import COMMAND, replica

DOWN_S = 1.0


def port_that_nobody_is_given() -> str:
    """One that is free, and that no program gets by asking for any: it is free again once its service is killed."""
    first = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="utf-8").split()[0])
    for port in random.sample(range(first - 8000, first), 100):
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return str(port)
    raise AssertionError("no port is free")


def killed(tmp_path: Path, command: Sequence[str] = COMMAND) -> tuple[Result, float, Ledger]:
    """What a prober saw of a service that was killed under it and started again; when that was; what is stored."""
    data = tmp_path / "data"
    data.mkdir()
    folder = tmp_path / "samples"
    folder.mkdir()
    port = port_that_nobody_is_given()
    with replica(data, command=command, VVC_PORT=port) as first:
        expect = {"side": "vm", "version": "dev"}
        settings = Settings([first.url], folder, writes_per_s=25, deadline_s=5, expect=expect)
        with probing(settings, good_within_s=30) as prober:
            time.sleep(1)
            fault_s = prober.now_s()
            first.process.kill()
            first.process.wait(10)
            time.sleep(DOWN_S)
            with replica(data, command=command, VVC_PORT=port) as second:
                prober.wait_good(60, for_s=2, after_s=fault_s, each=["vm-0"])
                result = prober.stop()
                time.sleep(2 * acknowledges_early.LATER_S)
                return result, fault_s, result.audit([second.url])


def test_a_killed_service_has_an_outage_and_keeps_its_word(tmp_path: Path) -> None:
    """The outage is at least as long as nobody listened; the ledger is sound on both sides of it."""
    result, fault_s, ledger = killed(tmp_path)
    found = outage(result.samples(), fault_s, quiet_s=2)
    summary = summarise(result.samples())
    assert found.problem == ""
    assert found.outage_s is not None
    assert found.outage_s >= DOWN_S
    assert summary.outcomes.get("refused", 0) > 0
    assert ledger.sound
    assert ledger.acknowledged > 25


def test_a_service_that_acknowledges_before_it_commits_is_caught(tmp_path: Path) -> None:
    """The ledger names what was confirmed in the moments before the KILL, not what was confirmed long before."""
    result, fault_s, ledger = killed(tmp_path, (sys.executable, "-m", "tests.service.acknowledges_early"))
    confirmed = {one.seq: one.done_s for one in result.samples() if one.kind == "write" and one.good}
    assert ledger.lost
    assert not ledger.sound
    assert any(confirmed[seq] <= fault_s for seq in ledger.lost)
    assert ledger.acknowledged > len(ledger.lost)
