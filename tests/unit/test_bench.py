"""./lab bench: figures are derived from their repeats, and a figure costs nobody else's lab."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from bench import recover, up
from bench.common import Bench
from bench.figure import Figure
from infra.outputs import Replica, Server, to_outputs
from infra.reach import Reach
from labkit.commands import bench, setup
from labkit.lifecycle import clean, heal, leftovers, programs, servers
from labkit.lifecycle.programs import PARTS
from labkit.setup.docker import engine
from labkit.sides import reach
from labkit.system import stack_files
from labkit.system.errors import LabError
from labkit.system.outcome import Outcome
from labkit.system.processes import Process
from labkit.system.progress import Quiet
from tests.unit.lab_fakes import CONTRACT


def test_a_figure_keeps_its_repeats() -> None:
    """Median and spread come from them."""
    figure = Figure("down", "s", 8.0, [5.0004, 9.0, 4.0])
    assert figure.summary() == {
        "name": "down",
        "unit": "s",
        "aim": 8.0,
        "n": 3,
        "median": 5.0,
        "min": 4.0,
        "max": 9.0,
        "repeats": [5.0, 9.0, 4.0],
    }


@pytest.mark.parametrize(
    ("private", "elsewhere", "told"),
    [(True, {"ffffffff": []}, "(ffffffff)"), (False, {}, "(none)"), (True, {}, "")],
)
def test_the_engine_is_stopped_only_where_nobody_else_has_a_lab_on_it(
    monkeypatch: pytest.MonkeyPatch, private: bool, elsewhere: dict[str, Any], told: str
) -> None:
    """And only the private one."""
    monkeypatch.setattr(clean, "elsewhere", lambda _: elsewhere)
    monkeypatch.setattr(engine, "connect", lambda: SimpleNamespace(private=private))
    ready: Any = SimpleNamespace()
    if not told:
        recover.Recover(ready, Quiet(), "some", engine_too=True)
        return
    with pytest.raises(LabError) as refused:
        recover.Recover(ready, Quiet(), "some", engine_too=True)
    assert told in refused.value.problem
    assert refused.value.hint == "./lab bench recover, without --engine"


def test_a_lab_that_is_up_is_not_taken_down_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is prepared or measured; --yes is an answer, and a lab that is down needs none."""
    prepared: list[bool] = []

    def prepare(*, yes: bool) -> None:
        prepared.append(yes)
        raise LabError("no further")

    monkeypatch.setattr(setup, "prepare", prepare)
    for up_now, yes, goes_on in ((True, False, False), (True, True, True), (False, False, True)):
        monkeypatch.setattr(bench, "has_resources", lambda _lab, up_now=up_now: up_now)
        prepared.clear()
        with pytest.raises(LabError) as refused:
            bench.run("up", "deployment", 3, engine_too=False, yes=yes)
        assert bool(prepared) is goes_on
        assert goes_on or "./lab down deployment" in (refused.value.hint or "")


