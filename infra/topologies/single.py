"""One server that carries both sides, on the lab's LAN; and, where it is wanted, an empty one to move replicas to."""

from __future__ import annotations

import pulumi
import pulumi_docker as docker

from infra import labels
from infra.lab import Blueprint
from infra.plan import server_name
from infra.server import Server


def build(lab: Blueprint) -> list[Server]:
    """The LAN and the servers, of which the first carries the lab."""
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
    return [
        Server(server_name(index), index=index, lan=lan, lab=lab, host=host) for index in range(lab.settings.servers)
    ]
