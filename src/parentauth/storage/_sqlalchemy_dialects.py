"""How SQLite, PostgreSQL and MariaDB begin a transaction, and their names for what goes wrong."""

import sqlite3

from collections.abc import Callable
from typing import Final

import attrs

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
    # The last: a table that another process makes at the same time.
    conflicts=frozenset({"40001", "40P01", "55P03", "42P07"}),
    taken=frozenset({"23505"}),
    missing=frozenset({"42P01", "42703"}),
)

_MYSQL: Final = Dialect(
    # The first is for the next transaction only.
    begin=("SET TRANSACTION ISOLATION LEVEL READ COMMITTED", "START TRANSACTION"),
    autocommit=False,
    claims=True,
    code=_mysql_code,
    # The last two: a table or an index that another process makes at the same time.
    conflicts=frozenset({1213, 1205, 1020, 1050, 1061}),
    taken=frozenset({1062}),
    missing=frozenset({1146, 1054}),
)

DIALECTS: Final = {
    "sqlite": _SQLITE,
    "postgresql": _POSTGRESQL,
    "mysql": _MYSQL,
    "mariadb": _MYSQL,
}
