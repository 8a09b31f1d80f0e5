"""Clients of Docker Engines, whose silence and refusals are LabErrors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import docker

from infra import engine_client
from labkit.system.errors import LabError


@contextmanager
def connected(host: str, timeout_s: int = engine_client.ANSWER_S) -> Iterator[docker.DockerClient]:
    """A client of the engine at this URL while inside; `timeout_s` bounds each answer.

    Raises LabError when the engine refuses or gives no answer.
    """
    try:
        with engine_client.connected(host, timeout_s) as client:
            yield client
    except engine_client.RefusalError as error:
        raise LabError(str(error), hint="./lab doctor") from error
    except engine_client.EngineError as error:
        raise LabError(str(error), hint="./lab setup") from error
