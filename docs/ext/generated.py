"""References made from what the program itself reads, so that they cannot tell anything else."""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import yaml
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from docs.ext import ROOT
from infra import bounds, outputs, settings
from infra.reach import Reach
from infra.topologies import TOPOLOGIES
from labkit.guide import rules
from labkit.judge import rows, words
from labkit.judge.model import Claim, Measured
from labkit.measure import labs
from labkit.setup.packages import PACKAGES
from labkit.system import stack_files


def configuration() -> str:
    """Every configuration key: type, default, meaning."""
    keys = yaml.safe_load((ROOT / "Pulumi.yaml").read_text(encoding="utf-8"))["config"]
    return _table(
        ("key", "type", "default", "meaning"),
        [(f"`{name}`", key["type"], f"`{key['default']}`", key["description"]) for name, key in keys.items()],
    )


def contract() -> str:
    """What a stack that is up exports, with what its parts hold."""
    parts = []
    for part, meaning in ((outputs.Contract, "The stack's outputs"), (outputs.Server, "Each of `servers`"),
                          (Reach, "The `reach` of each"),
                          (outputs.Replica, "Each of `replicas`")):  # fmt: skip
        told = " ".join((part.__doc__ or "").split())
        names = [(f"`{field.name}`", f"`{_kind(field.type)}`") for field in dataclasses.fields(part)]
        parts.append(f"**{meaning}.** {told}\n\n{_table(('name', 'type'), names)}")
    return "\n\n".join(parts)


def measured() -> str:
    """Every metric: unit, definition, worked example."""
    found = []
    for lab, metric in labs.metrics():
        exact = ", counted exactly" if metric.exact else ""
        found.append(
            f"`{metric.name}`\n: {_line(metric.definition)}\n\n  Unit: {metric.unit}{exact}. Better: {metric.better}. "
            f"Experiment: *{metric.experiment}* (lab *{lab}*). Example: {_line(words.example(metric))}."
        )
    return "\n\n".join(found)


def article() -> str:
    """The article's table."""
    return _table(
        ("row", "of VMs", "of containers", "lab"),
        [(f"**{one.name}**", one.of_vms, one.of_containers, one.lab) for one in rows.ARTICLE],
    )


def claims() -> str:
    """Every claim of every lab, below its row."""
    parts = []
    for lab in stack_files.names():
        by_row: dict[str, list[Claim]] = {}
        for claim in labs.load(lab).claims:
            by_row.setdefault(claim.row, []).append(claim)
        for row, found in by_row.items():
            parts.append(f"**{row}** (lab *{lab}*)")
            parts += [_claim(claim) for claim in found]
    return "\n\n".join(parts)


def _claim(claim: Claim) -> str:
    reference = f"\n\n  Published, not ours: {_line(claim.reference)}" if claim.reference else ""
    if isinstance(claim, Measured):
        ratio = f"a ratio of {claim.effect:g} of `{claim.metric.name}` (`{claim.greater}` over `{claim.other}`)"
        rule = f"holds {f'below {ratio}' if claim.below else f'from {ratio} on'}; bound by {claim.bound_by}"
    else:
        rule = f"observed in the experiment *{claim.experiment}*"
    return f"{_line(claim.text)}\n: `{claim.name}`: {rule}.\n\n  Because {_line(claim.because)}{reference}"


def topologies() -> str:
    """Every topology: what it is, the keys that only its labs have, which labs stand on it."""
    labs_of: dict[str, list[str]] = {}
    for lab in stack_files.names():
        labs_of.setdefault(str(stack_files.values(lab).get("topology", settings.DEFAULTS["topology"])), []).append(lab)
    return _table(
        ("topology", "what it is", "keys of its own", "labs"),
        [
            (
                f"`{name}`",
                str(importlib.import_module(f"infra.topologies.{name}").__doc__),
                ", ".join(f"`{key.name}`" for key in one.keys),
                ", ".join(labs_of.get(name, [])),
            )
            for name, one in TOPOLOGIES.items()
        ],
    )


def faults() -> str:
    """Every fault of every lab."""
    return _table(
        ("lab", "fault", "what is broken", "the side serves again by itself"),
        [
            (lab, f"`{fault.name}`", fault.what, "yes" if fault.overcome else "no")
            for lab in stack_files.names()
            for fault in labs.load(lab).faults
        ],
    )


def packages() -> str:
    """Debian packages that set-up may install."""
    return _table(("package", "why", "needed for"), [(f"`{one.name}`", one.why, one.group) for one in PACKAGES])


def waits() -> str:
    """Every bound of a wait with its variable."""
    return _table(
        ("variable", "bound of", "default, seconds"),
        [(f"`{one.variable}`", one.what, str(one.default_s)) for one in bounds.ALL],
    )


def tutorials() -> str:
    """Every lab: its guide, its question, its page for instructors."""
    return "\n".join(
        f"- [{lab}](project:/tutorial/{lab}.md): {labs.load(lab).question} "
        f"[For the instructor](project:/teach/{lab}.md)."
        for lab in stack_files.names()
    )


def sections() -> str:
    """The headings of a guide."""
    return ", ".join(rules.SECTIONS)


def run_schema() -> str:
    """The schema of run.json, as it is checked."""
    schema = json.loads((ROOT / "labkit" / "runs" / "run.schema.json").read_text(encoding="utf-8"))
    return f"```json\n{json.dumps(schema, indent=1)}\n```"


def _kind(kind: Any) -> str:
    return str(getattr(kind, "__name__", kind))


def _line(text: str) -> str:
    return " ".join(text.split()).rstrip(".") + ("." if text.rstrip().endswith(".") else "")


def _table(head: Sequence[str], body: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in line) + " |"
                     for line in lines)  # fmt: skip


KINDS: dict[str, Callable[[], str]] = {
    "article": article,
    "claims": claims,
    "configuration": configuration,
    "contract": contract,
    "faults": faults,
    "metrics": measured,
    "packages": packages,
    "run-schema": run_schema,
    "sections": sections,
    "topologies": topologies,
    "tutorials": tutorials,
    "waits": waits,
}


class Generated(SphinxDirective):
    """`{generated} NAME`: one of KINDS, as if its Markdown stood here."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        return self.parse_text_to_nodes(KINDS[self.arguments[0]]())


def setup(app: Sphinx) -> dict[str, Any]:
    """Make it known to Sphinx."""
    app.add_directive("generated", Generated)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
