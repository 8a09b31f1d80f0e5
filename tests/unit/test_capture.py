"""`./lab capture`: what shows packets ends with its input, says why it was refused, and leaves whole files."""

from __future__ import annotations

import errno
import io
import os
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from infra.outputs import Replica
from labkit.commands import capture as command
from labkit.measure import capturing, pcap
from labkit.sides import SIDES, Port
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.processes import alive
from labkit.system.waiting import until

ROOT = Path(__file__).parents[2]
HEADER = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
LISTENS = "echo 'listening on eth0' >&2;"
WAITS = "while :; do sleep 0.1; done"


def record(data: bytes, seconds: int = 1) -> bytes:
    """A packet as a file has it."""
    return struct.pack("<IIII", seconds, 5, len(data), len(data)) + data


def words(script: str) -> list[str]:
    """What runs a script where tcpdump would run, below what waits for the input's end."""
    made = capturing.tcpdump(Port("eth0", "x"), [])
    at = made.index("tcpdump")
    return [*made[:at], "sh", "-c", script]


def test_a_filter_is_one_word_and_no_option() -> None:
    """What a replica's packets are and what the person asks for both count; numbers stay numbers."""
    made = capturing.tcpdump(Port("br0", "x", ("nsenter", "-t", "1"), "port 8003"), ["-l"], "tcp or udp")
    assert made[made.index("sh", 3) + 1 :][:5] == ["nsenter", "-t", "1", "tcpdump", "-n"]
    assert made[-2:] == ["--", "(port 8003) and (tcp or udp)"]
    assert capturing.tcpdump(Port("br0", "x"), [], "-w /x")[-2:] == ["--", "(-w /x)"]
    assert capturing.tcpdump(Port("br0", "x"), [])[-1] == "--"


def test_what_is_shown_comes_until_the_end_is_asked_for() -> None:
    """Then the program is told to end, and has ended; how many packets it missed is known."""
    script = (
        f"trap 'echo 3 packets dropped by kernel >&2; exit 0' TERM; {LISTENS} echo line; while :; do sleep 0.1; done"
    )
    with capturing.capturing(words(script)) as capture:
        assert capture.shown.readline() == b"line\n"
        capture.end()
        assert capture.shown.read() == b""
        capture.ended_well()
    assert capture.lost == 3
    assert capture.process.returncode == 0


def test_a_refused_filter_is_told_in_its_own_words() -> None:
    """And nothing waits for a capture that never begins."""
    script = 'echo "tcpdump: can\'t parse filter expression: syntax error" >&2; exit 1'
    refused = pytest.raises(LabError, match=r"^Nothing can be captured: can't parse filter expression: syntax error$")
    with refused as told, capturing.capturing(words(script)):
        pytest.fail("it did not begin")
    assert "tcp port 8000" in told.value.hint


def test_a_capture_that_ends_by_itself_is_no_success() -> None:
    """As when its interface goes away."""
    script = f"{LISTENS} echo 'tcpdump: pcap_loop: The interface disappeared' >&2; exit 1"
    with capturing.capturing(words(script)) as capture:
        assert capture.shown.read() == b""
        with pytest.raises(LabError, match="The capture ended early: pcap_loop: The interface disappeared"):
            capture.ended_well()


