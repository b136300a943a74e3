# ruff: noqa: S101, SIM300  these are tests, and expected == actual
"""
The contract that throttles fulfil: a test class inherits it and gives the throttle.

.. code-block:: python

    class TestMyThrottle(ThrottleContract):
        @pytest.fixture
        def throttle(self):
            return MyThrottle()
"""

import secrets
import time

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier
from typing import ClassVar, Final, cast

from parentauth.ports import Storage, Throttle
from parentauth.testing._processes import PATIENCE, race_processes
from parentauth.testing._races import race
from parentauth.testing._samples import ROUNDS
from parentauth.testing.clock import START

__all__ = ["ThrottleContract", "ThrottleProcessContract"]

LIMIT: Final = 10
THREADS: Final = 200
PROCESSES: Final = 8
QUARTER: Final = timedelta(minutes=15)
SECOND: Final = timedelta(seconds=1)
# A clock of its own rounds, and runs while the test does.
TOLERANCE: Final = timedelta(seconds=30)

Step = tuple[str, str, int]
Factory = Callable[[], Throttle]


class Model:
    """The rules of :class:`parentauth.ports.Throttle`, in the plainest words."""

    def __init__(self) -> None:
        self.windows: dict[str, tuple[datetime, int]] = {}

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Count an attempt where there is one left."""
        wait = self.peek(key, limit=limit, window=window, now=now)
        if wait is None:
            ends_at, count = self._current(key, window, now)
            self.windows[key] = (ends_at, count + 1)
        return wait

    def peek(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Tell how long an attempt must wait."""
        ends_at, count = self._current(key, window, now)
        return None if count < limit else ends_at - now

    def clear(self, key: str) -> None:
        """Forget a key."""
        self.windows.pop(key, None)

    def prune(self, now: datetime) -> None:
        """Forget what is forgotten anyway."""

    def _current(self, key: str, window: timedelta, now: datetime) -> tuple[datetime, int]:
        ends_at, count = self.windows.get(key, (now, 0))
        return (ends_at, count) if now < ends_at else (now + window, 0)


def play(throttle: Throttle, steps: Sequence[Step], *, limit: int, mark: str) -> list[object]:
    """Take *steps*, each so many seconds after the one before, and return the answers."""
    now, answers = START, list[object]()
    for verb, letter, seconds in steps:
        now += timedelta(seconds=seconds)
        if verb == "clear":
            throttle.clear(mark + letter)
        elif verb == "prune":
            throttle.prune(now)
        else:
            ask = throttle.hit if verb == "hit" else throttle.peek
            answers.append(ask(mark + letter, limit=limit, window=QUARTER, now=now))
    return answers


def hits(
    throttle: Throttle,
    key: str,
    *,
    count: int = 1,
    limit: int = LIMIT,
    window: timedelta = QUARTER,
    now: datetime = START,
) -> list[timedelta | None]:
    """Hit a few times and return the answers."""
    return [throttle.hit(key, limit=limit, window=window, now=now) for _ in range(count)]


