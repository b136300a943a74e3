"""What several commands share: whom they are about, how they print, how they show progress."""

import json
import sys

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, Final

import click

from flask.cli import with_appcontext

from parentauth.flask._state import state_of

Command = Callable[..., None]
Row = Mapping[str, Any]
OnProgress = Callable[[int, int], None]

as_json: Final = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
quiet: Final = click.option("--quiet", is_flag=True, help="Show no progress bar.")


def command(name: str) -> Callable[[Command], click.Command]:
    """Make a command that runs within the application."""

    def made(function: Command) -> click.Command:
        return click.command(name)(with_appcontext(function))

    return made


def about_parent(function: Command) -> Command:
    """Take a USERNAME or ``--id``, and give the command that parent's ``account_id``."""

    @optional_parent
    @wraps(function)
    def wrapped(*, account_id: str | None, **options: Any) -> None:  # noqa: ANN401  click's
        if account_id is None:
            raise click.UsageError("name one USERNAME, or give --id")
        function(account_id=account_id, **options)

    return wrapped


def optional_parent(function: Command) -> Command:
    """Do the same where a parent need not be named."""

    @click.argument("username", required=False)
    @click.option("--id", "named_id", metavar="ID", help="The parent's id, in place of USERNAME.")
    @wraps(function)
    def wrapped(*, username: str | None, named_id: str | None, **options: Any) -> None:  # noqa: ANN401
        if username is not None and named_id is not None:
            raise click.UsageError("give USERNAME or --id, not both")
        account_id = named_id if username is None else _id_of(username)
        function(account_id=account_id, **options)

    return wrapped


def _id_of(username: str) -> str:
    parent = state_of().auth.find_parent(username=username)
    if parent is None:
        raise click.ClickException(f"no parent has the username {username!r}")
    return parent.id


def show(result: Row, *, as_json: bool) -> None:
    """Print one result: its values after their names."""
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.items()))


def show_done(account_id: str, done: str, *, as_json: bool) -> None:
    """Print what was done about one parent."""
    if as_json:
        click.echo(json.dumps({"id": account_id, "done": done}))
    else:
        click.echo(f"{account_id}: {done}")


def show_rows(rows: Sequence[Row], *, as_json: bool, nothing: str) -> None:
    """
    Print many results, one a line, their values separated by tabs.

    Args:
        nothing: What to say where there is none.
    """
    if as_json:
        click.echo(json.dumps(rows))
    elif rows:
        for line in _lines(rows):
            click.echo(line)
    else:
        click.echo(nothing)


def _lines(rows: Sequence[Row]) -> Iterable[str]:
    yield "\t".join(rows[0])
    for row in rows:
        yield "\t".join("" if value is None else str(value) for value in row.values())


@contextmanager
def progress(label: str, *, hidden: bool) -> Generator[OnProgress | None]:
    """
    Give what the library reports its progress to: a bar on a terminal, and nothing elsewhere.

    Args:
        hidden: Show none there either.
    """
    if hidden or not sys.stderr.isatty():
        yield None
        return
    # How long it is, is known only when the first part is done.
    with click.progressbar(length=1, label=label, file=sys.stderr) as bar:

        def on_progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield on_progress
