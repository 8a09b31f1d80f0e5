"""The lab *isolation*: what each side can see and reach of its server, and what happens when a kernel dies."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.isolation import (
    escapes,
    escapes_claims,
    kernel,
    kernel_claims,
    neighbours,
    neighbours_claims,
    reach,
    reach_claims,
    sights,
    surface,
    tables,
)

LAB = Lab(
    name="isolation",
    question="What can a neighbour do to one, what does each side see and reach of its server, and whose kernel dies?",
    experiments=(neighbours.EXPERIMENT, reach.EXPERIMENT, escapes.EXPERIMENT, kernel.EXPERIMENT, surface.EXPERIMENT),
    claims=(
        *neighbours_claims.CLAIMS,
        *reach_claims.CLAIMS,
        *escapes_claims.CLAIMS,
        *kernel_claims.CLAIMS,
        *surface.CLAIMS,
    ),
    figures={
        "neighbours": tables.neighbours,
        "reach": sights.reach,
        "escapes": escapes.table,
        "kernel": kernel_claims.table,
        "surface": tables.surface,
    },
    aims={"quick run": 600},
)