class ThrottleContract:
    """
    Every rule of :class:`parentauth.ports.Throttle`.

    The class that inherits gives a fixture ``throttle``: one that has counted nothing.
    A throttle that other processes share inherits :class:`ThrottleProcessContract`, too.

    Args:
        uses_now: Whether it counts by the ``now`` that it is told.  One that has a clock of
            its own is tested with windows of two seconds, which are waited for.
    """

    uses_now: ClassVar[bool] = True

    def test_model(self, throttle: Throttle) -> None:
        """Whatever the order of calls, it answers as the rules say."""
        # Not above: the processes of a race would wait for it.
        from hypothesis import given, settings
        from hypothesis import strategies as st

        verbs = st.sampled_from(["hit", "hit", "hit", "peek", "clear", "prune"])
        seconds = st.integers(min_value=0, max_value=600 if self.uses_now else 0)
        steps = st.lists(st.tuples(verbs, st.sampled_from("ab"), seconds), max_size=40)

        @given(steps=steps, limit=st.integers(min_value=0, max_value=4))
        @settings(max_examples=15 * ROUNDS, deadline=None)
        def agree(steps: list[Step], limit: int) -> None:
            mark = secrets.token_hex(8)
            expected = play(Model(), steps, limit=limit, mark=mark)
            self._check(expected, play(throttle, steps, limit=limit, mark=mark))

        agree()

    def test_limit(self, throttle: Throttle) -> None:
        """As many attempts as the limit pass, the next one waits for the window's end."""
        self._check([None, None, QUARTER, QUARTER], hits(throttle, "a", count=4, limit=2))

    def test_none_allowed(self, throttle: Throttle) -> None:
        """With a limit of 0 nothing passes, and no window begins."""
        self._check([QUARTER], hits(throttle, "a", limit=0))
        self._check([QUARTER], hits(throttle, "a", limit=0, now=START + SECOND))
        self._check([QUARTER], [throttle.peek("a", limit=0, window=QUARTER, now=START)])

    def test_window_moves(self, throttle: Throttle) -> None:
        """At the window's end all attempts are given back at once, however many were refused."""
        window = self._window()
        assert [None] * LIMIT == hits(throttle, "a", count=LIMIT, window=window)
        assert None not in hits(throttle, "a", count=3 * LIMIT, window=window)
        now = self._later(window)

        assert throttle.peek("a", limit=LIMIT, window=window, now=now) is None
        assert [None] * LIMIT == hits(throttle, "a", count=LIMIT, window=window, now=now)
        assert None not in hits(throttle, "a", window=window, now=now)

    def test_first_hit_begins(self, throttle: Throttle) -> None:
        """The window begins with the first attempt, later ones do not prolong it."""
        window = self._window()
        hits(throttle, "a", window=window)
        now = self._later(window / 2)
        hits(throttle, "a", count=2 * LIMIT, window=window, now=now)
        assert None not in hits(throttle, "a", window=window, now=now)

        now = self._later(window / 2, now)
        assert [None] == hits(throttle, "a", window=window, now=now)

    def test_keys_apart(self, throttle: Throttle) -> None:
        """One key's attempts are nothing to another key, however alike they are."""
        hits(throttle, "a", count=LIMIT)

        for other in ("b", "A", "a ", "á", "", "a" * 500, "\0", "\ud800"):
            assert [None] == hits(throttle, other)

    def test_peek(self, throttle: Throttle) -> None:
        """Looking costs no attempt, and tells what the next one has to wait."""
        for _ in range(2 * LIMIT):
            assert throttle.peek("a", limit=LIMIT, window=QUARTER, now=START) is None

        assert [None] * LIMIT == hits(throttle, "a", count=LIMIT)
        self._check([QUARTER], [throttle.peek("a", limit=LIMIT, window=QUARTER, now=START)])

    def test_clear(self, throttle: Throttle) -> None:
        """After it the key has all its attempts again, and others have not."""
        hits(throttle, "a", count=2 * LIMIT)
        hits(throttle, "b", count=2 * LIMIT)
        throttle.clear("a")
        throttle.clear("never counted")

        assert [None] * LIMIT == hits(throttle, "a", count=LIMIT)
        assert None not in hits(throttle, "b")

    def test_prune(self, throttle: Throttle) -> None:
        """It forgets no window that goes on."""
        window = self._window()
        hits(throttle, "over", count=LIMIT, window=window)
        hits(throttle, "on", count=LIMIT, window=timedelta(days=30))
        now = self._later(window)
        throttle.prune(now)

        assert [None] * LIMIT == hits(throttle, "over", count=LIMIT, window=window, now=now)
        assert None not in hits(throttle, "on", window=timedelta(days=30), now=now)

    def test_parallel(self, throttle: Throttle) -> None:
        """Of 200 threads that hit at the same moment exactly the limit pass."""
        for number in range(ROUNDS):
            answers = race(THREADS, partial(_hit_once, throttle, f"a{number}"))

            assert {timedelta, type(None)} == {type(each) for each in answers}
            assert LIMIT == answers.count(None)
            self._check([QUARTER] * (THREADS - LIMIT), [each for each in answers if each])

    def test_parallel_at_the_end(self, throttle: Throttle) -> None:
        """When the window has ended, exactly the limit pass again."""
        window = self._window()
        hits(throttle, "a", count=2 * LIMIT, window=window)
        now = self._later(window)
        answers = race(THREADS // 4, lambda _: hits(throttle, "a", window=10 * window, now=now)[0])

        assert LIMIT == answers.count(None)

    def wait(self, by: timedelta) -> None:
        """Let time pass; for a throttle with a clock of its own, and to be replaced if one can."""
        time.sleep(by.total_seconds())

    def _window(self) -> timedelta:
        return QUARTER if self.uses_now else 2 * SECOND

    def _later(self, by: timedelta, now: datetime = START) -> datetime:
        if not self.uses_now:
            # Stores that round to seconds, or look once a second, may be a bit late.
            self.wait(by + SECOND / 10)
        return now + by

    def _check(self, expected: Sequence[object], answers: Sequence[object]) -> None:
        if self.uses_now:
            assert expected == answers
            return
        assert [each is None for each in expected] == [each is None for each in answers]
        for each in answers:
            assert each is None or QUARTER - TOLERANCE <= cast("timedelta", each) <= QUARTER


class ThrottleProcessContract:
    """
    Races between processes, for throttles that processes share.

    The class that inherits gives a fixture ``throttle_factory`` beside ``throttle``: a
    callable that can be pickled and gives a new throttle on the same counters.
    """

    def test_processes(self, throttle: Throttle, throttle_factory: Factory) -> None:
        """Of eight processes that hit as often as they may, exactly the limit pass."""
        factory = cast("Callable[[], Storage]", throttle_factory)
        answers = race_processes(_hit_in_process, factory, PROCESSES)

        assert [LIMIT] * ROUNDS == [
            sum(cast("int", passed) for number, passed in answers if number == each)
            for each in range(ROUNDS)
        ]
        assert PROCESSES * ROUNDS == len(answers)
        assert throttle.peek("0", limit=LIMIT, window=QUARTER, now=START) is not None


def _hit_once(throttle: Throttle, key: str, _number: int) -> timedelta | None:
    return hits(throttle, key)[0]


def _hit_in_process(
    factory: Factory, _number: int, barrier: Barrier, answers: "SimpleQueue[tuple[int, object]]"
) -> None:
    throttle = factory()
    for each in range(ROUNDS):
        # A connection is made before they start together.
        throttle.peek("ready", limit=LIMIT, window=QUARTER, now=START)
        barrier.wait(PATIENCE)
        passed = hits(throttle, str(each), count=2 * LIMIT).count(None)
        answers.put((each, passed))
