import logging
import secrets
import threading

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest

from parentauth import Client, ParentAuth, School
from parentauth._fallback import FallbackThrottle, with_fallback
from parentauth._hashing import Argon2Hasher
from parentauth.exceptions import SignInRejectedError, StorageError, ThrottledError
from parentauth.ports import Mail, Throttle
from parentauth.storage.memory import MemoryStorage
from parentauth.testing import FrozenClock, ThrottleContract
from parentauth.testing._races import race
from parentauth.testing.clock import START
from parentauth.testing.throttles import LIMIT, QUARTER, hits
from parentauth.throttles import MemoryThrottle


class Unsteady(MemoryThrottle):
    """Counts until it is told to fail; it fails at all its calls, or at some."""

    def __init__(self, *failing: str) -> None:
        super().__init__()
        self.failing = set(failing)
        self.error: Exception = RuntimeError("redis://portal:s3cret@redis.example")

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Fail, or count."""
        self._fail("hit")
        return super().hit(key, limit=limit, window=window, now=now)

    def peek(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Fail, or look."""
        self._fail("peek")
        return super().peek(key, limit=limit, window=window, now=now)

    def clear(self, key: str) -> None:
        """Fail, or forget."""
        self._fail("clear")
        super().clear(key)

    def prune(self, now: datetime) -> None:
        """Fail, or forget what is over."""
        self._fail("prune")
        super().prune(now)

    def _fail(self, verb: str) -> None:
        if verb in self.failing:
            raise self.error


VERBS = ("hit", "peek", "clear", "prune")


class TestMemory(ThrottleContract):
    @pytest.fixture
    def throttle(self) -> Throttle:
        """Give what counts while another throttle fails."""
        return MemoryThrottle()


class TestWorking(ThrottleContract):
    @pytest.fixture
    def throttle(self) -> Throttle:
        """Give one whose primary works."""
        return FallbackThrottle(MemoryThrottle())


class TestFailing(ThrottleContract):
    @pytest.fixture
    def throttle(self) -> Throttle:
        """Give one whose primary fails at each call."""
        return FallbackThrottle(Unsteady(*VERBS))


class TestOutage:
    @pytest.mark.parametrize("verb", VERBS)
    def test_each_call(self, verb: str) -> None:
        """Whichever call fails, no error gets out and no more than the limit pass."""
        throttle = FallbackThrottle(Unsteady(verb))
        answers = hits(throttle, "a", count=3 * LIMIT)
        throttle.prune(START)
        throttle.peek("a", limit=LIMIT, window=QUARTER, now=START)
        throttle.clear("a")

        assert [None] * LIMIT + [QUARTER] * (2 * LIMIT) == answers

    def test_primary_is_back(self) -> None:
        """When the primary works again, it counts again, with what it had counted before."""
        primary = Unsteady()
        throttle = FallbackThrottle(primary)
        hits(throttle, "a", count=LIMIT - 1)
        primary.failing = set(VERBS)
        hits(throttle, "a", count=3)
        primary.failing = set()

        assert [None, QUARTER] == hits(throttle, "a", count=2)

    def test_now_and_then(self) -> None:
        """A primary that fails at every other call gives away the limit once more, no further."""
        primary = Unsteady()
        throttle = FallbackThrottle(primary)
        answers: list[timedelta | None] = []
        for number in range(100):
            primary.failing = set(VERBS) if number % 2 else set()
            answers += hits(throttle, "a")

        assert 2 * LIMIT == answers.count(None)

    def test_cleared_meanwhile(self) -> None:
        """A success during the outage gives the local attempts back."""
        throttle = FallbackThrottle(Unsteady(*VERBS))
        hits(throttle, "a", count=2 * LIMIT)
        throttle.clear("a")

        assert [None] * LIMIT == hits(throttle, "a", count=LIMIT)

    def test_pruned_meanwhile(self) -> None:
        """Ended windows are forgotten here even while the primary fails."""
        local = MemoryThrottle()
        throttle = FallbackThrottle(Unsteady(*VERBS), local=local)
        hits(throttle, "a")
        throttle.prune(START + QUARTER)

        assert {} == local._windows

    def test_bounded(self) -> None:
        """A flood of made-up keys during an outage does not fill the memory."""
        local = MemoryThrottle(max_keys=100)
        throttle = FallbackThrottle(Unsteady(*VERBS), local=local)
        for number in range(1_000):
            hits(throttle, f"flood {number}")

        assert len(local._windows) <= 100

    @pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
    def test_stopped(self, stop: type[BaseException]) -> None:
        """What ends the process is not swallowed."""

        class Stopping(MemoryThrottle):
            def clear(self, key: str) -> None:
                raise stop

        with pytest.raises(stop):
            FallbackThrottle(Stopping()).clear("a")


