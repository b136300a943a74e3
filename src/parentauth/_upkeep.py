"""Forgets what has lost its use: old tokens, ended sessions, counters, dead letters."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from parentauth import _sessions, _tokens
from parentauth._letters import rows_of
from parentauth._model import Account
from parentauth._parts import Parts, pages_of
from parentauth.exceptions import ConflictError
from parentauth.ports import Change

DEAD_LETTERS_KEPT: Final = timedelta(days=30)


@attrs.frozen
class Purged:
    """
    What :meth:`parentauth.ParentAuth.purge` did.

    Args:
        accounts: Accounts that lost dead tokens or ended sessions; none is ever deleted.
        dead_letters: Mails that were given up more than 30 days ago.
    """

    accounts: int
    dead_letters: int


def purge(parts: Parts) -> Purged:
    """Go through all accounts and the outbox, page by page."""
    now = parts.clock()
    accounts = sum(_purge_page(parts, page, now) for page in pages_of(parts.storage))
    parts.throttle.prune(now)
    old = [
        row.id
        for row in rows_of(parts.storage)
        if row.dead_at is not None and now - row.dead_at >= DEAD_LETTERS_KEPT
    ]
    parts.storage.drop(old, now=now)
    return Purged(accounts, len(old))


def _purge_page(parts: Parts, page: Sequence[Account], now: datetime) -> int:
    changes = [
        Change(account, after)
        for account in page
        if (after := _purged(parts, account, now)) != account
    ]
    if not changes:
        return 0
    try:
        parts.storage.replace(changes)
    except ConflictError:
        # Somebody of the page was signing in; one by one, and whoever moved waits for next time.
        return sum(_purge_one(parts, change) for change in changes)
    return len(changes)


def _purge_one(parts: Parts, change: Change) -> bool:
    try:
        parts.storage.replace([change])
    except ConflictError:
        return False
    return True


def _purged(parts: Parts, account: Account, now: datetime) -> Account:
    return _sessions.purged(_tokens.purged(account, now=now), parts.sessions, now=now)
