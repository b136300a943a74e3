"""The tables, and column types that mean the same on every engine."""

import re

from datetime import UTC, datetime
from typing import Any, Final

import attrs

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeDecorator, TypeEngine

from parentauth._documents import in_utc
from parentauth.exceptions import StorageError

MYSQL: Final = ("mysql", "mariadb")

_PREFIX: Final = re.compile(r"(?:[a-z_][a-z0-9_]{0,39})?")

_TABLE_OPTIONS: Final[dict[str, Any]] = {
    f"{dialect}_{option}": value
    for dialect in MYSQL
    for option, value in {"engine": "InnoDB", "charset": "utf8mb4"}.items()
}


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC with microseconds by every engine."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Ask MariaDB for microseconds, which it does not keep unless told."""
        if dialect.name in MYSQL:
            return dialect.type_descriptor(mysql.DATETIME(fsp=6))
        return dialect.type_descriptor(DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give UTC, without its name to engines that know no time zones."""
        if value is None:
            return None
        moment = in_utc(value)
        return moment if dialect.name == "postgresql" else moment.replace(tzinfo=None)

    def process_result_value(
        self,
        value: datetime | None,
        dialect: Dialect,  # noqa: ARG002  SQLAlchemy's signature
    ) -> datetime | None:
        """Return UTC, whatever the connection's own time zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _ascii(length: int) -> TypeEngine[str]:
    """Return the type of a key column: ASCII, compared byte for byte."""
    binary = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return (
        String(length)
        .with_variant(String(length, collation="C"), "postgresql")
        .with_variant(binary, *MYSQL)
    )


def _text() -> TypeEngine[str]:
    """Return the type of a readable text, which is never looked up."""
    return Text().with_variant(mysql.TEXT(charset="utf8mb4", collation="utf8mb4_bin"), *MYSQL)


def _digest(name: str, *, nullable: bool = False, primary_key: bool = False) -> Column[str]:
    return Column(name, _ascii(64), nullable=nullable, primary_key=primary_key)


def _required(name: str) -> Column[str]:
    return Column(name, _text(), nullable=False)


def _optional(name: str) -> Column[str]:
    return Column(name, _text())


def _moment(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, UTCDateTime(), nullable=nullable)


@attrs.frozen
class Tables:
    """
    The tables of one portal.

    No foreign keys: their share locks are where InnoDB's deadlocks come from, and every
    write goes through the accounts' rows first anyway.
    """

    metadata: MetaData
    accounts: Table
    children: Table
    keys: Table
    outbox: Table
    throttle: Table
    version: Table


def make_tables(prefix: str) -> Tables:
    """
    Return the tables with names that begin with *prefix*.

    Raises:
        StorageError: The prefix needs quoting, or is so long that names get cut.
    """
    if not _PREFIX.fullmatch(prefix):
        raise StorageError(
            "the prefix of the tables is up to 40 of a-z, 0-9 and _, and no digit comes first"
        )
    metadata = MetaData()
    return Tables(
        metadata=metadata,
        accounts=_accounts(metadata, prefix),
        children=_children(metadata, prefix),
        keys=_keys(metadata, prefix),
        outbox=_outbox(metadata, prefix),
        throttle=_throttle(metadata, prefix),
        version=_version(metadata, prefix),
    )


def _accounts(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}accounts",
        metadata,
        _digest("id_key", primary_key=True),
        _required("id"),
        _required("username"),
        # Null only inside a transaction, so that two accounts can swap their usernames.
        _digest("username_key", nullable=True),
        _required("name"),
        _optional("email"),
        _digest("email_key", nullable=True),
        _optional("locale"),
        _optional("password_hash"),
        Column("active", Boolean(), nullable=False),
        _moment("invited_at"),
        _moment("invited_until"),
        _moment("connected_at"),
        _moment("last_sign_in_at"),
        _required("document"),
        Column("version", Integer(), nullable=False),
        # Constraints, not unique indexes: MariaDB makes those after the table, and whoever
        # stops it in between gets a table that lets everything in.
        UniqueConstraint("username_key", name=f"{prefix}accounts_username"),
        Index(f"{prefix}accounts_email", "email_key"),
        **_TABLE_OPTIONS,
    )


def _children(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}children",
        metadata,
        _digest("id_key", primary_key=True),
        Column("position", Integer(), primary_key=True, autoincrement=False),
        _required("child_id"),
        _required("name"),
        _required("school_class"),
        _moment("since"),
        _moment("until"),
        **_TABLE_OPTIONS,
    )


def _keys(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}keys",
        metadata,
        _digest("digest", primary_key=True),
        _digest("id_key"),
        Column("kind", _ascii(10), nullable=False),
        Index(f"{prefix}keys_account", "id_key"),
        **_TABLE_OPTIONS,
    )


def _outbox(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}outbox",
        metadata,
        Column("id", _ascii(32), primary_key=True),
        Column("kind", _ascii(30), nullable=False),
        _required("intent_key"),
        # Set only while the row waits: that is how long it holds its intent's key.
        _digest("waiting_key", nullable=True),
        _optional("account_id"),
        _digest("account_key", nullable=True),
        _optional("address"),
        _moment("due", nullable=False),
        # Null when it is dead.  Claims then ask for one range of one index, which no engine
        # sorts: what is kept for a month does not lie in the way of what is due.
        _moment("next_at"),
        Column("attempts", Integer(), nullable=False),
        Column("lease", _ascii(32)),
        _moment("leased_until"),
        _moment("dead_at"),
        _optional("reason"),
        UniqueConstraint("waiting_key", name=f"{prefix}outbox_waiting"),
        Index(f"{prefix}outbox_account", "account_key"),
        Index(f"{prefix}outbox_next", "next_at", "id"),
        **_TABLE_OPTIONS,
    )


def _throttle(metadata: MetaData, prefix: str) -> Table:
    return Table(
        f"{prefix}throttle",
        metadata,
        _digest("digest", primary_key=True),
        Column("hits", Integer(), nullable=False),
        _moment("window_ends_at", nullable=False),
        Index(f"{prefix}throttle_ends", "window_ends_at"),
        **_TABLE_OPTIONS,
    )


def _version(metadata: MetaData, prefix: str) -> Table:
    """Return Alembic's own table, under a name of ours: a host may use Alembic, too."""
    return Table(
        f"{prefix}alembic_version",
        metadata,
        Column("version_num", _ascii(32), primary_key=True),
        **_TABLE_OPTIONS,
    )
