"""A second server like a lab's first, beside it for as long as an experiment needs it: a place to move replicas to.

It is made from what the engine says of the first one, so that what a server is stands in one place (infra/server.py).
It carries the lab's labels: should we be killed, `./lab leftovers` names it and `./lab down` removes it.
"""

from __future__ import annotations

import copy
import ipaddress
import shutil
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from infra import outputs, plan
from labkit import servers
from labkit.errors import LabError
from labkit.experiment import Place
from labkit.paths import CHECKOUT_ID

NAME = "server-second"
INDEX = 8
"""Its number in the plan, above that of any server that a topology has."""

DATA = ("docker-data", "libvirt-data")


def like(
    first: Mapping[str, Any], *, name: str, lan: str, address: str, sockets: str, volumes: Mapping[str, str]
) -> dict[str, Any]:
    """What the engine is asked to create, from what it says of the first server. Pure.

    `volumes` maps the folders in the server to the volumes that the second one has in their place.
    """
    config = copy.deepcopy(dict(first["Config"]))
    env = [line for line in config["Env"] if not line.startswith(("VVC_SERVER=", "VVC_HOST_UUID="))]
    config |= {
        "Hostname": name,
        "Env": [*env, f"VVC_SERVER={name}", f"VVC_HOST_UUID={uuid.uuid5(uuid.NAMESPACE_OID, f'{address} {name}')}"],
    }
    config.pop("MacAddress", None)
    host = copy.deepcopy(dict(first["HostConfig"]))
    own = {**volumes, "/run/vvc": sockets}
    binds = [bind.split(":") for bind in host["Binds"]]
    host["Binds"] = [":".join([own.get(target, source), target, *rest]) for source, target, *rest in binds]
    host["NetworkMode"] = lan
    return {
        **config,
        "HostConfig": host,
        "NetworkingConfig": {"EndpointsConfig": {lan: {"IPAMConfig": {"IPv4Address": address}}}},
    }


def ensure(place: Place) -> outputs.Server:
    """The second server, made and healthy. Raises LabError when it does not become so."""
    first, second = place.contract.servers[0], describe(place)
    machine = place.ready.machine
    with servers.engine(machine) as client:
        with suppress(NotFound):
            found = client.containers.get(second.container)
            servers.wait_healthy(found)
            return second
        with place.report.step("A second server, to move to"):
            known = client.api.inspect_container(first.container)
            lan = next(iter(known["NetworkSettings"]["Networks"]))
            labels = known["Config"]["Labels"]
            volumes = {
                target: _volume(place, part)
                for part, target in zip(DATA, ("/var/lib/docker", "/var/lib/libvirt"), strict=True)
            }
            for name in volumes.values():
                client.volumes.create(name, labels=labels)
            sockets = _sockets(place)
            sockets.mkdir(mode=0o700, parents=True, exist_ok=True)
            wanted = like(known, name=NAME, lan=lan, address=second.address, sockets=str(sockets), volumes=volumes)
            made = client.api.create_container_from_config(wanted, second.container)  # type: ignore[no-untyped-call]  # the stubs lack it
            container = client.containers.get(made["Id"])
            container.start()
            servers.wait_healthy(container)
    return second


def describe(place: Place) -> outputs.Server:
    """It as the stack's contract would have it, whether it is there or not."""
    first = place.contract.servers[0]
    subnet = ipaddress.IPv4Network(f"{first.address}/24", strict=False)
    own = plan.Plan(CHECKOUT_ID, place.lab, subnet)
    sockets = _sockets(place)
    return outputs.Server(
        name=NAME,
        address=str(own.server_address(INDEX)),
        reach=servers.reach(place.ready.machine, own.name(NAME)),
        docker_host=f"unix://{sockets}/docker.sock",
        libvirt_uri=f"qemu+unix:///system?socket={sockets}/libvirt.sock",
    )


def remove(place: Place) -> None:
    """Remove it with all that it holds; nothing happens where there is none."""
    second = describe(place)
    with servers.engine(place.ready.machine) as client:
        with suppress(NotFound):
            # What it holds is to go: it need not shut down in order.
            client.containers.get(second.container).remove(force=True, v=True)
        for part in DATA:
            with suppress(NotFound):
                client.volumes.get(_volume(place, part)).remove(force=True)
    try:
        shutil.rmtree(_sockets(place))
    except FileNotFoundError:
        return
    except OSError as error:
        raise LabError(
            f"The sockets of the second server stay: {error}", hint=f"./lab leftovers {place.lab}"
        ) from error


def _sockets(place: Place) -> Path:
    return Path(place.ready.machine.runtime_dir, f"{place.lab}-{NAME}")


def _volume(place: Place, part: str) -> str:
    return f"{describe(place).container}-{part}"
