"""The other end of a stream of data: iperf3 in a container of the server's image, an own host in the lab's LAN.

Replicas connect to it, never it to them: so one command works along every path, those that translate ports included,
which let in the service's port alone. Either way data can flow in both directions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from infra.plan import LAN, labels, object_name
from labkit.measure.experiment import Place
from labkit.system import shell
from labkit.system.errors import CommandError, LabError
from labkit.system.paths import CHECKOUT_ID
from labkit.system.waiting import until

PORT = 5201
_LIVES_S = 300
"""It ends by itself after that, should nobody be left to end it."""
_WITHIN_S = 60.0
_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class FarEnd:
    """Where it listens."""

    address: str


@contextmanager
def far_end(place: Place) -> Iterator[FarEnd]:
    """While inside, iperf3 listens in the lab's LAN. Raises LabError when it does not come."""
    ours = labels(CHECKOUT_ID, place.lab, "tool")
    words = [word for key, value in ours.items() for word in ("--label", f"{key}={value}")]
    network = object_name(CHECKOUT_ID, place.lab, LAN)
    remove(place)
    try:
        _docker(
            place,
            *("run", "--detach", "--rm", "--init", "--no-healthcheck", "--name", _name(place)),
            *("--network", network, *words),
            *("--entrypoint", "timeout", place.ready.machine.server_image),
            *(str(_LIVES_S), "iperf3", "--server", "--forceflush", "--port", str(PORT)),
        )
        yield FarEnd(_address(place))
    finally:
        remove(place)


def remove(place: Place) -> None:
    """It is not there any more, whoever left it."""
    if _docker(place, "ps", "--all", "--quiet", "--filter", f"name=^{_name(place)}$").strip():
        try:
            _docker(place, "rm", "--force", _name(place))
        except CommandError as error:
            if "No such container" not in error.outcome.output and "already in progress" not in error.outcome.output:
                raise


def _address(place: Place) -> str:
    def listens() -> bool:
        return "listening" in _docker(place, "logs", _name(place))

    if not until(listens, _WITHIN_S, 0.1):
        raise LabError(f"iperf3 did not listen in the lab's LAN within {_WITHIN_S:.0f} s.", hint="./lab doctor")
    told = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
    return _docker(place, "inspect", "--format", told, _name(place)).strip()


def _name(place: Place) -> str:
    return object_name(CHECKOUT_ID, place.lab, "far-end")


def _docker(place: Place, *words: str) -> str:
    return shell.run(["docker", "--host", place.ready.machine.docker_host, *words], timeout_s=_TIMEOUT_S).output
