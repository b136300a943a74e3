import sqlite3

from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import attrs
import pytest
import sqlalchemy

from sqlalchemy import event

from parentauth.exceptions import ConflictError, StorageError, TakenError
from parentauth.ports import Change, Intent, Key, Storage
from parentauth.storage import _sqlalchemy_engines
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from parentauth.testing import ProcessContract, StorageContract
from parentauth.testing._races import only_winner, race, redeem
from parentauth.testing._samples import (
    LEASE,
    NOW,
    account,
    add,
    everything,
    intent,
    reread,
    token,
)
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


class SQLContract(StorageContract, ProcessContract):
    """The contract, and what is true of every engine beside it; `url` is an empty database's."""

    @pytest.fixture
    def storage(self, url: sqlalchemy.URL) -> Iterator[SQLAlchemyStorage]:
        """Give a storage with empty tables, and empty them afterwards."""
        storage = SQLAlchemyStorage.from_url(url)
        storage.create_all()
        yield storage
        with storage.engine.begin() as connection:
            for table in storage._tables.metadata.sorted_tables:
                connection.execute(table.delete())
        storage.engine.dispose()

    @pytest.fixture
    def storage_factory(self, url: sqlalchemy.URL) -> Callable[[], Storage]:
        """Make storages in other processes."""
        return partial(SQLAlchemyStorage.from_url, url)

    @pytest.mark.parametrize("key", ["1", "unknown"])
    def test_one_statement(self, storage: SQLAlchemyStorage, key: str) -> None:
        """A read is one statement, the same whether the account exists or not."""
        add(storage, account("1"))
        told = statements(storage.engine)
        storage.account(Key.by_id(key))
        storage.account(Key.by_token(token(key).digest))
        by_id, by_token = told

        assert by_id.startswith("SELECT")
        assert "WHERE parentauth_accounts.id_key = " in by_id
        assert "WHERE parentauth_keys.digest = " in by_token

    def test_first_statement_is_the_guard(self, storage: SQLAlchemyStorage) -> None:
        """A write begins with the guarded UPDATE: nothing is read before that can be old."""
        [kept] = add(storage, account("1"))
        told = statements(storage.engine)
        storage.replace([Change(kept, attrs.evolve(kept, name="Ann"))])

        writes = [text for text in told if not text.startswith(("BEGIN", "SET", "START"))]
        assert writes[0].startswith("UPDATE parentauth_accounts")
        assert ["COMMIT"] == writes[1:]

    def test_dates_are_utc(self, storage: SQLAlchemyStorage) -> None:
        """Dates come back in UTC whatever the connection's time zone."""
        zones = {
            "postgresql": {"options": "-c timezone=Asia/Tokyo"},
            "mariadb": {"init_command": "SET time_zone = '+09:00'"},
        }
        engine = storage.engine
        far = SQLAlchemyStorage.from_url(
            engine.url.update_query_dict(zones.get(engine.dialect.name, {}))
        )
        [kept] = add(far, account("1", invited_at=NOW))
        far.engine.dispose()

        assert kept == reread(storage, kept)
        assert NOW == kept.invited_at
        assert "UTC" == kept.invited_at.tzname()

    def test_naive_date(self, storage: SQLAlchemyStorage) -> None:
        """A naive datetime is refused with the cure, and nothing is written."""
        naive = account("1", invited_at=NOW.replace(tzinfo=None))

        with pytest.raises(StorageError, match="time zone"):
            storage.replace([Change(None, naive, intents=[intent("a")])])
        assert ([], []) == everything(storage)

    def test_text_that_is_no_unicode(self, storage: SQLAlchemyStorage) -> None:
        """Half a surrogate pair is refused, and nothing is written."""
        with pytest.raises(StorageError):
            storage.replace([Change(None, account("1", name="\ud800"), intents=[intent("a")])])
        assert ([], []) == everything(storage)

    def test_errors_quote_nothing(self, storage: SQLAlchemyStorage) -> None:
        """An error and its causes show no address, hash or statement."""
        add(storage, account("1", password_hash="s3cret"))

        with pytest.raises(TakenError) as caught:
            add(storage, account("2", username="parent-1", password_hash="s3cret"))
        assert caught.value.__cause__ is None
        assert caught.value.__suppress_context__
        assert "s3cret" not in str(caught.value.__context__)

    def test_interrupted(self, storage: SQLAlchemyStorage) -> None:
        """Whatever breaks in the midst of a write, nothing is written, and the next one works."""

        class Broken(list[Intent]):
            def __iter__(self) -> Iterator[Intent]:
                yield intent("a")
                raise KeyboardInterrupt

        [kept] = add(storage, account("1"))
        before = everything(storage)
        with pytest.raises(KeyboardInterrupt):
            storage.replace([Change(kept, attrs.evolve(kept, name="Lost"), intents=Broken())])
        assert before == everything(storage)

        storage.replace([Change(kept, attrs.evolve(kept, name="Ann"))])
        assert "Ann" == reread(storage, kept).name

    def test_hosts_transaction(self, storage: SQLAlchemyStorage) -> None:
        """What the host does in a transaction of its own is not committed by ours."""
        children = storage._tables.children
        with storage.engine.connect() as host:
            host.execute(sqlalchemy.select(children)).all()
            add(storage, account("1"))
            assert host.in_transaction()
            host.rollback()

        with pytest.raises(StorageError, match=r"takes a sqlalchemy\.Engine, not Connection"):
            SQLAlchemyStorage(host)

    def test_missing_tables(self, storage: SQLAlchemyStorage) -> None:
        """Without its tables, a storage says what to call."""
        other = SQLAlchemyStorage(storage.engine, prefix="other_")

        for use in (
            lambda: other.account(Key.by_id("1")),
            lambda: add(other, account("1")),
            lambda: other.claim(now=NOW, lease=LEASE, limit=1),
        ):
            with pytest.raises(StorageError, match="flask parentauth db upgrade"):
                use()

    def test_missing_column(self, storage: SQLAlchemyStorage) -> None:
        """Tables of another version are told like missing ones."""
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("CREATE TABLE old_accounts (id_key CHAR(64))")
            connection.exec_driver_sql("CREATE TABLE old_children (id_key CHAR(64))")
        try:
            with pytest.raises(StorageError, match="another version"):
                SQLAlchemyStorage(storage.engine, prefix="old_").account(Key.by_id("1"))
        finally:
            with storage.engine.begin() as connection:
                connection.exec_driver_sql("DROP TABLE old_accounts")
                connection.exec_driver_sql("DROP TABLE old_children")

    def test_prefixes(self, storage: SQLAlchemyStorage) -> None:
        """Two portals in one database see nothing of each other."""
        other = SQLAlchemyStorage(storage.engine, prefix="other_")
        other.create_all()
        try:
            add(storage, account("1"))
            other.enqueue([intent("a")])

            assert [] == list(other.scan(None, 10))
            assert [] == list(storage.outbox(None, 10))
        finally:
            other._tables.metadata.drop_all(storage.engine)

    def test_create_all_at_once(self, storage: SQLAlchemyStorage) -> None:
        """Several processes that start together may all make the tables."""
        storage._tables.metadata.drop_all(storage.engine)

        assert [None] * 4 == race(4, lambda _: storage.create_all())
        add(storage, account("1"))

    def test_newer_document(self, storage: SQLAlchemyStorage) -> None:
        """An account that a newer version wrote is not misread."""
        add(storage, account("1"))
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE parentauth_accounts SET document = '{\"v\":2}'")

        with pytest.raises(StorageError, match="install the parentauth that wrote it"):
            storage.account(Key.by_id("1"))

    def test_newer_intent(self, storage: SQLAlchemyStorage) -> None:
        """A mail of a kind that a newer version wrote is not misread."""
        storage.enqueue([intent("a")])
        with storage.engine.begin() as connection:
            connection.exec_driver_sql("UPDATE parentauth_outbox SET kind = 'greeting'")

        with pytest.raises(StorageError, match="'greeting'"):
            storage.claim(now=NOW, lease=LEASE, limit=1)

    def test_pool_of_one(self, storage: SQLAlchemyStorage) -> None:
        """Fifty visitors share one connection: nobody waits for ever, and nobody is refused."""
        engine = sqlalchemy.create_engine(
            storage.engine.url, pool_size=1, max_overflow=0, pool_timeout=5
        )
        narrow = SQLAlchemyStorage(engine)

        def visit(number: int) -> int:
            [kept] = add(narrow, account(str(number)))
            narrow.replace([Change(kept, attrs.evolve(kept, name="Ann"))])
            return number

        assert list(range(50)) == race(50, visit)
        engine.dispose()

    def test_pool_exhausted(self, storage: SQLAlchemyStorage) -> None:
        """Where no connection gets free, the error names the cure."""
        engine = sqlalchemy.create_engine(
            storage.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01
        )
        with engine.connect(), pytest.raises(StorageError, match="larger pool"):
            SQLAlchemyStorage(engine).account(Key.by_id("1"))
        engine.dispose()