class BenchedLab:
    """A lab whose addresses are not those that a default subnet would give; only its contract knows them."""

    def __init__(self) -> None:
        self.pulumi = self
        self.machine = None
        self.up = False
        self.polled: list[set[str]] = []

    def quiet(self, words: Sequence[str]) -> Outcome:
        """`up` and `destroy`."""
        self.up = words[0] == "up" or (self.up and words[0] != "destroy")
        return Outcome(tuple(words), 0, "", 0.0)

    def outputs(self, _lab: str) -> dict[str, Any]:
        """Those of a lab that is up, else none."""
        both = {"vm": "http://192.168.77.16:8000", "container": "http://192.168.77.2:8001"}
        replicas = tuple(Replica(f"{side}-1", side, "server-1", url, f"{side}-1") for side, url in both.items())
        server = Server("server-1", "192.168.77.2", Reach("docker", "unix:///x", "s"), "tcp://s", "qemu+tcp://s/system")
        return to_outputs(replace(CONTRACT, servers=(server,), replicas=replicas)) if self.up else {}

    @contextlib.contextmanager
    def polling(self, urls: Mapping[str, str]) -> Iterator[dict[str, float]]:
        """Each answers at once."""
        self.polled.append(set(urls.values()))
        yield dict.fromkeys(urls.values(), time.monotonic())

    def build(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Put it in the place of all that a bench reaches."""
        nothing: Any = lambda *_words, **_more: contextlib.nullcontext({})  # noqa: E731 - as short as it is
        side = SimpleNamespace(start=nothing, stop=nothing)
        monkeypatch.setattr(up, "SIDES", {"vm": side, "container": side})
        for module in (up, recover):
            monkeypatch.setattr(module, "polling", self.polling)
            monkeypatch.setattr(module, "following", nothing)
        for module, name in (
            (servers, "engine"),
            (reach, "runner"),
            (leftovers, "remove"),
            (heal, "before_down"),
        ):
            monkeypatch.setattr(module, name, nothing)
        monkeypatch.setattr(servers, "of", lambda *_words: [])
        monkeypatch.setattr(heal, "before_up", lambda *_words: [])
        monkeypatch.setattr(recover.Recover, "_reboot", nothing)
        monkeypatch.setattr(recover.Recover, "_kill_during_up", nothing)


@pytest.mark.parametrize(("kind", "count"), [(up.Up, 3), (recover.Recover, 7)])
def test_a_bench_asks_where_the_lab_says_that_it_answers(
    kind: type[Bench], count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the contract of the lab that is up, whatever subnet is configured, or was free."""
    lab = BenchedLab()
    lab.build(monkeypatch)
    made: Any = kind(cast(Any, lab), Quiet(), stack_files.example())
    made._round()
    assert len(lab.polled) == count
    assert set().union(*lab.polled) == {"http://192.168.77.16:8000", "http://192.168.77.2:8001"}
    assert all(made._figures.values())


UP = [
    ("cli", "/cache/pulumi", "up", "--yes"),
    ("docker plugin", "/cache/pulumi-resource-docker", "127.0.0.1:1"),
    ("libvirt plugin", "/cache/pulumi-resource-libvirt", "127.0.0.1:1"),
    ("provider", "python", "-u", "/x/toolchain/dynamic_provider.py"),
    ("language host", "python", "-u", "/x/toolchain/language_host.py"),
    ("program", "python", "-u", "/x/toolchain/program_runner.py"),
    ("worker", "python", "-m", "infra.playbook_worker"),
]


def test_what_is_killed_during_up_is_one_part_of_it() -> None:
    """Each part is told from all others; every kill of the bench is of one."""
    for wanted, *words in UP:
        one = Process(2, 1, 1, tuple(words), {})
        assert [part for part, tells in PARTS.items() if tells(one)] == [wanted]
    assert {part for part, *_ in UP} == set(PARTS) >= {part for part, _ in recover.KILLS.values()}


OFFICIAL = [
    ("cli", "/usr/local/bin/pulumi", "-s", "deployment", "up"),
    ("provider", "/bin/sh", "/root/.pulumi/bin/pulumi-resource-pulumi-python", "127.0.0.1:1"),
    ("provider", "/x/.venv/bin/python", "-u", "-m", "pulumi.dynamic", "127.0.0.1:1"),
    ("language host", "/root/.pulumi/bin/pulumi-language-python", "-root=/x", "127.0.0.1:1"),
    ("program", "/x/.venv/bin/python3", "-u", "/root/.pulumi/bin/pulumi-language-python-exec", "--monitor", "x"),
    ("program", "python", "-X", "dev", "/root/.pulumi/bin/pulumi-python-shim", "--", "."),
]


@pytest.mark.parametrize("row", OFFICIAL, ids=[" ".join(words) for _, *words in OFFICIAL])
def test_the_official_parts_are_known_by_what_they_run(row: tuple[str, ...]) -> None:
    """Whatever shell or Python runs them."""
    wanted, *words = row
    one = Process(2, 1, 1, tuple(words), {})
    assert [part for part, tells in PARTS.items() if tells(one)] == [wanted]
    assert programs.of_pulumi(one)


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("pulumi up", "pulumi"),
        ("/opt/a/pulumi up", "a/pulumi"),
        ("bash -e /opt/shims/pulumi up", "shims/pulumi"),
        ("busybox sh bin/pulumi-resource-x 1", "bin/pulumi-resource-x"),
        ("env -u A B=c python3.12 -Wd -X dev -um pulumi.dynamic 127.0.0.1:1", "pulumi.dynamic"),
        ("/x/python -mpulumi.dynamic", "pulumi.dynamic"),
        ("python -c pulumi", ""),
        ("sh -ec pulumi", ""),
        ("-bash", ""),
        ("vim pulumi-notes.md", "vim"),
        ("python", ""),
        ("", ""),
    ],
)
def test_what_a_command_line_runs(line: str, wanted: str) -> None:
    """The interpreter's own flags are read over, with their values."""
    assert programs.runs(line.split()) == wanted
    first = Path(line.split(maxsplit=1)[0]).name if line else "?"
    assert programs.name(Process(2, 1, 1, tuple(line.split()), {})) == (Path(wanted).name or first)


@pytest.mark.parametrize("line", ["bash", "vim pulumi-notes.md", "sh -c pulumi", "python -m pip", "less pulumi", ""])
def test_what_is_no_program_of_pulumis(line: str) -> None:
    """A word of that name is not enough."""
    assert not programs.of_pulumi(Process(2, 1, 1, tuple(line.split()), {}))
