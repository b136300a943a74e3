"""The invitations of a large school put into the outbox, beside the driver's own way."""

import sqlite3

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from measure import Pair, rate, row, table, timed
from school import file_storage, folder

from parentauth._notices import invitation
from parentauth.ports import Intent

COUNT: Final = 100_000
TURNS: Final = 5
GOAL_RATIO: Final = 0.5
GOAL_RATE: Final = 150_000


def enqueue(path: Path, intents: Sequence[Intent]) -> float:
    """Return the seconds that ours takes, one transaction, on a new file."""
    storage = file_storage(path)
    taken = timed(lambda: storage.enqueue(intents))
    storage.engine.dispose()
    return taken


def insert(path: Path, rows: Sequence[tuple[Any, ...]]) -> float:
    """Return the seconds that sqlite3 takes for the same rows, their keys made already."""
    storage = file_storage(path)
    storage.engine.dispose()
    marks = ", ".join("?" * len(rows[0]))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = FULL")

        def work() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO parentauth_outbox VALUES ({marks})", rows)  # noqa: S608
            connection.execute("COMMIT")

        return timed(work)


def rows_of(path: Path) -> Sequence[tuple[Any, ...]]:
    """Return every row of the outbox, in the order in which they came."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT * FROM parentauth_outbox ORDER BY rowid").fetchall()


with folder() as place, table("outbox"):
    now = datetime.now(UTC)
    intents = [invitation(f"p{number}", again=False, now=now) for number in range(COUNT)]
    enqueue(place / "first.db", intents)
    rows = rows_of(place / "first.db")
    assert len(rows) == COUNT
    ours, reference = list[float](), list[float]()
    for turn in range(TURNS):
        ours.append(enqueue(place / f"ours{turn}.db", intents))
        reference.append(insert(place / f"reference{turn}.db", rows))
    pair = Pair(ours, reference)
    row(
        f"{COUNT:,} invitations, SQLite file ÷ executemany",
        ours=rate(COUNT / pair.our_median),
        reference=rate(COUNT / pair.reference_median),
        ratio=pair.speed.times(),
        goal=f"≥ {GOAL_RATIO}",
        met=pair.speed.median >= GOAL_RATIO,
    )
    row(
        "the same, per second",
        ours=rate(COUNT / pair.our_median),
        goal=f"≥ {GOAL_RATE:,}/s",
        met=COUNT / pair.our_median >= GOAL_RATE,
    )
