"""The lab *networking*: what a packet passes on its way, what that costs, and who owns the firewall."""

from __future__ import annotations

from labkit.measure.labs import Lab
from labs.networking import (
    adapters,
    adapters_claims,
    figures,
    firewall,
    forward,
    latency,
    path,
    path_claims,
    requests,
    rules_claims,
    segments,
    tables,
    throughput,
)

LAB = Lab(
    name="networking",
    question="What does a packet pass on its way to a VM and to a container, what does it cost, and who judges it?",
    experiments=(
        adapters.EXPERIMENT,
        path.EXPERIMENT,
        latency.EXPERIMENT,
        throughput.EXPERIMENT,
        requests.EXPERIMENT,
        firewall.EXPERIMENT,
        forward.EXPERIMENT,
        segments.EXPERIMENT,
    ),
    claims=(
        *adapters_claims.CLAIMS,
        *path_claims.CLAIMS,
        *rules_claims.CLAIMS,
        *latency.CLAIMS,
        *requests.CLAIMS,
        *throughput.CLAIMS,
    ),
    figures={
        "path": figures.path,
        "path-picture": figures.path_picture,
        "firewall": tables.firewall,
        "forward": tables.forward,
        "segments": tables.segments,
    },
)
