"""./lab capture on the real lab, along each path: what it shows, what it writes, how it ends, what it refuses."""

from __future__ import annotations

import itertools
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra import answers, paths
from infra.outputs import Replica
from labkit.measure import pcap
from labkit.sides.container import PAUSE
from tests.engines.apart.networking.site import LAB, Site
from tests.engines.real import command

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1200)]

ETHERNET = 1
ASK_S = 20.0
ENDS_S = 120.0
GONE_S = 120.0
"""Bound of what ends by itself; beside other work a look at all takes half a minute."""


@pytest.fixture(autouse=True)
def nothing_is_left(site: Site) -> Iterator[None]:
    """No program and no file in the server, after each of these."""
    with site.as_before(GONE_S, site.marks):
        yield


@contextmanager
def capturing(site: Site, *words: str) -> Iterator[subprocess.Popen[str]]:
    """`./lab capture` as a person types it, which captures; it has ended at the end."""
    with site.running("capture", "--lab", LAB, *words, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        begun = process.stderr.readline()
        assert begun.startswith("Capturing "), begun + process.stderr.read()
        yield process


def along(site: Site, path: str) -> Replica:
    """The replica of a path."""
    return next(one for one in site.contract().replicas if one.path == path)


@pytest.mark.parametrize("path", paths.KINDS)
def test_packets_are_shown_until_ctrl_c(site: Site, path: str) -> None:
    """Those that the filter is about, in order, as they pass the interface that it has picked."""
    replica = along(site, path)
    with capturing(site, replica.name, "tcp") as process:
        answers.whoami(replica.url, ASK_S)
        shown: list[str] = []
        for line in process.stdout or ():
            packet = re.search(r"Flags (\S+),", line)
            assert packet, line
            shown.append(packet[1])
            if packet[1] == "[P.]":
                break
        os.killpg(process.pid, signal.SIGINT)
        _, told = process.communicate(timeout=ENDS_S)
    assert process.returncode == 0, told
    # A kernel sends again what a busy guest does not answer within a second.
    assert [flags for flags, _ in itertools.groupby(shown)] == ["[S]", "[S.]", "[.]", "[P.]"]


@pytest.mark.parametrize("path", ["bridged", "published"])
def test_a_file_is_written_that_can_be_opened(site: Site, path: str, tmp_path: Path) -> None:
    """It ends by itself after the time; tcpdump reads it back. Another file of that name is not touched."""
    file, replica = tmp_path / "x.pcap", along(site, path)
    with capturing(site, replica.name, "--write", str(file), "--seconds", "4") as process:
        answers.whoami(replica.url, ASK_S)
        _, told = process.communicate(timeout=ENDS_S)
    assert process.returncode == 0, told
    with file.open("rb") as source:
        link, packets = pcap.records(source)
    assert link == ETHERNET
    assert any(b"GET /whoami" in one.data for one in packets)
    assert f"Packets in {file}: {len(packets)}" in told
    reads = f"docker exec -i {site.server} tcpdump -n -A -r - < '{file}'"
    shown = command(["sh", "-ec", reads]).stdout
    assert "GET /whoami" in shown
    assert sum(" IP " in line for line in shown.splitlines()) <= len(packets)
    whole = file.read_bytes()
    again = site.tool("capture", "--lab", LAB, replica.name, "--write", str(file), check=False)
    assert (again.returncode, again.stdout) == (1, "")
    assert "is there already" in again.stderr
    assert file.read_bytes() == whole


def test_a_filter_that_is_none_is_refused(site: Site, tmp_path: Path) -> None:
    """In tcpdump's own words; no file is left."""
    for words in ((), ("--write", str(tmp_path / "y"))):
        refused = site.tool("capture", "--lab", LAB, "vm-1", *words, "tcp", "prot", "80", check=False)
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "can't parse filter expression" in refused.stderr
        assert "Next: a filter is like: tcp port 8000" in refused.stderr
    assert not (tmp_path / "y").exists()


def test_a_replica_that_is_not_there_is_told(site: Site) -> None:
    """One that is meant otherwise; one that is paused, whose packets are nobody's."""
    wrong = site.tool("capture", "--lab", LAB, "contaner-1", check=False)
    assert wrong.returncode == 1
    assert "Did you mean container-1?" in wrong.stderr
    replica = along(site, "published")
    site.in_server(f"set -- {replica.handle}\n{PAUSE}")
    try:
        off = site.tool("capture", "--lab", LAB, replica.name, check=False)
    finally:
        site.in_server(f"docker unpause {replica.handle}")
    assert off.returncode == 1
    assert f"{replica.name} is paused." in off.stderr


def test_a_kill_leaves_nothing(site: Site) -> None:
    """Whoever captured is killed: what ran in the server for it ends."""
    with capturing(site, "vm-1") as process:
        assert len([one for one in site.marks() if one.startswith("runs: tcpdump")]) == 1
        process.kill()
        process.wait()