class TestSQLite(SQLContract):
    @pytest.fixture
    def url(self, tmp_path: Path) -> sqlalchemy.URL:
        """Give a file that does not exist yet."""
        return sqlalchemy.make_url(f"sqlite:///{tmp_path / 'portal.db'}")

    def test_pragmas(self, storage: SQLAlchemyStorage) -> None:
        """Every connection writes ahead and synchronises fully, so that no commit is lost."""
        storage.account(Key.by_id("1"))
        with storage.engine.connect() as connection:
            pragmas = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "busy_timeout")
            ]

        assert ["wal", 2, 5000] == pragmas

    def test_longer_busy_timeout_stays(self, storage: SQLAlchemyStorage) -> None:
        """A host that waits longer for a lock keeps its own time."""
        engine = sqlalchemy.create_engine(storage.engine.url, connect_args={"timeout": 60})
        SQLAlchemyStorage(engine).account(Key.by_id("1"))
        with engine.connect() as connection:
            assert 60_000 == connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
        engine.dispose()

    @pytest.mark.parametrize("writes", [False, True])
    def test_locked(
        self, storage: SQLAlchemyStorage, monkeypatch: pytest.MonkeyPatch, *, writes: bool
    ) -> None:
        """Who waits too long for another writer is told of a conflict; who reads does not wait."""
        [kept] = add(storage, account("1"))
        monkeypatch.setattr(_sqlalchemy_engines, "BUSY_TIMEOUT", 50)
        engine = sqlalchemy.create_engine(storage.engine.url, connect_args={"timeout": 0.05})
        hasty = SQLAlchemyStorage(engine)
        with closing(sqlite3.connect(str(storage.engine.url.database))) as other:
            other.execute("BEGIN IMMEDIATE")
            if writes:
                with pytest.raises(ConflictError):
                    hasty.replace([Change(kept, None)])
            else:
                assert kept == hasty.account(Key.by_id("1"))
        engine.dispose()

    def test_old_mode_in_use(self, url: sqlalchemy.URL) -> None:
        """A file that another process reads in its old mode is used so, and changed later."""
        storage = SQLAlchemyStorage.from_url(url)
        with closing(sqlite3.connect(str(url.database))) as other:
            other.execute("CREATE TABLE host (id)")
            other.execute("BEGIN")
            other.execute("SELECT * FROM host").fetchall()
            with pytest.raises(StorageError, match="flask parentauth db upgrade"):
                storage.account(Key.by_id("1"))
        storage.create_all()
        storage.engine.dispose()

        with closing(sqlite3.connect(str(url.database))) as other:
            assert ("wal",) == other.execute("PRAGMA journal_mode").fetchone()

    def test_hosts_listener(self, storage: SQLAlchemyStorage) -> None:
        """A host whose engine begins transactions by a listener keeps it; ours are immediate."""
        engine = sqlalchemy.create_engine(storage.engine.url)
        event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        listened = SQLAlchemyStorage(engine)
        [kept] = add(listened, account("1"))

        winner = only_winner(race(8, partial(redeem, listened, kept)))
        assert str(winner) == reread(storage, kept).password_hash
        with pytest.raises(ConflictError):
            listened.replace([Change(None, account("2")), Change(kept, None)])
        assert 1 == len(storage.scan(None, 10))
        engine.dispose()

    @pytest.mark.parametrize(
        "url",
        [
            "sqlite://",
            "sqlite:///:memory:",
            "sqlite:///file::memory:?cache=shared&uri=true",
            "sqlite:///file:portal?mode=memory&uri=true",
        ],
    )
    def test_in_memory(self, url: str) -> None:
        """A database in memory is refused: every connection would have one of its own."""
        with pytest.raises(StorageError, match="MemoryStorage"):
            SQLAlchemyStorage.from_url(url)

    def test_folder_missing(self, tmp_path: Path) -> None:
        """A file that can't be opened is told in one sentence."""
        storage = SQLAlchemyStorage.from_url(f"sqlite:///{tmp_path / 'missing' / 'portal.db'}")

        with pytest.raises(StorageError, match="can't be used"):
            storage.create_all()


