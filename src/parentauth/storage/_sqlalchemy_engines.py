"""Connections and transactions on every engine, and what its errors mean."""

import random
import time

from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Engine
from sqlalchemy.exc import (
    DBAPIError,
    OperationalError,
    SQLAlchemyError,
    StatementError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from parentauth.exceptions import ConflictError, StorageError, TakenError
from parentauth.storage._sqlalchemy_dialects import DIALECTS

T = TypeVar("T")

BUSY_TIMEOUT: Final = 5000  # milliseconds, SQLite's
WAL_TIMEOUT: Final = 100
CACHE: Final = 16_000  # KiB; SQLite's own 2,000 spill to disk while a campaign is enqueued
RETRIES: Final = 10
RETRY_SECONDS: Final = 5.0


class Connections:
    """Opens connections for single reads and for transactions; says what errors mean."""

    def __init__(self, engine: Engine) -> None:
        _check(engine)
        self.dialect = DIALECTS[engine.dialect.name]
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

        Never for accounts: what is written to them must be judged anew first.
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
        connection.exec_driver_sql(f"PRAGMA cache_size = -{CACHE}")
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
                "parentauth's tables are missing or of another version: call the "
                "storage's upgrade(), or run 'flask parentauth db upgrade'"
            )
        if isinstance(error, (self._driver.OperationalError, self._driver.InterfaceError)):
            return StorageError(
                f"the database can't be used ({name}, {code}): check that it runs, its URL, "
                "its rights, and that its disk has room"
            )
        return StorageError(
            f"the database refused a value or a statement ({name}, {code}): check that it is what its URL says, and not damaged"
        )


def _check(engine: Engine) -> None:
    if not isinstance(engine, Engine):
        raise StorageError(
            f"SQLAlchemyStorage takes a sqlalchemy.Engine, not {type(engine).__name__}: "
            "it opens a transaction of its own for each write"
        )
    if engine.dialect.name not in DIALECTS:
        raise StorageError(f"{engine.dialect.name} is not one of {', '.join(DIALECTS)}")
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
