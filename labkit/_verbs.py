"""The group of all verbs: in the order in which one meets them, each taking --yes, a mistyped one guessed."""

from __future__ import annotations

import click

from labkit._ending import KeptError
from labkit.system.errors import meant

YES_WORDS = ("--yes", "-y")


class Verbs(click.Group):
    """Shows verbs in their order; gives each the option --yes that has none: scripts pass it to all alike."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's interface
        """In the order in which one meets them."""
        return list(self.commands)

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Add a verb; one that asks nothing takes --yes as well."""
        taken = {word for parameter in cmd.params for word in parameter.opts}
        words = [word for word in YES_WORDS if word not in taken]
        if words:
            silent = click.Option(words, is_flag=True, expose_value=False, help="Taken by every command.", hidden=True)
            cmd.params.append(silent)
        super().add_command(cmd, name)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The verb; a mistyped one is guessed in the message."""
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            ctx.fail(f"There is no command {args[0]!r}. {meant(args[0], list(self.commands))}".rstrip())
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> object:
        """Run the verb. What click would take for its own end is kept for ours."""
        try:
            return super().invoke(ctx)
        except (OSError, EOFError) as error:
            raise KeptError(error) from error