@pytest.mark.service
class ServiceContract(SQLContract):
    @pytest.mark.parametrize(
        "level", ["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE", "AUTOCOMMIT"]
    )
    def test_isolation(self, storage: SQLAlchemyStorage, level: str) -> None:
        """Whatever isolation the host's engine has, one wins, and a loser writes nothing."""
        engine = sqlalchemy.create_engine(storage.engine.url, isolation_level=level)
        isolated = SQLAlchemyStorage(engine)
        [kept] = add(isolated, account("1"))

        only_winner(race(16, partial(redeem, isolated, kept)))
        assert 1 == len(isolated.outbox(None, 99))
        with pytest.raises(TakenError):
            isolated.replace([Change(None, account("2")), Change(None, account("1"))])
        assert 1 == len(isolated.scan(None, 10))
        engine.dispose()

    def test_connection_lost(self, storage: SQLAlchemyStorage, url: sqlalchemy.URL) -> None:
        """Connections that the server dropped meanwhile are replaced, not told to parents."""
        add(storage, account("1"))
        disconnect_all(storage.engine)

        assert storage.account(Key.by_id("1"))

    def test_connection_lost_in_use(self, storage: SQLAlchemyStorage) -> None:
        """A connection lost in the midst of a write is told in one sentence."""
        engine = sqlalchemy.create_engine(storage.engine.url)
        unprepared = SQLAlchemyStorage(engine)
        unprepared.account(Key.by_id("1"))
        disconnect_all(engine)

        with pytest.raises(StorageError, match="can't be used") as caught:
            add(unprepared, account("1"))
        assert not isinstance(caught.value, ConflictError)
        engine.dispose()

    def test_server_away(self, url: sqlalchemy.URL) -> None:
        """A server that does not answer is told in one sentence."""
        away = SQLAlchemyStorage.from_url(url.set(port=1))

        with pytest.raises(StorageError, match="check that it runs"):
            away.account(Key.by_id("1"))


