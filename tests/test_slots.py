import threading
import time

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from datetime import timedelta

import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from parentauth._slots import Slots
from parentauth.exceptions import BusyError, ConfigurationError

NOW = timedelta(0)
SOON = timedelta(milliseconds=20)
MINUTE = timedelta(minutes=1)


@contextmanager
def occupied(slots: Slots, count: int) -> Iterator[None]:
    """Hold some slots."""
    with ExitStack() as stack:
        for _ in range(count):
            stack.enter_context(slots.take())
        yield


def free(slots: Slots) -> int:
    """Count the slots that can be had at once."""
    with ExitStack() as stack:
        for count in range(100):
            try:
                stack.enter_context(slots.take())
            except BusyError:
                return count
    raise AssertionError("there are too many")


class TestTake:
    @given(count=st.integers(1, 5), queue=st.integers(0, 3))
    def test_count(self, count: int, queue: int) -> None:
        """As many as configured get in, whoever comes next does not."""
        assert count == free(Slots(count, queue, NOW))

    def test_never_more(self) -> None:
        """However many ask at once, no more than configured are ever inside."""
        slots, lock, inside, most = Slots(3, 64, MINUTE), threading.Lock(), 0, 0

        def work(_: int) -> None:
            nonlocal inside, most
            with slots.take():
                with lock:
                    inside += 1
                    most = max(most, inside)
                time.sleep(0.001)
                with lock:
                    inside -= 1

        with ThreadPoolExecutor(40) as pool:
            list(pool.map(work, range(200)))

        assert 3 == most
        assert 0 == inside

    def test_waits(self) -> None:
        """Who waits gets the slot when it becomes free."""
        slots, entered = Slots(1, 1, MINUTE), threading.Event()

        def wait() -> None:
            with slots.take():
                entered.set()

        with ThreadPoolExecutor(1) as pool:
            with slots.take():
                waiting = pool.submit(wait)
                assert not entered.wait(0.02)
            waiting.result(timeout=30)

        assert entered.is_set()

    def test_wait_over(self) -> None:
        """Who waited for too long is told that it is busy, and when to come back."""
        slots = Slots(1, 1, SOON)
        with occupied(slots, 1), pytest.raises(BusyError) as caught, slots.take():
            pass

        assert timedelta(seconds=1) == caught.value.retry_after

    def test_retry_after(self) -> None:
        """By default one comes back after the two seconds that the others wait."""
        slots = Slots(1, 0)
        with occupied(slots, 1), pytest.raises(BusyError) as caught, slots.take():
            pass

        assert timedelta(seconds=2) == caught.value.retry_after

    def test_queue_full(self) -> None:
        """When the queue is full, the next is refused without waiting."""
        slots, begun = Slots(1, 2, MINUTE), threading.Barrier(3)

        def wait() -> None:
            begun.wait()
            with slots.take():
                pass

        with ThreadPoolExecutor(2) as pool, slots.take():
            waiting = [pool.submit(wait) for _ in range(2)]
            begun.wait()
            refused_at = self._refused(slots)
            assert refused_at < 30
        for one in waiting:
            one.result(timeout=30)

    @staticmethod
    def _refused(slots: Slots) -> float:
        """Ask until the others stand in the queue, and tell how long the refusal took."""
        while slots._admitted._value:
            time.sleep(0.001)
        began = time.monotonic()
        with pytest.raises(BusyError), slots.take():
            pass
        return time.monotonic() - began


class TestRelease:
    @given(st.lists(st.booleans(), max_size=30))
    def test_once(self, fails: list[bool]) -> None:
        """Each slot is given back exactly once, whether the work fails or not."""
        slots = Slots(2, 1, NOW)
        for fail in fails:
            with suppress(RuntimeError), slots.take():
                if fail:
                    raise RuntimeError

        assert 2 == free(slots)

    def test_after_refusal(self) -> None:
        """Who was refused gives nothing back."""
        slots = Slots(1, 1, NOW)
        with occupied(slots, 1):
            for _ in range(5):
                with pytest.raises(BusyError), slots.take():
                    pass

            assert 0 == free(slots)
        assert 1 == free(slots)

    def test_not_entered(self) -> None:
        """A slot that was asked for but never entered is not taken."""
        slots = Slots(1, 0, NOW)
        slots.take()

        assert 1 == free(slots)

    @settings(max_examples=5, deadline=None)
    @given(count=st.integers(1, 3), queue=st.integers(0, 4))
    def test_after_a_crowd(self, count: int, queue: int) -> None:
        """After a crowd of which many were refused, all slots are free again."""
        slots = Slots(count, queue, timedelta(milliseconds=1))

        def work(_: int) -> None:
            try:
                with slots.take():
                    time.sleep(0.002)
            except BusyError:
                pass

        with ThreadPoolExecutor(16) as pool:
            list(pool.map(work, range(60)))

        assert count == free(slots)


class TestInit:
    @pytest.mark.parametrize(
        ("count", "queue", "wait"), [(0, 1, SOON), (-1, 1, SOON), (1, -1, SOON), (1, 1, -SOON)]
    )
    def test_refused(self, count: int, queue: int, wait: timedelta) -> None:
        """There is at least one slot, and neither queue nor wait is negative."""
        with pytest.raises(ConfigurationError):
            Slots(count, queue, wait)
