"""A lab that is up stays as it is: what the program declares is, byte for byte, what it was declared as then.

`today.json` was written by the program before it was taken apart into grounds and stacks. A line of it that changes
replaces or updates something in every lab that is up: then the changelog says so.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict  # type: ignore[import-untyped]

from infra.machine import Machine
from infra.source import text_digest
from tests.program.mocks import Build

FILE = Path(__file__).with_name("today.json")
LABS: dict[str, dict[str, str]] = {
    "the deployment lab": {},
    "two servers, three replicas, KVM": {"servers": "2", "replicas": "3", "accelerator": "kvm", "vcpus": "2"},
    "one side": {"sides": "container", "service_version": "2"},
}
KEPT = ("provider", "deletedWith", "ignoreChanges", "replaceOnChanges", "deleteBeforeReplace", "dependencies")


def declared(build: Build, machine: Machine, config: dict[str, str]) -> list[dict[str, Any]]:
    """Every resource with its parent, its inputs, and what Pulumi is told of it; without this test's folder."""
    found = [_plain(request) for request in build(**config).requests if request.type != "pulumi:pulumi:Stack"]
    place = text_digest(f"{machine.checkout}/service")
    text = json.dumps(found).replace(machine.checkout, "CHECKOUT").replace(place, "PLACE")
    return sorted(json.loads(text), key=lambda one: (one["type"], one["name"]))


def _plain(request: Any) -> dict[str, Any]:
    told = MessageToDict(request)
    inputs = told.get("object", {})
    # Of a dynamic resource's provider Pulumi keeps a pickle, whose bytes are the interpreter's.
    inputs.pop("__provider", None)
    return {
        "type": told["type"],
        "name": told["name"],
        "parent": told.get("parent", ""),
        "inputs": inputs,
        **{key: sorted(told[key]) if isinstance(told[key], list) else told[key] for key in KEPT if key in told},
    }


@pytest.mark.parametrize("name", LABS)
def test_a_lab_that_is_up_is_declared_as_it_was(build: Build, machine: Machine, name: str) -> None:
    """Names, types, parents, inputs and options of every resource."""
    before = {(one["type"], one["name"]): one for one in json.loads(FILE.read_text(encoding="utf-8"))[name]}
    after = {(one["type"], one["name"]): one for one in declared(build, machine, LABS[name])}
    assert set(after) == set(before)
    assert {key: one for key, one in after.items() if one != before[key]} == {}
