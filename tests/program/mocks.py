"""Pulumi's mocks: they note what a program declares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pulumi
from pulumi.runtime.mocks import MockMonitor


@dataclass
class Declared:
    """Resources by their Pulumi name, and the stack's outputs."""

    resources: dict[str, pulumi.runtime.MockResourceArgs] = field(default_factory=dict)
    requests: list[Any] = field(default_factory=list)
    """What Pulumi is asked to register, components included, as it is sent."""
    outputs: dict[str, Any] = field(default_factory=dict)

    def of_type(self, kind: str) -> list[str]:
        """Names of the resources of one type, such as docker:index/container:Container."""
        return sorted(name for name, args in self.resources.items() if args.typ == kind)


class Mocks(pulumi.runtime.Mocks):
    def __init__(self, declared: Declared) -> None:
        self.declared = declared

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        if args.typ.startswith("vm-vs-container:"):
            return f"{args.name}-component", {}
        assert args.name not in self.declared.resources, f"two resources are called {args.name}"
        self.declared.resources[args.name] = args
        return f"{args.name}-id", {
            **args.inputs,
            "imageId": f"sha256:{args.name}",
            "pinned": f"{args.inputs.get('image')}@sha256:0",
        }

    def call(self, args: pulumi.runtime.MockCallArgs) -> tuple[dict[Any, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"no function is called: {args.token}")


class Monitor(MockMonitor):
    """Pulumi's own stand-in for its engine, which notes the requests as well."""

    def __init__(self, declared: Declared) -> None:
        super().__init__(Mocks(declared))
        self.declared = declared

    def RegisterResource(self, request: Any) -> Any:  # noqa: N802 - Pulumi's name
        self.declared.requests.append(request)
        return super().RegisterResource(request)  # type: ignore[no-untyped-call]  # Pulumi has no types for it


Build = Callable[..., Declared]
