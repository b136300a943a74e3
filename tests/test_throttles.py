from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from parentauth.exceptions import ConfigurationError
from parentauth.throttles import MemoryThrottle

NOW = datetime(2026, 9, 1, 8, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
MONTH = timedelta(days=30)
SECOND = timedelta(seconds=1)


@pytest.fixture(name="throttle")
def _throttle() -> MemoryThrottle:
    return MemoryThrottle()


def hits(
    throttle: MemoryThrottle,
    key: str,
    *,
    count: int = 1,
    limit: int = 10,
    window: timedelta = QUARTER,
    now: datetime = NOW,
) -> list[timedelta | None]:
    """Hit a few times and return the answers."""
    return [throttle.hit(key, limit=limit, window=window, now=now) for _ in range(count)]


class Model:
    """The rules of the port, in the plainest words."""

    def __init__(self) -> None:
        self.attempts: dict[str, tuple[datetime, int]] = {}

    def hit(self, key: str, *, limit: int, now: datetime) -> timedelta | None:
        """Count an attempt where there is one left."""
        wait = self.peek(key, limit=limit, now=now)
        if wait is None:
            began, count = self._window(key, now)
            self.attempts[key] = (began, count + 1)
        return wait

    def peek(self, key: str, *, limit: int, now: datetime) -> timedelta | None:
        """Tell how long an attempt must wait."""
        began, count = self._window(key, now)
        return None if count < limit else began + QUARTER - now

    def _window(self, key: str, now: datetime) -> tuple[datetime, int]:
        began, count = self.attempts.get(key, (now, 0))
        return (began, count) if now < began + QUARTER else (now, 0)


steps = st.lists(
    st.tuples(
        st.sampled_from(["hit", "hit", "hit", "peek", "clear", "prune"]),
        st.sampled_from("ab"),
        st.integers(min_value=0, max_value=600),
    ),
    max_size=40,
)


class TestModel:
    @given(steps=steps, limit=st.integers(min_value=0, max_value=4))
    @settings(max_examples=200, deadline=None)
    def test_model(self, steps: list[tuple[str, str, int]], limit: int) -> None:
        """Whatever the order of calls, it answers as the rules say."""
        throttle, model, now = MemoryThrottle(), Model(), NOW
        for verb, key, seconds in steps:
            now += timedelta(seconds=seconds)
            if verb == "clear":
                throttle.clear(key)
                model.attempts.pop(key, None)
            elif verb == "prune":
                throttle.prune(now)
            else:
                expected = getattr(model, verb)(key, limit=limit, now=now)
                answer = getattr(throttle, verb)(key, limit=limit, window=QUARTER, now=now)

                assert expected == answer


class TestHit:
    def test_limit(self, throttle: MemoryThrottle) -> None:
        """As many attempts as the limit pass, the next one waits for the window's end."""
        assert [None, None, QUARTER] == hits(throttle, "a", count=3, limit=2)

    def test_first_hit_begins(self, throttle: MemoryThrottle) -> None:
        """The window begins with the first attempt, later ones do not prolong it."""
        hits(throttle, "a")
        hits(throttle, "a", count=9, now=NOW + 14 * timedelta(minutes=1))

        assert [SECOND] == hits(throttle, "a", now=NOW + QUARTER - SECOND)

    def test_refused_is_not_counted(self, throttle: MemoryThrottle) -> None:
        """An attempt that must wait does not begin a window or prolong one."""
        hits(throttle, "a", count=500)

        assert [None] == hits(throttle, "a", now=NOW + QUARTER)

    def test_window_is_over(self, throttle: MemoryThrottle) -> None:
        """At the window's end all attempts are given back at once."""
        hits(throttle, "a", count=10)

        assert [None] * 10 == hits(throttle, "a", count=10, now=NOW + QUARTER)

    def test_keys_apart(self, throttle: MemoryThrottle) -> None:
        """One key's attempts are nothing to another key."""
        hits(throttle, "a", count=10)

        assert [None] == hits(throttle, "b")

    def test_parallel(self, throttle: MemoryThrottle) -> None:
        """Of 200 attempts at the same moment exactly the limit pass."""
        with ThreadPoolExecutor(max_workers=32) as threads:
            answers = list(threads.map(lambda _: hits(throttle, "a"), range(200)))

        assert 10 == answers.count([None])
        assert 190 == answers.count([QUARTER])


class TestPeek:
    def test_does_not_count(self, throttle: MemoryThrottle) -> None:
        """Looking costs no attempt."""
        for _ in range(20):
            assert throttle.peek("a", limit=10, window=QUARTER, now=NOW) is None

        assert [None] * 10 == hits(throttle, "a", count=10)

    def test_tells_the_wait(self, throttle: MemoryThrottle) -> None:
        """It gives the time that the next attempt has to wait."""
        hits(throttle, "a", count=10)

        assert QUARTER == throttle.peek("a", limit=10, window=QUARTER, now=NOW)


class TestClear:
    def test_forgets(self, throttle: MemoryThrottle) -> None:
        """After it the key has all its attempts again."""
        hits(throttle, "a", count=10)
        throttle.clear("a")

        assert [None] * 10 == hits(throttle, "a", count=10)

    def test_unknown(self, throttle: MemoryThrottle) -> None:
        """A key that was never counted can be cleared."""
        throttle.clear("a")

    def test_others_stay(self, throttle: MemoryThrottle) -> None:
        """Another key's attempts stay counted."""
        hits(throttle, "b", count=10)
        throttle.clear("a")

        assert [QUARTER] == hits(throttle, "b")


class TestPrune:
    def test_ended_go(self, throttle: MemoryThrottle) -> None:
        """It forgets the windows that are over and only those."""
        hits(throttle, "short")
        hits(throttle, "long", count=10, window=MONTH)
        throttle.prune(NOW + QUARTER)

        assert ["long"] == list(throttle._windows)
        assert [MONTH - QUARTER] == hits(throttle, "long", window=MONTH, now=NOW + QUARTER)


class TestMemory:
    def test_ended_go_by_themselves(self, throttle: MemoryThrottle) -> None:
        """Without anybody's call, windows that are over do not pile up."""
        for number in range(20_000):
            hits(throttle, f"key {number}", now=NOW + number * SECOND)

        assert len(throttle._windows) <= 2_000

    def test_at_most(self) -> None:
        """However many keys are alive, no more than the maximum are kept."""
        throttle = MemoryThrottle(max_keys=2_000)
        for number in range(10_000):
            hits(throttle, f"key {number}")
            assert len(throttle._windows) <= 2_000

    def test_new_keys_pass_when_full(self) -> None:
        """A flood of made-up keys does not lock out a parent who is not counted yet."""
        throttle = MemoryThrottle(max_keys=100)
        for number in range(100):
            hits(throttle, f"flood {number}")

        assert [None] == hits(throttle, "parent")

    def test_long_windows_outlive_a_flood(self) -> None:
        """A flood of keys with shorter windows never resets a counter of 30 days."""
        throttle = MemoryThrottle(max_keys=100)
        hits(throttle, "parent", count=100, limit=100, window=MONTH)
        for number in range(1_000):
            hits(throttle, f"flood {number}", window=timedelta(days=1), now=NOW + QUARTER)

        assert [MONTH - QUARTER] == hits(
            throttle, "parent", limit=100, window=MONTH, now=NOW + QUARTER
        )

    @pytest.mark.parametrize("max_keys", [1, 2, 9])
    def test_tiny(self, max_keys: int) -> None:
        """Even the smallest maximum holds, and counts the newest key."""
        throttle = MemoryThrottle(max_keys=max_keys)
        for number in range(30):
            hits(throttle, f"key {number}", count=10)

        assert len(throttle._windows) <= max_keys
        assert [QUARTER] == hits(throttle, "key 29")

    def test_none(self) -> None:
        """A throttle that can count nothing is refused: it would refuse nobody."""
        with pytest.raises(ConfigurationError):
            MemoryThrottle(max_keys=0)
