"""What differs between SQLite, PostgreSQL and MariaDB: transactions, errors, connections."""

import random
import sqlite3
import time

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

import attrs

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import (
    DBAPIError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from parentauth.exceptions import ConflictError, StorageError, TakenError

T = TypeVar("T")

BUSY_TIMEOUT: Final = 5000  # milliseconds, SQLite's
WAL_TIMEOUT: Final = 100
RETRIES: Final = 10
RETRY_SECONDS: Final = 5.0

_MISSING: Final = "missing"


def _sqlite_code(error: BaseException | None) -> object:
    # SQLite has no code of its own for these.
    if any(words in str(error) for words in ("no such table", "no such column", "no column named")):
        return _MISSING
    return getattr(error, "sqlite_errorcode", None)


def _postgresql_code(error: BaseException | None) -> object:
    return getattr(error, "sqlstate", None) or getattr(error, "pgcode", None)


def _mysql_code(error: BaseException | None) -> object:
    return error.args[0] if error is not None and error.args else None


@attrs.frozen
class Dialect:
    """
    One engine's way to begin, and the names that it has for what went wrong.

    Args:
        begin: What begins a transaction that writes.
        autocommit: Whether the driver is told not to begin transactions itself.
        claims: Whether rows are locked one by one, so that claims can skip those of others.
        conflicts: What it says to who lost a race, or waited for a lock too long.
        taken: What it says when a unique key is in use.
        missing: What it says when a table or a column is not there.
    """

    begin: tuple[str, ...]
    autocommit: bool
    claims: bool
    code: Callable[[BaseException | None], object]
    conflicts: frozenset[object]
    taken: frozenset[object]
    missing: frozenset[object]


# IMMEDIATE: a transaction that first reads and then writes is refused at once, whatever the
# busy timeout, when another one wrote in between.
_SQLITE: Final = Dialect(
    begin=("BEGIN IMMEDIATE",),
    autocommit=False,
    claims=False,
    code=_sqlite_code,
    conflicts=frozenset(
        {
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_BUSY_RECOVERY,
            sqlite3.SQLITE_BUSY_SNAPSHOT,
            sqlite3.SQLITE_BUSY_TIMEOUT,
            sqlite3.SQLITE_LOCKED,
            sqlite3.SQLITE_LOCKED_SHAREDCACHE,
        }
    ),
    taken=frozenset({sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}),
    missing=frozenset({_MISSING}),
)

_POSTGRESQL: Final = Dialect(
    # Whatever the engine's level: the guarded UPDATE needs no more, and its losers are told
    # by a count instead of an error.
    begin=("BEGIN ISOLATION LEVEL READ COMMITTED",),
    autocommit=True,
    claims=True,
    code=_postgresql_code,
    conflicts=frozenset({"40001", "40P01", "55P03"}),
    taken=frozenset({"23505"}),
    missing=frozenset({"42P01", "42703"}),
)

_MYSQL: Final = Dialect(
    # The first is for the next transaction only.
    begin=("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"),
    autocommit=False,
    claims=True,
    code=_mysql_code,
    conflicts=frozenset({1213, 1205, 1020}),
    taken=frozenset({1062}),
    missing=frozenset({1146, 1054}),
)

_DIALECTS: Final = {
    "sqlite": _SQLITE,
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}


class Connections:
    """Opens connections for single reads and for transactions; says what errors mean."""

    def __init__(self, engine: Engine) -> None:
        _check(engine)
        self.dialect = _DIALECTS[engine.dialect.name]
        self._is_sqlite = engine.dialect.name == "sqlite"
        options: dict[str, Any] = (
            {"isolation_level": "AUTOCOMMIT"} if self.dialect.autocommit else {}
        )
        # A copy that shares the host's pool: its statements and errors, which would show
        # addresses and password hashes, are logged without their values.
        self._engine = engine.execution_options(**options)
        self._engine.hide_parameters = True
        self._driver: Any = engine.dialect.loaded_dbapi

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """Give a connection for statements that need not see the same moment."""
        with self._explained(), self._engine.connect() as connection:
            self._prepare(connection)
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """Give a connection in a transaction of its own, committed at the end."""
        with self._explained(), self._engine.connect() as connection:
            self._prepare(connection)
            self._leave_transaction(connection)
            for statement in self.dialect.begin:
                connection.exec_driver_sql(statement)
            try:
                yield connection
                connection.exec_driver_sql("COMMIT")
            except BaseException:
                _roll_back(connection)
                raise

    def retried(self, work: Callable[[], T]) -> T:
        """
        Return what *work* returns, tried again while it loses races.

        For the outbox only: a change of accounts must be judged anew before it is retried.
        """
        deadline = time.monotonic() + RETRY_SECONDS
        for attempt in range(1, RETRIES):
            try:
                return work()
            except (ConflictError, TakenError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(random.uniform(0, 0.005 * attempt))  # noqa: S311  jitter
        return work()

    def _prepare(self, connection: Connection) -> None:
        """Set SQLite up, once per connection of the pool."""
        if not self._is_sqlite or "parentauth" in connection.info:
            return
        self._leave_transaction(connection)
        connection.exec_driver_sql("PRAGMA synchronous = FULL")
        patience = max(int(_pragma(connection, "busy_timeout")), BUSY_TIMEOUT)
        # Refused while another process uses the file in its old mode: asked again next time,
        # and nobody waits for it.
        _pragma(connection, f"busy_timeout = {WAL_TIMEOUT}")
        with suppress(OperationalError):
            if _pragma(connection, "journal_mode = WAL") == "wal":
                connection.info["parentauth"] = True
        _pragma(connection, f"busy_timeout = {patience}")

    def _leave_transaction(self, connection: Connection) -> None:
        """End the transaction that a host's own listener or driver setting began by itself."""
        if self._is_sqlite:
            if not connection.in_transaction():
                connection.begin()
            driver: Any = connection.connection.dbapi_connection
            if driver.in_transaction:
                connection.exec_driver_sql("ROLLBACK")

    @contextmanager
    def _explained(self) -> Generator[None]:
        """Turn what SQLAlchemy and the drivers raise into our errors; the only place that does."""
        try:
            yield
        except DBAPIError as error:
            raise self._meaning(error.orig) from _told(error)
        except self._driver.Error as error:
            # SQLAlchemy lets these through where it sets a connection up.
            raise self._meaning(error) from None
        except PoolTimeoutError as error:
            raise StorageError(
                "no database connection was free: give the engine a larger pool"
            ) from error
        except StatementError as error:
            if isinstance(error.orig, StorageError):
                raise error.orig from None
            raise StorageError("a value has a type that can't be stored") from None
        except UnicodeEncodeError:
            raise StorageError("a text is not valid Unicode and can't be stored") from None

    def _meaning(self, error: BaseException | None) -> StorageError:
        code, name = self.dialect.code(error), type(error).__name__
        if code in self.dialect.conflicts:
            return ConflictError("the database asked to try again")
        if code in self.dialect.taken:
            return TakenError("an id, a username or a digest belongs to another account")
        if code in self.dialect.missing:
            return StorageError(
                "parentauth's tables are missing or of another version: "
                "call create_all(), or run the upgrade command"
            )
        if isinstance(error, (self._driver.OperationalError, self._driver.InterfaceError)):
            return StorageError(
                f"the database can't be used ({name}, {code}): check that it runs, its URL, "
                "its rights, and that its disk has room"
            )
        return StorageError(f"the database refused a value or a statement ({name}, {code})")


def _check(engine: Engine) -> None:
    if not isinstance(engine, Engine):
        raise StorageError(
            f"SQLAlchemyStorage takes a sqlalchemy.Engine, not {type(engine).__name__}: "
            "it opens a transaction of its own for each write"
        )
    if engine.dialect.name not in _DIALECTS:
        raise StorageError(f"{engine.dialect.name} is not one of {', '.join(_DIALECTS)}")
    check_url(engine.url)


def check_url(url: URL) -> None:
    """
    Check that *url* can be a storage's.

    Raises:
        StorageError: It is a SQLite database in memory.
    """
    name = url.database or ""
    in_memory = not name or ":memory:" in name or url.query.get("mode") == "memory"
    if url.get_backend_name() == "sqlite" and in_memory:
        raise StorageError(
            "SQLite in memory gives every connection a database of its own: "
            "use MemoryStorage, or the path of a file"
        )


def _roll_back(connection: Connection) -> None:
    try:
        connection.exec_driver_sql("ROLLBACK")
    except SQLAlchemyError:
        # Nobody may inherit this transaction from the pool.
        connection.invalidate()


def _pragma(connection: Connection, name: str) -> str:
    return str(connection.exec_driver_sql(f"PRAGMA {name}").scalar())


def _told(error: DBAPIError) -> BaseException | None:
    # A statement's error may quote the row, with its address and password hash.
    return error if error.statement is None else None
