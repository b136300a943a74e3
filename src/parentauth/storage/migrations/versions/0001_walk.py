"""
The tables of the first release.

Types are written out here, not imported: what a migration did must not change with the code.
"""

from typing import Any

import sqlalchemy as sa

from alembic import context, op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

OPTIONS: dict[str, Any] = {
    "mysql_engine": "InnoDB",
    "mysql_charset": "utf8mb4",
    "mariadb_engine": "InnoDB",
    "mariadb_charset": "utf8mb4",
}


def upgrade() -> None:
    """Make the tables."""
    prefix = context.config.attributes["prefix"]
    _accounts(prefix)
    _children(prefix)
    _keys(prefix)
    _outbox(prefix)
    _throttle(prefix)


def downgrade() -> None:
    """Drop the tables, and with them every account."""
    prefix = context.config.attributes["prefix"]
    for name in ("throttle", "outbox", "keys", "children", "accounts"):
        op.drop_table(f"{prefix}{name}")


def _accounts(prefix: str) -> None:
    op.create_table(
        f"{prefix}accounts",
        sa.Column("id_key", _ascii(64), primary_key=True),
        sa.Column("id", _text(), nullable=False),
        sa.Column("username", _text(), nullable=False),
        sa.Column("username_key", _ascii(64)),
        sa.Column("name", _text(), nullable=False),
        sa.Column("email", _text()),
        sa.Column("email_key", _ascii(64)),
        sa.Column("locale", _text()),
        sa.Column("password_hash", _text()),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("invited_at", _moment()),
        sa.Column("invited_until", _moment()),
        sa.Column("connected_at", _moment()),
        sa.Column("last_sign_in_at", _moment()),
        sa.Column("document", _text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.UniqueConstraint("username_key", name=f"{prefix}accounts_username"),
        **OPTIONS,
    )
    op.create_index(f"{prefix}accounts_email", f"{prefix}accounts", ["email_key"])


def _children(prefix: str) -> None:
    op.create_table(
        f"{prefix}children",
        sa.Column("id_key", _ascii(64), primary_key=True),
        sa.Column("position", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("child_id", _text(), nullable=False),
        sa.Column("name", _text(), nullable=False),
        sa.Column("school_class", _text(), nullable=False),
        sa.Column("since", _moment()),
        sa.Column("until", _moment()),
        **OPTIONS,
    )


def _keys(prefix: str) -> None:
    op.create_table(
        f"{prefix}keys",
        sa.Column("digest", _ascii(64), primary_key=True),
        sa.Column("id_key", _ascii(64), nullable=False),
        sa.Column("kind", _ascii(10), nullable=False),
        **OPTIONS,
    )
    op.create_index(f"{prefix}keys_account", f"{prefix}keys", ["id_key"])


def _outbox(prefix: str) -> None:
    op.create_table(
        f"{prefix}outbox",
        sa.Column("id", _ascii(32), primary_key=True),
        sa.Column("kind", _ascii(30), nullable=False),
        sa.Column("intent_key", _text(), nullable=False),
        sa.Column("waiting_key", _ascii(64)),
        sa.Column("account_id", _text()),
        sa.Column("account_key", _ascii(64)),
        sa.Column("address", _text()),
        sa.Column("due", _moment(), nullable=False),
        sa.Column("next_at", _moment()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease", _ascii(32)),
        sa.Column("leased_until", _moment()),
        sa.Column("dead_at", _moment()),
        sa.Column("reason", _text()),
        sa.UniqueConstraint("waiting_key", name=f"{prefix}outbox_waiting"),
        **OPTIONS,
    )
    op.create_index(f"{prefix}outbox_account", f"{prefix}outbox", ["account_key"])
    op.create_index(f"{prefix}outbox_next", f"{prefix}outbox", ["next_at", "id"])


def _throttle(prefix: str) -> None:
    op.create_table(
        f"{prefix}throttle",
        sa.Column("digest", _ascii(64), primary_key=True),
        sa.Column("hits", sa.Integer(), nullable=False),
        sa.Column("window_ends_at", _moment(), nullable=False),
        **OPTIONS,
    )
    op.create_index(f"{prefix}throttle_ends", f"{prefix}throttle", ["window_ends_at"])


def _ascii(length: int) -> TypeEngine[str]:
    binary = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return (
        sa.String(length)
        .with_variant(sa.String(length, collation="C"), "postgresql")
        .with_variant(binary, "mysql", "mariadb")
    )


def _text() -> TypeEngine[str]:
    text = mysql.TEXT(charset="utf8mb4", collation="utf8mb4_bin")
    return sa.Text().with_variant(text, "mysql", "mariadb")


def _moment() -> TypeEngine[Any]:
    return sa.DateTime(timezone=True).with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