def test_it_ends_with_whoever_started_it(tmp_path: Path) -> None:
    """Also where that one is killed: its input ends."""
    script = f"echo $$ > {tmp_path}/pid; {LISTENS} exec sleep 98"
    program = (
        "import time\nfrom labkit.measure.capturing import capturing\n"
        f"with capturing({words(script)!r}):\n    print('begun', flush=True)\n    time.sleep(97)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as said:
        assert said.readline() == b"begun\n"
    child = int((tmp_path / "pid").read_text(encoding="utf-8"))
    there = alive(child)
    process.kill()
    process.wait()
    assert there
    assert until(lambda: not alive(child), 30)


def test_ctrl_c_and_the_time_end_it() -> None:
    """Either way what was shown before is there."""
    script = f"trap 'exit 0' TERM; echo line; {LISTENS} {WAITS}"
    for seconds in (0.3, None):
        with command._until_ended(words(script), seconds) as capture:
            assert capture.shown.readline() == b"line\n"
            if seconds is None:
                os.kill(os.getpid(), signal.SIGINT)
            assert capture.shown.read() == b""


@pytest.mark.parametrize("cut", [0, 10, 24, 30, 40, 44, 60, 68, 70])
def test_a_file_that_is_cut_anywhere_ends_with_its_last_whole_packet(cut: int) -> None:
    """So that every reader can open it."""
    whole = HEADER + record(b"abcd") + record(b"efgh", 2) + record(b"ijkl", 3)
    kept = b"".join(pcap.parts(io.BytesIO(whole[:cut])))
    assert whole.startswith(kept)
    assert [one.data for one in pcap.records(io.BytesIO(kept))[1]] == [b"abcd", b"efgh"][
        : max(0, (len(kept) - 24) // 20)
    ]


def test_a_file_says_what_it_is() -> None:
    """Link type, and stamps in nanoseconds; what is no such file is refused."""
    assert pcap.records(io.BytesIO(HEADER + record(b"x"))) == (1, [pcap.Record(1_000_005_000, b"x")])
    with pytest.raises(ValueError, match="no file of packets"):
        pcap.records(io.BytesIO(b"GIF8" + HEADER[4:]))


class Disk(io.BytesIO):
    """Takes so many bytes, then is full; as a file it takes a part of what it is given first."""

    room = 50

    def write(self, data: Any) -> int:
        """So many."""
        if not (left := self.room - self.tell()):
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(bytes(data)[:left])


def test_a_full_disk_leaves_whole_packets() -> None:
    """And is told, with how many there are."""
    disk = Disk()
    shown = io.BytesIO(HEADER + record(b"abcd") + record(b"efgh") + record(b"ijkl"))
    with pytest.raises(LabError, match=r"x\.pcap takes no more: No space left on device\. Packets in it: 1\."):
        command.written(shown, disk, Path("x.pcap"))
    assert disk.getvalue() == HEADER + record(b"abcd")


def test_a_file_without_packets_does_not_stay_where_nothing_was_captured(tmp_path: Path) -> None:
    """One with packets does; one that was there before is not touched; where none can be, that is said."""
    file = tmp_path / "x.pcap"

    def fails(begun: bytes) -> None:
        with command._new(file) as made:
            made.write(begun)
            raise LabError("refused")

    for begun, stays in ((HEADER, False), (HEADER + record(b"abcd"), True)):
        with pytest.raises(LabError, match="refused"):
            fails(begun)
        assert file.exists() is stays
    with pytest.raises(LabError, match="is there already") as told, command._new(file):
        pytest.fail("it was opened")
    assert "--write FILE" in told.value.hint
    assert file.read_bytes() == HEADER + record(b"abcd")
    nowhere = pytest.raises(LabError, match=r"cannot be written: No such file or directory\.")
    with nowhere, command._new(tmp_path / "y" / "x"):
        pytest.fail("it was opened")


def run(answers: Mapping[str, str]) -> Callable[..., Outcome]:
    """A server in which commands that begin so print this."""

    def ask(given: Sequence[str], *_more: Any) -> Outcome:
        text = " ".join(given)
        return Outcome(tuple(given), 0, next(said for begin, said in answers.items() if text.startswith(begin)), 0.0)

    return ask


INSPECTED = '[{"HostConfig": {"NetworkMode": "%s"}, "State": {"Pid": 7}}]'
INNER = '[{"ifname": "lo", "link_type": "loopback"}, {"ifname": "eth0", "link_type": "ether", "link_index": 11, %s}]'
ENTER = ("nsenter", "--target", "7", "--net")
PORTS = {
    "vm": (
        "vm",
        {"virsh --quiet domiflist": " vnet3  bridge  br0  virtio  52:76:63:6b:02:00\n\n"},
        Port("vnet3", "the tap of its QEMU"),
    ),
    "published": (
        "container",
        {
            "docker inspect": INSPECTED % "bridge",
            "nsenter": INNER % '"linkinfo": {"info_kind": "veth"}',
            "ip -json link": '[{"ifindex": 2, "ifname": "br0"}, {"ifindex": 11, "ifname": "veth9"}]',
        },
        Port("veth9", "its server's end of its veth pair", namespace=ENTER),
    ),
    "address": (
        "container",
        {"docker inspect": INSPECTED % "lan", "nsenter": INNER % '"linkinfo": {"info_kind": "macvlan"}'},
        Port("eth0", "its macvlan", ENTER, namespace=ENTER),
    ),
    "host": (
        "container",
        {"docker inspect": INSPECTED % "host", "ip -json address show to 10.0.0.2": '[{}, {"ifname": "br0"}]'},
        Port("br0", "its server's own", only="port 8003"),
    ),
}


@pytest.mark.parametrize("case", PORTS)
def test_each_side_says_where_a_replicas_packets_are_seen(case: str) -> None:
    """A tap; the server's end of a veth pair; an adapter in the replica's namespace; the server's own interface."""
    side, answers, port = PORTS[case]
    replica = Replica("x", side, "server-1", "http://10.0.0.2:8003", "x")
    assert SIDES[side].port(replica, run(answers)) == port


def test_a_guest_without_an_adapter_is_told() -> None:
    """As one that runs has one, and one that is off has none that can be seen."""
    replica = Replica("vm-1", "vm", "server-1", "http://10.0.0.2:8003", "vm-1")
    with pytest.raises(LabError, match="vm-1 has no adapter"):
        SIDES["vm"].port(replica, run({"virsh": "\n"}))


def test_the_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that does not heed its input's end is killed."""
    monkeypatch.setattr(capturing, "_ENDS_WITHIN_S", 0.3)
    begin = time.monotonic()
    with capturing.capturing(["sh", "-c", f"trap '' TERM; {LISTENS} exec sleep 98"]) as capture:
        pass
    assert capture.process.returncode == -signal.SIGKILL
    assert time.monotonic() - begin < 30
