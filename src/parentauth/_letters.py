"""The outbox as the school sees it: what waits, what died and why, and what to do about it."""

from collections.abc import Collection, Iterator, Sequence
from typing import Final

import attrs

from parentauth._outbox import Intent, IntentKind, OutboxRow
from parentauth._parts import Parts
from parentauth.ports import Storage

PAGE: Final = 500


def rows_of(storage: Storage) -> Iterator[OutboxRow]:
    """Give all rows, page by page."""
    after: str | None = None
    while rows := storage.outbox(after, PAGE):
        yield from rows
        after = rows[-1].id


def outbox(parts: Parts) -> Sequence[OutboxRow]:
    """Return all rows, the oldest first."""
    return list(rows_of(parts.storage))


def retry(parts: Parts, ids: Collection[str]) -> int:
    """Queue dead mails anew; first the new row, then the old one goes: none is ever lost."""
    now, wanted = parts.clock(), frozenset(ids)
    dead = [row for row in rows_of(parts.storage) if row.id in wanted and row.dead_at is not None]
    parts.storage.enqueue([_anew(row.intent) for row in dead])
    parts.storage.drop([row.id for row in dead], now=now)
    return len(dead)


def _anew(intent: Intent) -> Intent:
    """
    An invitation again: its own token may live, though its mail may never have left.

    What it was due at stays, because a notice tells when the password was changed.
    """
    invitation = intent.kind is IntentKind.INVITE
    return attrs.evolve(intent, kind=IntentKind.INVITE_AGAIN) if invitation else intent


def drop(parts: Parts, ids: Collection[str]) -> None:
    """Delete rows that no worker holds."""
    parts.storage.drop(ids, now=parts.clock())
