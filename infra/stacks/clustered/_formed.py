"""A side's servers, formed into a cluster by its playbook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pulumi

from infra import names
from infra.lab import Blueprint
from infra.playbook import Inputs, Playbook
from infra.server import Server
from infra.source import tree_digest


def formed(
    parent: pulumi.Resource,
    side: str,
    servers: Sequence[Server],
    lab: Blueprint,
    *,
    playbook: str,
    variables: Mapping[str, Any],
    after: Sequence[pulumi.Resource],
) -> Playbook:
    """The cluster, with its storage and what it is to run. It is formed anew when a server's container is another."""
    machine, checkout = lab.machine, Path(lab.machine.checkout)
    inputs = Inputs(
        name=names.playbook(f"{side}-cluster"),
        host=machine.docker_host,
        private_key=str(machine.private_key(lab.plan.lab)),
        playbook=str(checkout / "playbooks" / playbook),
        variables=variables,
        digest=tree_digest(checkout / "playbooks"),
        triggers=[server.container.id for server in servers],
        log_dir=str(machine.lab_dir(lab.plan.lab)),
        servers={server.name: {**server.reach.ansible, "vvc_mgmt": server.addresses["mgmt"]} for server in servers},
    )
    return Playbook(inputs, servers[0].contents(parent, depends_on=[*(server.container for server in servers), *after]))
