"""The article's table over all labs: which run each part comes from, what is missing, in what the runs differ. Pure.

Each claim rests on one experiment, a measured one on two of its arms. It is judged on the lab's newest whole run that
has them: finished, not quick, with all that `./lab run LAB` measures. What no whole run has comes from the newest other
one that has it complete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import count
from string import ascii_uppercase
from typing import Any

from infra.topologies import TOPOLOGIES
from labkit.judge import words
from labkit.judge.model import Claim, Judgement, Measured, Row, Verdict
from labkit.judge.rows import ARTICLE, Stated, combined, judge
from labkit.measure.labs import Lab
from labkit.report import _verdicts
from labkit.report.as_text import told
from labkit.report.quantities import label_of, unit_of
from labkit.runs.records import Arm, Run

_MOMENTARY = frozenset({"load_1min"})
"""What a machine box says of its moment, not of its machine."""

_OF_THE_GROUND = frozenset({"topology", *(key.name for one in TOPOLOGIES.values() for key in one.keys)})
"""Settings in which labs differ because they ask different questions: only runs of one lab are told apart by them."""


@dataclass(frozen=True)
class Held:
    """A run that can be read, and its folder as one types it."""

    folder: str
    run: Run


@dataclass(frozen=True)
class LeftOut:
    """A run that is not in the table, or not with all that it has, and why."""

    folder: str
    reason: str


@dataclass(frozen=True)
class Source:
    """A run that has a part in the table, the letter by which the table calls it, and what was judged on it."""

    letter: str
    folder: str
    run: Run
    rows: Sequence[Row]

    @property
    def depth(self) -> str:
        """As one says it."""
        return ", ".join(self.run.depth) or "normal"


@dataclass(frozen=True)
class Part:
    """A claim with its verdict, the lab whose it is, and the run that it comes from, if one has it."""

    lab: str
    judgement: Judgement
    source: Source | None


@dataclass(frozen=True)
class Line:
    """A row of the article with its parts from every lab; without parts where no lab of this version has a claim."""

    stated: Stated
    verdict: Verdict
    parts: tuple[Part, ...]

    @property
    def letters(self) -> list[str]:
        """The runs that it rests on."""
        return sorted({part.source.letter for part in self.parts if part.source})

    @property
    def counted(self) -> list[tuple[Verdict, int]]:
        """How many of the parts that decide the row have each verdict."""
        return _verdicts.count(part.judgement for part in self.parts if not part.judgement.claim.beside)


@dataclass(frozen=True)
class Difference:
    """Something of which the runs do not say the same: of the machine, the settings or the run itself."""

    of: str
    name: str
    values: Mapping[str, str]
    """Letter -> value, of the runs that know it."""

    @property
    def words(self) -> str:
        """`6.1 (A), 6.12 (B, C and D)`."""
        letters: dict[str, list[str]] = {}
        for letter, value in self.values.items():
            letters.setdefault(value, []).append(letter)
        return ", ".join(f"{value} ({listed(some)})" for value, some in letters.items())


@dataclass(frozen=True)
class Missing:
    """The experiments of which no run has all that a lab's claims compare, and what would measure it."""

    lab: str
    experiments: tuple[str, ...]
    lacks: tuple[str, ...]
    """The same in words: "cpu, memory", or, where runs have other arms of it, "VM (matched timers) of cpu, memory"."""
    command: str


@dataclass(frozen=True)
class Table:
    """The nine rows over all labs."""

    lines: tuple[Line, ...]
    sources: tuple[Source, ...]
    differences: tuple[Difference, ...]
    missing: tuple[Missing, ...]
    left_out: tuple[LeftOut, ...]
    labs: tuple[str, ...]
    """Those of this version."""

    def differing(self, line: Line) -> list[str]:
        """The runs of a row, where they are not of one machine and settings; else none."""
        letters = line.letters
        seen = ({one.values[letter] for letter in letters if letter in one.values} for one in self.differences)
        return letters if any(len(values) > 1 for values in seen) else []

    def nothing(self, line: Line) -> str:
        """Why a row has no parts, in a sentence."""
        lab = line.stated.lab
        if lab in self.labs:
            return f"No claim of the lab {lab} is about it yet."
        return f"The lab {lab}, which would measure it, is not in this version."

    @property
    def judged(self) -> list[tuple[Run, Sequence[Row]]]:
        """Its runs, with what was judged on each."""
        return [(source.run, source.rows) for source in self.sources]

    @property
    def verdicts(self) -> Mapping[str, Verdict]:
        """Row -> its verdict."""
        return {line.stated.name: line.verdict for line in self.lines}

    @property
    def emulated(self) -> str:
        """The runs of an emulated CPU, as a sentence begins: `Run A`, `Runs A and B`; empty if there is none."""
        letters = [source.letter for source in self.sources if source.run.accelerator == "tcg"]
        return f"Run{'s' if len(letters) > 1 else ''} {listed(letters)}" if letters else ""


