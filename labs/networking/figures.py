"""What this lab shows of its runs besides the figures that every lab has. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from labkit.judge import words
from labkit.judge.model import Row
from labkit.measure.labs import Picture, Table
from labkit.runs.records import Arm, Run
from labs.networking import hops, picture
from labs.networking.arms import ARMS
from labs.networking.hops import ANSWER, ASIDE, REQUEST, Hop, Journeys

TITLE = "What a marked request passed, as the interfaces saw it"


def ways(run: Run) -> dict[str, tuple[Arm, Journeys]]:
    """Path -> its arm and the journeys of its last repeat that counts."""
    found = run.experiment("path")
    counting = {path: [one for one in found.of(arm) if one.counts] for path, arm in ARMS.items()} if found else {}
    return {path: (ARMS[path], hops.of_facts(some[-1].facts)) for path, some in counting.items() if some}


def path(run: Run, _rows: Sequence[Row]) -> Table:
    """Each path's request, hop by hop, with the addresses and times that it had there; its answer in a line."""
    lines: list[Sequence[str]] = []
    pictures = []
    for arm, found in ways(run).values():
        request, answer = found[REQUEST], found[ANSWER]
        pictures.append(Picture(words.named(arm), picture.svg(request, words.named(arm))))
        lines += [(words.named(arm), *_hop(hop)) for hop in request]
        lines += [(words.named(arm), "sent there too", *_hop(hop)[1:]) for hop in found[ASIDE]]
        back = hops.translated(answer)
        way = hops.in_words(answer) + (f"; {back[0]} became {back[1]}" if back else "")
        lines.append((words.named(arm), "back", way, _addresses(answer[0]), ""))
    return Table(TITLE, ("path", "where", "interface", "addresses", "time there"), lines, pictures)


def _hop(hop: Hop) -> tuple[str, str, str, str]:
    clock = " (own clock)" if hop.clock == "replica" else ""
    return hop.place, f"{hop.interface}, {picture.kind(hop)}", _addresses(hop), f"{picture.after(hop)}{clock}"


def _addresses(hop: Hop) -> str:
    return f"{hop.source} → {hop.destination}"


def path_picture(run: Run, _rows: Sequence[Row]) -> Table:
    """The same ways as a flowchart, for the guide."""
    found = {path: journeys[REQUEST] for path, (_, journeys) in ways(run).items()}
    return Table(TITLE, (), (), mermaid=picture.mermaid(found) if found else "")
