"""Which version a database's tables have, and how they get to the newest."""

from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Table, insert, select

from parentauth.exceptions import StorageError

#: The newest migration; a test holds it against ``migrations/versions``.
HEAD: Final = "0001"
_MIGRATIONS: Final = Path(__file__).parent / "migrations"


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
    command.upgrade(config, "head")
