"""The group: what goes wrong in a command is one clear line and exit code 1."""

from typing import Any

import click

from flask.cli import AppGroup

from parentauth.exceptions import FamiliesError, ParentAuthError


class Commands(AppGroup):
    """A group whose commands may raise what the library raises."""

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  click's own
        """Run a command; print an error of ours as such, instead of a traceback."""
        try:
            return super().invoke(ctx)
        except FamiliesError as error:
            lines = ["nothing was imported", *error.problems]
            raise click.ClickException("\n".join(lines)) from None
        except ParentAuthError as error:
            raise click.ClickException(str(error)) from None


group = Commands("parentauth", help="Parents' accounts: import, invite, deliver mail, status.")