def table(labs: Sequence[Lab], runs: Sequence[Held], left_out: Iterable[LeftOut] = ()) -> Table:
    """The table of these labs from runs of theirs, in any order; `left_out` are those that nobody could read.

    A lab that the article's table does not name has a part in it from its first run on, not before, and comes last.
    """
    named = list(dict.fromkeys([*(stated.lab for stated in ARTICLE), *(one.run.lab for one in runs)]))
    labs = sorted((lab for lab in labs if lab.name in named), key=lambda lab: named.index(lab.name))
    chosen = {lab.name: choose(lab, [one for one in runs if one.run.lab == lab.name]) for lab in labs}
    sources = tuple(_sources(labs, chosen))
    parts = [Part(source.run.lab, part, source) for source in sources for row in source.rows for part in row.parts]
    parts += [part for lab in labs for part in _unmeasured(lab, chosen[lab.name])]
    without = {lab.name: lacking(lab, chosen[lab.name]) for lab in labs}
    return Table(
        tuple(_line(stated, parts) for stated in ARTICLE),
        sources,
        tuple(differences(sources)),
        tuple(_missing(lab, chosen[lab.name], without[lab.name]) for lab in labs if without[lab.name]),
        (*left_out, *_passed_over(labs, runs, {source.folder for source in sources})),
        tuple(lab.name for lab in labs),
    )


def choose(lab: Lab, runs: Sequence[Held]) -> dict[str, Held]:
    """Claim -> the run that it is judged on; without those whose experiment no run has complete."""
    chosen: dict[str, Held] = {}
    for claim in lab.claims:
        if having := [one for one in runs if claim.experiment in complete(one.run)]:
            chosen[claim.name] = max(having, key=partial(_rank, lab, claim))
    return chosen


def _rank(lab: Lab, claim: Claim, one: Held) -> tuple[bool, bool, float]:
    return has(one.run, claim), whole(lab, one.run), began(one.run.started)


def has(run: Run, claim: Claim) -> bool:
    """Whether the run has repeats of both arms that the claim compares."""
    experiment = run.experiment(claim.experiment)
    return experiment is not None and not (isinstance(claim, Measured) and claim.unmade(experiment))


def lacking(lab: Lab, chosen: Mapping[str, Held]) -> list[str]:
    """The experiments of which no run has all that the lab's claims compare, in the lab's order."""
    without = {
        claim.experiment for claim in lab.claims if claim.name not in chosen or not has(chosen[claim.name].run, claim)
    }
    return [one.name for one in lab.experiments if one.name in without]


def enough(lab: Lab, runs: Sequence[Held]) -> bool:
    """Whether a run that is older than all of these could add nothing to the table."""
    return any(whole(lab, one.run) for one in runs) and not lacking(lab, choose(lab, runs))


def whole(lab: Lab, run: Run) -> bool:
    """Whether the run is finished and not quick, and has all that `./lab run LAB` measures."""
    return not run.quick and complete(run) >= {one.name for one in lab.chosen(())}


def complete(run: Run) -> set[str]:
    """The experiments of a finished run that are complete; none of one that was cut short."""
    return {one.name for one in run.experiments if one.state == "complete"} if run.finished else set()


def began(started: str) -> float:
    """When a run began, in seconds since 1970; 0 where it does not say so."""
    try:
        return datetime.fromisoformat(started).timestamp()
    except ValueError:
        return 0.0


def listed(several: Sequence[str]) -> str:
    """`A`; `A and B`; `A, B and C`."""
    *first, last = several
    return f"{', '.join(first)} and {last}" if first else last


def letters() -> Iterator[str]:
    """A, B, …, Z, A2, B2, …"""
    for turn in count(1):
        yield from (f"{letter}{turn if turn > 1 else ''}" for letter in ascii_uppercase)


