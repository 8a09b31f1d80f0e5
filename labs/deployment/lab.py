"""The lab *deployment*: what one VM and one container cost, what runs in them, how they get elsewhere and newer."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.deployment import figures, operating_system, portability, resources, size, start, update
from labs.deployment.claims import CLAIMS
from labs.deployment.claims_more import CLAIMS as CLAIMS_MORE
from labs.deployment.metrics import METRICS

LAB = Lab(
    name="deployment",
    question="What does it take to have one more copy of a service, as a VM and as a container?",
    experiments=(
        size.EXPERIMENT,
        start.EXPERIMENT,
        resources.EXPERIMENT,
        operating_system.EXPERIMENT,
        update.EXPERIMENT,
        portability.EXPERIMENT,
    ),
    claims=(*CLAIMS, *CLAIMS_MORE),
    metrics=METRICS,
    figures={"packages": figures.packages},
)
