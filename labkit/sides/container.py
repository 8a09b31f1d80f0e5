"""The container side: how one reaches into a container, and what the engine knows of it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from infra import names
from infra.outputs import Replica, Server
from labkit.sides import _processes
from labkit.sides.protocol import COMPRESSOR, Event, Object, Port, Runner, Side, Sizes, Stats, numbers
from labkit.system.errors import CommandError
from labkit.system.outcome import Outcome

_SIDE = "container"
_COMPRESS_S = 300.0
_TICK_S = 0.01
"""Resolution of /proc/uptime and of a process's start, proc(5)."""

_LOOK_AT_SERVICES = """
nodes=$(docker node ls --format '{{.Hostname}}' 2>/dev/null | sort -V)
if [ "${nodes%%[!a-z0-9-]*}" = "$(hostname)" ]; then
  docker service ls -q | xargs -r docker service inspect -f 'swarm-service {{.ID}} {{.Spec.Name}}'
fi
"""
"""All of a swarm know its services; they count as the first one's, on which Pulumi makes them."""

_CLOCKS = """
read -r uptime _ < /proc/uptime
echo "uptime_s $uptime"
date +'now_s %s.%N'
"""

PAUSE = """
tries=30
until told=$(docker pause "$1" 2>&1); do
    case $told in
    *freeze* | *paused*) tries=$((tries - 1)) ;;
    *) tries=0 ;;
    esac
    [ "$tries" -gt 0 ] || { echo "$told" >&2; exit 1; }
    sleep 0.5
done
"""
"""Freezes the container $1. On a busy machine an engine gives up before all of its processes have stopped ("unable to
freeze"), and learns seconds later that an earlier pause has ended ("is already paused")."""
_RESUME_TRIES, _RESUME_PAUSE_S = 30, 0.5


class Container:
    """Replicas that are containers of the server's engine."""

    SUSPENDED = "paused, its memory kept"
    STORAGE_DIR = "/var/lib/docker/volumes"
    OBJECTS = (
        Object(
            kind="container",
            type="docker:index/container:Container",
            look="docker ps -a --no-trunc --format 'container {{.ID}} {{.Names}}'",
            made=re.compile(names.replicas(_SIDE)),
            remove='docker rm -f "$1"',
            stray='docker rm -f -v "$1"',
            # What keeps it off, Pulumi says.
            mend='docker unpause "$1" 2>/dev/null; docker start "$1" || true',
        ),
        Object(
            kind="swarm-service",
            type="docker:index/service:Service",
            look=_LOOK_AT_SERVICES,
            made=re.compile(names.replicas(_SIDE)),
            remove='docker service rm "$1"',
        ),
        Object(
            kind="network",
            type="docker:index/network:Network",
            look="docker network ls --no-trunc --format 'network {{.ID}} {{.Name}}'",
            made=re.compile(f"{names.NETWORK}|{names.LAN_NETWORK}"),
            remove='docker network rm "$1"',
        ),
        Object(
            kind="volume",
            type="docker:index/volume:Volume",
            look="docker volume ls --format 'volume {{.Name}} {{.Name}}'",
            stray='docker volume rm -f "$1"',
        ),
    )
    PROCESSES = """
id=$(docker inspect -f '{{.Id}}' "$1")
docker top "$1" -eo pid | sed 1d | while read -r pid; do echo "replica $pid"; done
echo "shim $(pgrep -f -o "containerd-shim.* -id $id")"
docker inspect -f '{{range .NetworkSettings.Networks}}{{println .IPAddress}}{{end}}' "$1" | while read -r ip; do
    pgrep -f "docker-proxy.* -container-ip $ip " | while read -r pid; do echo "proxy $pid"; done
done
echo "daemon $(pgrep -x -o dockerd)"
echo "daemon $(pgrep -x -o containerd)"
"""
    DISK = """
echo "layer $(du -s -B1 "$(docker inspect -f '{{.GraphDriver.Data.UpperDir}}' "$1")" | cut -f1)"
docker inspect -f '{{range .Mounts}}{{println .Source}}{{end}}' "$1" | while read -r folder; do
    [ -z "$folder" ] || echo "volume $(du -s -B1 "$folder" | cut -f1)"
done
"""
    GUEST_MEMORY = ()
    STATE = ("docker", "inspect", "-f", "{{.State.Status}}")
    WHERE = 'docker ps --format "{{.Names}}" | grep -x -e "$1" -e "$1[.].*" || true'
    LEADER = "docker node ls --format '{{.ManagerStatus}} {{.Hostname}}' 2>/dev/null | sed -n 's/^Leader //p'"
    LOOK = "docker logs --tail 50 {name}"
    HAS_KEY = False

    def exec_command(
        self,
        replica: Replica,
        server: Server,
        lab_dir: Path,  # noqa: ARG002 - one protocol for all sides
        command: Sequence[str],
        *,
        tty: bool,
    ) -> list[str]:
        """The command line that runs `command` (a shell if empty) in the container, by the server's engine."""
        flags = ["-it"] if tty else ["-i"]
        return ["docker", "--host", server.docker_host, "exec", *flags, replica.handle, *(command or ["bash"])]

    def start(self, replica: Replica, run: Runner) -> None:
        """Start the stopped container, or let the paused one go on."""
        for _ in range(_RESUME_TRIES):
            if _done(run, "start", replica) or _done(run, "unpause", replica):
                return
            # It may go on already: a busy engine learns that late.
            time.sleep(_RESUME_PAUSE_S)
        run(["docker", "start", replica.handle])

    def stop(self, replica: Replica, run: Runner) -> None:
        """Stop the container: TERM, after the engine's grace KILL."""
        run(["docker", "stop", replica.handle])

    def kill(self, replica: Replica, run: Runner) -> None:
        """KILL to the container's processes."""
        run(["docker", "kill", replica.handle])

    def suspend(self, replica: Replica, run: Runner) -> None:
        """Freeze the container's processes; they keep their memory."""
        run(["sh", "-c", PAUSE, "sh", replica.handle])

    def port(self, replica: Replica, run: Runner) -> Port:
        """The server's end of its veth pair; else its own adapter, in its namespace; else the server's address."""
        found = _inspect(replica, run)
        if found["HostConfig"]["NetworkMode"] == "host":
            address = urlsplit(replica.url)
            return Port(_holder(run, str(address.hostname)), "its server's own", only=f"port {address.port}")
        enter = ("nsenter", "--target", str(found["State"]["Pid"]), "--net")
        own = _adapter(_json(run([*enter, "ip", "-details", "-json", "link"])))
        if own["linkinfo"]["info_kind"] != "veth":
            return Port(own["ifname"], f"its {own['linkinfo']['info_kind']}", enter, namespace=enter)
        links = _json(run(["ip", "-json", "link"]))
        peer = next(link["ifname"] for link in links if link["ifindex"] == own["link_index"])
        return Port(peer, "its server's end of its veth pair", namespace=enter)

    def stats(self, replica: Replica, run: Runner) -> Stats:
        """Of all the container's processes; limits as the engine set them."""
        found = _inspect(replica, run)
        top = run(["docker", "top", replica.handle, "-eo", "pid"]).output.split()[1:]
        pss_bytes, cpu_s = _processes.usage(run, top)
        limits = found["HostConfig"]
        return Stats(
            pss_bytes=pss_bytes,
            cpu_s=cpu_s,
            vcpus=limits["NanoCpus"] / 1e9,
            memory_mib=limits["Memory"] // 2**20,
        )

    def sizes(self, replica: Replica, run: Runner) -> Sizes:
        """Of the container image's layers as they lie in the engine's storage; compressed: `docker save`."""
        found = _inspect(replica, run)
        image = _json(run(["docker", "image", "inspect", found["Image"]]))[0]
        layers = _layers(image["GraphDriver"]["Data"])
        parts = {f"layer {number}": _blocks(run, [layer]) for number, layer in enumerate(layers, 1)}
        pipe = f'docker save "$1" | {" ".join(COMPRESSOR)} | wc -c'
        return Sizes(
            virtual_bytes=int(image["Size"]),
            allocated_bytes=sum(parts.values()),
            compressed_bytes=int(run(["sh", "-c", pipe, "sh", image["Id"]], _COMPRESS_S).output),
            parts=parts,
            image=(image["RepoTags"] or [image["Id"]])[0],
        )

    def events(self, replica: Replica, run: Runner, inside: Runner) -> tuple[Event, ...]:  # noqa: ARG002 - the engine knows it all
        """When the engine made the container and its process, and when it called it started."""
        found = _inspect(replica, run)
        clocks = numbers(run(["sh", "-c", _CLOCKS]))
        boot = clocks["now_s"] - clocks["uptime_s"]
        source = "docker inspect"
        return (
            Event("engine creates the container", _instant(found["Created"]) - boot, "server", source, _TICK_S),
            Event(
                "engine makes the container's process",
                _processes.started_s(run, str(found["State"]["Pid"])),
                "server",
                "/proc/PID/stat of its first process",
                _TICK_S,
            ),
            Event("engine calls it started", _instant(found["State"]["StartedAt"]) - boot, "server", source, _TICK_S),
        )


