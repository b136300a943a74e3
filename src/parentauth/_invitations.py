"""Invites parents: puts into the outbox what the worker will judge."""

from collections.abc import Callable

from parentauth import _notices
from parentauth._model import Status
from parentauth._office import found
from parentauth._parts import Parts, pages_of

CHUNK = 500
OnProgress = Callable[[int, int], None]


def invite(parts: Parts, account_id: str, *, again: bool) -> None:
    """Put one invitation into the outbox."""
    account = found(parts, account_id)
    parts.storage.enqueue([_notices.invitation(account.id, again=again, now=parts.clock())])


def invite_all(parts: Parts, *, again: bool, on_progress: OnProgress | None) -> int:
    """Put an invitation into the outbox for everybody who needs one."""
    now = parts.clock()
    wanted = {Status.NOT_INVITED}
    if again:
        wanted |= {Status.WAITING, Status.EXPIRED}
    intents = [
        _notices.invitation(account.id, again=again, now=now)
        for page in pages_of(parts.storage)
        for account in page
        if parts.status_of(account, now) in wanted
    ]
    for done in range(0, len(intents), CHUNK):
        parts.storage.enqueue(intents[done : done + CHUNK])
        if on_progress is not None:
            on_progress(min(done + CHUNK, len(intents)), len(intents))
    return len(intents)
