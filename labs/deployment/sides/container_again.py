"""`docker run` for a container like one that is there: for another place, another version, another port. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_PER_CPU = 1_000_000_000


def words(
    found: Mapping[str, Any], *, name: str, image: str, port: int | None = None, labels: Mapping[str, str] | None = None
) -> list[str]:
    """The command that makes and starts it, from what `docker inspect` says of the first one.

    Limits, volume, variables, host name and labels stay; `port` is the published port, the first one's if None.
    The network is the engine's default one: whoever speaks to it comes by the published port.
    """
    config, host = found["Config"], found["HostConfig"]
    published = [
        (port or int(binding["HostPort"]), inner.split("/")[0])
        for inner, bindings in host["PortBindings"].items()
        for binding in bindings
    ]
    return [
        *("docker", "run", "--detach", "--name", name, "--hostname", config["Hostname"]),
        *(
            word
            for key, value in {**config["Labels"], **(labels or {})}.items()
            for word in ("--label", f"{key}={value}")
        ),
        *(word for line in config["Env"] if line.startswith("VVC_") for word in ("--env", line)),
        *(word for outer, inner in published for word in ("--publish", f"{outer}:{inner}")),
        *(word for mount in found["Mounts"] for word in ("--volume", f"{mount['Name']}:{mount['Destination']}")),
        *("--cpus", f"{host['NanoCpus'] / _PER_CPU:g}"),
        *("--memory", str(host["Memory"]), "--memory-swap", str(host["MemorySwap"])),
        *("--restart", host["RestartPolicy"]["Name"] or "no"),
        image,
    ]
