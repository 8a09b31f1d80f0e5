"""The command line. It alone prints and chooses exit codes; every command loads what it needs when it runs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, NoReturn

import click

from infra import plan
from labkit import _completing
from labkit._verbs import YES_WORDS, Verbs
from labkit.system import stack_files
from labkit.system.paths import CHECKOUT

YES = click.option(*YES_WORDS, is_flag=True, help="Answer yes to every question (installing packages).")
JSON = click.option("--json", "as_json", is_flag=True, help="Print facts as JSON on stdout.")


def lab_argument(command: click.decorators.FC) -> click.decorators.FC:
    """The lab that a command is about; an unknown one is refused before anything else happens."""

    def check(_context: click.Context, _parameter: click.Parameter, value: str) -> str:

        return stack_files.known(value)

    return click.argument("lab", callback=check, shell_complete=_completing.labs)(command)


def known_bench(context: click.Context, parameter: click.Parameter, value: str) -> str:
    """The name of a bench, of this tool or of a lab, or a lab's."""
    there = _completing.benches(context, parameter, "")
    if value not in there:
        raise click.BadParameter(f"{value!r} is none of {', '.join(there)}")
    return value


WELCOME = f"""VMs vs containers, settled with numbers from your own machine.

\b
Begin with:  ./lab up {stack_files.example()}
Then:        ./lab status        what is up, and where it answers
             ./lab down {stack_files.example()}
"""


def _told_version(context: click.Context, _parameter: click.Parameter, wanted: bool) -> None:
    if wanted and not context.resilient_parsing:
        from infra.source import commit

        click.echo(f"{plan.PROJECT} {commit(CHECKOUT)}")
        context.exit()


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, help=WELCOME)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_told_version,
    help="The commit of this checkout, with + where files were changed since.",
)
def lab() -> None:
    """All verbs."""


@lab.command()
@click.option(
    "--export", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Then pack it for a class."
)
@click.option(
    "--import",
    "bring",
    type=click.Path(dir_okay=False, exists=True, path_type=Path),
    metavar="FILE",
    help="From a packed file, without a network.",
)
@YES
def setup(yes: bool, export: Path | None, bring: Path | None) -> None:
    """Install and build what is missing. Idempotent; safe to interrupt.

    A file made with --export holds Python packages, toolchain and images, but no Debian packages.
    """
    from labkit.commands import setup as command

    if export and bring:
        raise click.UsageError("--export and --import do not go together.")
    command.run(yes=yes, bring=bring, export=export)


@lab.command()
@JSON
@click.option(
    "--bundle",
    is_flag=False,
    flag_value=":auto:",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="[FILE]",
    help="Pack logs, versions and state, without secrets, for a bug report.",
)
def doctor(as_json: bool, bundle: Path | None) -> None:
    """Look whether `up` can work on this machine.

    Exit status 1 when it cannot. Checks marked with a dot are brought by ./lab setup.
    """
    from labkit.commands import doctor as command

    sys.exit(command.run(as_json=as_json, pack=bundle))


@lab.command()
@lab_argument
@YES
def up(lab: str, yes: bool) -> None:
    """Bring a lab up: set-up, its servers, then `pulumi up`."""
    from labkit.commands import up as command

    sys.exit(command.run(lab, yes=yes))


@lab.command()
@lab_argument
@click.option("--from", "first", metavar="STEP", help="Begin at this step: its number, its title, or a section.")
@click.option("--list", "list_only", is_flag=True, help="Name the steps; run nothing.")
@click.option("--yes", "-y", is_flag=True, help="Run every step without waiting for Enter.")
@click.option("--figures", metavar="RUN", help="Show this run's numbers in the guide from now on; run nothing.")
@JSON
def guide(lab: str, *, first: str | None, list_only: bool, yes: bool, figures: str | None, as_json: bool) -> None:
    """Walk through a lab's guide, step by step.

    Shows a step, runs it on Enter, checks it; gives the step's hint when the check fails. Exit status 0 only when
    every step was run and its check held.
    """
    from labkit.commands import guide as command

    if figures is not None:
        sys.exit(command.figures(lab, figures))
    sys.exit(command.run(lab, first=first, list_only=list_only, as_json=as_json, yes=yes))


@lab.command()
@lab_argument
@click.option("--plain", is_flag=True, help="Lines instead of a live table; without a terminal always so.")
@click.option("--seconds", type=click.FloatRange(1, 24 * 3600), help="End by itself after this time.")
def watch(lab: str, plain: bool, seconds: float | None) -> None:
    """Watch both sides live: latency, outages, which replica answers; where servers are clusters, who leads them, where
    replicas run, which server is dead, and each event as it comes. End with q or Ctrl-C.

    Exit status 0 only when every side answers at the end.
    """
    from labkit.commands import watch as command

    sys.exit(command.run(lab, plain=plain, seconds=seconds))


