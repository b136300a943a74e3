"""
Accounts and the outbox in a database: SQLite, PostgreSQL or MariaDB, through SQLAlchemy.

A SQLite file is all that one machine needs; several machines share PostgreSQL or MariaDB.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy

from sqlalchemy.exc import ArgumentError

from parentauth.exceptions import StorageError
from parentauth.ports import Account, Change, Claim, Death, Delay, Intent, Key, OutboxRow
from parentauth.storage._sqlalchemy_accounts import Accounts
from parentauth.storage._sqlalchemy_engines import RETRY_SECONDS, Connections, check_url
from parentauth.storage._sqlalchemy_outbox import Outbox
from parentauth.storage._sqlalchemy_tables import make_tables
from parentauth.storage._sqlalchemy_throttle import SQLAlchemyThrottle
from parentauth.storage._sqlalchemy_versions import stamp, upgrade

__all__ = ["SQLAlchemyStorage", "SQLAlchemyThrottle"]

_DRIVERS: Final = {
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
}


class SQLAlchemyStorage:
    """
    Keeps accounts and the outbox in the database of an engine.

    Each write is a transaction of its own, on a connection of its own: what the host does
    in its sessions is neither committed nor rolled back.

    Args:
        engine: For a SQLite file, PostgreSQL or MariaDB.  On SQLite, its connections are
            set to write-ahead logging with full synchronisation.
        prefix: What the tables' names begin with; one for each portal that shares the
            database.

    Raises:
        StorageError: It is no engine, or one of a database that can't be used.
    """

    def __init__(self, engine: sqlalchemy.Engine, *, prefix: str = "parentauth_") -> None:
        self._connections = Connections(engine)
        self._prefix = prefix
        self._tables = make_tables(prefix)
        self._accounts = Accounts(self._tables)
        self._outbox = Outbox(
            self._tables.outbox,
            dialect=engine.dialect,
            skips=self._connections.dialect.claims,
        )
        self.engine = engine

    @classmethod
    def from_url(
        cls, url: str | sqlalchemy.URL, *, prefix: str = "parentauth_"
    ) -> "SQLAlchemyStorage":
        """
        Return a storage with an engine of its own.

        A server that forks after this calls ``storage.engine.dispose(close=False)`` in each
        child: connections can't be shared by processes.

        Args:
            url: Such as ``sqlite:////srv/portal/portal.db`` or
                ``postgresql://portal@db/portal``; psycopg and PyMySQL are the drivers
                where it names none.

        Raises:
            StorageError: It is no database URL, or its driver is not installed.
        """
        return cls(_engine(url), prefix=prefix)

    def create_all(self) -> None:
        """
        Make the tables that are not there yet; processes that start together may all call it.

        Raises:
            StorageError: The database can't be used.
        """
        self._connections.retried(self._create_missing)

    def upgrade(self) -> None:
        """
        Bring the tables to the newest version, whatever they are now; none is the first.

        Raises:
            StorageError: The database can't be used, or Alembic is not installed.
        """
        with self._connections.writing() as connection:
            upgrade(connection, self._prefix)

    # -- Accounts

    def account(self, key: Key) -> Account | None:
        """Return the account that *key* finds, by one statement."""
        with self._connections.reading() as connection:
            return self._accounts.one(connection, key)

    def accounts(self, ids: Collection[str]) -> Mapping[str, Account]:
        """Return those of the accounts that exist, by id."""
        with self._connections.reading() as connection:
            return {account.id: account for account in self._accounts.by_ids(connection, ids)}

    def accounts_by_email(self, address: str) -> Sequence[Account]:
        """Return the accounts with that canonical address."""
        with self._connections.reading() as connection:
            return list(self._accounts.by_email(connection, address))

    def scan(self, after: str | None, limit: int) -> Sequence[Account]:
        """Return a page of all accounts, in order of id digest."""
        with self._connections.reading() as connection:
            return list(self._accounts.page(connection, after, limit))

    def replace(self, changes: Sequence[Change]) -> None:
        """
        Write every *after* and every intent in one transaction, or nothing.

        Raises:
            ConflictError: A *before* is no longer current, or the database lost the race.
            TakenError: A key of an *after* belongs to another account.
        """
        with self._connections.writing() as connection:
            self._accounts.replace(connection, changes)
            self._outbox.enqueue(
                connection, (intent for change in changes for intent in change.intents)
            )

    # -- Outbox

    def enqueue(self, intents: Iterable[Intent]) -> None:
        """Add to the outbox in one transaction; what waits already is left as it is."""
        ready = tuple(intents)

        def work() -> None:
            with self._connections.writing() as connection:
                self._outbox.enqueue(connection, ready)

        self._connections.retried(work)

    def claim(self, *, now: datetime, lease: timedelta, limit: int) -> Sequence[Claim]:
        """Take up to *limit* rows that are due, the longest due first."""

        def work() -> Sequence[Claim]:
            with self._connections.writing() as connection:
                return self._outbox.claim(connection, now=now, lease=lease, limit=limit)

        return self._connections.retried(work)

    def settle(
        self,
        *,
        done: Collection[Claim] = (),
        later: Collection[Delay] = (),
        dead: Collection[Death] = (),
    ) -> None:
        """Give claims back; one whose lease was lost is ignored."""

        def work() -> None:
            with self._connections.writing() as connection:
                self._outbox.settle(connection, done=done, later=later, dead=dead)

        self._connections.retried(work)

    def outbox(self, after: str | None, limit: int) -> Sequence[OutboxRow]:
        """Return a page of the outbox, in order of row id."""
        with self._connections.reading() as connection:
            return self._outbox.page(connection, after, limit)

    def drop(self, ids: Collection[str], *, now: datetime) -> None:
        """Delete those of the rows that nobody holds at *now*."""

        def work() -> None:
            with self._connections.writing() as connection:
                self._outbox.drop(connection, ids, now=now)

        self._connections.retried(work)

    def _create_missing(self) -> None:
        with self._connections.writing() as connection:
            self._tables.metadata.create_all(connection)
            stamp(connection, self._tables.version)


def _engine(url: str | sqlalchemy.URL) -> sqlalchemy.Engine:
    # No message repeats the URL: it may hold a password.
    try:
        read = sqlalchemy.make_url(url)
        check_url(read)
        read = read.set(drivername=_DRIVERS.get(read.drivername, read.drivername))
        return sqlalchemy.create_engine(read, hide_parameters=True, **_pool(read))
    except ArgumentError:
        raise StorageError(
            "that is no database URL: write it like sqlite:////srv/portal/portal.db"
        ) from None
    except ModuleNotFoundError as error:
        raise StorageError(
            f"the database's driver is not installed: pip install {error.name}"
        ) from None


def _pool(url: sqlalchemy.URL) -> dict[str, Any]:
    if url.get_backend_name() == "sqlite":
        return {}
    # A server drops idle connections at night; the first parent in the morning must not see it.
    return {"pool_pre_ping": True, "pool_timeout": RETRY_SECONDS}
