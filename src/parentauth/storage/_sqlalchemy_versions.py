"""Which version a database's tables have, and how they get to the newest."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, insert, select

from parentauth.exceptions import StorageError
from parentauth.storage._sqlalchemy_tables import MYSQL

#: The newest migration; a test holds it against ``migrations/versions``.
HEAD: Final = "0001"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"
# Of PostgreSQL's the transaction's end gives back; the number is just ours.
_POSTGRESQL_LOCK: Final = "SELECT pg_advisory_xact_lock(7270661)"
_MYSQL_LOCK: Final = "SELECT GET_LOCK('parentauth upgrade', 60)"
_MYSQL_RELEASE: Final = "SELECT RELEASE_LOCK('parentauth upgrade')"


def stamp(connection: Connection, version: Table) -> None:
    """Note that the tables are the newest, where nothing is noted yet."""
    if connection.execute(select(version.c.version_num)).first() is None:
        connection.execute(insert(version).values(version_num=HEAD))


def upgrade(connection: Connection, prefix: str) -> None:
    """
    Run the migrations that the database lacks.

    Raises:
        StorageError: Alembic is not installed.
    """
    try:
        from alembic import command
        from alembic.config import Config
    except ImportError as error:
        raise StorageError("upgrading needs Alembic: pip install 'parentauth[sql]'") from error
    config = Config()
    # Alembic reads % in a path as the beginning of a name.
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes.update(connection=connection, prefix=prefix)
    with _alone(connection):
        command.upgrade(config, "head")


@contextmanager
def _alone(connection: Connection) -> Generator[None]:
    """Let processes that start together upgrade one after the other; the rest find it done."""
    dialect = connection.dialect.name
    # SQLite's transaction has the file for itself.
    if dialect == "postgresql":
        connection.exec_driver_sql(_POSTGRESQL_LOCK)
    if dialect not in MYSQL:
        yield
        return
    connection.exec_driver_sql(_MYSQL_LOCK)
    try:
        yield
    finally:
        connection.exec_driver_sql(_MYSQL_RELEASE)
