"""Does a replica answer, and is it the right one? Knows nothing of Pulumi, so that labkit asks the same way."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx

from infra import last_lines
from infra.bounds import READY

_PAUSE_S = 0.05
_REQUEST_S = 2.0


class NotReadyError(Exception):
    """The service did not give the right answer within the bound."""


def ask(url: str, within_s: float) -> httpx.Response:
    """The answer of `url`/whoami, straight from there: no proxy, no .netrc of the person's. Raises httpx.HTTPError."""
    return httpx.get(f"{url}/whoami", timeout=within_s, trust_env=False)


def whoami(url: str, within_s: float) -> dict[str, Any]:
    """What a replica says of itself. Raises httpx.HTTPError, or ValueError where the answer is no JSON object."""
    answer = ask(url, within_s)
    answer.raise_for_status()
    said = answer.json()
    if not isinstance(said, dict):
        raise ValueError(f"not an object: {answer.text[:200]}")  # noqa: TRY004 - as of what is no JSON
    return said


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
            answer = ask(url, min(_REQUEST_S, left))
            if answer.status_code == httpx.codes.OK:
                body = answer.json()
                if (body.get("replica"), body.get("version")) == (replica, version):
                    return
                last = f"it is {body.get('replica')} with version {body.get('version')}"
            else:
                last = f"status {answer.status_code}: {answer.text[:200]}"
        except (httpx.HTTPError, ValueError) as error:
            # A request that the bound cuts short says less than the answer before it.
            if not (last and isinstance(error, httpx.TimeoutException) and left < _REQUEST_S):
                last = f"{type(error).__name__}: {error}"
        time.sleep(_PAUSE_S)
    raise NotReadyError(
        f"Rung 'service answers': {url}/whoami did not answer 200 as {replica}, version {version} "
        f"after {time.monotonic() - begin:.1f} s (bound: {timeout_s:.0f} s). Last: {last or 'no answer yet'}. "
        f"Look inside: ./lab exec {replica}{last_lines.of(console)}"
    )
