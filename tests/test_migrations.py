"""A database that migrations made is the same as one that was created whole."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from parentauth.storage import _sqlalchemy_versions as versions
from parentauth.storage._sqlalchemy_tables import make_tables
from parentauth.storage.sqlalchemy import SQLAlchemyStorage
from tests.services import database

PREFIX = "parentauth_"


@pytest.fixture(params=["sqlite", "postgresql", "mariadb"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give the URL of an empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'portal.db'}"
        return
    with database(request.param) as found:
        yield found


@pytest.fixture
def storage(url: str) -> Iterator[SQLAlchemyStorage]:
    """Give a storage without tables."""
    storage = SQLAlchemyStorage.from_url(url)
    yield storage
    storage.engine.dispose()


def version(storage: SQLAlchemyStorage) -> list[str]:
    """Return what the database says of its version."""
    table = make_tables(PREFIX).version
    with storage.engine.connect() as connection:
        return list(connection.execute(sqlalchemy.select(table.c.version_num)).scalars())


class TestUpgrade:
    def test_same_as_metadata(self, storage: SQLAlchemyStorage) -> None:
        """Migrations from nothing end where the code's tables are."""
        storage.upgrade()
        with storage.engine.connect() as connection:
            options = {"version_table": f"{PREFIX}alembic_version", "compare_type": True}
            context = MigrationContext.configure(connection, opts=options)
            differences = compare_metadata(context, make_tables(PREFIX).metadata)
        # The version table is Alembic's own; it is compared by name elsewhere.
        assert [] == [each for each in differences if "alembic_version" not in repr(each)]

    def test_stamped(self, storage: SQLAlchemyStorage) -> None:
        """Tables that were created whole need no upgrade, and say so."""
        storage.create_all()
        assert [versions.HEAD] == version(storage)
        storage.upgrade()
        assert [versions.HEAD] == version(storage)

    def test_twice(self, storage: SQLAlchemyStorage) -> None:
        """Upgrading again, or creating after it, changes nothing."""
        storage.upgrade()
        storage.upgrade()
        storage.create_all()
        assert [versions.HEAD] == version(storage)

    def test_together(self, url: str) -> None:
        """Several that upgrade at the same moment all find it done."""
        storages = [SQLAlchemyStorage.from_url(url) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(storage.upgrade) for storage in storages]:
                done.result()

        assert [versions.HEAD] == version(storages[0])
        for storage in storages:
            storage.engine.dispose()

    def test_head(self) -> None:
        """The version that is stamped is the newest migration's."""
        scripts = ScriptDirectory(str(Path(versions.__file__).parent / "migrations"))
        assert versions.HEAD == scripts.get_current_head()

    def test_other_prefix(self, url: str) -> None:
        """Each prefix has tables and a version of its own."""
        one = SQLAlchemyStorage.from_url(url, prefix="one_")
        other = SQLAlchemyStorage.from_url(url, prefix="other_")
        one.upgrade()
        other.upgrade()
        names = sqlalchemy.inspect(one.engine).get_table_names()
        assert 6 == sum(name.startswith("one_") for name in names)
        assert 6 == sum(name.startswith("other_") for name in names)
        one.engine.dispose()
        other.engine.dispose()
