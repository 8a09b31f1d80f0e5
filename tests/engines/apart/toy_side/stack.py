"""The toy side's stack: in the first server the service's packages and files as a folder, and one process a replica."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, Resource

from infra import names, outputs
from infra.lab import Blueprint
from infra.provider import Provider
from infra.ready import Ready
from infra.server import Server
from infra.sides import KINDS
from infra.source import tree_digest
from infra.stacks import Stack

SIDE = "toy"
ROOT = "/opt/toy/root"

_PUT = f"""
set -eu
[ -e {ROOT}/usr ] || tar -C {ROOT} -xzf /opt/toy/rootfs.tar.gz
[ -e {ROOT}/proc/self ] || mount --bind /proc {ROOT}/proc
mkdir -p {ROOT}/var/lib/$1
printf %s "$2" > {ROOT}/opt/vvc-service/service/release.json
printf '%s\\n' "$3" > /opt/toy/$1.sh
sh /opt/toy/$1.sh
"""
_START = f"""cd /
env -i PATH=/usr/bin:/usr/sbin {{variables}} setsid chroot {ROOT} \\
    sh -c 'cd /opt/vvc-service && exec python3 -m service' > /opt/toy/{{name}}.log 2>&1 < /dev/null &
echo $! > /run/{{name}}.pid"""
_REMOVE = f"""
kill -9 "$(cat /run/$1.pid)" 2> /dev/null
rm -rf /run/$1.pid /opt/toy/$1.sh {ROOT}/var/lib/$1
"""


class _Provider(Provider):
    def create(self, props: dict[str, Any]) -> CreateResult:
        for words in props["commands"]:
            subprocess.run(words, check=True, capture_output=True, timeout=60)
        return CreateResult(props["replica"], props)

    def delete(self, _id: str, props: dict[str, Any]) -> None:
        subprocess.run(props["remove"], check=False, capture_output=True, timeout=60)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        changed = [key for key in ("commands", "trigger", "digest") if olds.get(key) != news.get(key)]
        return DiffResult(changes=bool(changed), replaces=changed, delete_before_replace=True)


class Process(Resource, module="lab", name="Process"):
    """A process of the service in a server."""

    replica: pulumi.Output[str]


class ToyStack(pulumi.ComponentResource):
    """Replicas of the service, each a plain process of its server."""

    def __init__(self, servers: Sequence[Server], lab: Blueprint) -> None:
        super().__init__("vm-vs-container:index:ToyStack", SIDE)
        self.replicas = [self._replica(index, servers[0], lab) for index in range(lab.settings.replicas)]
        self.register_outputs({})

    def _replica(self, index: int, server: Server, lab: Blueprint) -> pulumi.Output[outputs.Replica]:
        name, version = names.replica(SIDE, index), lab.settings.service_version
        service = Path(lab.machine.checkout) / "service"
        variables = {
            "VVC_REPLICA": name,
            "VVC_SERVER": server.name,
            "VVC_SIDE": SIDE,
            "VVC_PORT": str(KINDS[SIDE].port + index),
            "VVC_DATA_DIR": f"/var/lib/{name}",
        }
        script = _START.format(name=name, variables=" ".join(f"{key}={value}" for key, value in variables.items()))
        release = json.dumps({"version": version, "commit": lab.commit})
        process = Process(
            _Provider(),
            name,
            {
                "replica": name,
                "commands": [
                    server.reach.words(["mkdir", "-p", f"{ROOT}/opt/vvc-service"]),
                    server.reach.words_in(f"{lab.machine.container_dir}/rootfs.tar.gz", "/opt/toy/"),
                    server.reach.words_in(str(service), f"{ROOT}/opt/vvc-service/"),
                    server.reach.words(["sh", "-c", _PUT, "sh", name, release, script]),
                ],
                "remove": server.reach.words(["sh", "-c", _REMOVE, "sh", name]),
                "digest": tree_digest(service),
                "trigger": server.container.id,
            },
            server.contents(self, depends_on=[server.container]),
        )
        ready = Ready(
            names.ready(name),
            url=f"http://{server.address}:{KINDS[SIDE].port + index}",
            replica=name,
            version=version,
            triggers=[process.id, server.container.id],
            console=server.reach.words(["cat", f"/opt/toy/{name}.log"]),
            opts=server.contents(self, depends_on=[process]),
        )
        return ready.url.apply(
            lambda url: outputs.Replica(name=name, side=SIDE, server=server.name, url=url, handle=name)
        )


STACK: type[Stack] = ToyStack
