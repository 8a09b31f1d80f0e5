"""Hops as pictures: an SVG for a page, a flowchart in Mermaid for a guide. Pure; nothing in them that was not seen."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from labkit.judge import words
from labs.networking.hops import Hop, in_words

KINDS = {"tun": "tap", "": "adapter"}
"""What the kernel calls an interface -> what a person does, where that differs."""

_WIDTH, _HEAD, _ROW, _LINE, _GAP = 340, 30, 34, 17, 14
_LINE_X, _TEXT_X, _RIGHT_X = 24, 44, 328
_STYLE = {
    "head": 'fill="var(--muted)" font-size="13"',
    "name": 'fill="var(--ink)" font-size="15" font-weight="650"',
    "soft": 'fill="var(--muted)" font-size="13"',
    "time": 'fill="var(--muted)" font-size="13" text-anchor="end"',
    "new": 'fill="var(--open)" font-size="13" font-weight="650"',
}


def kind(hop: Hop) -> str:
    """What sort of interface it is, in a word."""
    return KINDS.get(hop.kind, hop.kind)


def after(hop: Hop) -> str:
    """When it was there, counted from the first hop on the same clock; of a bridge that it passed, when that told."""
    told = "0" if hop.after_us == 0 else f"+{words.quantity(hop.after_us / 1e6, 's')}"
    return f"told at {told}" if hop.way == "past" else told


def changes(hops: Sequence[Hop]) -> list[tuple[str, str]]:
    """For each hop: which of its addresses are worth a line, and whether they are others than at the hop before."""
    told = [("from " + hops[0].source + " to " + hops[0].destination, "")] if hops else []
    for before, hop in itertools.pairwise(hops):
        new = [
            f"{word} {now}"
            for word, was, now in (
                ("from", before.source, hop.source),
                ("to", before.destination, hop.destination),
            )
            if was != now
        ]
        told.append((" ".join(new), "new" if new else ""))
    return told


def groups(hops: Sequence[Hop]) -> list[tuple[str, list[int]]]:
    """Runs of hops in one place: its name, and where in the list they stand."""
    numbered = enumerate(hops)
    return [(place, [at for at, _ in run]) for place, run in itertools.groupby(numbered, lambda one: one[1].place)]


def svg(hops: Sequence[Hop], title: str) -> str:
    """The way of one packet from top to bottom, one box a place; what was rewritten stands out."""
    told = changes(hops)
    parts: list[str] = []
    dots: list[int] = []
    top = 1
    for place, members in groups(hops):
        y = top + _HEAD
        clock = " · by its own clock" if hops[members[0]].clock == "replica" else ""
        inner = [_text(_TEXT_X, top + 21, f"{place}{clock}", "head")]
        for number in members:
            text, style = told[number]
            dots.append(y + 13)
            inner += _row(hops[number], _lines(text), style, y + 18)
            y += _ROW + _LINE * len(_lines(text))
        parts.append(
            f'<rect x="1" y="{top}" width="{_WIDTH - 2}" height="{y - top}" rx="8" fill="var(--surface)" '
            'stroke="var(--line)"/>'
        )
        parts += inner
        top = y + _GAP
    line = f'<path d="M{_LINE_X},{dots[0]}V{dots[-1]}" stroke="var(--muted)" stroke-width="2"/>' if dots else ""
    marks = "".join(f'<path d="M{_LINE_X - 6},{y - 4}h12l-6,9z" fill="var(--ink)"/>' for y in dots)
    label = escape(f"{title}: {in_words(hops)}. " + "; ".join(text for text, _ in told if text))
    box = f'viewBox="0 0 {_WIDTH} {top - _GAP + 1}"'
    drawn = "".join((*parts, line, marks))
    return f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{label}" {box}>{drawn}</svg>'


def _row(hop: Hop, told: Sequence[str], style: str, y: int) -> Iterable[str]:
    name = f'{escape(hop.interface)} <tspan {_STYLE["soft"]} font-weight="400">{escape(kind(hop))}</tspan>'
    yield f'<text x="{_TEXT_X}" y="{y}" {_STYLE["name"]}>{name}</text>'
    yield _text(_RIGHT_X, y, after(hop), "time")
    for at, line in enumerate(told, 1):
        yield _text(_TEXT_X, y + _LINE * at, line, style or "soft")


def _lines(told: str) -> list[str]:
    """A line an address."""
    first, to, rest = told.partition(" to ")
    return [first, f"to {rest}"] if to else [told] if told else []


def _text(x: int, y: int, text: str, style: str) -> str:
    return f'<text x="{x}" y="{y}" {_STYLE[style]}>{escape(text)}</text>'


def mermaid(ways: Mapping[str, Sequence[Hop]]) -> str:
    """A flowchart of several packets' ways, path -> hops; an arrow that has addresses on it says what they became."""
    lines = ["flowchart TB"]
    for path, hops in ways.items():
        told = changes(hops)
        lines.append(f'    subgraph {path}["{path}"]')
        for number, (place, members) in enumerate(groups(hops)):
            lines.append(f'        subgraph {path}_{number}["{place}"]')
            for at in members:
                said = f"<br>{told[at][0]}" if at == 0 else ""
                lines.append(f'            {path}{at}["{hops[at].interface}<br>{kind(hops[at])}{said}"]')
            lines.append("        end")
        for at in range(1, len(hops)):
            said = f'|"{told[at][0]}"|' if told[at][0] else ""
            lines.append(f"        {path}{at - 1} -->{said} {path}{at}")
        lines.append("    end")
    return "\n".join(lines)
