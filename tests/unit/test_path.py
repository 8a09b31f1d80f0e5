"""From real captures to hops, claims and pictures: what was seen, in order, and nothing besides."""

from __future__ import annotations

import dataclasses
import re
import struct
from xml.etree import ElementTree

import mermaidx  # type: ignore[import-untyped]  # it has no stubs
import pytest

from labkit.guide import figures as guide_figures
from labkit.judge.rows import judge
from labkit.report import html
from labs.networking import figures, hops, inside, packets, path, path_claims, picture
from labs.networking.arms import ARMS
from labs.networking.hops import ANSWER, ASIDE, OPENING, REQUEST, Hop
from labs.networking.lab import LAB
from tests.unit import recorded

WAYS = {
    "bridged": "server-1: eth0 → br0 → vnet0 → vm-1: eth0",
    "nat": "server-1: eth0 → br0 → virbr9 → vnet1 → vm-2: eth1",
    "published": "server-1: eth0 → br0 → br-c7ddcf0400cd → veth3654799 → container-1: eth0",
    "address": "server-1: eth0 → br0 → container-2: eth0",
    "host": "server-1: eth0 → br0",
}


@pytest.mark.parametrize(("name", "way"), WAYS.items())
def test_a_request_is_followed_from_interface_to_interface(name: str, way: str) -> None:
    """There; the connection's first packet goes the same way, the answer comes back by it."""
    found = recorded.journeys(name)
    assert hops.in_words(found[REQUEST]) == way
    assert hops.in_words(found[OPENING]) == way
    there = [(hop.place, hop.interface) for hop in found[REQUEST]]
    back = [(hop.place, hop.interface) for hop in found[ANSWER]]
    assert back == there[::-1]


@pytest.mark.parametrize(
    ("name", "changed"),
    [
        ("bridged", None),
        ("nat", ("10.203.69.2:9000", "192.168.150.2:8000")),
        ("published", ("10.203.69.2:8001", "172.18.0.2:8000")),
        ("address", None),
        ("host", None),
    ],
)
def test_what_was_translated_is_told_before_and_after(name: str, changed: tuple[str, str] | None) -> None:
    """The destination on the way there; on the way back the source, the other way round."""
    found = recorded.journeys(name)
    assert hops.translated(found[REQUEST]) == changed
    assert hops.translated(found[ANSWER]) == (changed[::-1] if changed else None)
    assert hops.translated([]) is None


@pytest.mark.parametrize("name", WAYS)
def test_times_are_compared_on_one_clock_alone(name: str) -> None:
    """They begin at 0 on each clock and do not go back; a bridge that tells afterwards says so. A guest has its own."""
    for way in (OPENING, REQUEST, ANSWER):
        found = recorded.journeys(name)[way]
        for clock in ("server", "replica"):
            times = [hop.after_us for hop in found if hop.clock == clock and hop.way != "past"]
            assert times == sorted(times)
            assert not times or times[0] == 0.0
        assert {hop.clock for hop in found} == ({"server", "replica"} if ARMS[name].side == "vm" else {"server"})


def test_a_bridge_that_passes_a_frame_on_stands_between_its_ports() -> None:
    """It tells of it after the port out did, and only to who listens."""
    _, bridge, tap, _ = recorded.journeys("bridged")[REQUEST]
    assert (bridge.interface, bridge.way, tap.way) == ("br0", "past", "out")
    assert bridge.after_us > tap.after_us
    assert picture.after(bridge).startswith("told at +")
    assert path.values(recorded.journeys("bridged")[REQUEST])["to_replica_ms"] == pytest.approx(tap.after_us / 1000)


def test_where_a_bridge_sent_it_too_is_no_part_of_the_way() -> None:
    """It has not learned the address of a macvlan above it, and sends to all ports, a guest's tap included."""
    found = recorded.journeys("address")
    assert [hop.interface for hop in found[ASIDE]] == ["vnet0"]
    assert all(not recorded.journeys(name)[ASIDE] for name in WAYS if name != "address")


def test_without_the_mark_nothing_was_seen() -> None:
    """Packets of the same connection that are not the request are not taken for it."""
    it = recorded.asked("host")
    found = hops.journeys(recorded.sights("host"), it["client"], b"vvc-path-another", it["port"])
    assert found[REQUEST] == []
    assert found[OPENING]
    assert hops.in_words([]) == ""


def test_each_claim_holds_on_its_path_and_on_no_other() -> None:
    """The evidence says which way the request went; a path that was not measured is not judged."""
    judged = [part for row in judge(recorded.run(*WAYS), path_claims.CLAIMS) for part in row.parts if part.evidence]
    assert [(part.verdict, part.evidence["the request passed"]) for part in judged] == [
        ("holds", way) for way in WAYS.values()
    ]
    rules = (path_claims._bridged, path_claims._nat, path_claims._published, path_claims._address, path_claims._host)
    for rule, name in zip(rules, WAYS, strict=True):
        assert [other for other in WAYS if rule(recorded.journeys(other)[REQUEST])] == [name]
    some = [part for row in judge(recorded.run("host"), path_claims.CLAIMS) for part in row.parts]
    assert [part.verdict for part in some].count("not measured") == len(some) - 1


def test_a_run_keeps_hops_and_gives_them_back() -> None:
    """As plain values; what another version kept is not understood, and not guessed."""
    found = recorded.journeys("nat")
    assert hops.of_facts(hops.as_facts(found)) == found
    with pytest.raises(KeyError):
        hops.of_facts({"request": []})
    with pytest.raises(TypeError):
        hops.of_facts({OPENING: [{"interface": "eth0"}]})


