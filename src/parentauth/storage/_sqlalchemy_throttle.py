"""Attempts counted in SQL, for all the processes and machines that share the database."""

from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Executable,
    Table,
    bindparam,
    case,
    delete,
    select,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from parentauth._canonical import digest
from parentauth.storage._sqlalchemy_accounts import CHUNK, run_in
from parentauth.storage._sqlalchemy_engines import Connections
from parentauth.storage._sqlalchemy_tables import MYSQL, make_tables

# MySQL, unlike MariaDB, can't return what it wrote.
_RETURNING: Final = ("sqlite", "postgresql", "mariadb")


class SQLAlchemyThrottle:
    """
    Counts in the database of an engine; a :class:`parentauth.ports.Throttle`.

    For several processes or machines without Redis.  Its table is made by
    :meth:`SQLAlchemyStorage.create_all` of a storage with the same prefix, and holds digests
    of the keys: nothing that anybody typed.  A key is always used with the same window.

    Each call is a transaction of its own; one that loses a race is tried again, about ten
    times within five seconds.

    Args:
        engine: For a SQLite file (3.35 or newer), PostgreSQL or MariaDB (10.5 or newer);
            usually the storage's.
        prefix: What the table's name begins with.

    Raises:
        StorageError: It is no engine, or one of a database that can't be used.

    Source:
        NIST SP 800-63B-4, 3.2.2, and OWASP ASVS 5.0, 6.3.1.

    .. versionadded:: 26.1.0
    """

    def __init__(self, engine: Engine, *, prefix: str = "parentauth_") -> None:
        self._connections = Connections(engine)
        table = make_tables(prefix).throttle
        this = table.c.digest == bindparam("key")
        self._count = _count(table, engine.dialect.name)
        self._find = select(table.c.hits, table.c.window_ends_at).where(this)
        self._delete = delete(table).where(this)
        over = table.c.window_ends_at <= bindparam("now")
        self._ended = select(table.c.digest).where(over).limit(CHUNK)
        # Asked again: a window may have begun anew since its key was read.
        self._delete_ended = delete(table).where(
            table.c.digest.in_(bindparam("values", expanding=True)), over
        )

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """
        Count one attempt if fewer than *limit* were counted in the window; atomic.

        Args:
            now: An aware datetime; processes whose clocks differ disagree by as much about
                when a window ends.

        Returns:
            None if it was counted, else the time until the window ends.

        Raises:
            StorageError: The database can't be used; ConflictError after all retries.
        """
        if limit < 1:
            return window
        values = {
            "digest": digest("throttle", key),
            "hits": 1,
            "window_ends_at": now + window,
            "now": now,
            "limit": limit,
        }

        def work() -> tuple[int, datetime]:
            with self._connections.writing() as connection:
                return self._counted(connection, values)

        hits, ends_at = self._connections.retried(work)
        return ends_at - now if hits > limit else None

    def peek(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """
        Return what :meth:`hit` would, without counting; one statement.

        Raises:
            StorageError: The database can't be used.
        """

        def work() -> tuple[int, datetime] | None:
            with self._connections.reading() as connection:
                row = connection.execute(self._find, {"key": digest("throttle", key)}).first()
                return None if row is None else (row.hits, row.window_ends_at)

        found = self._connections.retried(work)
        hits, ends_at = found if found and found[1] > now else (0, now + window)
        return ends_at - now if hits >= limit else None

    def clear(self, key: str) -> None:
        """
        Forget what was counted for *key*.

        Raises:
            StorageError: The database can't be used.
        """

        def work() -> None:
            with self._connections.writing() as connection:
                connection.execute(self._delete, {"key": digest("throttle", key)})

        self._connections.retried(work)

    def prune(self, now: datetime) -> None:
        """
        Delete every window that is over, some hundreds in each transaction.

        Raises:
            StorageError: The database can't be used.
        """

        def work() -> int:
            with self._connections.writing() as connection:
                ended = connection.execute(self._ended, {"now": now}).scalars().all()
                run_in(connection, self._delete_ended, ended, now=now)
                return len(ended)

        while self._connections.retried(work) == CHUNK:
            pass

    def _counted(self, connection: Connection, values: dict[str, Any]) -> tuple[int, datetime]:
        result = connection.execute(self._count, values)
        if not result.returns_rows:
            # The row is locked by what was just written: nobody came in between.
            result = connection.execute(self._find, {"key": values["digest"]})
        row = result.one()
        return row.hits, row.window_ends_at


def _count(table: Table, dialect: str) -> Executable:
    """
    Return the one statement that begins a window, counts in it, or leaves it as it is.

    The hits grow to one more than the limit, which is how an attempt learns that it is
    refused, and no further: a flood changes nothing.
    """
    column = table.c
    over = column.window_ends_at <= bindparam("now")
    hits: ColumnElement[int] = case(
        (over, 1), (column.hits <= bindparam("limit"), column.hits + 1), else_=column.hits
    )
    insert = _upsert(table, dialect, hits=hits, over=over)
    return insert.returning(column.hits, column.window_ends_at) if dialect in _RETURNING else insert


def _upsert(
    table: Table, dialect: str, *, hits: ColumnElement[int], over: ColumnElement[bool]
) -> sqlite.Insert | postgresql.Insert | mysql.Insert:
    old = table.c.window_ends_at
    if dialect in MYSQL:
        added = mysql.insert(table)
        ends = case((over, added.inserted.window_ends_at), else_=old)
        # In this order: MariaDB reads what it has just assigned.
        return added.on_duplicate_key_update([("hits", hits), ("window_ends_at", ends)])
    engine = sqlite if dialect == "sqlite" else postgresql
    insert: sqlite.Insert | postgresql.Insert = engine.insert(table)
    ends = case((over, insert.excluded.window_ends_at), else_=old)
    return insert.on_conflict_do_update(
        index_elements=["digest"], set_={"hits": hits, "window_ends_at": ends}
    )
