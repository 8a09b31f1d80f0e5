"""Does a replica answer, and is it the right one? Knows nothing of Pulumi, so that labkit asks the same way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from infra import last_lines
from infra.bounds import READY

_PAUSE_S = 0.05
_REQUEST_S = 2.0


class NotReadyError(Exception):
    """The service did not give the right answer within the bound."""


class UnansweredError(OSError):
    """A replica did not say who it is; the text is what happened instead."""


class Service(requests.Session):
    """Asks a service straight at its address, by paths: no proxy, no .netrc of the person's, no way to elsewhere.

    `within_s` bounds the connection, and each silence after it. Requests raise what requests raises, an OSError.
    """

    def __init__(self, url: str, within_s: float) -> None:
        super().__init__()
        self.trust_env = False
        self._url, self._within_s = url, within_s

    def request(self, method: str | bytes, url: str | bytes, *args: Any, **kwargs: Any) -> requests.Response:
        """Ask for a path."""
        kwargs = {"timeout": self._within_s, **kwargs, "allow_redirects": False}
        return super().request(method, f"{self._url}{url!s}", *args, **kwargs)


def whoami(url: str, within_s: float) -> dict[str, Any]:
    """What a replica says of itself. Raises UnansweredError unless that is a JSON object with status 200."""
    try:
        return _said(ask(url, within_s))
    except (OSError, ValueError) as error:
        raise UnansweredError(_in_words(error)) from error


def ask(url: str, within_s: float) -> requests.Response:
    """The answer of `url`/whoami, whatever it is."""
    with Service(url, within_s) as service:
        return service.get("/whoami")


def _said(answer: requests.Response) -> dict[str, Any]:
    if answer.status_code != requests.codes.ok:
        raise UnansweredError(f"status {answer.status_code}: {_in_a_line(answer.text)}")
    said = answer.json()
    if not isinstance(said, dict):
        raise UnansweredError(f"not an object: {_in_a_line(answer.text)}")
    return said


def _in_a_line(text: str) -> str:
    return " ".join(text.split())[:200]


def _in_words(error: Exception) -> str:
    """What happened; of an error of requests its cause: that names the addresses of objects around it."""
    while isinstance(error, requests.RequestException | HTTPError) and isinstance(error.__context__, Exception):
        error = error.__context__
    return str(error) if isinstance(error, UnansweredError) else f"{type(error).__name__}: {error}"


def wait_until_ready(
    url: str, replica: str, version: str, timeout_s: float | None = None, console: Sequence[str] = ()
) -> None:
    """Ask `url`/whoami until this replica answers 200 with this version.

    Raises NotReadyError after `timeout_s` seconds (by default the bound READY), with the last
    answer and what the command `console` prints.
    """
    if timeout_s is None:
        timeout_s = READY.seconds
    begin = time.monotonic()
    last = ""
    while (left := timeout_s - (time.monotonic() - begin)) > 0:
        try:
            said = whoami(url, min(_REQUEST_S, left))
            if (said.get("replica"), said.get("version")) == (replica, version):
                return
            last = f"it is {said.get('replica')} with version {said.get('version')}"
        except UnansweredError as error:
            # A request that the bound cuts short says less than the answer before it.
            if not (last and isinstance(error.__cause__, requests.Timeout) and left < _REQUEST_S):
                last = str(error)
        time.sleep(_PAUSE_S)
    raise NotReadyError(
        f"Rung 'service answers': {url}/whoami did not answer 200 as {replica}, version {version} "
        f"after {time.monotonic() - begin:.1f} s (bound: {timeout_s:.0f} s). Last: {last or 'no answer yet'}. "
        f"Look inside: ./lab exec {replica}{last_lines.of(console)}"
    )
