"""The storage's tables."""

from collections.abc import Callable
from typing import Final

import click

from parentauth.flask._cli._options import command
from parentauth.flask._state import state_of


@command("create-tables")
def create_tables() -> None:
    """
    Make the storage's tables where they are not there yet.

    Example: flask parentauth create-tables
    """
    _of_storage("create_all")()


@command("upgrade-tables")
def upgrade_tables() -> None:
    """
    Bring the tables of an earlier release up to this one; run it after each upgrade.

    Example: flask parentauth upgrade-tables
    """
    _of_storage("upgrade")()


def _of_storage(name: str) -> Callable[[], None]:
    """Return what the storage has for it: a port has no tables, a database has."""
    method: Callable[[], None] | None = getattr(state_of().auth.storage, name, None)
    if method is None:
        raise click.ClickException("this storage has no tables")
    return method


COMMANDS: Final = (create_tables, upgrade_tables)
