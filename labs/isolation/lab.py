"""The lab *isolation*: what each side can see and reach of its server, and what happens when a kernel dies."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.isolation import kernel, kernel_claims

LAB = Lab(
    name="isolation",
    question="What can a neighbour do to one, what does each side see and reach of its server, and whose kernel dies?",
    experiments=(kernel.EXPERIMENT,),
    claims=(*kernel_claims.CLAIMS,),
    aims={"quick run": 600},
)
