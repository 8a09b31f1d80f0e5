"""The lab *networking*: what a packet passes on its way, what that costs, and who owns the firewall."""

from __future__ import annotations

from labkit.judge.metrics import Metrics
from labkit.measure.labs import Lab
from labs.networking import latency, requests, throughput

LAB = Lab(
    name="networking",
    question="What does a packet pass on its way to a VM and to a container, what does it cost, and who judges it?",
    experiments=(latency.EXPERIMENT, throughput.EXPERIMENT, requests.EXPERIMENT),
    claims=(*latency.CLAIMS, *throughput.CLAIMS, *requests.CLAIMS),
    metrics=Metrics(*latency.METRICS, *throughput.METRICS, *requests.METRICS),
)
