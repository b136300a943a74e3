import sqlite3

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
import sqlalchemy

from sqlalchemy import event
from sqlalchemy.dialects import mysql

from parentauth.exceptions import StorageError
from parentauth.ports import Throttle
from parentauth.storage import _sqlalchemy_engines, _sqlalchemy_throttle
from parentauth.storage.sqlalchemy import SQLAlchemyStorage, SQLAlchemyThrottle
from parentauth.testing import ThrottleContract, ThrottleProcessContract
from parentauth.testing._races import race
from parentauth.testing.clock import START
from parentauth.testing.throttles import LIMIT, QUARTER, SECOND, hits
from tests.services import database


@pytest.fixture(scope="module")
def postgresql() -> Iterator[sqlalchemy.URL]:
    """Give a database of its own on PostgreSQL."""
    with database("postgresql") as url:
        yield url


@pytest.fixture(scope="module")
def mariadb() -> Iterator[sqlalchemy.URL]:
    """Give a database of its own on MariaDB."""
    with database("mariadb") as url:
        yield url


def make(url: sqlalchemy.URL) -> SQLAlchemyThrottle:
    """Make a throttle with an engine of its own."""
    return SQLAlchemyThrottle(SQLAlchemyStorage.from_url(url).engine)


class SQLContract(ThrottleContract, ThrottleProcessContract):
    """The contract, and what is true of every engine beside it; `url` is an empty database's."""

    @pytest.fixture
    def storage(self, url: sqlalchemy.URL) -> Iterator[SQLAlchemyStorage]:
        """Give the storage whose tables hold the throttle's."""
        storage = SQLAlchemyStorage.from_url(url)
        storage.create_all()
        yield storage
        with storage.engine.begin() as connection:
            connection.execute(storage._tables.throttle.delete())
        storage.engine.dispose()

    @pytest.fixture
    def throttle(self, storage: SQLAlchemyStorage) -> SQLAlchemyThrottle:
        """Give a throttle in an empty table."""
        return SQLAlchemyThrottle(storage.engine)

    @pytest.fixture
    def throttle_factory(self, url: sqlalchemy.URL) -> Callable[[], Throttle]:
        """Make throttles in other processes."""
        return partial(make, url)

    def test_nothing_typed_at_rest(
        self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle
    ) -> None:
        """The table holds a digest, a number and a date."""
        hits(throttle, "s3cret", count=3)
        [row] = rows(storage)

        assert (3, START + QUARTER) == (row.hits, row.window_ends_at)
        assert 64 == len(row.digest)
        assert "s3cret" not in row.digest

    def test_count_is_bounded(
        self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle
    ) -> None:
        """However many are refused, the row stays at one more than the limit."""
        hits(throttle, "a", count=5 * LIMIT)
        hits(throttle, "a", count=LIMIT, now=START + QUARTER - SECOND)
        [row] = rows(storage)

        assert (LIMIT + 1, START + QUARTER) == (row.hits, row.window_ends_at)

    def test_one_statement(self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle) -> None:
        """A hit is one statement that writes and answers; so is a look."""
        hits(throttle, "a")
        told = statements(storage.engine)
        hits(throttle, "a")
        assert ["INSERT", "COMMIT"] == [text.split()[0] for text in told if not begins(text)]

        told.clear()
        throttle.peek("a", limit=LIMIT, window=QUARTER, now=START)
        assert ["SELECT"] == [text.split()[0] for text in told]

    def test_prune(self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle) -> None:
        """Ended windows are deleted in chunks; after it only those are left that go on."""
        table = storage._tables.throttle
        ended = [
            {"digest": f"{number:064x}", "hits": 1, "window_ends_at": START}
            for number in range(1200)
        ]
        with storage.engine.begin() as connection:
            connection.execute(table.insert(), ended)
        hits(throttle, "a")
        told = statements(storage.engine)
        throttle.prune(START)

        assert 1 == len(rows(storage))
        assert 3 == len([text for text in told if text.startswith("DELETE")])

    def test_prune_while_counting(
        self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle
    ) -> None:
        """A window that begins anew while old ones are deleted is not deleted with them."""
        keys = [f"key-{number}" for number in range(20)]
        for key in keys:
            hits(throttle, key)
        later = START + QUARTER

        def work(number: int) -> None:
            if number == 0:
                throttle.prune(later)
            else:
                for key in keys:
                    hits(throttle, key, now=later)

        assert [None] * 5 == race(5, work)
        assert [4] * 20 == [row.hits for row in rows(storage)]

    def test_prefixes(self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle) -> None:
        """Two portals in one database count apart."""
        other = SQLAlchemyStorage(storage.engine, prefix="other_")
        other.create_all()
        try:
            hits(throttle, "a", count=LIMIT)
            assert [None] == hits(SQLAlchemyThrottle(storage.engine, prefix="other_"), "a")
        finally:
            other._tables.metadata.drop_all(storage.engine)

    def test_missing_table(self, storage: SQLAlchemyStorage) -> None:
        """Without its table, a throttle says what to call."""
        other = SQLAlchemyThrottle(storage.engine, prefix="other_")

        for use in (
            lambda: hits(other, "a"),
            lambda: other.peek("a", limit=LIMIT, window=QUARTER, now=START),
            lambda: other.clear("a"),
            lambda: other.prune(START),
        ):
            with pytest.raises(StorageError, match="flask parentauth db upgrade"):
                use()

    def test_hosts_transaction(
        self, storage: SQLAlchemyStorage, throttle: SQLAlchemyThrottle
    ) -> None:
        """An attempt stays counted when the host rolls its own work back."""
        with storage.engine.connect() as host:
            host.execute(sqlalchemy.select(storage._tables.children)).all()
            hits(throttle, "a", count=LIMIT)
            host.rollback()

        assert [QUARTER] == hits(throttle, "a")


