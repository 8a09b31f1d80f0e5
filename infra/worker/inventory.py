"""Whom Ansible reaches, and how: a guest by ssh, or a cluster's servers through the engine that carries them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from infra.worker.ladder import PARTS


def inventory(inputs: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """Groups and their hosts, for ansible-runner. `names` are the files of this run, by plain names."""
    # Ansible's own value is the path of this interpreter, which Mitogen takes for words of a shell.
    here = {"ansible_connection": "local", "ansible_python_interpreter": names["python"]}
    servers = inputs.get("servers")
    group = {"guests": {"hosts": {inputs["name"]: _guest(inputs, names)}}} if servers is None else _servers(servers)
    return {**group, "ungrouped": {"hosts": {"localhost": here}}}


def _servers(servers: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    # What is done once is done on the first: always the same one, in whatever order Pulumi hands them over.
    return {"servers": {"hosts": {name: dict(servers[name]) for name in sorted(servers)}}}


def _guest(inputs: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "ansible_host": inputs["host"],
        "ansible_port": inputs["port"],
        "ansible_user": inputs["user"],
        "ansible_ssh_private_key_file": names["key"],
        "ansible_ssh_executable": names["ssh"],
        "mitogen_ssh_keepalive_interval": 3,
        "mitogen_ssh_keepalive_count": max(3, inputs["ssh_timeout_s"] // PARTS // 3),
        # Costs more on an emulated CPU than the bytes do on a network inside one machine.
        "mitogen_ssh_compression": False,
    }
