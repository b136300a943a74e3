"""Sign-in through the core beside bare Argon2, and through Flask beside bare views."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import sqlalchemy

from argon2 import PasswordHasher
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY
from flask import Flask, redirect, request
from flask.typing import ResponseReturnValue
from measure import in_turn, row, seconds, table
from portal import FORM, Sender, make_app, make_portal, sign_in_sender
from school import (
    PASSWORD,
    USERNAME,
    connect_parent,
    copy_database,
    families,
    file_storage,
    folder,
    make_auth,
    statements,
)

from parentauth import Argon2Hasher
from parentauth.ports import Storage
from parentauth.storage.memory import MemoryStorage
from parentauth.storage.sqlalchemy import SQLAlchemyStorage

TURNS: Final = 60
FLASK_TURNS: Final = 300
PARENTS: Final = 1000
GOAL_CORE: Final = 1.03
GOAL_OVERHEAD: Final = 2e-3

Sent = Sequence[tuple[str, Any]]


def core(storage: Storage, name: str) -> None:
    """Compare the core's sign-in with a verification at RFC 9106's low-memory parameters."""
    hasher = Argon2Hasher()
    auth = make_auth(storage, hasher=hasher)
    auth.save(families(1))
    password_hash = connect_parent(storage, hasher).password_hash
    assert password_hash is not None
    bare = PasswordHasher.from_parameters(RFC_9106_LOW_MEMORY)
    pair = in_turn(
        lambda: auth.sign_in(username=USERNAME, password=PASSWORD),
        lambda: bare.verify(password_hash, PASSWORD),
        turns=TURNS,
    )
    row(
        f"core, {name} ÷ bare Argon2id, 64 MiB",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=pair.slowness.times(),
        goal=f"≤ {GOAL_CORE}",
        met=pair.slowness.median <= GOAL_CORE,
    )


# -- Through Flask


def bare_app(work: Callable[[], object] | None = None) -> Flask:
    """Return an application with one view: an empty one, or one that signs in by *work*."""
    app = make_app()

    @app.post("/login")
    def login() -> ResponseReturnValue:
        answer = redirect("/child/c0", code=303)
        if work is not None:
            work()
            answer.set_cookie("session", request.form["username"])
        return answer

    return app


def replay(
    engine: sqlalchemy.Engine, recorded: Iterator[Sent], password_hash: str
) -> Callable[[], object]:
    """Return what executes the statements of one sign-in, in their order, and verifies once."""
    bare = PasswordHasher.from_parameters(CHEAPEST)

    def work() -> None:
        bare.verify(password_hash, PASSWORD)
        with engine.connect() as connection:
            for statement, values in next(recorded):
                result = connection.exec_driver_sql(statement, values or None)
                if result.returns_rows:
                    result.fetchall()
                # It does the same work: what was recorded fits what is there.
                assert result.rowcount or not statement.startswith("UPDATE")

    return work


def record(path: Path, count: int) -> list[Sent]:
    """Return what each of *count* sign-ins sends to the database."""
    storage = SQLAlchemyStorage.from_url(f"sqlite:///{path}")
    send = sign_in_sender(make_portal(storage))
    sent: list[Sent] = []
    with statements(storage.engine) as each:
        for _ in range(count):
            send()
            sent.append(tuple(each))
            each.clear()
    storage.engine.dispose()
    return sent


def through_flask(at: Path) -> None:
    """Compare the portal's sign-in with an empty view, and with its own statements alone."""
    storage, hasher = file_storage(at / "ours.db"), Argon2Hasher.for_tests()
    make_auth(storage).save(families(PARENTS))
    account = connect_parent(storage, hasher)
    assert account.password_hash is not None
    ours = sign_in_sender(make_portal(storage))
    for _ in range(12):
        ours()
    copy_database(at / "ours.db", at / "recorded.db")
    copy_database(at / "ours.db", at / "replayed.db")

    empty = Sender(bare_app(), "/login", FORM, expected=303)
    pair = in_turn(ours, empty, turns=FLASK_TURNS)
    row(
        "Flask, SQLite file, cheap Argon2, over an empty view",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=pair.overhead.more(),
        goal=f"≤ +{seconds(GOAL_OVERHEAD)}",
        met=pair.overhead.median <= GOAL_OVERHEAD,
    )

    # The first one opens the connection, too; it is what each begins with for nothing.
    sent = record(at / "recorded.db", FLASK_TURNS + 1)
    bare = SQLAlchemyStorage.from_url(f"sqlite:///{at / 'replayed.db'}")
    work = replay(bare.engine, iter(sent), account.password_hash)
    same = Sender(bare_app(work), "/login", FORM, expected=303)
    pair = in_turn(ours, same, turns=FLASK_TURNS)
    row(
        f"the same ÷ a bare view with the same {len(sent[-1])} statements",
        ours=seconds(pair.our_median),
        reference=seconds(pair.reference_median),
        ratio=pair.slowness.times(),
    )


with folder() as place, table("sign-in"):
    core(MemoryStorage(), "memory")
    core(file_storage(place / "core.db"), "SQLite file")
    through_flask(place)
