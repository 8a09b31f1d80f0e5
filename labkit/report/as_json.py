"""A run and its verdicts as JSON values, for other programs. Pure."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from labkit.judge.model import Judgement, Measured, Row, Spread
from labkit.report.article import Source, Table
from labkit.runs import run_folder
from labkit.runs.records import Run


def render(run: Run, rows: Sequence[Row], folder: str) -> dict[str, Any]:
    """What `./lab report --json` prints."""
    return {
        "schema_version": 1,
        "folder": folder,
        "rows": [
            {
                "name": row.name,
                "of_vms": row.of_vms,
                "of_containers": row.of_containers,
                "verdict": row.verdict,
                "parts": [_part(part) for part in row.parts],
            }
            for row in rows
        ],
        "run": _plain(run_folder.as_dict(run)),
    }


def article(table: Table) -> dict[str, Any]:
    """What `./lab report --json` prints without a lab; a part's `run` is the letter of one of `runs`, or null."""
    return {
        "schema_version": 1,
        "rows": [
            {
                "name": line.stated.name,
                "of_vms": line.stated.of_vms,
                "of_containers": line.stated.of_containers,
                "lab": line.stated.lab,
                "verdict": line.verdict,
                "differing": table.differing(line),
                "parts": [
                    {"lab": part.lab, "run": part.source.letter if part.source else None, **_part(part.judgement)}
                    for part in line.parts
                ],
            }
            for line in table.lines
        ],
        "runs": [_source(source) for source in table.sources],
        "differences": _plain([dataclasses.asdict(one) for one in table.differences]),
        "missing": _plain([dataclasses.asdict(one) for one in table.missing]),
        "left_out": _plain([dataclasses.asdict(one) for one in table.left_out]),
        "labs": list(table.labs),
    }


def _source(source: Source) -> dict[str, Any]:
    run = source.run
    return {
        "letter": source.letter,
        "lab": run.lab,
        "id": run.id,
        "folder": source.folder,
        "started": run.started,
        "finished": run.finished,
        "commit": run.commit,
        "depth": source.depth,
        "machine": _plain(run.machine),
        "settings": _plain(run.settings),
    }


def _part(part: Judgement) -> dict[str, Any]:
    claim = part.claim
    measured: dict[str, Any] = {}
    if isinstance(claim, Measured):
        metric = claim.metric
        measured = {
            "metric": {
                "name": metric.name,
                "unit": metric.unit,
                "better": metric.better,
                "definition": metric.definition,
                "experiment": metric.experiment,
                "action": metric.action,
            },
            "greater": claim.greater.side,
            "greater_factors": claim.greater.factors,
            "other": claim.other.side,
            "other_factors": claim.other.factors,
            "effect": claim.effect,
            **({"below": True} if claim.below else {}),
            "bound_by": claim.bound_by,
        }
    return {
        "claim": claim.name,
        "text": claim.text,
        **measured,
        "verdict": part.verdict,
        "reason": part.reason,
        "ratio": part.ratio,
        "interval": part.interval,
        "n_needed": part.n_needed,
        "spreads": [_spread(one) for one in part.spreads],
        "evidence": _plain(part.evidence),
        "because": claim.because,
        "reference": claim.reference,
        "beside": claim.beside,
    }


def _spread(spread: Spread) -> Any:
    told = dataclasses.asdict(spread)
    arm = told.pop("arm")
    return _plain({"side": arm["side"], **told, "factors": arm["factors"]})


def _plain(value: Any) -> Any:
    """JSON knows no NaN: a number that is none is null."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
