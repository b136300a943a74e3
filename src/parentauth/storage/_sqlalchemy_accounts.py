"""Accounts in SQL: how they are read and how they are replaced."""

import itertools

from collections.abc import Collection, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Executable,
    FromClause,
    Row,
    Table,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from parentauth._documents import load
from parentauth._model import ChildLink
from parentauth.exceptions import ConflictError
from parentauth.ports import Account, Change, Key, KeyKind, address_digest
from parentauth.storage._sqlalchemy_changes import LINK, SCALARS, Steps, id_key
from parentauth.storage._sqlalchemy_tables import Tables

# SQLite may take no more than 999 values in one statement.
CHUNK: Final = 500

_DOCUMENT: Final = len(SCALARS)
_FIRST_LINK: Final = _DOCUMENT + 3


def run(connection: Connection, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> int:
    """Execute *statement* once per row, in as few trips as the driver can; count what it hit."""
    if not rows:
        return 0
    result = connection.execute(statement, rows if len(rows) > 1 else rows[0])
    return result.rowcount


def run_in(
    connection: Connection, statement: Executable, values: Iterable[str], **others: object
) -> None:
    """Execute *statement* for chunks of *values*, in their order, so that locks are, too."""
    for chunk in chunks(sorted(values)):
        connection.execute(statement, {"values": chunk} | others)


def chunks(values: Sequence[str]) -> Iterable[Sequence[str]]:
    """Cut *values* to what one statement takes."""
    return (values[start : start + CHUNK] for start in range(0, len(values), CHUNK))


class Accounts:
    """
    The statements about accounts, all built once.

    Reads are one statement each, so that an account is never read between two writes:
    tokens of before and a row of after would let a spent token be spent again.
    """

    def __init__(self, tables: Tables) -> None:
        self._lookups = _lookups(tables)
        accounts, children, keys = tables.accounts, tables.children, tables.keys
        self._by_ids = _many(tables, accounts.c.id_key.in_(bindparam("values", expanding=True)))
        self._by_email = _many(tables, accounts.c.email_key == bindparam("value"))
        self._page = _page(tables)
        self._guard = update(accounts).where(
            accounts.c.id_key == bindparam("guarded_key"),
            accounts.c.version == bindparam("guarded_version"),
        )
        self._insert = insert(accounts)
        self._rename = update(accounts).where(accounts.c.id_key == bindparam("guarded_key"))
        self._insert_keys = insert(keys)
        self._insert_children = insert(children)
        self._delete_keys = _delete_in(keys, "digest")
        self._delete_children = _delete_in(children, "id_key")
        self._erase = tuple(
            _delete_in(table, column)
            for table, column in (
                (children, "id_key"),
                (keys, "id_key"),
                (tables.outbox, "account_key"),
                (accounts, "id_key"),
            )
        )

    # -- Reads

    def one(self, connection: Connection, key: Key) -> Account | None:
        """Return the account that *key* finds."""
        rows = connection.execute(self._lookups[key.kind], {"value": key.digest}).all()
        return _account(rows) if rows else None

    def by_ids(self, connection: Connection, ids: Collection[str]) -> Iterable[Account]:
        """Return the accounts with these ids."""
        for chunk in chunks(sorted({id_key(account_id) for account_id in ids})):
            yield from _accounts(connection.execute(self._by_ids, {"values": chunk}).all())

    def by_email(self, connection: Connection, address: str) -> Iterable[Account]:
        """Return the accounts with that address."""
        value = {"value": address_digest(address)}
        return _accounts(connection.execute(self._by_email, value).all())

    def page(self, connection: Connection, after: str | None, limit: int) -> Iterable[Account]:
        """Return up to *limit* accounts behind that of id *after*."""
        values = {"after": "" if after is None else id_key(after), "limit": limit}
        return _accounts(connection.execute(self._page, values).all())

    # -- Writes

    def replace(self, connection: Connection, changes: Sequence[Change]) -> None:
        """
        Write every *after*; the order of the steps is what makes it right.

        The guarded UPDATE comes first: it locks the accounts in order, and nothing that
        was read before it can be out of date.
        """
        steps = Steps.of(changes)
        if run(connection, self._guard, steps.guards()) != len(steps.changed):
            raise ConflictError("an account was changed meanwhile")
        for statement in self._erase:
            run_in(connection, statement, steps.erased)
        run_in(connection, self._delete_keys, steps.old_keys())
        run_in(connection, self._delete_children, steps.old_children())
        run(connection, self._insert, steps.additions())
        run(connection, self._rename, steps.renames())
        run(connection, self._insert_keys, steps.new_keys())
        run(connection, self._insert_children, steps.new_children())


def _delete_in(table: Table, column: str) -> Executable:
    return delete(table).where(table.c[column].in_(bindparam("values", expanding=True)))


def _columns(accounts: FromClause, children: Table) -> list[Any]:
    return [
        *(accounts.c[name] for name in (*SCALARS, "document", "version")),
        *(children.c[name] for name in ("position", *LINK)),
    ]


def _lookups(tables: Tables) -> Mapping[KeyKind, Executable]:
    accounts, children, keys = tables.accounts, tables.children, tables.keys
    linked = accounts.outerjoin(children, children.c.id_key == accounts.c.id_key)
    found = keys.join(linked, accounts.c.id_key == keys.c.id_key)
    columns = _columns(accounts, children)
    value: BindParameter[str] = bindparam("value")
    by_key = select(*columns).select_from(found).where(keys.c.digest == value)
    lookups = {
        KeyKind.ID: select(*columns).select_from(linked).where(accounts.c.id_key == value),
        KeyKind.USERNAME: (
            select(*columns).select_from(linked).where(accounts.c.username_key == value)
        ),
        KeyKind.TOKEN: by_key.where(keys.c.kind == KeyKind.TOKEN.value),
        KeyKind.SESSION: by_key.where(keys.c.kind == KeyKind.SESSION.value),
    }
    return {kind: lookup.order_by(children.c.position) for kind, lookup in lookups.items()}


def _many(tables: Tables, condition: ColumnElement[bool]) -> Executable:
    accounts, children = tables.accounts, tables.children
    linked = accounts.outerjoin(children, children.c.id_key == accounts.c.id_key)
    return (
        select(*_columns(accounts, children))
        .select_from(linked)
        .where(condition)
        .order_by(accounts.c.id_key, children.c.position)
    )


def _page(tables: Tables) -> Executable:
    page = (
        select(tables.accounts)
        .where(tables.accounts.c.id_key > bindparam("after"))
        .order_by(tables.accounts.c.id_key)
        .limit(bindparam("limit"))
        .subquery("page")
    )
    linked = page.outerjoin(tables.children, tables.children.c.id_key == page.c.id_key)
    return (
        select(*_columns(page, tables.children))
        .select_from(linked)
        .order_by(page.c.id_key, tables.children.c.position)
    )


def _accounts(rows: Sequence[Row[Any]]) -> Iterable[Account]:
    for _, group in itertools.groupby(rows, key=itemgetter(0)):
        yield _account(list(group))


def _account(rows: Sequence[Row[Any]]) -> Account:
    first = rows[0]
    tokens, sessions = load(first[_DOCUMENT])
    return Account(
        **dict(zip(SCALARS, first, strict=False)),
        children=tuple(
            ChildLink(**dict(zip(LINK, row[_FIRST_LINK:], strict=True)))
            for row in rows
            # An account without children has one row, with nothing beside it.
            if row[_FIRST_LINK] is not None
        ),
        tokens=tokens,
        sessions=sessions,
        version=first[_DOCUMENT + 1],
    )
