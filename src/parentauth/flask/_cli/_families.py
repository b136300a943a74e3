"""The school's data, in and out of date."""

from pathlib import Path
from typing import Final

import click

from parentauth import Saved, read_families
from parentauth.flask._cli._options import as_json, command, show, show_rows
from parentauth.flask._state import state_of


@command("import-families")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--complete",
    is_flag=True,
    help="FILE names all the families there are: child links that it lacks end.",
)
@click.option("--dry-run", is_flag=True, help="Write nothing; show what would change.")
@as_json
def import_families(file: Path, *, complete: bool, dry_run: bool, as_json: bool) -> None:
    """
    Add and update the parents of FILE, a CSV of one row per parent and child.

    All rows or none: every problem is told with its line.  Nobody is invited.

    Example: flask parentauth import-families families.csv --dry-run
    """
    auth = state_of().auth
    families = read_families(file, zone=auth.school.zone)
    saved = auth.save(families, complete=complete, dry_run=dry_run)
    if as_json:
        lists = {
            "left": saved.left,
            "differences": saved.differences,
            "look_alikes": saved.look_alikes,
            "dry_run": dry_run,
        }
        show({**_counts(saved), **lists}, as_json=True)
        return
    if dry_run:
        click.echo("nothing was written; this would change:")
        for line in saved.differences:
            click.echo(line)
    for one, other in saved.look_alikes:
        click.echo(f"{one} looks like {other}: same name and address; both are kept", err=True)
    for account_id in saved.left:
        click.echo(f"{account_id} has no child any more", err=True)
    show({**_counts(saved), "left": len(saved.left)}, as_json=False)


def _counts(saved: Saved) -> dict[str, int]:
    return {
        "added": len(saved.added),
        "changed": len(saved.changed),
        "unchanged": len(saved.unchanged),
    }


@command("departed")
@click.option(
    "--days",
    type=click.IntRange(min=0),
    default=90,
    show_default=True,
    help="Whose last child left at least so many days ago.",
)
@as_json
def departed(*, days: int, as_json: bool) -> None:
    """
    List the parents whose last child has left: those to erase.

    Example: flask parentauth departed --days 90
    """
    rows = [
        {
            "id": each.parent.id,
            "username": each.parent.username,
            "name": each.parent.name,
            "since": each.since.isoformat(),
        }
        for each in state_of().auth.departed(days=days)
    ]
    show_rows(rows, as_json=as_json, nothing="nobody")


COMMANDS: Final = (import_families, departed)
