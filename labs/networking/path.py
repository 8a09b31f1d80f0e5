"""Experiment *path*: one marked request, seen at every interface that it passes, on its way there and back."""

from __future__ import annotations

import secrets
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from infra.outputs import Replica
from infra.sides import KINDS
from labkit.lifecycle import steady
from labkit.measure.capturing import capturing, tcpdump
from labkit.measure.experiment import Experiment, Place, Seen, Turn, take_turns
from labkit.measure.pcap import parts
from labkit.sides import Port, Runner
from labkit.system.errors import LabError
from labkit.system.waiting import until
from labs.networking import hops, inside
from labs.networking.arms import ARMS
from labs.networking.hops import Clock, Hop, Sight
from labs.networking.packets import read

REPEATS = 3
ASK_S = 30.0
_SETTLE_S = 0.3
_PCAP = ("-U", "-s", "512", "--time-stamp-precision=nano", "-w")
LINKS = ("ip", "-details", "-json", "link")
"""What tells the interfaces of a network namespace."""
_SCRIPT = Path(inside.__file__)


@dataclass(frozen=True)
class Window:
    """A network namespace into which one looks: whose it is, how its interfaces are asked for, what shows packets."""

    place: str
    clock: Clock
    run: Runner
    links: Sequence[str]
    command: Sequence[str]


def windows(place: Place, replica: Replica, client: int) -> list[Window]:
    """The server's, then the replica's own where it has one: its kernel's, or its namespace in the server's kernel."""
    server, run, side = place.server(replica), place.run(replica), place.side(replica)
    only = f"tcp port {client}"

    def there(enter: Sequence[str]) -> list[str]:
        return server.reach.words(tcpdump(Port("any", "", enter), [*_PCAP, "-"], only), stdin=True)

    found = [Window(server.name, "server", run, LINKS, there(()))]
    if not KINDS[replica.side].shares_kernel:
        words = ["python3", "-c", _SCRIPT.read_text(encoding="utf-8"), str(client)]
        found.append(Window(replica.name, "replica", place.inside(replica), LINKS, place.words_inside(replica, words)))
    elif enter := side.port(replica, run).namespace:
        found.append(Window(replica.name, "server", run, [*enter, *LINKS], there(enter)))
    return found


def bridges(place: Place, replica: Replica) -> list[list[str]]:
    """What makes each bridge of the server hand up what it passes on, so that it is seen there as well.

    A bridge that only passes a packet on shows it while somebody listens to that bridge alone.
    """
    server, run = place.server(replica), place.run(replica)
    names = {one.master for one in hops.interfaces(run(LINKS).output).values()} - {""}
    return [server.reach.words(tcpdump(Port(name, ""), ["-w", "/dev/null"]), stdin=True) for name in sorted(names)]


def measure(place: Place, turn: Turn) -> Seen:
    """Ask the replica once, with a mark that no other request has, while every interface is looked at."""
    replica = place.along(turn.arm)
    sights, client, mark = look(place, replica)
    port = place.side(replica).port(replica, place.run(replica))
    found = hops.journeys(sights, client, mark, "" if port.enter else port.interface)
    for name in (hops.OPENING, hops.REQUEST, hops.ANSWER):
        if not found[name]:
            raise LabError(f"The {name} of the request to {replica.name} was seen nowhere.", hint="./lab status")
    return Seen(
        values=values(found[hops.REQUEST]),
        facts={"path": hops.in_words(found[hops.REQUEST]), **hops.as_facts(found)},
        conditions={
            "client": "one request on a connection of its own, from the laptop",
            "cache": "warm",
            "start_line": "the request at the first interface of the server that it passes",
            "finish_line": "the request at the last interface on the server's clock: a guest's tap, a container's own",
        },
        replica=replica,
    )


def look(place: Place, replica: Replica) -> tuple[list[Sight], int, bytes]:
    """What was seen meanwhile, the client's port, and the request's mark."""
    mark = f"vvc-path-{secrets.token_hex(8)}"
    with ExitStack() as stack:
        connection = stack.enter_context(socket.socket())
        connection.bind(("", 0))
        client = int(connection.getsockname()[1])
        for words in bridges(place, replica):
            stack.enter_context(capturing(words))
        views = windows(place, replica, client)
        files = [stack.enter_context(_kept(view.command)) for view in views]
        ask(connection, replica, mark)
        answered = f":{client}"
        if not until(lambda: all(_has_answer(file, answered) for file in files), ASK_S, _SETTLE_S):
            raise LabError(f"{replica.name} answered, but that was not seen everywhere.", hint="./lab status")
        # The answer's last hops are behind its first.
        time.sleep(_SETTLE_S)
    sights = [
        Sight(view.place, view.clock, hops.interfaces(view.run(view.links).output), read(bytes(file)))
        for view, file in zip(views, files, strict=True)
    ]
    return sights, client, mark.encode()


def _has_answer(file: bytearray, client: str) -> bool:
    return any(packet.payload and packet.destination.endswith(client) for packet in read(bytes(file)))


@contextmanager
def _kept(command: Sequence[str]) -> Iterator[bytearray]:
    """While inside, the file of packets that a capture writes, as it grows; whole at the end."""
    kept = bytearray()
    with capturing(command) as capture:

        def keep() -> None:
            for part in parts(capture.shown):
                kept.extend(part)

        keeper = threading.Thread(target=keep, daemon=True)
        keeper.start()
        try:
            yield kept
        finally:
            capture.end()
            keeper.join()
        capture.ended_well()
        if capture.lost:
            raise LabError(f"{capture.lost} packets passed too fast to be seen.", hint="./lab run networking path")


def ask(connection: socket.socket, replica: Replica, mark: str) -> None:
    """Send the marked request from a bound socket, and read the answer to its end. Raises LabError."""
    address = urlsplit(replica.url)
    told = f"GET /healthz?mark={mark} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
    connection.settimeout(ASK_S)
    try:
        connection.connect((address.hostname, address.port))
        connection.sendall(told.encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    except OSError as error:
        raise LabError(f"{replica.name} did not answer at {replica.url}: {error}", hint="./lab status") from error
    if not answer.startswith(b"HTTP/1.1 200"):
        raise LabError(f"{replica.name} answered {answer[:40]!r} at {replica.url}.", hint="./lab status")


def values(request: Sequence[Hop]) -> dict[str, float]:
    """How many interfaces the request passed, and how long it was on its way as far as one clock can tell."""
    on_its_way = [hop.after_us for hop in request if hop.clock == "server" and hop.way != "past"]
    return {
        "interfaces": float(len({(hop.place, hop.interface) for hop in request})),
        "to_replica_ms": round((on_its_way[-1] - on_its_way[0]) / 1000, 4) if on_its_way else 0.0,
    }


def turns(sides: Sequence[str], quick: bool) -> Sequence[Turn]:
    """Each path of each side in turn. What a packet passes does not vary; how long it takes does."""
    return take_turns([arm for arm in ARMS.values() if arm.side in sides], 1 if quick else REPEATS, warm_ups=0)


def restore(place: Place) -> None:
    """What captures ends with whoever started it; replicas that are off start."""
    steady.bring_back(place)


EXPERIMENT = Experiment(
    name="path",
    question="What does a request pass on its way to a replica, and which addresses does it have there?",
    prediction="Which path rewrites a packet's addresses, and which one ends in another kernel?",
    turns=turns,
    measure=measure,
    restore=restore,
)
