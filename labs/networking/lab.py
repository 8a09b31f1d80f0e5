"""The lab *networking*: what a packet passes on its way, what that costs, and who owns the firewall."""

from __future__ import annotations

from labkit.judge.metrics import Metrics
from labkit.measure.labs import Lab

LAB = Lab(
    name="networking",
    question="What does a packet pass on its way to a VM and to a container, what does it cost, and who judges it?",
    experiments=(),
    claims=(),
    metrics=Metrics(),
)