@lab.command()
@click.argument("lab", required=False, shell_complete=_completing.labs)
@JSON
def status(lab: str | None, as_json: bool) -> None:
    """Show what is up and where it answers; the fault in force, if there is one."""
    from labkit.commands import status as command

    sys.exit(command.run([stack_files.known(lab)] if lab else stack_files.names(), as_json=as_json))


@lab.command("exec", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("replica", shell_complete=_completing.replicas)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
@click.option("--lab", "lab_name", help="The lab, where more than one is up.", shell_complete=_completing.labs)
def exec_(replica: str, command: tuple[str, ...], lab_name: str | None) -> None:
    """Run COMMAND, or a shell, in a replica such as vm-1, or in a server."""
    from labkit.commands import exec_ as module

    sys.exit(module.run(replica, command, lab_name))


@lab.command()
@click.argument("replica", shell_complete=_completing.replicas)
@click.argument("only", nargs=-1, metavar="[FILTER]...")
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="Write a new pcap file, for Wireshark.")
@click.option("--seconds", type=click.FloatRange(1, 24 * 3600), help="End by itself after this time.")
@click.option("--lab", "lab_name", help="The lab, where more than one is up.", shell_complete=_completing.labs)
def capture(
    replica: str,
    only: tuple[str, ...],
    write: Path | None,
    seconds: float | None,
    lab_name: str | None,
) -> None:
    """Show the packets of a replica, or of a server, as they pass; end with Ctrl-C.

    FILTER is what tcpdump takes: ./lab capture vm-1 tcp port 8000 (man 7 pcap-filter).
    """
    from labkit.commands import capture as command

    sys.exit(command.run(replica, " ".join(only), write=write, seconds=seconds, lab_name=lab_name))


@lab.command()
@lab_argument
@click.argument("experiments", nargs=-1, shell_complete=_completing.experiments)
@click.option("--quick", is_flag=True, help="Fewer repeats, with --full too: to see that it works, not for a verdict.")
@click.option("--full", is_flag=True, help="All there is, at its full number of repeats; says first how long it takes.")
@click.option("--predict", is_flag=True, help="Ask first what you expect, and show it beside the result.")
def run(*, lab: str, experiments: tuple[str, ...], quick: bool, full: bool, predict: bool) -> None:
    """Measure a lab that is up, all EXPERIMENTS or those named; judge what was measured."""
    from labkit.commands import run as command

    sys.exit(command.run(lab, experiments, quick=quick, full=full, predict=predict))


@lab.command()
@lab_argument
@click.argument("name", required=False, default="", shell_complete=_completing.faults)
@click.option("--side", default="", metavar="SIDE", help="Which side is struck.")
@click.option("--undo", is_flag=True, help="Put right what was struck, and wait until the lab is whole.")
@click.option("--list", "list_only", is_flag=True, help="Name the lab's faults, and the one in force; strike none.")
@JSON
def fault(*, lab: str, name: str, side: str, undo: bool, list_only: bool, as_json: bool) -> None:
    """Break a lab by the fault NAME on one side, and leave it so; --undo puts it right.

    Exit status 0 only when it was struck, or when the lab is whole again.
    """
    from labkit.commands import fault as command

    if undo and (name or side or list_only):
        raise click.UsageError("--undo knows what was struck: give it nothing else.")
    if undo:
        sys.exit(command.undo(lab))
    if list_only or not name:
        sys.exit(command.show(lab, as_json=as_json))
    sys.exit(command.strike(lab, name, side))


@lab.command()
@click.argument("lab", required=False, shell_complete=_completing.labs)
@click.argument("run", required=False, default="", shell_complete=_completing.runs)
@click.option(
    "--html",
    is_flag=False,
    flag_value=":auto:",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="[FILE]",
    help="Write one HTML file, which needs nothing else.",
)
@click.option(
    "--compare",
    nargs=2,
    metavar="A B",
    shell_complete=_completing.runs,
    help="As HTML: two runs side by side, by id or folder; without a LAB also two folders of runs.",
)
@click.option(
    "--merge",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="As HTML: all runs below DIR, by kind of machine.",
)
@click.option("--readme", is_flag=True, help="Make README.md's table of nine rows anew, from the labs' stored runs.")
@JSON
def report(lab: str | None, **asked: Any) -> None:
    """Show a RUN, by id or folder, and what follows from it; the newest if none is named. Without a LAB: the article's
    nine rows in one table, from the newest whole run of each lab.
    """
    from labkit.commands import report as command

    sys.exit(command.dispatch(command.Asked(lab=stack_files.known(lab) if lab else None, **asked)))


