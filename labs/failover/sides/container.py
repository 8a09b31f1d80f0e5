"""The container's cluster: Docker Swarm, whose servers are all managers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from infra import answers
from infra.outputs import Replica, Server
from infra.plan import SERVICE_PORT
from labkit.lifecycle.running import RunningLab
from labkit.sides.container import PAUSE
from labkit.system.errors import LabError
from labkit.system.waiting import until
from labs.failover import logs
from labs.failover.outage import DETECT, PLACE, READY, ROUTE, START, Moment
from labs.failover.sides import cluster
from labs.failover.sides.cluster import DEFAULT, JOIN, MATCHED, SETTLED_WITHIN_S, SPLIT, SPLIT_DIR, Cluster

SIDE = "container"
_POLL_S = 0.5

_KILL = 'kill -s KILL "$(docker inspect -f "{{.State.Pid}}" "$1")"'
_EVENTS = 'docker events --since "$1" --until "$(date +%s.%N)" --format \'{{json .}}\''
_WHOLE = "docker node ls --format '{{.Status}} {{.Availability}} {{.ManagerStatus}}'"
_TIMERS = """
heartbeat=$(docker info --format '{{json .Swarm.Cluster.Spec.Dispatcher.HeartbeatPeriod}}')
delay=$(docker service inspect --format '{{json .Spec.TaskTemplate.RestartPolicy.Delay}}' "$1")
echo "$heartbeat $delay"
"""
_SET = """
set -e
docker swarm update --dispatcher-heartbeat "$2" > /dev/null
docker service update --quiet --restart-delay "$3" "$1" > /dev/null
"""
_PORT = 8100
_COPY = f"""
set -e
trap 'docker unpause "$1" > /dev/null' EXIT
{PAUSE}
rm -rf {SPLIT_DIR}
data=$(docker service inspect --format '{{{{(index .Spec.TaskTemplate.ContainerSpec.Mounts 0).Source}}}}' "$2")
cp -a "$data" {SPLIT_DIR}
"""
_START = f"""
set -e
set -- "$1" $(docker service inspect --format \
    '{{{{with .Spec.TaskTemplate.ContainerSpec}}}}{{{{(index .Mounts 0).Target}}}} {{{{.Image}}}}{{{{end}}}}' "$1")
docker run --detach --name "$1{SPLIT}" --hostname "$1" --publish {_PORT}:{SERVICE_PORT} --volume "{SPLIT_DIR}:$2" \
    --env VVC_REPLICA="$1" --env VVC_SERVER="$(hostname)" --env VVC_SIDE={SIDE} "$3" > /dev/null
"""
# Swarm does later what it says yes to at once: a manager that is promoted before it has come back as a worker leads on,
# or takes half a minute to be one again.
_DEMOTE = """
for one in "$@"; do docker node demote "$one" > /dev/null; done
for one in "$@"; do
    tries=60
    until docker node inspect --format '{{if not .ManagerStatus}}{{.Status.State}}{{end}}' "$one" | grep -q ready; do
        tries=$((tries - 1))
        [ "$tries" -gt 0 ] || exit 1
        sleep 0.5
    done
done
"""
_NS_PER_S = 1_000_000_000


class Swarm:
    """See labs.failover.sides.cluster.Cluster."""

    DRAIN = 'docker node update --availability drain "$1" > /dev/null'
    MEND = f"""{JOIN}
tries=40
until docker node update --availability active "$(hostname)" > /dev/null 2>&1; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || break
    sleep 0.5
done
true
"""
    MERGE = f"""
