"""What is read from engines, kernels and packages, as pure functions of their words; and the first answer, for real."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from labkit.measure import clocks, first_answers, neighbours, session, testing
from labkit.sides import _processes, container
from labkit.system import shell
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labs.deployment import size
from tests.unit.lab_fakes import CONTRACT
from tests.unit.served import served

ARP = """IP address       HW type     Flags       HW address            Mask     Device
10.206.52.2      0x1         0x2         02:42:0a:ce:34:02     *        vvc706d72d7aee
10.206.52.16     0x1         0x0         00:00:00:00:00:00     *        vvc706d72d7aee
"""


def test_only_known_neighbours_are_pinned() -> None:
    """An entry without a MAC says nothing."""
    assert neighbours.known(ARP) == [("10.206.52.2", "02:42:0a:ce:34:02", "vvc706d72d7aee")]


def test_the_container_that_pins_them_is_a_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has the lab's labels, and is none of its servers."""
    asked: list[list[str]] = []
    monkeypatch.setattr(shell, "run", lambda words, **_: asked.append(words))
    neighbours._ip(cast(Any, SimpleNamespace(docker_host="unix:///x", server_image="sha256:1")), "d", ["neigh"])
    assert {"vm-vs-container.lab=d", "vm-vs-container.role=tool"} < set(asked[0])


def test_packages_that_make_the_difference_come_largest_first() -> None:
    """Those that another side has, too, are no difference."""
    mine = size.parse("libc6 100\nsystemd 900\nlinux 5000\nodd\n")
    assert size.only_here(mine, [size.parse("libc6 100\n")]) == {"linux": 5000 * 1024, "systemd": 900 * 1024}
    assert size.only_here(mine, [mine]) == {}


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [
        ("1970-01-01T00:00:10.5Z", 10.5),
        ("1970-01-01T00:00:10.123456789Z", 10.123456),
        ("1970-01-01T00:00:10Z", 10.0),
    ],
)
def test_the_engines_stamps_are_read_to_the_microsecond(stamp: str, seconds: float) -> None:
    """It leaves zeros at the end out."""
    assert container._instant(stamp) == pytest.approx(seconds, abs=1e-6)


def _answers(output: str) -> Any:
    def run(command: Sequence[str], timeout_s: float = 60.0, on_line: Any = None) -> Outcome:
        for line in output.splitlines():
            if on_line is not None:
                on_line(line)
        return Outcome(tuple(command), 0, output, 0.0)

    return run


def test_usage_is_in_bytes_and_seconds() -> None:
    """From KiB and ticks."""
    assert _processes.usage(_answers("pss_kib 2\nticks 250\nticks_per_s 100\n"), ["1"]) == (2048, 2.5)
    assert _processes.started_s(_answers("ticks 250\nticks_per_s 100\n"), "1") == 2.5


def test_a_clock_under_the_same_kernel_is_the_same_clock() -> None:
    """And another one is placed by the answer that came soonest."""
    assert clocks.offset_s(_answers(""), clocks.BOOT_ID.read_text(encoding="utf-8").strip()) == 0.0
    assert clocks.offset_s(_answers("10.0\n10.5\n9.0\n"), "other") == pytest.approx(clocks.boot_s() - 10.5, abs=0.5)


def test_a_word_of_what_leads_to_a_clock_is_no_time() -> None:
    """Such as ssh's; where nothing else comes, that is said."""
    there = _answers("a word of its own\n10.5\n")
    assert clocks.offset_s(there, "other") == pytest.approx(clocks.boot_s() - 10.5, abs=0.5)
    with pytest.raises(LabError, match="could not be read"):
        clocks.offset_s(_answers("a word of its own\n"), "other")


def test_settings_are_those_in_force(tmp_path: Path) -> None:
    """What the lab exports beats what its file says; all keys are there."""
    found = session.settings({"vcpus": 4, "subnet": "10.0.0.0/24", "nonsense": 1}, CONTRACT)
    assert (found["vcpus"], found["subnet"], found["accelerator"]) == (1, "10.0.0.0/24", "tcg")
    assert (found["sides"], found["replicas"], found["disk_gib"]) == ("vm,container", 1, "2")
    assert "nonsense" not in found
    several = testing.FakeLab("some", tmp_path)
    several.servers = 2
    assert session.settings({"servers": 1}, several.contract)["servers"] == 2


class _Late(BaseHTTPRequestHandler):
    """Answers 503 until it is told to answer properly."""

    ready = threading.Event()

    def do_GET(self) -> None:
        body = b'{"replica": "vm-1"}'
        self.send_response(200 if self.ready.is_set() else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def late() -> Iterator[str]:
    """URL of a server whose service is not ready yet."""
    _Late.ready.clear()
    with served(HTTPServer(("127.0.0.1", 0), _Late)) as server:
        yield f"http://127.0.0.1:{server.server_port}"


def test_the_first_answer_is_the_first_right_one(late: str) -> None:
    """Not a refused connection, not a 503."""
    with first_answers.polling({"a": late, "b": "http://127.0.0.1:9"}) as first:
        time.sleep(0.3)
        assert first == {}
        began = time.monotonic()
        _Late.ready.set()
        while late not in first and time.monotonic() < began + 30:
            time.sleep(0.01)
    assert first[late] >= began
    assert list(first) == [late]
