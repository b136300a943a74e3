"""The commands: ``flask parentauth …``."""

import json
import time

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from flask.cli import AppGroup

from parentauth import read_families
from parentauth.exceptions import FamiliesError, ParentAuthError
from parentauth.flask._state import state_of

P = ParamSpec("P")
T = TypeVar("T")

group = AppGroup("parentauth", help="Parents' accounts: import, invite, deliver mail, status.")

as_json = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")


def _told(command: Callable[P, T]) -> Callable[P, T]:
    """Print an error of ours as such, with exit code 1, instead of a traceback."""

    @wraps(command)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except FamiliesError as error:
            raise click.ClickException(
                "\n".join(["nothing was imported", *error.problems])
            ) from None
        except ParentAuthError as error:
            raise click.ClickException(str(error)) from None

    return wrapped


def _print(result: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result))
    else:
        click.echo(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in result.items()))


@group.command("create-tables")
@_told
def create_tables() -> None:
    """
    Make the storage's tables where they are not there yet.

    Example: flask parentauth create-tables
    """
    create_all = getattr(state_of().auth.storage, "create_all", None)
    if create_all is None:
        raise click.ClickException("this storage has no tables to create")
    create_all()


@group.command("import-families")
@click.argument("file", type=click.Path(path_type=Path))
@as_json
@_told
def import_families(file: Path, *, as_json: bool) -> None:
    """
    Add and update the parents of FILE, a CSV of one row per parent and child.

    All rows or none: every problem is told with its line.  Nobody is mailed.

    Example: flask parentauth import-families families.csv
    """
    auth = state_of().auth
    saved = auth.save(read_families(file, zone=auth.school.zone))
    counts = {
        "added": len(saved.added),
        "changed": len(saved.changed),
        "unchanged": len(saved.unchanged),
    }
    _print(counts, as_json=as_json)


@group.command("invite")
@click.argument("username", required=False)
@click.option("--all", "everybody", is_flag=True, help="Every parent who was never invited.")
@click.option("--again", is_flag=True, help="Also who was invited before.")
@as_json
@_told
def invite(username: str | None, *, everybody: bool, again: bool, as_json: bool) -> None:
    """
    Queue the first-connection mail of USERNAME, or of all parents.

    Example: flask parentauth invite --all
    """
    auth = state_of().auth
    if everybody == bool(username):
        raise click.UsageError("name one USERNAME, or give --all")
    if username:
        parent = auth.find_parent(username=username)
        if parent is None:
            raise click.ClickException(f"no parent has the username {username!r}")
        auth.invite(parent.id, again=again)
        _print({"queued": 1}, as_json=as_json)
        return
    _print({"queued": auth.invite_all(again=again)}, as_json=as_json)


@group.command("deliver")
@click.option(
    "--every", type=click.FloatRange(min=0.1), help="Go on for ever, every so many seconds."
)
@click.option("--limit", type=click.IntRange(min=1), help="Handle at most so many rows.")
@as_json
@_told
def deliver(*, every: float | None, limit: int | None, as_json: bool) -> None:
    """
    Send the mails that are due; run it from cron, or with --every.

    Example: flask parentauth deliver --every 5
    """
    auth = state_of().auth
    while True:
        done = auth.deliver(limit=limit)
        counts = {
            "sent": done.sent,
            "delayed": done.delayed,
            "dead": done.dead,
            "dropped": done.dropped,
        }
        if every is None or any(counts.values()):
            _print(counts, as_json=as_json)
        if every is None:
            return
        time.sleep(every)


@group.command("purge")
@as_json
@_told
def purge(*, as_json: bool) -> None:
    """
    Forget dead tokens, ended sessions, old counters and old dead letters; run it daily.

    Example: flask parentauth purge
    """
    purged = state_of().auth.purge()
    counts = {"accounts": purged.accounts, "dead_letters": purged.dead_letters}
    _print(counts, as_json=as_json)


@group.command("status")
@click.argument("username", required=False)
@as_json
@_told
def status(username: str | None, *, as_json: bool) -> None:
    """
    Count the parents by where they stand, or tell where USERNAME stands.

    Example: flask parentauth status
    """
    auth = state_of().auth
    if username is None:
        counts = {state.value: count for state, count in auth.status_counts().items()}
        _print(counts, as_json=as_json)
        return
    parent = auth.find_parent(username=username)
    if parent is None:
        raise click.ClickException(f"no parent has the username {username!r}")
    _print({"status": auth.status(parent.id).value}, as_json=as_json)