docker rm --force "$1{SPLIT}" > /dev/null 2>&1
docker ps --quiet --filter status=paused --filter "name=$1" | xargs --no-run-if-empty docker unpause > /dev/null
rm -rf {SPLIT_DIR}
"""
    PARTS: ClassVar[Mapping[str, Sequence[str]]] = {
        "server-drained": (PLACE, START, READY, ROUTE),
        "": (DETECT, PLACE, START, READY, ROUTE),
    }
    TIMERS: ClassVar[Mapping[str, Mapping[str, str]]] = {
        DEFAULT: {"heartbeat": "5s", "restart_delay": "5s"},
        MATCHED: {"heartbeat": "1s", "restart_delay": "0s"},
    }

    def kill_service(self, place: RunningLab, replica: Replica) -> float:
        """From its server: it is the container's first process, so that the container ends with it."""
        now = place.replica(replica.side)
        return cluster.stamped(place.run(now), _KILL, now.handle)

    def lead(self, place: RunningLab, replica: Replica, *, leads: bool) -> None:
        """The task stays where it is: managers that shall not lead lay it down for a moment."""
        first, here = cluster.leader(place, SIDE), place.replica(replica.side).server
        if (first == here) == leads:
            return
        servers = cluster.of(place, SIDE)
        # Where one alone is left, it leads.
        down = [one.name for one in servers if one.name != here] if leads else [here]
        down.sort(key=lambda name: name == first)
        asked = [one for one in servers if one.name not in down]
        try:
            cluster.tell(place, asked, _DEMOTE, *down)
        finally:
            cluster.tell(place, asked, 'for one in "$@"; do docker node promote "$one" > /dev/null; done', *down)
        self._await_whole(place)
        cluster.await_leader(place, replica, leads=leads)

    def waits(self, timers: Mapping[str, str]) -> str:
        """Of three heartbeats none comes; then the restart delay."""
        return f"heartbeat {timers['heartbeat']}, lost after three, restart delay {timers['restart_delay']}"

    def timers(self, place: RunningLab) -> Mapping[str, str]:
        """As Swarm keeps them, in nanoseconds there."""
        told = cluster.tell(place, cluster.of(place, SIDE), _TIMERS, place.replica(SIDE).name).output.split()
        heartbeat, delay = (f"{int(one) // _NS_PER_S}s" for one in told)
        return {"heartbeat": heartbeat, "restart_delay": delay}

    def set_timers(self, place: RunningLab, replica: Replica, wanted: Mapping[str, str]) -> None:
        """Swarm makes the task anew, as its delay is the task's."""
        words = (replica.name, wanted["heartbeat"], wanted["restart_delay"])
        cluster.tell(place, cluster.of(place, SIDE), _SET, *words)
        answers.wait_until_ready(replica.url, replica.name, place.contract.service_version)

    def split(self, place: RunningLab, replica: Replica, server: Server) -> Replica:
        """An engine of its own account, behind Swarm's back; its data are copied while the task is frozen."""
        place.run(replica)(["sh", "-c", _COPY, "sh", replica.handle, replica.name])
        place.runner(server)(["sh", "-c", _START, "sh", replica.name])
        url = f"http://{server.address}:{_PORT}"
        answers.wait_until_ready(url, replica.name, place.contract.service_version)
        return replace(replica, server=server.name, handle=f"{replica.name}{SPLIT}", url=url)

    def identity(self, place: RunningLab, replica: Replica) -> Mapping[str, str]:
        """The container, which no other one has the id of; it boots no kernel."""
        found = place.run(replica)(["docker", "inspect", "-f", "{{.Id}}", replica.handle]).output.strip()
        return {"server": replica.server, "boot": str(cluster.whoami(replica)["boot_id"]), "id": found}

    def told(self, place: RunningLab, replica: Replica, since_s: float) -> Iterable[Moment]:
        """The engines' events; what the service says of itself."""
        found = [one for one in cluster.service(place, replica, cluster.whoami(replica)) if one.part == READY]
        for _, outcome in cluster.ask(place, cluster.of(place, SIDE), _EVENTS, f"{since_s:.3f}"):
            found += logs.swarm(outcome.output, replica.name)
        return [one for one in found if since_s <= one.at_s]

    def _await_whole(self, place: RunningLab) -> None:
        servers = cluster.of(place, SIDE)

        # Each is asked itself: one that others call reachable may know of nobody yet. If it died now it would never be
        # a manager again, as nothing of the swarm is on its disk.
        def whole() -> bool:
            told = [outcome.output.splitlines() for _, outcome in cluster.ask(place, servers, _WHOLE)]
            managers = ("Ready Active Leader", "Ready Active Reachable")
            return len(told) == len(servers) and all(
                len(lines) == len(servers) and all(line in managers for line in lines) for lines in told
            )

        if not until(whole, SETTLED_WITHIN_S, _POLL_S):
            raise LabError("Not all servers of the swarm are managers again.", hint=f"./lab up {place.lab}")


CLUSTER: Cluster = Swarm()