def differences(sources: Sequence[Source]) -> Iterator[Difference]:
    """All that two of these runs say differently; what a lab is by its topology is no difference from other labs."""
    boxes: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "machine": [one.run.machine for one in sources],
        "settings": [one.run.settings for one in sources],
        "run": [{"commit": one.run.commit, "depth": one.depth} for one in sources],
    }
    for of, each in boxes.items():
        for name in dict.fromkeys(name for box in each for name in box if name not in _MOMENTARY):
            values = {
                source.letter: told(box[name], unit_of(name))
                for source, box in zip(sources, each, strict=True)
                if name in box
            }
            said = {
                (source.run.lab if name in _OF_THE_GROUND else "", values[source.letter])
                for source in sources
                if source.letter in values
            }
            if len(said) > len({among for among, _ in said}):
                yield Difference(of, label_of(name), values)


def _sources(labs: Iterable[Lab], chosen: Mapping[str, Mapping[str, Held]]) -> Iterator[Source]:
    """Each run that something is taken from, judged on that alone."""
    letter = letters()
    for lab in labs:
        used = {held.folder: held.run for held in chosen[lab.name].values()}
        for folder, run in used.items():
            on_it = [name for name, held in chosen[lab.name].items() if held.folder == folder]
            rows = judge(run, [claim for claim in lab.claims if claim.name in on_it])
            yield Source(next(letter), folder, run, rows)


def _line(stated: Stated, parts: Sequence[Part]) -> Line:
    mine = tuple(part for part in parts if part.judgement.claim.row == stated.name)
    return Line(stated, combined(one.judgement.verdict for one in mine if not one.judgement.claim.beside), mine)


def _unmeasured(lab: Lab, chosen: Mapping[str, Held]) -> Iterator[Part]:
    for claim in lab.claims:
        if claim.name not in chosen:
            why = f"no run has {claim.experiment} complete"
            yield Part(lab.name, Judgement(claim, "not measured", why), None)


def _missing(lab: Lab, chosen: Mapping[str, Held], names: Sequence[str]) -> Missing:
    # Who has no run at all begins with the lab as a whole; what only a full run makes has to be named even then.
    usual = () if chosen else tuple(one.name for one in lab.chosen(()))
    by_name = [name for name in names if name not in usual]
    begin = [] if chosen else [f"./lab up {lab.name}", f"./lab run {lab.name}"]
    # What a run has complete, but not under all arms, only a full run measures.
    known = {claim.experiment for claim in lab.claims if claim.name in chosen}
    full = " --full" if known & {*by_name} else ""
    named = [f"./lab run {lab.name} {' '.join(by_name)}{full}"] if by_name else []
    return Missing(lab.name, tuple(names), tuple(_lacks(lab, chosen, names)), " && ".join([*begin, *named]))


def _lacks(lab: Lab, chosen: Mapping[str, Held], names: Sequence[str]) -> Iterator[str]:
    unmade: dict[str, dict[Arm, None]] = {name: {} for name in names}
    for claim in lab.claims:
        held = chosen.get(claim.name)
        results = held.run.experiment(claim.experiment) if held else None
        if results and isinstance(claim, Measured) and claim.experiment in unmade:
            unmade[claim.experiment] |= dict.fromkeys(claim.unmade(results))
    for arms in dict.fromkeys(map(tuple, unmade.values())):
        alike = ", ".join(name for name in names if tuple(unmade[name]) == arms)
        yield f"{listed([words.named(arm) for arm in arms])} of {alike}" if arms else alike


def _passed_over(labs: Sequence[Lab], runs: Iterable[Held], used: Collection[str]) -> Iterator[LeftOut]:
    """Runs that can be read and have no part in the table, or not with all that they measured, and would be missed."""
    every = list(runs)
    for lab in labs:
        mine = [one for one in every if one.run.lab == lab.name]
        newest_whole = max((began(one.run.started) for one in mine if whole(lab, one.run)), default=float("inf"))
        for one in mine:
            cut = [f"{each.name} is {each.state}" for each in one.run.experiments if each.state != "complete"]
            if not one.run.finished:
                yield LeftOut(one.folder, "it is not finished: cut short, or still being measured")
            elif cut:
                yield LeftOut(one.folder, ", ".join(cut))
            elif one.folder not in used and began(one.run.started) > newest_whole:
                only = ", ".join(each.name for each in one.run.experiments)
                yield LeftOut(
                    one.folder,
                    "it is quick, a whole run comes first"
                    if one.run.quick
                    else f"it has only {only}, a whole run comes first",
                )
