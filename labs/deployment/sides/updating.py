"""The ways in which each side gets another version of the service, and what each leaves behind if it is cut off."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from infra import answers, names, plan
from infra.outputs import Replica
from labkit.lifecycle import change, steady
from labkit.measure.experiment import Place
from labkit.measure.switch import Switch
from labkit.system import carry, shell
from labkit.system.errors import LabError
from labkit.system.paths import CHECKOUT
from labs.deployment.sides import container_again

BUILD_WITHIN_S = 300.0
CARRY_WITHIN_S = 60.0
DRAIN_S = 1.0
"""From the switch to the stop of the old container: requests that it has taken are answered meanwhile."""

NEXT_IMAGE = f"{names.SERVICE_IMAGE}:start-first"
_DATA = "/var/lib/vvc-service"

Way = Callable[[Place, Replica, Switch, str], None]
"""Brings a replica to a version; what then answers behind the switch has it, and has all entries."""


def in_place(place: Place, replica: Replica, _switch: Switch, version: str) -> None:
    """Ansible in the running guest, by `pulumi up` for this side alone: new files, then a restart of the unit."""
    targets = [names.playbook(replica.name), names.ready(replica.name)]
    change.up(place, {"service_version": version}, targets=targets)


def replace_vm(place: Place, replica: Replica, switch: Switch, version: str) -> None:
    """A new disk and a new domain by `pulumi up`. The entries lie on the old disk: they are carried over.

    Out of reach meanwhile, so that nothing is acknowledged that would not be carried.
    """
    switch.away()
    _out(place, replica)
    name = replica.name
    # With a name of its own a domain cannot be made beside the old one: it is destroyed first.
    parts = [names.disk(name), name, names.playbook(name), names.ready(name)]
    change.destroy(place, parts)
    change.up(place, {"service_version": version}, targets=parts)
    _back(place, replica)
    answers.wait_until_ready(replica.url, name, version)
    switch.to(replica.url)


def _archive(place: Place, replica: Replica) -> Path:
    return place.folder / f".{replica.name}-data.tar"


def _out(place: Place, replica: Replica) -> None:
    file = _archive(place, replica)
    draft = file.with_suffix(".part")
    script = f"systemctl stop vvc-service && tar -C {_DATA} -c ."
    carry.carry(_words(place, replica, script), ["sh", "-c", 'cat > "$1"', "sh", str(draft)], CARRY_WITHIN_S)
    draft.replace(file)


def _back(place: Place, replica: Replica) -> None:
    file = _archive(place, replica)
    script = f"systemctl stop vvc-service && rm -rf {_DATA}/* && tar -C {_DATA} -x && systemctl start vvc-service"
    carry.carry(["cat", str(file)], _words(place, replica, script), CARRY_WITHIN_S)
    file.unlink()


def _words(place: Place, replica: Replica, script: str) -> list[str]:
    return place.words_inside(replica, ["sh", "-c", script])


def replace_container(place: Place, replica: Replica, _switch: Switch, version: str) -> None:
    """A new container image and a new container over the same volume, by `pulumi up` for this side alone."""
    targets = ["container-image", replica.name, names.ready(replica.name)]
    change.up(place, {"service_version": version}, targets=targets)


def start_first(place: Place, replica: Replica, switch: Switch, version: str) -> None:
    """A second container over the same volume, on a port of its own; the switch moves when it answers.

    The first one stays, stopped: to roll back is to start it again, move the switch, and remove the second.
    """
    run, other = place.run(replica), f"{replica.name}-next"
    if version == place.contract.service_version:
        run(["docker", "start", replica.handle])
        answers.wait_until_ready(replica.url, replica.name, version)
        switch.to(replica.url)
        time.sleep(DRAIN_S)
        run(["docker", "stop", other])
        run(["sh", "-c", _REMOVE, "sh", other])
        return
    _build(place, replica, version)
    found = json.loads(run(["docker", "inspect", replica.handle]).output)[0]
    port = plan.CONTAINER_PORT + plan.MAX_REPLICAS
    run(container_again.words(found, name=other, image=NEXT_IMAGE, port=port))
    url = f"http://{place.server(replica).address}:{port}"
    answers.wait_until_ready(url, replica.name, version)
    switch.to(url)
    time.sleep(DRAIN_S)
    run(["docker", "stop", replica.handle])


_REMOVE = f"""
docker rm -f "$1" > /dev/null 2>&1
[ -z "$(docker images -q {NEXT_IMAGE})" ] || docker rmi {NEXT_IMAGE} > /dev/null
"""


def _build(place: Place, replica: Replica, version: str) -> None:
    """The image of the new version, from the same files and the same base as Pulumi's."""
    images = ["docker", "images", "--format", "{{.Repository}}:{{.Tag}}", names.CONTAINER_BASE]
    told = place.run(replica)(images).output.split()
    if not told:
        raise LabError(f"The server has no image {names.CONTAINER_BASE}.", hint=f"./lab up {place.lab}")
    words = ["docker", "--host", place.server(replica).docker_host, "build", "--quiet", "--tag", NEXT_IMAGE]
    arguments = {"BASE": told[0], "VERSION": version, "COMMIT": "start-first"}
    words += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
    shell.run([*words, str(CHECKOUT / "service")], timeout_s=BUILD_WITHIN_S, env={"DOCKER_BUILDKIT": "0"})


WAYS: Mapping[str, Mapping[str, Way]] = {
    "vm": {"in place": in_place, "replaced": replace_vm},
    "container": {"replaced": replace_container, "start-first": start_first},
}
"""Side -> way -> what does it. Two VMs cannot write one disk, so that start-first is the containers' alone here."""


def _clean_vm(place: Place, replica: Replica) -> None:
    _archive(place, replica).with_suffix(".part").unlink(missing_ok=True)
    if _archive(place, replica).exists():
        _back(place, replica)
    elif steady.wrong(replica, place.contract.service_version):
        # Its unit was stopped to carry the entries away, and that came to nothing.
        with suppress(LabError):
            place.inside(replica)(["systemctl", "start", "vvc-service"])


def _clean_container(place: Place, replica: Replica) -> None:
    place.run(replica)(["sh", "-c", _REMOVE, "sh", f"{replica.name}-next"])


CLEAN: Mapping[str, Callable[[Place, Replica], None]] = {"vm": _clean_vm, "container": _clean_container}
"""Side -> what puts right, in a lab that is as its stack's file says, what a way had left when it was cut off."""
