"""The worker, and the outbox that it empties."""

import signal
import threading

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import attrs
import click

from parentauth import Delivery
from parentauth.exceptions import ParentAuthError
from parentauth.flask._cli._options import as_json, command, show, show_rows
from parentauth.flask._state import state_of

# So few at a time that a signal to stop is heard soon.
BATCH: Final = 50


@command("deliver")
@click.option(
    "--every",
    type=click.FloatRange(min=0.1),
    metavar="SECONDS",
    help="Go on until SIGTERM, and look for mail every so often.",
)
@click.option("--limit", type=click.IntRange(min=1), help="Handle at most so many rows at a time.")
@as_json
def deliver(*, every: float | None, limit: int | None, as_json: bool) -> None:
    """
    Send the mails that are due; run it from cron, or with --every.

    SIGTERM and Ctrl-C let it finish the batch at hand.

    Example: flask parentauth deliver --every 5
    """
    with _stopping() as stop:
        while True:
            try:
                done = _drained(limit, stop)
            except ParentAuthError as error:
                if every is None:
                    raise
                # A database that restarts must not end the mail for good.
                click.echo(f"mail could not be delivered, trying again: {error}", err=True)
                done = Delivery()
            counts = attrs.asdict(done)
            if every is None or any(counts.values()):
                show(counts, as_json=as_json)
            if every is None or stop.wait(every):
                return


def _drained(limit: int | None, stop: threading.Event) -> Delivery:
    """Deliver batch by batch until nothing is due, *limit* is reached, or a signal says stop."""
    total, left = Delivery(), limit
    while not stop.is_set() and (left is None or left > 0):
        size = BATCH if left is None else min(BATCH, left)
        done = state_of().auth.deliver(limit=size)
        total += done
        handled = sum(attrs.astuple(done))
        if handled < size:
            break
        left = None if left is None else left - handled
    return total


@contextmanager
def _stopping() -> Generator[threading.Event]:
    """Give an event that SIGTERM and Ctrl-C set; a second signal ends the process as ever."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def handle(*_: object) -> None:
        stop.set()
        restore()

    for number in before:
        signal.signal(number, handle)
    try:
        yield stop
    finally:
        restore()


@command("outbox")
@click.option("--dead", is_flag=True, help="Only mails that were given up.")
@as_json
def outbox(*, dead: bool, as_json: bool) -> None:
    """
    List the mails that wait, and those that were given up, with the reason.

    Example: flask parentauth outbox --dead
    """
    rows = [
        {
            "row": row.id,
            "kind": row.intent.kind.value,
            "id": row.intent.account_id,
            "due": row.due.isoformat(),
            "attempts": row.attempts,
            "dead": row.dead_at and row.dead_at.isoformat(),
            "reason": row.reason,
        }
        for row in state_of().auth.outbox()
        if row.dead_at is not None or not dead
    ]
    show_rows(rows, as_json=as_json, nothing="no mail")


@command("retry")
@click.argument("rows", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every mail that was given up.")
@as_json
def retry(rows: Sequence[str], *, everything: bool, as_json: bool) -> None:
    """
    Queue mails anew that were given up; "outbox --dead" lists their ROWS.

    Example: flask parentauth retry --all
    """
    auth = state_of().auth
    if everything == bool(rows):
        raise click.UsageError("name ROWS, or give --all")
    wanted = [row.id for row in auth.outbox() if row.dead_at] if everything else rows
    queued = auth.retry(wanted)
    if queued < len(set(wanted)):
        raise click.ClickException(f"queued {queued}; the other rows are not among the dead")
    show({"queued": queued}, as_json=as_json)


@command("drop")
@click.argument("rows", nargs=-1, required=True)
@as_json
def drop(rows: Sequence[str], *, as_json: bool) -> None:
    """
    Delete mails from the outbox unsent; "outbox" lists their ROWS.

    Example: flask parentauth drop 3f2a
    """
    auth, wanted = state_of().auth, set(rows)
    before = wanted & {row.id for row in auth.outbox()}
    auth.drop(before)
    dropped = before - {row.id for row in auth.outbox()}
    if dropped != wanted:
        raise click.ClickException(
            f"dropped {len(dropped)}; the other rows are unknown, or being sent at this moment"
        )
    show({"dropped": len(dropped)}, as_json=as_json)


@command("purge")
@as_json
def purge(*, as_json: bool) -> None:
    """
    Forget dead tokens, ended sessions, old counters and old dead letters; run it daily.

    Example: flask parentauth purge
    """
    counts: dict[str, Any] = attrs.asdict(state_of().auth.purge())
    show(counts, as_json=as_json)


COMMANDS: Final = (deliver, outbox, retry, drop, purge)
