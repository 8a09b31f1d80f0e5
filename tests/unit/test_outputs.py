"""The contract survives its way through Pulumi's outputs."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any, cast

import pytest

from infra import outputs
from infra.reach import Reach
from labkit.lifecycle.pulumi import Pulumi

REACH = Reach("docker", "unix:///laptop", "vvc-1-server-1")
CONTRACT = outputs.Contract(
    lab="deployment",
    accelerator="tcg",
    service_version="1",
    servers=(outputs.Server("server-1", "10.1.2.2", REACH, "unix:///a", "qemu+unix:///b", "vm"),),
    replicas=(
        outputs.Replica("vm-1", "vm", "server-1", "http://10.1.2.16:8000", "vm-1"),
        outputs.Replica("container-1", "container", "server-1", "http://10.1.2.2:8001", "container-1"),
    ),
    vcpus=1,
    memory_mib=512,
)


def test_a_contract_comes_back_from_json_as_it_was() -> None:
    """`pulumi stack output --json` and back."""
    assert outputs.from_outputs(json.loads(json.dumps(outputs.to_outputs(CONTRACT)))) == CONTRACT
    assert [replica.name for replica in CONTRACT.side("vm")] == ["vm-1"]


FIRST = {
    "lab": "deployment",
    "accelerator": "tcg",
    "service_version": "1",
    "servers": [
        {
            "name": "server-1",
            "address": "10.1.2.2",
            "container": "vvc-1-server-1",
            "docker_host": "unix:///a",
            "libvirt_uri": "qemu+unix:///b",
        }
    ],
    "replicas": [
        {"name": "vm-1", "side": "vm", "server": "server-1", "url": "http://10.1.2.16:8000", "handle": "vm-1"},
        {
            "name": "container-1",
            "side": "container",
            "server": "server-1",
            "url": "http://10.1.2.2:8001",
            "handle": "container-1",
        },
    ],
    "vcpus": 1,
    "memory_mib": 512,
    "schema_version": 1,
}
"""What the first version of the tool exported."""


def test_a_lab_that_an_earlier_version_brought_up_is_read() -> None:
    """Its servers carry all sides, and are reached on the engine that the checkout has."""
    read = outputs.from_outputs(outputs.of_today(FIRST, "unix:///laptop"))
    assert read == dataclasses.replace(CONTRACT, servers=(dataclasses.replace(CONTRACT.servers[0], side=None),))
    assert outputs.of_today(outputs.to_outputs(CONTRACT), "unix:///other") == outputs.to_outputs(CONTRACT)
    assert outputs.of_today({}, "unix:///laptop") == {}


def test_pulumis_answer_is_read_whichever_version_brought_the_lab_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """All that asks for a lab's outputs asks there."""
    cli = Pulumi(cast(Any, SimpleNamespace(pulumi="/p", path_dirs=(), env={})), "unix:///laptop")
    monkeypatch.setattr(cli, "_ask", lambda _words: json.dumps(FIRST))
    assert outputs.from_outputs(cli.outputs("deployment")).servers[0].reach == REACH


@pytest.mark.parametrize("broken", [{"servers": [{}]}, {"replicas": [{}]}])
def test_half_an_answer_of_an_earlier_version_is_refused_like_any(broken: dict[str, object]) -> None:
    """Not with a traceback."""
    values = outputs.of_today({**FIRST, **broken}, "unix:///laptop")
    with pytest.raises(outputs.ContractError, match="the stack's outputs are incomplete: "):
        outputs.from_outputs(values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the stack has no outputs: the lab is not up"),
        ({"schema_version": 7}, "the stack's outputs have schema_version 7, this tool reads 2"),
        ({"schema_version": 2}, "the stack's outputs are incomplete: 'servers'"),
        ({"schema_version": 2, "servers": [{}]}, "the stack's outputs are incomplete: 'reach'"),
    ],
)
def test_other_outputs_are_refused(values: dict[str, object], message: str) -> None:
    """With the reason."""
    with pytest.raises(outputs.ContractError) as refused:
        outputs.from_outputs(values)
    assert str(refused.value) == message
