"""First-connection mails."""

from typing import Final

import click

from parentauth.flask._cli._options import (
    as_json,
    command,
    optional_parent,
    progress,
    quiet,
    show,
)
from parentauth.flask._state import state_of


@command("invite")
@optional_parent
@click.option("--all", "everybody", is_flag=True, help="Every parent who was never invited.")
@click.option("--again", is_flag=True, help="Also who was invited before.")
@quiet
@as_json
def invite(
    account_id: str | None, *, everybody: bool, again: bool, quiet: bool, as_json: bool
) -> None:
    """
    Queue the first-connection mail of USERNAME, or of all parents; "deliver" sends it.

    Example: flask parentauth invite --all
    """
    auth = state_of().auth
    if everybody == (account_id is not None):
        raise click.UsageError("name one USERNAME or --id, or give --all")
    if account_id is not None:
        auth.invite(account_id, again=again)
        show({"queued": 1}, as_json=as_json)
        return
    with progress("inviting", hidden=quiet or as_json) as on_progress:
        queued = auth.invite_all(again=again, on_progress=on_progress)
    show({"queued": queued}, as_json=as_json)


COMMANDS: Final = (invite,)
