"""The school's verbs on one parent."""

import json

from typing import Final

import click

from parentauth.flask._cli._options import about_parent, as_json, command, show_done
from parentauth.flask._state import state_of


@command("change-address")
@about_parent
@click.option("--to", "email", metavar="EMAIL", help="The new address.")
@click.option("--none", "nowhere", is_flag=True, help="Leave the parent without address.")
@as_json
def change_address(*, account_id: str, email: str | None, nowhere: bool, as_json: bool) -> None:
    """
    Set another e-mail address; what was mailed to the old one dies, and both are told.

    Example: flask parentauth change-address marie.dubois --to marie@example.com
    """
    if nowhere == (email is not None):
        raise click.UsageError("give --to or --none")
    state_of().auth.change_address(account_id, email)
    show_done(account_id, "address changed", as_json=as_json)


@command("close")
@about_parent
@as_json
def close(*, account_id: str, as_json: bool) -> None:
    """
    Close an account: its tokens and sessions end at once.

    Example: flask parentauth close marie.dubois
    """
    state_of().auth.set_active(account_id, active=False)
    show_done(account_id, "closed", as_json=as_json)


@command("open")
@about_parent
@as_json
def open_(*, account_id: str, as_json: bool) -> None:
    """
    Open an account that was closed.

    Example: flask parentauth open marie.dubois
    """
    state_of().auth.set_active(account_id, active=True)
    show_done(account_id, "open", as_json=as_json)


@command("revoke-tokens")
@about_parent
@as_json
def revoke_tokens(*, account_id: str, as_json: bool) -> None:
    """
    Make every connection token dead that was mailed to a parent.

    Example: flask parentauth revoke-tokens marie.dubois
    """
    state_of().auth.revoke_tokens(account_id)
    show_done(account_id, "tokens revoked", as_json=as_json)


@command("end-sessions")
@about_parent
@as_json
def end_sessions(*, account_id: str, as_json: bool) -> None:
    """
    Sign a parent out everywhere.

    Example: flask parentauth end-sessions --id P001
    """
    state_of().auth.end_sessions(account_id)
    show_done(account_id, "sessions ended", as_json=as_json)


@command("export")
@about_parent
@as_json
def export(*, account_id: str, as_json: bool) -> None:
    """
    Print all that is kept about a parent, for whoever asks for their data.

    Example: flask parentauth export marie.dubois > marie.json
    """
    kept = state_of().auth.export(account_id)
    click.echo(json.dumps(kept, ensure_ascii=False, indent=None if as_json else 2))


@command("erase")
@about_parent
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
def erase(*, account_id: str, yes: bool, as_json: bool) -> None:
    """
    Delete a parent's account with all that belongs to it; it can't be undone.

    Example: flask parentauth erase --id P001
    """
    auth = state_of().auth
    auth.status(account_id)
    if not yes:
        click.confirm(f"Erase the account {account_id} for good?", abort=True, err=True)
    auth.erase(account_id)
    show_done(account_id, "erased", as_json=as_json)


COMMANDS: Final = (
    change_address,
    close,
    open_,
    revoke_tokens,
    end_sessions,
    export,
    erase,
)
