"""The last rung of the readiness ladder, the same on both sides: the service answers, and it is the right one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pulumi
from pulumi.dynamic import ConfigureRequest, CreateResult, DiffResult, Resource, UpdateResult

from infra import engine_life
from infra.answers import wait_until_ready
from infra.provider import Provider


class _Provider(Provider):
    def configure(self, req: ConfigureRequest) -> None:
        super().configure(req)
        engine_life.hold()

    def create(self, props: dict[str, Any]) -> CreateResult:
        _wait(props)
        return CreateResult(f"{props['replica']}-ready", props)

    def update(self, _id: str, _olds: dict[str, Any], news: dict[str, Any]) -> UpdateResult:
        _wait(news)
        return UpdateResult(news)

    def diff(self, _id: str, olds: dict[str, Any], news: dict[str, Any]) -> DiffResult:
        return DiffResult(changes=any(olds.get(key) != news.get(key) for key in _INPUTS))


def _wait(props: dict[str, Any]) -> None:
    wait_until_ready(props["url"], props["replica"], props["version"], console=props.get("console", []))


_INPUTS = ("url", "replica", "version", "triggers")


class Ready(Resource, module="lab", name="Ready"):
    """Waits until a replica answers. `triggers` are what must make it ask again, such as the container's id.

    `console` is a command that prints what the replica said last, for the message when it does not answer.
    """

    url: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        *,
        url: pulumi.Input[str],
        replica: str,
        version: str,
        triggers: Sequence[pulumi.Input[str]],
        console: Sequence[str],
        opts: pulumi.ResourceOptions,
    ) -> None:
        super().__init__(
            _Provider(),
            name,
            {
                "url": url,
                "replica": replica,
                "version": version,
                "triggers": list(triggers),
                "console": list(console),
            },
            opts,
        )
