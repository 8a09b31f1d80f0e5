"""The contract survives its way through Pulumi's outputs."""

from __future__ import annotations

import json

import pytest

from infra import outputs

CONTRACT = outputs.Contract(
    lab="deployment",
    accelerator="tcg",
    service_version="1",
    servers=(outputs.Server("server-1", "10.1.2.2", "vvc-1-server-1", "unix:///a", "qemu+unix:///b"),),
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


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "the stack has no outputs: the lab is not up"),
        ({"schema_version": 7}, "the stack's outputs have schema_version 7, this tool reads 1"),
        ({"schema_version": 1}, "the stack's outputs are incomplete: 'servers'"),
    ],
)
def test_other_outputs_are_refused(values: dict[str, object], message: str) -> None:
    """With the reason."""
    with pytest.raises(outputs.ContractError) as refused:
        outputs.from_outputs(values)
    assert str(refused.value) == message
