"""The lab *failover*: its question, and where the parts of its answer are."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.failover import look

LAB = Lab(
    name="failover",
    question="What runs in a VM and in a container besides the service?",
    experiments=(look.EXPERIMENT,),
    claims=look.CLAIMS,
    figures={"kernels": look.kernels},
)
