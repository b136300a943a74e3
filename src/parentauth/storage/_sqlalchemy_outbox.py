"""The outbox in SQL: what waits, who holds it, what died."""

import itertools
import re
import secrets
import time

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    Dialect,
    Insert,
    Row,
    Table,
    bindparam,
    delete,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite

from parentauth._canonical import digest
from parentauth._outbox import IntentKind
from parentauth.exceptions import StorageError
from parentauth.ports import Claim, Death, Delay, Intent, OutboxRow
from parentauth.storage._sqlalchemy_accounts import chunks, run, run_in
from parentauth.storage._sqlalchemy_changes import id_key

# How many rows one trip to the database carries; the transaction may hold many trips.
ENQUEUED_AT_ONCE: Final = 2000

_ROW_ID: Final = re.compile(r"[0-9a-f]{32}")


class Outbox:
    """
    The statements about the outbox, all built once.

    Args:
        skips: Whether rows that another claim has locked can be skipped.
    """

    def __init__(self, outbox: Table, *, dialect: Dialect, skips: bool) -> None:
        column = outbox.c
        self._insertion = _Insertion(outbox, dialect)
        due = (
            select(outbox)
            .where(column.next_at <= bindparam("now"), _nobody_holds(outbox))
            .order_by(column.next_at, column.id)
            .limit(bindparam("limit"))
        )
        self._due = due.with_for_update(skip_locked=True) if skips else due
        self._lease = update(outbox).where(column.id == bindparam("row_id"))
        held = (column.id == bindparam("row_id"), column.lease == bindparam("row_lease"))
        self._give_back = update(outbox).where(*held)
        self._delete_held = delete(outbox).where(*held)
        self._waiting = select(column.waiting_key).where(
            column.waiting_key.in_(bindparam("values", expanding=True))
        )
        self._page = (
            select(outbox)
            .where(column.id > bindparam("after"))
            .order_by(column.id)
            .limit(bindparam("limit"))
        )
        self._drop = delete(outbox).where(
            column.id.in_(bindparam("values", expanding=True)), _nobody_holds(outbox)
        )

    def enqueue(self, connection: Connection, intents: Iterable[Intent]) -> None:
        """Insert those of the intents whose key does not wait yet."""
        left = iter(intents)
        while chunk := list(itertools.islice(left, ENQUEUED_AT_ONCE)):
            self._insertion.run(connection, chunk)

    def claim(
        self, connection: Connection, *, now: datetime, lease: timedelta, limit: int
    ) -> Sequence[Claim]:
        """Lease the rows that are due."""
        rows = connection.execute(self._due, {"now": now, "limit": limit}).all()
        token = secrets.token_hex(16)
        claims = [
            Claim(id=row.id, lease=token, intent=_intent(row), attempts=row.attempts + 1)
            for row in rows
        ]
        leases = [
            {
                "row_id": claim.id,
                "lease": token,
                "leased_until": now + lease,
                "attempts": claim.attempts,
                "waiting_key": None,
            }
            for claim in claims
        ]
        run(connection, self._lease, leases)
        return claims

    def settle(
        self,
        connection: Connection,
        *,
        done: Collection[Claim],
        later: Collection[Delay],
        dead: Collection[Death],
    ) -> None:
        """Delete, postpone and bury rows, each only while its lease is the claim's."""
        held = self._keys_held(connection, [delay.claim for delay in later])
        postponed: dict[str, Delay] = {}
        surplus: list[Claim] = []
        for delay in later:
            key = _waiting_key(delay.claim.intent)
            if key in held or postponed.setdefault(key, delay) is not delay:
                surplus.append(delay.claim)
        run(connection, self._delete_held, [_lock(claim) for claim in (*done, *surplus)])
        run(connection, self._give_back, [_postponed(delay) for delay in postponed.values()])
        run(connection, self._give_back, [_buried(death) for death in dead])

    def page(self, connection: Connection, after: str | None, limit: int) -> Sequence[OutboxRow]:
        """Return up to *limit* rows behind *after*."""
        rows = connection.execute(self._page, {"after": after or "", "limit": limit})
        return [
            OutboxRow(
                id=row.id,
                intent=_intent(row),
                due=row.due if row.next_at is None else row.next_at,
                attempts=row.attempts,
                leased_until=row.leased_until,
                dead_at=row.dead_at,
                reason=row.reason,
            )
            for row in rows
        ]

    def drop(self, connection: Connection, ids: Collection[str], *, now: datetime) -> None:
        """Delete those of the rows that nobody holds."""
        # What is no id of ours is left out, so that no collation can find it equal to one.
        run_in(
            connection, self._drop, {row_id for row_id in ids if _ROW_ID.fullmatch(row_id)}, now=now
        )

    def _keys_held(self, connection: Connection, claims: Iterable[Claim]) -> set[str]:
        keys = sorted(_waiting_key(claim.intent) for claim in claims)
        return {
            key
            for chunk in chunks(keys)
            for key in connection.execute(self._waiting, {"values": chunk}).scalars()
        }