SIDE: Side = Container()


def _done(run: Runner, word: str, replica: Replica) -> bool:
    """Whether its engine has done it; False where it says that the container is paused, or is not."""
    try:
        run(["docker", word, replica.handle])
    except CommandError as error:
        if not any(said in error.outcome.output for said in ("paused", "cannot resume")):
            raise
        return False
    return True


def _inspect(replica: Replica, run: Runner) -> dict[str, Any]:
    found: dict[str, Any] = _json(run(["docker", "inspect", replica.handle]))[0]
    return found


def _adapter(links: Sequence[Any]) -> Any:
    """A container's first adapter, of what `ip` tells of all in its namespace."""
    return next(link for link in links if "linkinfo" in link and link["link_type"] != "loopback")


def _holder(run: Runner, address: str) -> str:
    """Which of the server's interfaces has this address."""
    links = _json(run(["ip", "-json", "address", "show", "to", address]))
    return next((str(link["ifname"]) for link in links if link.get("ifname")), "any")


def _json(outcome: Outcome) -> Any:
    return json.loads(outcome.output)


def _layers(data: dict[str, str]) -> list[str]:
    """Folders of an image's layers, the lowest first (overlay2: UpperDir over LowerDir)."""
    return [*reversed([one for one in data.get("LowerDir", "").split(":") if one]), data["UpperDir"]]


def _blocks(run: Runner, folders: Sequence[str]) -> int:
    lines = run(["du", "--summarize", "--total", "--block-size=1", *folders]).output.splitlines()
    return int(lines[-1].split()[0])


def _instant(text: str) -> float:
    """Seconds since 1970 of the engine's stamp, which has nanoseconds, in UTC."""
    return datetime.fromisoformat(text[:26].rstrip("Z").ljust(19, "0") + "+00:00").timestamp()
