"""The lab *networking*: what a packet passes on its way, what that costs, and who owns the firewall."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.networking import adapters, adapters_claims, figures, path, path_claims

LAB = Lab(
    name="networking",
    question="What does a packet pass on its way to a VM and to a container, what does it cost, and who judges it?",
    experiments=(adapters.EXPERIMENT, path.EXPERIMENT),
    claims=(*adapters_claims.CLAIMS, *path_claims.CLAIMS),
    figures={"path": figures.path, "path-picture": figures.path_picture},
)
