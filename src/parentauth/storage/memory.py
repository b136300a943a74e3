"""
A storage in memory: the reference of what the port means, for tests and first steps.

Nothing outlives the process, and no other process sees it.
"""

import itertools
import secrets
import threading

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import attrs

from parentauth.exceptions import ConflictError, TakenError
from parentauth.ports import (
    Account,
    Change,
    Claim,
    Death,
    Delay,
    Intent,
    Key,
    OutboxRow,
    address_digest,
)

__all__ = ["MemoryStorage"]


@attrs.frozen
class _Kept:
    """A row of the outbox, and the lease of who holds it."""

    row: OutboxRow
    lease: str | None = None

    def is_claimable(self, now: datetime) -> bool:
        return self.row.dead_at is None and self.row.due <= now and not self.is_held(now)

    def is_held(self, now: datetime) -> bool:
        return self.row.leased_until is not None and now < self.row.leased_until


class MemoryStorage:
    """
    Keeps accounts and the outbox in memory.

    One lock makes every method atomic; values are frozen, so that none is copied.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._accounts: dict[str, Account] = {}
        self._owners: dict[Key, str] = {}
        self._outbox: dict[str, _Kept] = {}
        self._waiting: dict[str, str] = {}
        self._row_ids = itertools.count(1)

    # -- Accounts

    def account(self, key: Key) -> Account | None:
        """Return the account that *key* finds."""
        with self._lock:
            owner = self._owners.get(key)
            return None if owner is None else self._accounts[owner]

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        """Return those of the accounts that exist, by id."""
        with self._lock:
            found = (self._accounts.get(_id_key(account_id)) for account_id in ids)
            return {account.id: account for account in found if account is not None}

    def accounts_by_email(self, address: str) -> Sequence[Account]:
        """Return the accounts with that canonical address."""
        wanted = address_digest(address)
        return [
            account
            for account in self._in_order()
            if account.email is not None and address_digest(account.email) == wanted
        ]

    def scan(self, after: str | None, limit: int) -> Sequence[Account]:
        """Return a page of all accounts, in order of id digest."""
        start = "" if after is None else _id_key(after)
        later = (account for account in self._in_order() if _id_key(account.id) > start)
        return list(itertools.islice(later, limit))

    def replace(self, changes: Sequence[Change]) -> None:
        """
        Write every *after* and every intent, or nothing.

        Raises:
            ConflictError: A *before* is no longer current.
            TakenError: A key of an *after* belongs to another account.
        """
        befores = [change.before for change in changes if change.before is not None]
        afters = _written(changes)
        with self._lock:
            self._check_current(befores)
            self._check_free(befores, afters)
            for account in befores:
                self._remove(account)
            for account in afters:
                self._add(account)
            self._forget_mails({_id_key(before.id) for before in _erased(changes)})
            self._wait(intent for change in changes for intent in change.intents)

    def _in_order(self) -> Sequence[Account]:
        with self._lock:
            return [account for _, account in sorted(self._accounts.items())]

    def _check_current(self, befores: Sequence[Account]) -> None:
        versions = {_id_key(before.id): before.version for before in befores}
        current = {key: self._accounts[key].version for key in versions if key in self._accounts}
        if current != versions or len(versions) != len(befores):
            raise ConflictError("an account was changed meanwhile")

    def _check_free(self, befores: Sequence[Account], afters: Sequence[Account]) -> None:
        leaving = {_id_key(before.id) for before in befores}
        wanted = [key for after in afters for key in after.keys]
        if len(set(wanted)) != len(wanted) or any(
            self._owners.get(key, "") not in leaving | {""} for key in wanted
        ):
            raise TakenError("an id, a username or a digest belongs to another account")

    def _add(self, account: Account) -> None:
        self._accounts[_id_key(account.id)] = account
        self._owners |= dict.fromkeys(account.keys, _id_key(account.id))

    def _remove(self, before: Account) -> None:
        for key in self._accounts.pop(_id_key(before.id)).keys:
            del self._owners[key]

    def _forget_mails(self, erased: Collection[str]) -> None:
        for row_id, kept in list(self._outbox.items()):
            account_id = kept.row.intent.account_id
            if account_id is not None and _id_key(account_id) in erased:
                self._delete(row_id)

    # -- Outbox

    def enqueue(self, intents: Iterable[Intent]) -> None:
        """Add to the outbox; an intent whose key already waits there is dropped."""
        # Read before locking: a generator may ask this storage for accounts.
        ready = tuple(intents)
        with self._lock:
            self._wait(ready)

    def claim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Claim]:
        """Take up to *limit* rows that are due, the longest due first."""
        with self._lock:
            due = [kept.row for kept in self._outbox.values() if kept.is_claimable(now)]
            due.sort(key=lambda row: (row.due, row.id))
            return [self._lease(row, until=now + lease) for row in due[:limit]]

    def settle(
        self,
        *,
        done: Collection[Claim] = (),
        later: Collection[Delay] = (),
        dead: Collection[Death] = (),
    ) -> None:
        """Give claims back; one whose lease was lost is ignored."""
        with self._lock:
            for claim in done:
                if self._holds(claim):
                    self._delete(claim.id)
            for delay in later:
                if self._holds(delay.claim):
                    self._postpone(delay)
            for death in dead:
                if self._holds(death.claim):
                    self._bury(death)

    def outbox(self, after: str | None, limit: int) -> Sequence[OutboxRow]:
        """Return a page of the outbox, in order of row id."""
        with self._lock:
            rows = (kept.row for _, kept in sorted(self._outbox.items()))
            return list(itertools.islice((row for row in rows if row.id > (after or "")), limit))

    def drop(self, ids: Collection[str], *, now: datetime) -> None:
        """Delete those of the rows that nobody holds at *now*."""
        with self._lock:
            for row_id in ids:
                if row_id in self._outbox and not self._outbox[row_id].is_held(now):
                    self._delete(row_id)

    def _wait(self, intents: Iterable[Intent]) -> None:
        for intent in intents:
            if intent.key not in self._waiting:
                row_id = f"{next(self._row_ids):012}"
                row = OutboxRow(id=row_id, intent=intent, due=intent.due, attempts=0)
                self._outbox[row_id] = _Kept(row)
                self._waiting[intent.key] = row_id

    def _lease(self, row: OutboxRow, *, until: datetime) -> Claim:
        lease = secrets.token_hex(16)
        leased = attrs.evolve(row, attempts=row.attempts + 1, leased_until=until)
        self._outbox[row.id] = _Kept(leased, lease)
        self._stop_waiting(row)
        return Claim(id=row.id, lease=lease, intent=row.intent, attempts=leased.attempts)

    def _holds(self, claim: Claim) -> bool:
        kept = self._outbox.get(claim.id)
        return kept is not None and kept.lease == claim.lease

    def _postpone(self, delay: Delay) -> None:
        row = self._outbox[delay.claim.id].row
        if row.intent.key in self._waiting:
            self._delete(row.id)
            return
        self._waiting[row.intent.key] = row.id
        self._outbox[row.id] = _Kept(
            attrs.evolve(row, due=delay.due, leased_until=None, reason=delay.reason)
        )

    def _bury(self, death: Death) -> None:
        row = self._outbox[death.claim.id].row
        self._outbox[row.id] = _Kept(
            attrs.evolve(row, leased_until=None, dead_at=death.at, reason=death.reason)
        )

    def _delete(self, row_id: str) -> None:
        self._stop_waiting(self._outbox.pop(row_id).row)

    def _stop_waiting(self, row: OutboxRow) -> None:
        if self._waiting.get(row.intent.key) == row.id:
            del self._waiting[row.intent.key]


def _id_key(account_id: str) -> str:
    return Key.by_id(account_id).digest


def _written(changes: Sequence[Change]) -> Sequence[Account]:
    return [
        attrs.evolve(change.after, version=(change.before.version if change.before else 0) + 1)
        for change in changes
        if change.after is not None
    ]


def _erased(changes: Sequence[Change]) -> Sequence[Account]:
    return [change.before for change in changes if change.before and change.after is None]
