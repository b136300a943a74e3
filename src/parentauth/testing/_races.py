# ruff: noqa: S101, SIM300  these are tests, and expected == actual
"""What a storage must do when many threads use it at once."""

import threading

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import attrs
import pytest

from parentauth._model import ChildLink
from parentauth.exceptions import ConflictError, StorageError, TakenError
from parentauth.ports import Account, Change, Key, Storage
from parentauth.testing._samples import (
    LEASE,
    NOW,
    ROUNDS,
    account,
    add,
    intent,
    reread,
    session,
    token,
)

T = TypeVar("T")

THREADS = 64


def race(count: int, work: Callable[[int], T]) -> list[T | StorageError]:
    """
    Run *work* in *count* threads that start together.

    Returns:
        What each returned, or the :exc:`StorageError` that it raised; any other error is
        raised.
    """
    barrier = threading.Barrier(count)

    def run(number: int) -> T | StorageError:
        barrier.wait()
        try:
            return work(number)
        except StorageError as error:
            return error

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


def redeem(storage: Storage, read: Account, number: int) -> int:
    """Write what the redemption of a token writes, with *number* as the new password's hash."""
    spent = tuple(attrs.evolve(each, redeemed_at=NOW) for each in read.tokens)
    opened = (session(f"{read.id}-{number}"),)
    after = attrs.evolve(read, tokens=spent, sessions=opened, password_hash=str(number))
    notice = intent(f"notice-{read.id}-{number}", account_id=read.id)
    storage.replace([Change(read, after, intents=[notice])])
    return number


def only_winner(outcomes: Sequence[int | StorageError]) -> int:
    """Return who won, after a look at the losers."""
    winners = [outcome for outcome in outcomes if isinstance(outcome, int)]
    losers = {type(outcome) for outcome in outcomes if not isinstance(outcome, int)}
    assert 1 == len(winners)
    assert losers <= {ConflictError}
    return winners[0]


class RacesContract:
    """Races between threads: one winner, and losers who know it."""

    @pytest.mark.parametrize("count", [2, 8, THREADS])
    def test_single_use(self, storage: Storage, count: int) -> None:
        """Of many who redeem one token, one wins: its password, its session, its notice."""
        for _ in range(ROUNDS):
            [read] = add(storage, account("1"))
            winner = only_winner(race(count, partial(redeem, storage, read)))

            kept = reread(storage, read)
            assert (str(winner), 2) == (kept.password_hash, kept.version)
            assert (session(f"1-{winner}"),) == kept.sessions
            assert [f"notice-1-{winner}"] == [row.intent.key for row in storage.outbox(None, 99)]
            storage.replace([Change(kept, None)])

    def test_no_update_lost(self, storage: Storage) -> None:
        """Who reads again after each conflict is heard in the end."""
        add(storage, account("1", sessions=()))

        def open_session(number: int) -> int:
            for attempt in range(1_000):
                read = reread(storage, account("1"))
                opened = (*read.sessions, session(str(number)))
                try:
                    storage.replace([Change(read, attrs.evolve(read, sessions=opened))])
                except ConflictError:
                    continue
                return attempt
            raise AssertionError("always a conflict")

        for outcome in race(8, open_session):
            assert isinstance(outcome, int)
        kept = reread(storage, account("1"))
        assert {session(str(number)) for number in range(8)} == set(kept.sessions)

    def test_opposite_orders(self, storage: Storage) -> None:
        """Two accounts written in either order by many at once: one writer wins both."""
        for _ in range(ROUNDS):
            read = add(storage, account("1"), account("2"))

            def write(number: int, read: list[Account] = read) -> int:
                changes = [Change(each, attrs.evolve(each, name=str(number))) for each in read]
                storage.replace(changes[:: 1 if number % 2 else -1])
                return number

            winner = only_winner(race(16, write))
            kept = [reread(storage, each) for each in read]
            assert [str(winner)] * 2 == [each.name for each in kept]
            storage.replace([Change(each, None) for each in kept])

    def test_one_username(self, storage: Storage) -> None:
        """Of many accounts added with one username, one is."""

        def write(number: int) -> int:
            storage.replace([Change(None, account(str(number), username="same"))])
            return number

        outcomes = race(16, write)
        assert 1 == len([outcome for outcome in outcomes if isinstance(outcome, int)])
        assert {int, TakenError} <= {type(outcome) for outcome in outcomes}
        assert {type(outcome) for outcome in outcomes} <= {int, TakenError, ConflictError}
        assert 1 == len(storage.scan(None, 99))

    def test_untorn(self, storage: Storage) -> None:
        """A read never mixes two writes: row, children, tokens and sessions are of one moment."""
        add(storage, _marked("0"))
        written = threading.Event()

        def write() -> None:
            for number in range(1, 40):
                before = reread(storage, account("1"))
                storage.replace([Change(before, _marked(str(number)))])
            written.set()

        def look(number: int) -> None:
            keys = (Key.by_id("1"), Key.by_username("always"))
            while not written.is_set():
                read = storage.account(keys[number % 2])
                assert read is not None
                assert _marked(read.name) == attrs.evolve(read, version=0)

        outcomes = race(3, lambda number: look(number) if number else write())
        assert [None] * 3 == outcomes

    def test_claims_apart(self, storage: Storage) -> None:
        """Many workers drain one outbox: each row is claimed once, and none is left."""
        for _ in range(ROUNDS):
            storage.enqueue(intent(str(number)) for number in range(120))
            outcomes = race(8, partial(_drain, storage))

            # Nobody is told of a conflict: the storage itself tries again.
            assert {list} == {type(outcome) for outcome in outcomes}
            claimed = [key for outcome in outcomes if isinstance(outcome, list) for key in outcome]
            assert sorted(str(number) for number in range(120)) == sorted(claimed)
            assert [] == storage.outbox(None, 99)

    def test_one_key(self, storage: Storage) -> None:
        """Of many intents enqueued at once with one key, one waits."""
        for number in range(ROUNDS):
            outcomes = race(16, partial(_enqueue, storage, f"key-{number}"))
            assert [None] * 16 == outcomes
        assert ROUNDS == len(storage.outbox(None, 99))


def _drain(storage: Storage, _number: int) -> list[str]:
    drained: list[str] = []
    while claims := storage.claim(now=NOW, lease=LEASE, limit=7):
        drained += [claim.intent.key for claim in claims]
        storage.settle(done=claims)
    return drained


def _enqueue(storage: Storage, key: str, _number: int) -> None:
    storage.enqueue([intent(key)])


def _marked(mark: str) -> Account:
    """Return an account each part of which tells which write it is of."""
    return account(
        "1",
        username="always",
        name=mark,
        children=(ChildLink("c1", mark), ChildLink("c2", mark)),
        tokens=(token(mark),),
        sessions=(session(mark),),
    )
