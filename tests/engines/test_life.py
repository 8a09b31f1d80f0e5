"""Up and down: what comes up goes away without a trace, also after a kill; plain Pulumi; a path with a space."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import time
from pathlib import Path

import pytest
import requests

from infra import outputs, plan
from infra.checkout import identify
from labkit.lifecycle import suite
from labkit.system import stack_files
from tests.engines.real import LAB, ROOT, UP_S, command, engine, tool

LABS = ", ".join(stack_files.names())

pytestmark = pytest.mark.engine

DOWN_S = 8


def traces(checkout: Path) -> dict[str, str]:
    """All that a lab of a checkout could leave in the engine, on the network and in folders."""
    own = identify(checkout).id
    label = f"label={plan.CHECKOUT_LABEL}={own}"
    found = {
        "containers": engine("ps", "-aq", "--filter", label),
        "networks": engine("network", "ls", "-q", "--filter", label),
        "volumes": engine("volume", "ls", "-q", "--filter", label),
        "interfaces": "\n".join(path.name for path in Path("/sys/class/net").glob(f"{plan.PREFIX}{own}*")),
        "folders": "\n".join(str(path) for path in Path("/run").glob(f"{plan.PREFIX}-{own}*")),
    }
    return {what: text for what, text in found.items() if text}


def wait_for(url: str, within_s: float = 90) -> dict[str, list[dict[str, str]]]:
    """The first 200 of a URL, as JSON."""
    begin = time.monotonic()
    while True:
        try:
            answer = requests.get(url, timeout=5)
            if answer.status_code == 200:
                found: dict[str, list[dict[str, str]]] = answer.json()
                return found
        except requests.RequestException:
            pass
        assert time.monotonic() - begin < within_s, f"no 200 from {url} within {within_s} s"
        time.sleep(0.2)


@pytest.mark.long
@pytest.mark.parametrize("fate", ["alive", "killed"])
def test_down_leaves_nothing(lab: outputs.Contract, fate: str) -> None:
    """With a living server and with one that was killed. The lab comes up again after.

    tests/engines/test_environment.py has the killed one in every `./lab test`.
    """
    if fate == "killed":
        engine("kill", lab.servers[0].container)
    begin = time.monotonic()
    done = tool("down", LAB)
    print(f"down, server {fate}: {time.monotonic() - begin:.1f} s (aim {DOWN_S} s)")  # noqa: T201 - shown by -rP
    assert "nothing of it is left" in done.stdout
    assert traces(ROOT) == {}
    assert tool("status", LAB).stdout.startswith(f"{LAB}: down.")
    tool("up", LAB, "--yes", timeout_s=UP_S)
    for replica in lab.replicas:
        assert requests.get(f"{replica.url}/healthz", timeout=5).status_code == 200


def test_a_checkout_with_a_space_and_one_side_by_plain_pulumi(lab: outputs.Contract, tmp_path: Path) -> None:
    """A second checkout, beside ours, in a path with a space: eval "$(./lab env)", pulumi up, output, destroy.

    With our lab's subnet it is refused before anything is created; with its own both labs are up at once.
    """
    subnet = f"{lab.servers[0].address.rpartition('.')[0]}.0/24"
    checkout = tmp_path / "a checkout"
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    suite.make_venv(ROOT, checkout)
    label = f"{plan.CHECKOUT_LABEL}={identify(checkout).id}"
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PULUMI_", "VVC_TESTS"))}
    script = f"""
        set -e
        cd {shlex.quote(str(checkout))}
        ./lab setup --yes
        eval "$(./lab env)"
        pulumi config set sides container -s {LAB}
        pulumi config set subnet {subnet} -s {LAB}
        ! pulumi up --yes --non-interactive -s {LAB} > refused.txt 2>&1
        cat refused.txt
        rm refused.txt
        docker ps -aq --filter label={label} | sed 's/^/created: /'
        docker network ls -q --filter label={label} | sed 's/^/created: /'
        docker volume ls -q --filter label={label} | sed 's/^/created: /'
        pulumi config rm subnet -s {LAB}
        pulumi up --yes --non-interactive -s {LAB}
        pulumi stack output replicas --json -s {LAB}
        pulumi preview --expect-no-changes --non-interactive -s {LAB}
        curl --silent --show-error --fail {lab.replicas[0].url}/healthz
        pulumi destroy --yes --non-interactive -s {LAB}
        ./lab leftovers {LAB}
        ./lab down {LAB}
        git checkout -q Pulumi.{LAB}.yaml
        git status --porcelain
    """
    done = subprocess.run(
        ["sh", "-c", script],
        env=clean,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    network = lab.servers[0].container.replace("server-1", "lan")
    assert f"{subnet} overlaps {subnet}, which Docker network {network} uses; choose another." in done.stdout
    assert "created:" not in done.stdout
    assert re.search(r'"url": "http://10\.\d+\.\d+\.2:8001"', done.stdout)
    assert done.stdout.rstrip().endswith("on the network.")
    assert traces(checkout) == {}


def test_pulumi_up_without_set_up_names_it(tmp_path: Path) -> None:
    """Before any resource, in a fresh clone."""
    checkout = tmp_path / "fresh"
    command(["git", "clone", "-q", str(ROOT), str(checkout)])
    (checkout / ".venv").symlink_to(ROOT / ".venv")
    env = {**os.environ, "PULUMI_BACKEND_URL": f"file://{tmp_path}", "PYTHONPATH": str(checkout)}
    done = subprocess.run(
        ["sh", "-c", f"pulumi stack init {LAB} && pulumi up --yes --non-interactive -s {LAB}"],
        cwd=checkout,
        env=env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        encoding="utf-8",
    )
    assert done.returncode != 0
    assert "This checkout is not set up. Run: ./lab setup" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["up", "deploiment"], f"There is no lab 'deploiment'; there is {LABS}."),
        (["down", "x"], f"There is no lab 'x'; there is {LABS}."),
    ],
)
def test_an_unknown_lab_is_refused(words: list[str], message: str) -> None:
    """Before any set-up."""
    done = tool(*words, check=False)
    assert done.returncode == 1
    assert message in done.stderr