@lab.command()
@lab_argument
def down(lab: str) -> None:
    """Take a lab down; look that nothing is left."""
    from labkit.commands import down as command

    sys.exit(command.run(lab))


@lab.command()
@click.argument("lab", required=False, shell_complete=_completing.labs)
@JSON
def leftovers(lab: str | None, as_json: bool) -> None:
    """Name what is left of a lab, and how to remove it.

    Exit status 1 when something of ours is left. What others made meanwhile is named and left alone.
    """
    from labkit.commands import leftovers as command

    sys.exit(command.run(stack_files.known(lab) if lab else None, as_json=as_json))


@lab.command()
@click.option("--cache", is_flag=True, help="The caches too: images and toolchain, which all checkouts share.")
@click.option("--engine", is_flag=True, help="The private Docker Engine too, with its data.")
@click.option("--everywhere", is_flag=True, help="Other checkouts' labs too; lists them and asks.")
@YES
def clean(cache: bool, engine: bool, everywhere: bool, yes: bool) -> None:
    """Remove all labs of this checkout, and whatever is left of them."""
    from labkit.commands import clean as command

    sys.exit(command.run(cache=cache, engine_too=engine, everywhere=everywhere, yes=yes))


@lab.command()
@click.option("--stop", is_flag=True, required=True, help="Stop the private engine and restore what it changed.")
def engine(stop: bool) -> None:  # noqa: ARG001 - the only verb so far, and required
    """Stop the private Docker Engine of set-up."""
    from labkit.commands import engine as command

    command.run()


@lab.command()
def env() -> None:
    """Print what plain `pulumi` needs. Use: eval "$(./lab env)"."""
    from labkit.commands import env as command

    command.run()


@lab.command()
@click.argument("what", metavar="WHAT", callback=known_bench, shell_complete=_completing.benches)
@click.argument("lab", required=False, shell_complete=_completing.labs)
@click.option("--repeats", "-n", type=click.IntRange(3, 50), default=3, show_default=True)
@click.option("--engine", "engine_too", is_flag=True, help="recover: the reboot stops the private Docker Engine too.")
@YES
def bench(what: str, lab: str | None, repeats: int, engine_too: bool, yes: bool) -> None:
    """Measure this tool itself by a LAB, which may be left out where there is one.

    WHAT: up, recover, measure, report, guide, a LAB (its up, its memory, its
    quick run, what else it has aims for, its down), or a bench of the lab's own.
    """
    from labkit.commands import bench as command

    named = stack_files.known(lab) if lab else None
    sys.exit(command.run(what, named, repeats, engine_too=engine_too, yes=yes))


@lab.command()
@click.argument("name")
def new(name: str) -> None:
    """Make a lab of your own: labs/NAME and Pulumi.NAME.yaml, which work as they are.

    NAME is one word of small letters and digits.
    """
    from labkit.commands import new as command

    sys.exit(command.run(name))


@lab.command(context_settings={"ignore_unknown_options": True})
@click.option("--long", "long_", is_flag=True, help="Everything, hours included.")
@click.option("--unit", is_flag=True, help="What needs no set-up, no engine and no root, within a minute.")
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
@YES
def test(pytest_arguments: tuple[str, ...], *, long_: bool, unit: bool, yes: bool) -> None:
    """Run the tests, real engines included.

    A skip is a failure. What stands behind -- goes to pytest.
    """
    from labkit.commands import test as command

    if long_ and unit:
        raise click.UsageError("--long and --unit do not go together.")
    if unit:
        sys.exit(command.run_unit(pytest_arguments))
    sys.exit(command.run(pytest_arguments, long=long_, yes=yes))


@lab.command(name="completion")
@click.argument("shell", type=click.Choice(list(_completing.SHELLS)))
def completion(shell: str) -> None:
    """Print what makes a shell complete labs, replicas, experiments and runs.

    \b
    bash:  eval "$(./lab completion bash)"          for good: append that line to ~/.bashrc, with the path of ./lab
    zsh:   eval "$(./lab completion zsh)"           for good: to ~/.zshrc, after compinit
    fish:  ./lab completion fish | source           for good: to ~/.config/fish/completions/lab.fish
    """
    click.echo(_completing.source(lab, shell))


def main() -> NoReturn:
    """Run the command line; errors go to stderr with one next step."""
    from labkit import _ending
    from labkit.setup import ownership

    words = sys.argv[1:]
    if _completing.VARIABLE in os.environ:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - until the end

    def tool() -> object:
        ownership.check()
        return lab.main(words, prog_name="./lab", complete_var=_completing.VARIABLE, standalone_mode=False)

    _ending.run(tool, words)
