"""The lab *deployment*: what one VM and one container cost in disk and time."""

from __future__ import annotations

from labkit.labs import Lab
from labs.deployment import size, start
from labs.deployment.claims import CLAIMS

LAB = Lab(
    name="deployment",
    question="What does it take to have one more copy of a service, as a VM and as a container?",
    experiments=(size.EXPERIMENT, start.EXPERIMENT),
    claims=CLAIMS,
)
