"""One server. The lab's LAN, and on it one server that carries both sides."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from infra import labels
from infra.lab import Lab
from infra.server import Server


def build(lab: Lab) -> list[Server]:
    """The LAN and the server."""
    plan = lab.plan
    host = docker.Provider("engine", host=lab.machine.docker_host)
    lan = docker.Network(
        "lan",
        name=plan.name("lan"),
        driver="bridge",
        options={"com.docker.network.bridge.name": plan.bridge},
        ipam_configs=[
            docker.NetworkIpamConfigArgs(
                subnet=str(plan.subnet), gateway=str(plan.gateway), ip_range=str(plan.dynamic_range)
            )
        ],
        labels=labels.network(plan),
        opts=pulumi.ResourceOptions(provider=host),
    )
    return [Server("server-1", index=0, lan=lan, lab=lab, host=host)]