class TestSQLite(SQLContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> sqlalchemy.URL:
        """Give a file that does not exist yet."""
        return sqlalchemy.make_url(f"sqlite:///{tmp_path / 'portal.db'}")

    def test_locked(self, storage: SQLAlchemyStorage, monkeypatch: pytest.MonkeyPatch) -> None:
        """Who waits too long for another writer is told so; nothing is let through uncounted."""
        monkeypatch.setattr(_sqlalchemy_engines, "BUSY_TIMEOUT", 1)
        engine = sqlalchemy.create_engine(storage.engine.url, connect_args={"timeout": 0.001})
        with closing(sqlite3.connect(str(storage.engine.url.database))) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StorageError, match="try again"):
                hits(SQLAlchemyThrottle(engine), "a")
        engine.dispose()

    def test_in_memory(self) -> None:
        """A database in memory is refused: every connection would count by itself."""
        with pytest.raises(StorageError):
            SQLAlchemyThrottle(sqlalchemy.create_engine("sqlite://"))


@pytest.mark.service
class TestPostgreSQL(SQLContract):
    @pytest.fixture
    def url(self, postgresql: sqlalchemy.URL) -> sqlalchemy.URL:
        """Give the module's database."""
        return postgresql


@pytest.mark.service
class TestMariaDB(SQLContract):
    @pytest.fixture
    def url(self, mariadb: sqlalchemy.URL) -> sqlalchemy.URL:
        """Give the module's database."""
        return mariadb


@pytest.mark.service
class TestMySQL(ThrottleContract):
    """MySQL's way, on MariaDB: what was counted is read in the same transaction."""

    @pytest.fixture
    def throttle(
        self, mariadb: sqlalchemy.URL, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[Throttle]:
        """Give a throttle that is not told what it wrote."""
        monkeypatch.setattr(_sqlalchemy_throttle, "_RETURNING", ())
        storage = SQLAlchemyStorage.from_url(mariadb)
        storage.create_all()
        yield SQLAlchemyThrottle(storage.engine)
        with storage.engine.begin() as connection:
            connection.execute(storage._tables.throttle.delete())
        storage.engine.dispose()


class TestStatement:
    def test_mysql(self) -> None:
        """The hits are assigned first, from the old window's end; nothing is returned."""
        table = SQLAlchemyStorage.from_url("mysql://host/x")._tables.throttle
        text = str(_sqlalchemy_throttle._count(table, "mysql").compile(dialect=mysql.dialect()))

        assert "UPDATE hits = CASE" in text
        assert "RETURNING" not in text


def rows(storage: SQLAlchemyStorage) -> list[sqlalchemy.Row[tuple[object, ...]]]:
    """Return what the table holds."""
    with storage.engine.connect() as connection:
        return list(connection.execute(sqlalchemy.select(storage._tables.throttle)))


def begins(text: str) -> bool:
    """Tell whether a statement only begins a transaction."""
    return text.startswith(("BEGIN", "SET", "START"))


def statements(engine: sqlalchemy.Engine) -> list[str]:
    """Return a list that is filled with what the engine executes."""
    told: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda _conn, _cursor, text, *_: told.append(text)
    )
    return told
