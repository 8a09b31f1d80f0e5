"""The lab *failover*: a VM cluster and a container orchestrator, each with a replica that survives its server."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.failover import place

LAB = Lab(
    name="failover",
    question="What happens to a VM and to a container when the server under them dies?",
    experiments=(place.EXPERIMENT,),
    claims=place.CLAIMS,
    figures={"places": place.places},
)
