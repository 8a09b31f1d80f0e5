"""The contract between a Pulumi stack and whoever measures it. Pure; both sides look the same here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from infra.reach import Reach

SCHEMA_VERSION = 2
_FIRST_SCHEMA_VERSION = 1


class ContractError(Exception):
    """A stack's outputs are not those of a lab that is up."""


@dataclass(frozen=True)
class Server:
    """A machine that runs libvirt and a Docker Engine. `side` is the one that it carries; None: it carries all."""

    name: str
    address: str
    reach: Reach
    docker_host: str
    libvirt_uri: str
    side: str | None = None

    @property
    def container(self) -> str:
        """Its name on the laptop's engine."""
        return self.reach.container


@dataclass(frozen=True)
class Replica:
    """One copy of the service. `handle` is its name in its own engine (domain or container)."""

    name: str
    side: str
    server: str
    url: str
    handle: str
    path: str = ""
    """How a request reaches it, by its name in infra.paths; "" where an earlier version made it: its side's first."""
    address: str = ""
    """Its own on the lab's LAN, where its URL is that of its side's edge."""


@dataclass(frozen=True)
class Edge:
    """The one stable address of a side whose replica may move."""

    side: str
    url: str


@dataclass(frozen=True)
class Contract:
    """What a lab that is up exports."""

    lab: str
    accelerator: str
    service_version: str
    servers: tuple[Server, ...]
    replicas: tuple[Replica, ...]
    vcpus: int
    memory_mib: int
    edges: tuple[Edge, ...] = ()
    schema_version: int = SCHEMA_VERSION

    def side(self, side: str) -> tuple[Replica, ...]:
        """The replicas of one side."""
        return tuple(replica for replica in self.replicas if replica.side == side)


KEYS = tuple(field.name for field in fields(Contract))
"""Names of the stack's outputs."""


def to_outputs(contract: Contract) -> dict[str, Any]:
    """Stack outputs that carry the contract."""
    return asdict(contract)


def of_today(outputs: Mapping[str, Any], docker_host: str) -> dict[str, Any]:
    """Outputs of a lab that an earlier version brought up, as they are written today; any others as they are.

    In its time a server was reached by its container's name alone, on the one engine there was: that of `docker_host`.
    """
    if outputs.get("schema_version") != _FIRST_SCHEMA_VERSION or "servers" not in outputs:
        return dict(outputs)
    servers = [dict(server) for server in outputs["servers"]]
    for server in servers:
        if (container := server.pop("container", None)) is not None:
            server["reach"] = asdict(Reach("docker", docker_host, container))
    return {**outputs, "schema_version": SCHEMA_VERSION, "servers": servers}


def from_outputs(outputs: Mapping[str, Any]) -> Contract:
    """The contract out of `pulumi stack output --json`. Raises ContractError."""
    if not outputs:
        raise ContractError("the stack has no outputs: the lab is not up")
    found = outputs.get("schema_version")
    if found != SCHEMA_VERSION:
        raise ContractError(f"the stack's outputs have schema_version {found!r}, this tool reads {SCHEMA_VERSION}")
    try:
        return Contract(
            **{
                **outputs,
                "schema_version": SCHEMA_VERSION,
                "servers": tuple(_server(server) for server in outputs["servers"]),
                "replicas": tuple(Replica(**replica) for replica in outputs["replicas"]),
                "edges": tuple(Edge(**edge) for edge in outputs.get("edges", ())),
            }
        )
    except (KeyError, TypeError) as error:
        raise ContractError(f"the stack's outputs are incomplete: {error}") from error


def _server(values: Mapping[str, Any]) -> Server:
    return Server(**{**values, "reach": Reach(**values["reach"])})
