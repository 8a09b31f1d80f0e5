"""The lab *networking*: what a packet passes on its way, what that costs, and who owns the firewall."""

from __future__ import annotations

from labkit.judge.metrics import Metrics
from labkit.measure.labs import Lab
from labs.networking import firewall, forward, rules_claims, segments, tables

LAB = Lab(
    name="networking",
    question="What does a packet pass on its way to a VM and to a container, what does it cost, and who judges it?",
    experiments=(firewall.EXPERIMENT, forward.EXPERIMENT, segments.EXPERIMENT),
    claims=(*rules_claims.CLAIMS,),
    metrics=Metrics(),
    figures={"firewall": tables.firewall, "forward": tables.forward, "segments": tables.segments},
)
