"""A storage over Python's own sqlite3, for the page "Write your own storage"."""

import enum
import json
import secrets
import sqlite3
import time

from collections.abc import Collection, Generator, Iterable, Mapping, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, get_args, get_origin

import attrs

from parentauth import Account
from parentauth.exceptions import ConflictError, TakenError
from parentauth.ports import Change, Claim, Death, Delay, Intent, Key, OutboxRow, address_digest

TABLES = """
CREATE TABLE IF NOT EXISTS accounts (
    id TEXT PRIMARY KEY, version INTEGER NOT NULL, address TEXT, document TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS addresses ON accounts (address);
CREATE TABLE IF NOT EXISTS keys (
    kind TEXT, digest TEXT, account TEXT NOT NULL, PRIMARY KEY (kind, digest)
);
CREATE INDEX IF NOT EXISTS owners ON keys (account);
CREATE TABLE IF NOT EXISTS outbox (
    id TEXT PRIMARY KEY, waits TEXT UNIQUE, account TEXT, intent TEXT NOT NULL,
    due TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, lease TEXT, leased_until TEXT,
    dead_at TEXT, reason TEXT
);
CREATE INDEX IF NOT EXISTS dues ON outbox (due);
"""


class SQLiteStorage:
    """
    Keeps each account as one document, and the keys that find it in a table beside.

    Args:
        path: Of the database's file, which is made where it is not there.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with self._reading() as database:
            database.execute("PRAGMA journal_mode = WAL")
            database.executescript(TABLES)

    @contextmanager
    def _reading(self) -> Generator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._path, timeout=30, isolation_level=None)) as database:
            yield database

    @contextmanager
    def _writing(self) -> Generator[sqlite3.Connection]:
        """Give a connection whose statements are all kept, or none."""
        with self._reading() as database:
            try:
                # Immediate: whoever comes second waits here, before it has read anything.
                database.execute("BEGIN IMMEDIATE")
                with database:
                    yield database
            except sqlite3.IntegrityError as error:
                raise TakenError("an id, a username or a digest is taken") from error
            except sqlite3.OperationalError as error:
                raise ConflictError(f"the database is busy: {error}") from error

    # -- Accounts

    def account(self, key: Key) -> Account | None:
        """Find one account, by one statement."""
        with self._reading() as database:
            row = database.execute(
                "SELECT version, document FROM accounts JOIN keys ON keys.account = accounts.id"
                " WHERE keys.kind = ? AND keys.digest = ?",
                (key.kind.value, key.digest),
            ).fetchone()
        return None if row is None else read_account(*row)

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        """Find those that exist."""
        found = (self.account(Key.by_id(account_id)) for account_id in ids)
        return {account.id: account for account in found if account is not None}

    def accounts_by_email(self, address: str) -> Sequence[Account]:
        """Find by the address's digest, byte for byte."""
        return self._listed("address = ? ORDER BY id", address_digest(address))

    def scan(self, after: str | None, limit: int) -> Sequence[Account]:
        """Give a page, in order of id digest."""
        start = "" if after is None else id_digest(after)
        return self._listed("id > ? ORDER BY id LIMIT ?", start, limit)

    def _listed(self, condition: str, *values: object) -> Sequence[Account]:
        with self._reading() as database:
            rows = database.execute(
                f"SELECT version, document FROM accounts WHERE {condition}",  # noqa: S608  ours
                values,
            )
            return [read_account(*row) for row in rows]

    def replace(self, changes: Sequence[Change]) -> None:
        """Take every *before* out, put every *after* in, all or nothing."""
        with self._writing() as database:
            for change in changes:
                if change.before is not None:
                    take_out(database, change.before, erased=change.after is None)
            for change in changes:
                if change.after is not None:
                    put_in(database, change.after, change.before)
            for change in changes:
                add_intents(database, change.intents)

    # -- The outbox

    def enqueue(self, intents: Iterable[Intent]) -> None:
        """Add what does not wait yet."""
        ready = tuple(intents)
        with self._writing() as database:
            add_intents(database, ready)

    def claim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Claim]:
        """Take the longest due, by one statement."""
        lease_id = secrets.token_hex(16)
        with self._writing() as database:
            rows = database.execute(
                "UPDATE outbox SET lease = ?, leased_until = ?, attempts = attempts + 1,"
                " waits = NULL WHERE id IN (SELECT id FROM outbox WHERE dead_at IS NULL"
                " AND due <= ? AND (leased_until IS NULL OR leased_until <= ?)"
                " ORDER BY due, id LIMIT ?) RETURNING due, id, intent, attempts",
                (lease_id, text_of(now + lease), text_of(now), text_of(now), limit),
            ).fetchall()
        return [
            Claim(row_id, lease_id, read(Intent, json.loads(intent)), attempts)
            for _, row_id, intent, attempts in sorted(rows)
        ]

    def settle(
        self,
        *,
        done: Collection[Claim] = (),
        later: Collection[Delay] = (),
        dead: Collection[Death] = (),
    ) -> None:
        """Give claims back; the lease in each condition passes over those that were lost."""
        with self._writing() as database:
            for delay in later:
                # Ignored where the key is taken: the row keeps its lease, and is deleted below.
                database.execute(
                    "UPDATE OR IGNORE outbox SET waits = ?, due = ?, reason = ?, lease = NULL,"
                    " leased_until = NULL WHERE id = ? AND lease = ?",
                    (
                        delay.claim.intent.key,
                        text_of(delay.due),
                        delay.reason,
                        *held(delay.claim),
                    ),
                )
            for death in dead:
                database.execute(
                    "UPDATE outbox SET dead_at = ?, reason = ?, lease = NULL, leased_until = NULL"
                    " WHERE id = ? AND lease = ?",
                    (text_of(death.at), death.reason, *held(death.claim)),
                )
            for claim in (*done, *(delay.claim for delay in later)):
                database.execute("DELETE FROM outbox WHERE id = ? AND lease = ?", held(claim))

    def outbox(self, after: str | None, limit: int) -> Sequence[OutboxRow]:
        """Give a page, the oldest first."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT id, intent, due, attempts, leased_until, dead_at, reason FROM outbox"
                " WHERE id > ? ORDER BY id LIMIT ?",
                (after or "", limit),
            ).fetchall()
        return [read_row(*row) for row in rows]

    def drop(self, ids: Collection[str], *, now: datetime) -> None:
        """Delete what nobody holds."""
        with self._writing() as database:
            database.executemany(
                "DELETE FROM outbox WHERE id = ? AND (leased_until IS NULL OR leased_until <= ?)",
                [(each, text_of(now)) for each in ids],
            )


# One account's step -------------------------------------------------------------------------------


def take_out(database: sqlite3.Connection, before: Account, *, erased: bool) -> None:
    """Delete an account that is still at the version that was read, and its keys."""
    owner = id_digest(before.id)
    gone = database.execute(
        "DELETE FROM accounts WHERE id = ? AND version = ?", (owner, before.version)
    )
    if gone.rowcount != 1:
        raise ConflictError("the account was changed meanwhile")
    database.execute("DELETE FROM keys WHERE account = ?", (owner,))
    if erased:
        database.execute("DELETE FROM outbox WHERE account = ?", (owner,))


def put_in(database: sqlite3.Connection, after: Account, before: Account | None) -> None:
    """Insert an account with its next version; the primary keys refuse what is taken."""
    version = 1 if before is None else before.version + 1
    address = None if after.email is None else address_digest(after.email)
    database.execute(
        "INSERT INTO accounts VALUES (?, ?, ?, ?)",
        (id_digest(after.id), version, address, json.dumps(document_of(after))),
    )
    database.executemany(
        "INSERT INTO keys VALUES (?, ?, ?)",
        [(key.kind.value, key.digest, id_digest(after.id)) for key in after.keys],
    )


def add_intents(database: sqlite3.Connection, intents: Iterable[Intent]) -> None:
    """Insert rows; of two with one key that waits, the first one stays."""
    database.executemany(
        "INSERT OR IGNORE INTO outbox (id, waits, account, intent, due) VALUES (?, ?, ?, ?, ?)",
        [
            (
                new_row_id(),
                intent.key,
                None if intent.account_id is None else id_digest(intent.account_id),
                json.dumps(document_of(intent)),
                text_of(intent.due),
            )
            for intent in intents
        ],
    )


# Values to text and back --------------------------------------------------------------------------


def document_of(value: Account | Intent) -> dict[str, Any]:
    """Return a value as JSON takes it."""
    return attrs.asdict(value, value_serializer=lambda _, __, each: plain(each))


def plain(value: object) -> object:
    """Write a time or a word of an enum."""
    if isinstance(value, datetime):
        return text_of(value)
    return value.value if isinstance(value, enum.Enum) else value


def read(kind: Any, value: Any) -> Any:  # noqa: ANN401  whatever the values' fields are
    """Return what *kind* makes of a value from JSON; the classes say what is in them."""
    if value is None or kind in (str, int, bool):
        return value
    if attrs.has(kind):
        return kind(**{each.name: read(each.type, value[each.name]) for each in attrs.fields(kind)})
    first, *_ = (*(each for each in get_args(kind) if each is not NoneType), None)
    if get_origin(kind) is tuple:
        return tuple(read(first, each) for each in value)
    if first is not None:
        return read(first, value)
    return datetime.fromisoformat(value) if kind is datetime else kind(value)


def read_account(version: int, document: str) -> Account:
    """Return an account at the version of its row."""
    account: Account = read(Account, json.loads(document))
    return attrs.evolve(account, version=version)


def read_row(row_id: str, intent: str, due: str, attempts: int, *rest: str | None) -> OutboxRow:
    """Return a row of the outbox."""
    leased_until, dead_at, reason = rest
    return OutboxRow(
        id=row_id,
        intent=read(Intent, json.loads(intent)),
        due=datetime.fromisoformat(due),
        attempts=attempts,
        leased_until=read(datetime, leased_until),
        dead_at=read(datetime, dead_at),
        reason=reason,
    )


def text_of(moment: datetime) -> str:
    """Write a time so that texts compare as the times do."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def id_digest(account_id: str) -> str:
    """Return what an account is stored under: ASCII of one length, whatever the id is."""
    return Key.by_id(account_id).digest


def new_row_id() -> str:
    """Return an id that no other row has, and that sorts by time."""
    return f"{time.time_ns():016x}{secrets.token_hex(4)}"


def held(claim: Claim) -> tuple[str, str]:
    """Return what finds a row only while it is this claim's."""
    return claim.id, claim.lease
