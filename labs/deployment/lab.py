"""The lab *deployment*: what one VM and one container cost, what runs in them, how they get elsewhere and newer."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.deployment import figures, operating_system, portability, resources, size, start, update

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
    claims=(
        *size.CLAIMS,
        *start.CLAIMS,
        *resources.CLAIMS,
        *operating_system.CLAIMS,
        *portability.CLAIMS,
        *update.CLAIMS,
    ),
    figures={"packages": figures.packages},
)
