"""A failing provider is one sentence in Pulumi's output: gRPC's traceback goes into a log."""

from __future__ import annotations

import base64
import subprocess
import sys
from pathlib import Path

import dill  # type: ignore[import-untyped]  # has no stubs
import grpc  # type: ignore[import-untyped]  # has no stubs
import pytest
from google.protobuf import struct_pb2  # type: ignore[import-untyped]  # has no stubs
from pulumi.runtime.proto import provider_pb2, provider_pb2_grpc

from infra import playbook, ready, sockets

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("kind", [playbook._Provider, ready._Provider, sockets._Provider])
def test_a_failing_provider_shows_no_traceback(kind: type) -> None:
    """As Pulumi starts it; what it says to the engine is the sentence."""
    before = set((ROOT / ".state" / "logs").glob("*-provider.log"))
    served = subprocess.Popen(
        [sys.executable, "-u", "-m", "pulumi.dynamic"], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert served.stdout is not None
    port = int(served.stdout.readline())
    props = struct_pb2.Struct()
    props.update({"__provider": base64.b64encode(dill.dumps(kind())).decode()})
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel, pytest.raises(grpc.RpcError) as failed:
        provider_pb2_grpc.ResourceProviderStub(channel).Create(provider_pb2.CreateRequest(properties=props))
    served.terminate()
    _, told = served.communicate(timeout=20)
    assert "Exception calling application: " in str(failed.value)
    assert b"Traceback" not in told
    for file in set((ROOT / ".state" / "logs").glob("*-provider.log")) - before:
        assert "KeyError" in file.read_text(encoding="utf-8")
        file.unlink()
