"""
The ports: all that the author of a storage, mailer, throttle, hasher or clock must read.

None of them decides anything.  Protocols, not base classes: nothing to inherit.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Protocol

import attrs

from parentauth._model import Account, Key, KeyKind, address_digest
from parentauth._outbox import Claim, Death, Delay, Intent, IntentKind, Mail, OutboxRow

__all__ = [
    "Account",
    "Change",
    "Claim",
    "Clock",
    "Death",
    "Delay",
    "Hasher",
    "Intent",
    "IntentKind",
    "Key",
    "KeyKind",
    "Mail",
    "Mailer",
    "OutboxRow",
    "Storage",
    "Throttle",
    "address_digest",
]


@attrs.frozen
class Change:
    """
    One account's step from *before* to *after*.

    Args:
        before: What was read, or None: add *after*.
        after: What to keep, or None: erase *before*, and its outbox rows.
        intents: What to put into the outbox in the same step.
    """

    before: Account | None
    after: Account | None
    intents: Sequence[Intent] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse a step between two accounts."""
        if self.before and self.after and self.before.id != self.after.id:
            raise ValueError("a change is of one account; its id never changes")


class Storage(Protocol):
    """
    Keeps accounts and the outbox.

    Look-ups are by digests (:class:`Key`, :func:`address_digest`)
    and compare byte for byte.  Every method may be called by several threads and
    processes at once.  Whatever the database says about a lost race, a deadlock, a
    serialization failure or a lock that it waited for too long is
    :exc:`~parentauth.exceptions.ConflictError`.
    """

    def account(self, key: Key) -> Account | None:
        """Return the whole account that *key* finds, as it was at one moment."""
        ...

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        """Return those of the accounts that exist, by id."""
        ...

    def accounts_by_email(self, address: str) -> Sequence[Account]:
        """Return the parents' accounts with that canonical address, in order of id digest."""
        ...

    def scan(self, after: str | None, limit: int) -> Sequence[Account]:
        """
        Return up to *limit* accounts in order of id digest.

        Args:
            after: Id of the last account of the page before, or None to begin.
        """
        ...

    def replace(self, changes: Sequence[Change]) -> None:
        """
        Write every *after* and every intent, or nothing.

        Each account written gets the version of its *before* plus one; an added one gets 1.
        Accounts are locked in order of id digest.  Two accounts of one call may swap
        usernames.

        Raises:
            ConflictError: A *before* is no longer current (its version differs, or it
                is gone).
            TakenError: An id, username, token digest or session digest belongs to
                another account.
        """
        ...

    def enqueue(self, intents: Iterable[Intent]) -> None:
        """Add to the outbox; an intent whose key already waits there is dropped."""
        ...

    def claim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Claim]:
        """
        Take up to *limit* rows that are due and that nobody holds, the longest due first.

        No two claims get the same row before its lease is over.  A claimed row no longer
        holds its intent's key.
        """
        ...

    def settle(
        self,
        *,
        done: Collection[Claim] = (),
        later: Collection[Delay] = (),
        dead: Collection[Death] = (),
    ) -> None:
        """
        Give claims back: *done* ones are deleted, *dead* ones kept to be looked at.

        A *later* one waits again, and holds its key again; where another intent took the
        key meanwhile, the row is dropped.  A claim whose lease was lost is ignored.
        """
        ...

    def outbox(self, after: str | None, limit: int) -> Sequence[OutboxRow]:
        """
        Return up to *limit* rows in order of row id.

        Args:
            after: Id of the last row of the page before, or None to begin.
        """
        ...

    def drop(self, ids: Collection[str], *, now: datetime) -> None:
        """Delete those of the rows that nobody holds at *now*."""
        ...


class Mailer(Protocol):
    """Sends mails."""

    def connect(self) -> AbstractContextManager[Callable[[Mail], None]]:
        """
        Connect once for several mails and give a callable that sends one.

        Raises:
            MailDelayedError: From ``connect`` or the callable: try later.
            MailRefusedError: From the callable: this mail will never be accepted.
        """
        ...


class Throttle(Protocol):
    """Counts attempts in fixed windows that begin with a key's first attempt."""

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """
        Count one attempt if fewer than *limit* were counted in the window; atomic.

        Returns:
            None if it was counted, else the time until the window ends.
        """
        ...

    def peek(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Return what :meth:`hit` would, without counting."""
        ...

    def clear(self, key: str) -> None:
        """Forget what was counted for *key*."""
        ...

    def prune(self, now: datetime) -> None:
        """Forget every window that is over."""
        ...


class Hasher(Protocol):
    """Hashes passwords; keyword-only, because two strings are easily swapped."""

    def hash(self, *, password: str) -> str:
        """Return a salted hash of *password*."""
        ...

    def verify(self, *, password: str, password_hash: str) -> bool:
        """Tell whether *password* has that hash; False for a damaged hash, too."""
        ...

    def needs_rehash(self, *, password_hash: str) -> bool:
        """Tell whether *password_hash* was made with other parameters than today's."""
        ...


class Clock(Protocol):
    """Tells the time."""

    def __call__(self) -> datetime:
        """Return the time now, in UTC."""
        ...