class TestLog:
    def test_once_a_minute(self, caplog: pytest.LogCaptureFixture) -> None:
        """An outage is logged once a minute, not once a guess."""
        seconds = [0.0]
        throttle = FallbackThrottle(Unsteady(*VERBS), monotonic=lambda: seconds[0])
        for second in range(0, 150, 10):
            seconds[0] = float(second)
            hits(throttle, "a")
            throttle.clear("a")

        assert [logging.ERROR] * 3 == [record.levelno for record in caplog.records]

    def test_no_secret(self, caplog: pytest.LogCaptureFixture) -> None:
        """The log names the kind of error; neither its text nor the key."""
        hits(FallbackThrottle(Unsteady(*VERBS)), "key-of-a-parent")

        assert "RuntimeError" in caplog.text
        assert "s3cret" not in caplog.text
        assert "key-of-a-parent" not in caplog.text

    def test_cure(self, caplog: pytest.LogCaptureFixture) -> None:
        """An error of ours says in the log what to do."""
        primary = Unsteady(*VERBS)
        primary.error = StorageError("check that it runs")
        hits(FallbackThrottle(primary), "a")

        assert "StorageError: check that it runs" in caplog.text

    def test_silent_when_it_works(self, caplog: pytest.LogCaptureFixture) -> None:
        """A throttle that works is not logged."""
        hits(FallbackThrottle(MemoryThrottle()), "a", count=2 * LIMIT)

        assert [] == caplog.records


class TestWrapping:
    def test_memory_is_left(self) -> None:
        """What can't fail is not wrapped, and what is wrapped is not wrapped again."""
        memory, wrapped = MemoryThrottle(), FallbackThrottle(MemoryThrottle())

        assert memory is with_fallback(memory)
        assert wrapped is with_fallback(wrapped)

    def test_others_are_wrapped(self) -> None:
        """A host's own throttle never gets asked alone."""

        class Own:
            """A throttle of a host that never works."""

            def __getattr__(self, name: str) -> object:
                raise RuntimeError(name)

        throttle: Throttle = Own()  # type: ignore[assignment]
        assert LIMIT == hits(with_fallback(throttle), "a", count=50).count(None)


class CountingHasher(Argon2Hasher):
    """Counts the verifications."""

    verified = 0
    lock = threading.Lock()

    def verify(self, *, password: str, password_hash: str) -> bool:
        """Count, and verify."""
        with self.lock:
            self.verified += 1
        return super().verify(password=password, password_hash=password_hash)


class NoMailer:
    """Mails nothing."""

    @contextmanager
    def connect(self) -> Iterator[Callable[[Mail], None]]:
        """Take mails and drop them."""
        yield lambda _: None


class Down:
    """A throttle whose store is away."""

    def hit(self, key: str, *, limit: int, window: timedelta, now: datetime) -> timedelta | None:
        """Fail."""
        raise StorageError("away")

    peek = hit

    def clear(self, key: str) -> None:
        """Fail."""
        raise StorageError("away")

    def prune(self, now: datetime) -> None:
        """Fail."""
        raise StorageError("away")


class TestParentAuth:
    @pytest.mark.parametrize("username", ["ann", "nobody"])
    def test_guesses_during_an_outage(self, username: str) -> None:
        """Of 200 guesses at once while the throttle is down, ten reach the hasher."""
        hasher, clock = CountingHasher.for_tests(), FrozenClock()
        auth = ParentAuth(
            storage=MemoryStorage(),
            mailer=NoMailer(),
            secret_keys=[secrets.token_urlsafe(32)],
            base_url="https://portail.ecole.be",
            school=School("École", "secretariat@ecole.be"),
            hasher=hasher,
            throttle=Down(),
            clock=clock,
            hashes_at_once=200,
        )
        client = Client(address="192.0.2.1")

        def guess(number: int) -> type[Exception]:
            try:
                auth.sign_in(username=username, password=f"guess {number}", client=client)
            except (SignInRejectedError, ThrottledError) as error:
                return type(error)
            raise AssertionError("signed in")

        for expected in (10, 20):
            outcomes = race(200, guess)

            assert expected == hasher.verified
            assert 10 == outcomes.count(SignInRejectedError)
            clock.advance(QUARTER)