class TestPostgreSQL(ServiceContract):
    @pytest.fixture
    def url(self, postgresql: sqlalchemy.URL) -> sqlalchemy.URL:
        """Give the module's database."""
        return postgresql

    def test_null_character(self, storage: SQLAlchemyStorage) -> None:
        """A text that the engine can't hold is refused, and its error quotes nothing."""
        with pytest.raises(StorageError, match="refused") as caught:
            add(storage, account("1", name="\0"))
        assert caught.value.__cause__ is None


class TestMariaDB(ServiceContract):
    @pytest.fixture
    def url(self, mariadb: sqlalchemy.URL) -> sqlalchemy.URL:
        """Give the module's database."""
        return mariadb

    def test_collations(self, storage: SQLAlchemyStorage) -> None:
        """Every key column is compared byte for byte, and every text is kept whole."""
        with storage.engine.connect() as connection:
            collations = connection.exec_driver_sql(
                "SELECT DISTINCT collation_name FROM information_schema.columns "
                "WHERE table_schema = DATABASE() AND collation_name IS NOT NULL"
            ).scalars()

            assert {"ascii_bin", "utf8mb4_bin"} == set(collations)


class TestConstruction:
    @pytest.mark.parametrize("prefix", ["Portal_", "1_", "a-b", 'a"b', "x" * 41])
    def test_prefix(self, prefix: str) -> None:
        """A prefix that needs quoting or makes names too long is refused."""
        with pytest.raises(StorageError, match="prefix"):
            SQLAlchemyStorage.from_url("sqlite:///portal.db", prefix=prefix)

    @pytest.mark.parametrize("url", ["", "portal.db", "nonsense://u:s3cret@host/x"])
    def test_no_url(self, url: str) -> None:
        """What is no database URL is refused, and not repeated."""
        with pytest.raises(StorageError, match="database URL") as caught:
            SQLAlchemyStorage.from_url(url)
        assert "s3cret" not in str(caught.value)

    def test_driver_missing(self) -> None:
        """A driver that is not installed is named."""
        with pytest.raises(StorageError, match="pip install"):
            SQLAlchemyStorage.from_url("postgresql+pg8000://host/x")

    def test_unknown_engine(self) -> None:
        """A database that was never tried is refused."""
        engine = sqlalchemy.create_engine("sqlite:///portal.db")
        engine.dialect.name = "oracle"

        with pytest.raises(StorageError, match="oracle is not one of sqlite, postgresql"):
            SQLAlchemyStorage(engine)

    @pytest.mark.parametrize(
        ("url", "driver"),
        [
            ("postgresql://host/x", "postgresql+psycopg"),
            ("mysql://host/x", "mysql+pymysql"),
            ("mariadb://host/x", "mariadb+pymysql"),
            ("mysql+pymysql://host/x", "mysql+pymysql"),
        ],
    )
    def test_driver(self, url: str, driver: str) -> None:
        """A URL without driver gets the one that is tested."""
        assert driver == SQLAlchemyStorage.from_url(url).engine.url.drivername


def statements(engine: sqlalchemy.Engine) -> list[str]:
    """Return a list that is filled with what the engine executes."""
    told: list[str] = []
    event.listen(
        engine, "before_cursor_execute", lambda _conn, _cursor, text, *_: told.append(text)
    )
    return told


def disconnect_all(engine: sqlalchemy.Engine) -> None:
    """Let the server drop the connections of *engine*'s database."""
    other = sqlalchemy.create_engine(engine.url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        else:
            own = connection.exec_driver_sql("SELECT CONNECTION_ID()").scalar()
            ids = connection.exec_driver_sql(
                "SELECT id FROM information_schema.processlist WHERE db = DATABASE()"
            ).scalars()
            for each in set(ids) - {own}:
                connection.exec_driver_sql(f"KILL {each}")
    other.dispose()
