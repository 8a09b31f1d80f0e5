"""A run as one HTML file: no script, nothing fetched, light and dark, on screen and on paper."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from labkit.judge import words
from labkit.judge.model import Measured, Row
from labkit.judge.rows import ARTICLE
from labkit.measure.labs import Table as OwnTable
from labkit.report import _looks, _verdicts, _view, as_text, quantities, series
from labkit.report.article import Table, listed
from labkit.report.streams import Stream
from labkit.runs.records import Arm, Run

LARGEST_BYTES = 1_000_000
"""No page is larger; what would grow without bound is reduced and says so."""

_TEMPLATES = Path(__file__).parent / "templates"
_MOST_REPEATS = 400
"""Repeats listed one by one; beyond that only their points are shown."""
_MOST_COLUMNS = 8
"""Arms of which everything stands open on the page; of more what no claim is about is there to be opened."""


def page(
    run: Run,
    rows: Sequence[Row],
    streams: Iterable[Stream] = (),
    *,
    digest: str = "",
    labs: Collection[str] = (),
    own: Sequence[OwnTable] = (),
) -> str:
    """The report of one run.

    `rows` are the article's rows as judged on this run, `streams` its reduced probe streams, `digest` that of run.json,
    `labs` those that this version has, `own` what the lab shows of its runs in its own way.
    """
    parts = [part for row in rows for part in row.parts]
    return render(
        "report.html.j2",
        run=run,
        rows=rows,
        digest=digest,
        sides=list(dict.fromkeys(Arm(arm.side) for arm in series.arms_of(run.experiments))),
        sections=_view.sections(run, rows, list(streams)),
        counted=_verdicts.count(rows),
        claims=parts,
        bounds=list(dict.fromkeys(part.claim.bound_by for part in parts if isinstance(part.claim, Measured))),
        metrics=list({id(m): m for m in _metrics(rows)}.values()),
        lab_of={stated.name: stated.lab for stated in ARTICLE},
        labs=set(labs),
        own=[one for one in own if one.lines],
        most_repeats=_MOST_REPEATS,
        most_columns=_MOST_COLUMNS,
    )


def article(table: Table) -> str:
    """The report over all labs: the nine rows, the runs that they come from, what is missing and left out."""
    return render("article.html.j2", table=table, counted=_verdicts.count(table.lines))


def render(template: str, **values: Any) -> str:
    """A page from a template; everything that is not a plot of ours is escaped."""
    return _environment().get_template(template).render(**values)


def _metrics(rows: Iterable[Row]) -> Iterable[Any]:
    return (part.claim.metric for row in rows for part in row.parts if isinstance(part.claim, Measured))


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {
        "quantity": words.quantity,
        "number": words.number,
        "named": words.named,
        "look": _looks.number,
        "duration": quantities.duration,
        "label": quantities.label_of,
        "listed": listed,
        "unit": quantities.unit_of,
        "slug": _verdicts.slug,
        "told": as_text.told,
        "seen": as_text.evidence,
        "when": _when,
    }
    made.tests |= {"measured": lambda claim: isinstance(claim, Measured), "finite": math.isfinite}
    made.globals |= {
        "signs": _verdicts.SIGNS,
        "bound": _verdicts.BOUND,
        "style": Markup((Path(__file__).parent / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        "scale": words.scale,
        "words": words,
    }
    return made


def _when(iso: str) -> str:
    """`2026-11-24T15:01:02+01:00` -> `24 November 2026, 15:01 (+01:00)`; what cannot be read is shown as it is."""
    try:
        at = datetime.fromisoformat(iso)
    except ValueError:
        return iso
    zone = f"{at:%z}"
    return f"{at.day} {at:%B %Y, %H:%M}" + (f" ({zone[:3]}:{zone[3:5]})" if zone else "")
