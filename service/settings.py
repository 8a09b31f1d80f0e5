"""Settings from environment variables VVC_*, validated before anything is opened; all problems are reported at once."""

from __future__ import annotations

import ipaddress
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

SIDES = ("vm", "container")
DEFAULT_DATA_DIR = "/var/lib/vvc-service"
DEFAULT_HOST = "0.0.0.0"  # noqa: S104 - inside a guest or a container; who reaches it is the lab's LAN's matter
DEFAULT_PORT = 8000
"""infra.plan.SERVICE_PORT; the service imports nothing of the project."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_NAME_RULE = "1 to 64 of A-Z a-z 0-9 . _ - and a letter or digit first"
_MAX_PORT = 65535


class SettingsError(Exception):
    """The environment is not usable; `problems` has one sentence for each variable that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class Settings:
    """What one replica needs to know of itself. `port` 0 lets the kernel choose one."""

    replica: str
    side: str
    server: str
    data_dir: Path
    host: str
    port: int


@dataclass(frozen=True)
class Release:
    """Version and commit of the service's files; "dev" and "" when they were not released."""

    version: str = "dev"
    commit: str = ""


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Settings of this environment, or SettingsError with every problem, each with value and rule."""
    problems: list[str] = []

    def name(variable: str) -> str:
        value = environ.get(variable, "")
        if not _NAME.fullmatch(value):
            problems.append(f"{variable} is {value!r}: must be {_NAME_RULE}")
        return value

    replica, server = name("VVC_REPLICA"), name("VVC_SERVER")
    side = environ.get("VVC_SIDE", "")
    if side not in SIDES:
        problems.append(f"VVC_SIDE is {side!r}: must be {' or '.join(SIDES)}")
    host = environ.get("VVC_HOST", DEFAULT_HOST)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        problems.append(f"VVC_HOST is {host!r}: must be an IP address of this machine")
    port = environ.get("VVC_PORT", str(DEFAULT_PORT))
    if not re.fullmatch("[0-9]{1,5}", port) or int(port) > _MAX_PORT:
        problems.append(f"VVC_PORT is {port!r}: must be a number from 0 to {_MAX_PORT}")
        port = "0"
    data_dir = Path(environ.get("VVC_DATA_DIR", DEFAULT_DATA_DIR))
    if not data_dir.is_absolute() or not data_dir.is_dir():
        problems.append(f"VVC_DATA_DIR is {str(data_dir)!r}: must be the absolute path of an existing directory")
    elif not os.access(data_dir, os.W_OK | os.X_OK):
        problems.append(f"VVC_DATA_DIR is {str(data_dir)!r}: uid {os.geteuid()} must be able to write there")
    if problems:
        raise SettingsError(problems)
    return Settings(replica, side, server, data_dir, host, int(port))


def read_release(path: Path) -> Release:
    """What release.json says; the defaults when there is no such file; SettingsError when it cannot be read."""
    try:
        data = json.loads(path.read_bytes())
        return Release(version=str(data["version"]), commit=str(data["commit"]))
    except FileNotFoundError:
        return Release()
    except (OSError, ValueError, KeyError, TypeError) as error:
        rule = 'must be like {"version": "1", "commit": "abc"}'
        raise SettingsError([f"{path} cannot be used ({error!r}): {rule}"]) from error
