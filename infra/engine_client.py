"""Clients of Docker Engines that read nothing of the person's Docker configuration.

That file is made for other work: it names credential helpers that may be missing here, registries, proxies, and may be
broken or another user's. The images that we build and pull are public: nothing of it is needed.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
from docker.errors import APIError, DockerException
from requests.exceptions import RequestException

EMPTY_CONFIG = Path(__file__).resolve().parent / "no_docker_config"
"""A Docker configuration in which nothing is set, for DOCKER_CONFIG."""

ANSWER_S = 120
"""Bound of an answer, in seconds. An engine that is there answers at once, but not while it makes six servers on two
busy CPUs: half a minute was too short there. One that is not there refuses at once."""

_VARIABLE = "DOCKER_CONFIG"
_one_at_a_time = threading.RLock()


class EngineError(Exception):
    """An engine gives no answer; the message is for a person."""


class RefusalError(EngineError):
    """An engine answers, and refuses."""


@contextmanager
def connected(host: str, timeout_s: int = ANSWER_S) -> Iterator[docker.DockerClient]:
    """A client while inside. Raises EngineError for whatever the SDK raises there."""
    try:
        with closing(connect(host, timeout_s)) as client:
            yield client
    except APIError as error:
        raise RefusalError(f"The Docker Engine refused: {error.explanation or error}") from error
    except (DockerException, RequestException) as error:
        raise EngineError(f"The Docker Engine at {host} does not answer.") from error


def connect(host: str, timeout_s: int) -> docker.DockerClient:
    """A client; the caller closes it. `timeout_s` bounds each answer. Raises what the SDK raises."""
    with without_config():
        return docker.DockerClient(base_url=host, timeout=timeout_s)


@contextmanager
def without_config() -> Iterator[None]:
    """What the SDK reads meanwhile is an empty configuration: it takes no path, and reads it at a build too."""
    with _one_at_a_time:
        before = os.environ.get(_VARIABLE)
        os.environ[_VARIABLE] = str(EMPTY_CONFIG)
        try:
            yield
        finally:
            if before is None:
                del os.environ[_VARIABLE]
            else:
                os.environ[_VARIABLE] = before
