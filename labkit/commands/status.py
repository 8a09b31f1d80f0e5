"""./lab status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from infra import answers, outputs
from labkit.lifecycle import servers, set_up
from labkit.sides import where

_ASK_S = 5.0


def run(labs: Sequence[str], *, as_json: bool) -> int:
    """Show each lab; exit 0 only if everything that should answer does."""
    if set_up.never() and not as_json:
        click.echo("This checkout is not set up yet, so no lab is up.")
        click.echo(f"  Next: ./lab up {labs[0]}")
        return 0
    ready = set_up.need()
    facts = {lab: _lab(ready, lab) for lab in labs}
    if as_json:
        click.echo(json.dumps(facts, indent=2))
    else:
        for lab, found in facts.items():
            _show(lab, found)
    return 0 if all(_well(found) for found in facts.values()) else 1


def _lab(ready: set_up.Ready, lab: str) -> dict[str, Any]:
    with servers.engine(ready.machine) as client:
        containers = {container.name: container.status for container in servers.of(client, lab)}
    try:
        contract = outputs.from_outputs(ready.pulumi.outputs(lab))
    except outputs.ContractError:
        return {"state": "incomplete" if containers else "down", "servers": containers, "replicas": []}
    clusters = sorted({server.side for server in contract.servers if server.side is not None})
    with ThreadPoolExecutor() as pool:
        leaders = pool.map(lambda side: where.leader(side, contract.servers), clusters)
        runs = pool.map(lambda replica: where.found(replica, contract.servers), contract.replicas)
        told = list(pool.map(_ask, contract.replicas))
    return {
        "state": "up",
        "accelerator": contract.accelerator,
        "servers": containers,
        "clusters": {
            side: {"leader": leader, "servers": [one.container for one in contract.servers if one.side == side]}
            for side, leader in zip(clusters, leaders, strict=True)
        },
        "replicas": [
            {**dataclasses.asdict(replica), "runs_on": [server.name for server, _ in places], "answer": answer}
            for replica, places, answer in zip(contract.replicas, runs, told, strict=True)
        ],
    }


def _ask(replica: outputs.Replica) -> dict[str, Any]:
    try:
        return answers.whoami(replica.url, _ASK_S)
    except answers.UnansweredError as error:
        return {"error": str(error)}


def _well(found: dict[str, Any]) -> bool:
    return found["state"] == "down" or (
        found["state"] == "up" and all("error" not in replica["answer"] for replica in found["replicas"])
    )


def _part(server: str, clusters: dict[str, Any]) -> str:
    """In which cluster a server is, in words."""
    for side, cluster in clusters.items():
        if server in cluster["servers"]:
            leads = cluster["leader"] and server.endswith(f"-{cluster['leader']}")
            return f"  in the {side} cluster{', its leader' * bool(leads)}"
    return ""


def _show(lab: str, found: dict[str, Any]) -> None:
    if found["state"] == "down":
        click.echo(f"{lab}: down. Bring it up: ./lab up {lab}")
        return
    banner = "  EMULATED CPU (TCG)" if found.get("accelerator") == "tcg" else ""
    click.echo(f"{lab}: {found['state']}{click.style(banner, fg='yellow')}")
    for name, state in sorted(found["servers"].items()):
        click.echo(f"  server     {name}  {state}{_part(name, found.get('clusters', {}))}")
    several = len({(one["side"], one["path"]) for one in found["replicas"]}) > len(
        {one["side"] for one in found["replicas"]}
    )
    for replica in found["replicas"]:
        along = f" {replica['path']:<9}" if several else ""
        answer = replica["answer"]
        said = (
            answer.get("error")
            or f"version {answer['version']}, kernel {answer['kernel_release']}, pid {answer['pid']}"
        )
        places = replica["runs_on"]
        if replica["side"] in found["clusters"]:
            said = f"on {' AND '.join(places) or 'no server'}, {said}"
        mark = click.style("✗", fg="red") if "error" in answer else click.style("✓", fg="green")
        click.echo(f"  {mark} {replica['name']:<12}{along} {replica['url']:<26} {said}")
    if not found["replicas"] or not _well(found):
        click.echo(f"  Next: ./lab up {lab}")