@pytest.mark.parametrize("name", WAYS)
def test_the_picture_has_what_was_seen_and_nothing_else(name: str) -> None:
    """Every interface, its kind, every address where it begins; no text besides; no script."""
    request = recorded.journeys(name)[REQUEST]
    drawn = ElementTree.fromstring(picture.svg(request, name))  # noqa: S314 - our own
    told = {part.strip() for one in drawn.iter() for part in (one.text or "", one.tail or "") if part.strip()}
    words = {hop.interface for hop in request} | {picture.kind(hop) for hop in request}
    words |= {picture.after(hop) for hop in request}
    words |= {f"from {request[0].source}", *(f"to {hop.destination}" for hop in request)}
    words |= {hop.place if hop.clock == "server" else f"{hop.place} · by its own clock" for hop in request}
    assert told == words
    assert drawn.attrib["aria-label"].startswith(f"{name}: {WAYS[name]}. ")
    assert "script" not in picture.svg(request, name)


def test_names_are_shown_and_not_obeyed() -> None:
    """An interface may be called anything."""
    (hop, *_) = recorded.journeys("host")[REQUEST]
    evil = dataclasses.replace(hop, interface="<a>&", place='"x"')
    assert "<a>" not in picture.svg([evil], "<title>")
    assert ElementTree.fromstring(picture.svg([evil], "<title>")) is not None  # noqa: S314 - our own


@pytest.mark.slow
def test_mermaid_draws_the_flowchart() -> None:
    """Every interface is in it, and an arrow says what an address became."""
    run = recorded.run("bridged", "published")
    drawn = mermaidx.render(figures.path_picture(run, ()).mermaid).svg()
    for hop in (hop for name in ("bridged", "published") for hop in recorded.journeys(name)[REQUEST]):
        assert hop.interface in drawn
    assert "to 172.18.0.2:8000" in drawn


def test_the_guide_has_a_flowchart_of_all_paths_and_a_table() -> None:
    """Each as a block of its own; both are empty where nothing was measured."""
    run = recorded.run(*WAYS)
    rows = judge(run, LAB.claims)
    block = guide_figures.table(figures.path_picture(run, rows))
    assert block.startswith("```mermaid\nflowchart TB\n")
    assert block.endswith("\n```")
    assert '|"to 172.18.0.2:8000"|' in block
    table = guide_figures.table(figures.path(run, rows))
    assert table.startswith("| path | where | interface | addresses | time there |\n")
    assert "| container (address) | sent there too | vnet0, tap |" in table
    assert "172.18.0.2:8000 became 10.203.69.2:8001" in table
    nothing = dataclasses.replace(run, experiments=())
    assert figures.path_picture(nothing, rows).mermaid == ""
    assert figures.path(nothing, rows).lines == []


def test_the_page_shows_each_path() -> None:
    """A figure a path in the page's colours; the hops themselves are not spelled out among the facts."""
    run = recorded.run(*WAYS)
    rows = judge(run, LAB.claims)
    page = html.page(run, rows, own=[figure(run, rows) for figure in LAB.figures.values()])
    assert re.findall(r'aria-label="([^"]*): server-1: eth0', page) == [
        "VM (bridged)", "VM (nat)", "container (published)", "container (address)", "container (host)"]  # fmt: skip
    assert "told by ./lab report --json" in page
    assert "after_us" not in page


def _ip(source: int, destination: int, protocol: int = 6) -> bytes:
    return struct.pack(">BBHHHBBH4s4sHH9xB6x", 0x45, 0, 40, 0, 0, 64, protocol, 0, b"\n\0\0\1", b"\n\0\0\2",
                       source, destination, 2)  # fmt: skip


def test_a_replica_of_its_own_kernel_tells_as_tcpdump_does() -> None:
    """What the script writes there is read like the server's file, to the nanosecond; other traffic is left out."""
    assert inside.of_port(_ip(40000, 8000), 40000)
    assert inside.of_port(_ip(8000, 40000), 40000)
    assert not inside.of_port(_ip(40001, 8000), 40000)
    assert not inside.of_port(_ip(40000, 8000, protocol=17), 40000)
    assert not inside.of_port(b"\x45", 40000)
    file = inside.FILE + inside.record(_ip(40000, 8000), 7, 5, 2, 0) + inside.record(_ip(8000, 40000), 8, 0, 2, 4)
    came, went = packets.read(file)
    assert (came.at_ns, came.interface, came.way, came.source, came.opens) == (
        7_000_000_005,
        2,
        "in",
        "10.0.0.1:40000",
        True,
    )
    assert (went.way, went.destination) == ("out", "10.0.0.2:40000")
    assert packets.read(file[:-1]) == [came]


def test_another_kind_of_file_is_refused() -> None:
    """Ethernet frames have no interface in them; what is no TCP is left out."""
    ethernet = inside.FILE[:20] + struct.pack("<I", 1) + inside.record(_ip(1, 2), 0, 0, 1, 0)
    with pytest.raises(ValueError, match="link type 1"):
        packets.read(ethernet)
    assert packets.read(inside.FILE + inside.record(_ip(1, 2, protocol=17), 0, 0, 1, 0)) == []
    assert packets.read(inside.FILE + inside.record(b"", 0, 0, 1, 0)) == []
    assert packets.read(b"") == []


def test_hops_are_of_their_own_run() -> None:
    """Two packets at one interface, both ways, are two hops; a second sight of the same is none."""
    it = recorded.asked("bridged")
    (server, guest) = recorded.sights("bridged")
    twice = dataclasses.replace(server, packets=[*server.packets, *server.packets])
    found: list[Hop] = hops.journeys([twice, guest], it["client"], it["mark"].encode(), it["port"])[REQUEST]
    assert found == recorded.journeys("bridged")[REQUEST]