class _Insertion:
    """
    The INSERT of new rows, compiled once, whose values go to the driver as they are.

    SQLAlchemy looks at each value of each row, which takes longer than to make them.
    """

    def __init__(self, outbox: Table, dialect: Dialect) -> None:
        statement = _insert_new(outbox, dialect.name)
        compiled = statement.compile(dialect=dialect, column_keys=list(_NEW))
        self._text = str(compiled)
        self._by_name = not compiled.positional
        moment: Any = outbox.c.due.type.dialect_impl(dialect)
        self._moment: Callable[[datetime], object] = moment.bind_processor(dialect)

    def run(self, connection: Connection, intents: Sequence[Intent]) -> None:
        """Insert a row for each of *intents* whose key does not wait yet."""
        # Those of one campaign are all due at one moment.
        moments = {due: self._moment(due) for due in {intent.due for intent in intents}}
        rows: list[Any] = [_new_row(intent, moments[intent.due]) for intent in intents]
        if self._by_name:
            rows = [dict(zip(_NEW, row, strict=True)) for row in rows]
        connection.exec_driver_sql(self._text, rows)


def _insert_new(outbox: Table, dialect: str) -> Insert:
    """Return an INSERT that leaves out a row whose key waits already, and only such a row."""
    if dialect == "sqlite":
        return sqlite.insert(outbox).on_conflict_do_nothing(index_elements=["waiting_key"])
    if dialect == "postgresql":
        return postgresql.insert(outbox).on_conflict_do_nothing(index_elements=["waiting_key"])
    # Not INSERT IGNORE, which would let values that do not fit pass with a warning.
    return mysql.insert(outbox).on_duplicate_key_update(id=outbox.c.id)


def _nobody_holds(outbox: Table) -> ColumnElement[bool]:
    return or_(outbox.c.leased_until.is_(None), outbox.c.leased_until <= bindparam("now"))


def _waiting_key(intent: Intent) -> str:
    return digest("intent", intent.key)


def _row_id() -> str:
    """Return an id that sorts by time and that no other process makes."""
    return f"{time.time_ns():016x}{secrets.token_bytes(8).hex()}"


# In the table's order.
_NEW: Final = (
    "id",
    "kind",
    "intent_key",
    "waiting_key",
    "account_id",
    "account_key",
    "address",
    "due",
    "next_at",
    "attempts",
)


def _new_row(intent: Intent, due: object) -> tuple[Any, ...]:
    account_id = intent.account_id
    return (
        _row_id(),
        intent.kind.value,
        intent.key,
        _waiting_key(intent),
        account_id,
        None if account_id is None else id_key(account_id),
        intent.address,
        due,
        due,
        0,
    )


def _intent(row: Row[Any]) -> Intent:
    try:
        kind = IntentKind(row.kind)
    except ValueError:
        raise StorageError(
            f"the outbox holds a mail of kind {row.kind!r}, which this parentauth does not know: "
            "install the parentauth that wrote it, or a newer one"
        ) from None
    return Intent(
        kind=kind,
        key=row.intent_key,
        account_id=row.account_id,
        address=row.address,
        due=row.due,
    )


def _lock(claim: Claim) -> dict[str, Any]:
    return {"row_id": claim.id, "row_lease": claim.lease}


def _postponed(delay: Delay) -> dict[str, Any]:
    return _lock(delay.claim) | {
        "waiting_key": _waiting_key(delay.claim.intent),
        "next_at": delay.due,
        "lease": None,
        "leased_until": None,
        "reason": delay.reason,
    }


def _buried(death: Death) -> dict[str, Any]:
    return _lock(death.claim) | {
        "lease": None,
        "leased_until": None,
        "next_at": None,
        "dead_at": death.at,
        "reason": death.reason,
    }
