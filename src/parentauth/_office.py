"""The school's verbs on one account, and its questions about all of them."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import attrs

from parentauth import _lifecycle, _notices, _selection, _sessions, _tokens
from parentauth._addresses import read_address
from parentauth._events import EventKind
from parentauth._inputs import checked_text
from parentauth._letters import rows_of
from parentauth._model import Account, Key, Parent, Status
from parentauth._parts import Parts, pages_of, until_current
from parentauth.exceptions import AccountNotFoundError
from parentauth.ports import Change


@attrs.frozen
class Departed:
    """A parent whose last child has left, and when."""

    parent: Parent
    since: datetime


def found(parts: Parts, account_id: str) -> Account:
    """
    Return the account with that id.

    Raises:
        AccountNotFoundError: There is none.
    """
    account = parts.storage.account(Key.by_id(checked_text(account_id, "id")))
    if account is None:
        raise AccountNotFoundError(f"no account has the id {account_id!r}")
    return account


def find_parent(parts: Parts, username: str) -> Parent | None:
    """Look up one parent by username."""
    account = parts.storage.account(Key.by_username(checked_text(username, "username")))
    return None if account is None else _selection.parent_of(account)


# -- Questions


def status(parts: Parts, account_id: str) -> Status:
    """Return where one parent stands."""
    return parts.status_of(found(parts, account_id), parts.clock())


def status_counts(parts: Parts) -> Mapping[Status, int]:
    """Count the accounts by status."""
    now = parts.clock()
    counts = Counter(
        parts.status_of(account, now) for page in pages_of(parts.storage) for account in page
    )
    return {each: counts[each] for each in Status}


def departed(parts: Parts, *, days: int) -> Sequence[Departed]:
    """List parents whose last child link ended at least so many days ago."""
    limit = parts.clock() - timedelta(days=days)
    return [
        Departed(_selection.parent_of(account), since)
        for page in pages_of(parts.storage)
        for account in page
        if (since := _lifecycle.left_at(account)) is not None and since <= limit
    ]


def export(parts: Parts, account_id: str) -> dict[str, Any]:
    """Return everything that is kept about one parent, but for what opens something."""
    account = found(parts, account_id)
    mails = [row for row in rows_of(parts.storage) if row.intent.account_id == account.id]
    hidden = attrs.filters.exclude("digest", "address_digest", "password_hash", "version")
    return {
        **attrs.asdict(account, filter=hidden, value_serializer=_plain),
        "mails": [
            {"kind": row.intent.kind.value, "due": row.due.isoformat(), "reason": row.reason}
            for row in mails
        ],
    }


# -- Verbs


def change_address(parts: Parts, account_id: str, email: str | None) -> None:
    """Set another address; its tokens die, and both addresses are told."""
    address = read_address(checked_text(email, "email")) if email else None
    changed = _lifecycle.with_address
    _change(
        parts, account_id, EventKind.ADDRESS_CHANGED, lambda a, now: changed(a, address, now=now)
    )


def set_active(parts: Parts, account_id: str, *, active: bool) -> None:
    """Open or close the account."""
    kind = EventKind.ACCOUNT_OPENED if active else EventKind.ACCOUNT_CLOSED
    changed = _lifecycle.with_active
    _change(parts, account_id, kind, lambda a, now: changed(a, active=active, now=now))


def revoke_tokens(parts: Parts, account_id: str) -> None:
    """Revoke every live token."""
    revoked = _tokens.revoke_all
    _change(parts, account_id, EventKind.TOKENS_REVOKED, lambda a, now: revoked(a, now=now))


def end_sessions(parts: Parts, account_id: str) -> None:
    """End every session."""
    _change(parts, account_id, EventKind.SESSIONS_ENDED, lambda a, _: _sessions.all_ended(a))


def erase(parts: Parts, account_id: str) -> None:
    """Delete the account and its rows in the outbox."""
    until_current(lambda: parts.storage.replace([Change(found(parts, account_id), None)]))
    parts.tell(EventKind.ACCOUNT_ERASED, at=parts.clock(), account_id=account_id)


def _change(
    parts: Parts,
    account_id: str,
    kind: EventKind,
    decide: Callable[[Account, datetime], Account],
) -> None:
    """Read, decide, replace; announce only what was new."""

    def step() -> bool:
        before, now = found(parts, account_id), parts.clock()
        after = decide(before, now)
        if after == before:
            return False
        intents = _notices.of_change(before, after, now=now)
        parts.storage.replace([Change(before, after, intents)])
        return True

    if until_current(step):
        parts.tell(kind, at=parts.clock(), account_id=account_id)


def _plain(_: type, __: object, value: Any) -> Any:  # noqa: ANN401  attrs gives any value
    if isinstance(value, datetime):
        return value.isoformat()
    return getattr(value, "value", value)
