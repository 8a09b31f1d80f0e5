"""./lab status."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import click

from infra import answers, outputs
from labkit.lifecycle import servers, serving, set_up
from labkit.measure import clusters
from labkit.measure.clusters import Look
from labkit.measure.faults import Target

_ASK_S = 5.0
_CLUSTER_S = 10.0


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
    try:
        contract = outputs.from_outputs(ready.pulumi.outputs(lab))
    except outputs.ContractError:
        contract = None
    look = clusters.look(ready, lab, contract, within_s=_CLUSTER_S)
    if contract is None:
        return {**told(lab, look), "state": "incomplete" if look.servers else "down", "replicas": []}
    with servers.engine(ready.machine) as client, ThreadPoolExecutor() as pool:
        answered = pool.map(_ask, contract.replicas)
        problems = list(serving.problems(ready.machine, client, lab)) if look.sides else []
        return {
            **told(lab, look),
            "state": "up",
            "accelerator": contract.accelerator,
            "problems": problems,
            "replicas": [
                {**dataclasses.asdict(replica), "runs_on": list(look.runs_on.get(replica.name, [])), "answer": answer}
                for replica, answer in zip(contract.replicas, answered, strict=True)
            ],
        }


def told(lab: str, look: Look) -> dict[str, Any]:
    """What a look says beside each replica, as JSON. Pure. Servers go by the names that their engine has of them."""

    def named(names: Iterable[str]) -> list[str]:
        return [servers.prefix(lab) + name for name in names]

    return {
        "servers": dict(zip(named(look.servers), look.servers.values(), strict=True)),
        "dead": named(look.dead),
        "clusters": {side: {"leader": look.leaders[side], "servers": named(own)} for side, own in look.sides.items()},
        "fault": dataclasses.asdict(look.fault) if look.fault else None,
    }


def _ask(replica: outputs.Replica) -> dict[str, Any]:
    try:
        return answers.whoami(replica.url, _ASK_S)
    except answers.UnansweredError as error:
        return {"error": str(error)}


def _well(found: dict[str, Any]) -> bool:
    return found["state"] == "down" or (
        found["state"] == "up"
        and not found["problems"]
        and all("error" not in replica["answer"] for replica in found["replicas"])
    )


def _part(server: str, sides: dict[str, Any]) -> str:
    """In which cluster a server is, in words."""
    for side, cluster in sides.items():
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
    for name, state in found["servers"].items():
        dead = click.style("  DEAD", fg="red") if name in found["dead"] else ""
        click.echo(f"  server     {name}  {state}{dead}{_part(name, found['clusters'])}")
    for problem in found.get("problems", []):
        click.echo(f"  {click.style('✗', fg='red')} {problem}")
    if found["fault"]:
        fault = Target(**found["fault"])
        click.echo(f"  {click.style('fault', fg='yellow')}      {fault}. Undo it: ./lab fault {lab} --undo")
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
    if not found["replicas"] or not _well(found) or found["dead"]:
        click.echo(f"  Next: ./lab up {lab}")
