"""The storage's tables."""

from typing import Final

import click

from flask.cli import AppGroup

from parentauth.flask._cli._options import command
from parentauth.flask._state import state_of


@command("upgrade")
def upgrade() -> None:
    """
    Make the tables, or bring those of an earlier release up to this one.

    Example: flask parentauth db upgrade
    """
    method = getattr(state_of().auth.storage, "upgrade", None)
    if method is None:
        # A port has no tables; a database has.
        raise click.ClickException("this storage has no tables")
    method()


db = AppGroup("db", help="The storage's tables: upgrade.")
db.add_command(upgrade)

COMMANDS: Final = (db,)
