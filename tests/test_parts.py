"""What the flows share."""

import pytest

from parentauth import _parts
from parentauth._parts import until_current
from parentauth.exceptions import ConflictError


class TestUntilCurrent:
    def test_again(self) -> None:
        """A lost race is judged anew, until it is won."""
        losses = [ConflictError()] * 5

        def step() -> str:
            if losses:
                raise losses.pop()
            return "won"

        assert "won" == until_current(step)

    def test_bounded(self) -> None:
        """Ten lost races are enough."""
        calls = []

        def step() -> None:
            calls.append(1)
            raise ConflictError

        with pytest.raises(ConflictError):
            until_current(step)
        assert 10 == len(calls)

    def test_patience(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where each answer takes seconds, nobody waits for ten of them."""
        calls, seconds = [], iter(range(0, 60, 5))
        monkeypatch.setattr(_parts.time, "monotonic", lambda: next(seconds))

        def step() -> None:
            calls.append(1)
            raise ConflictError

        with pytest.raises(ConflictError):
            until_current(step)
        assert 1 == len(calls)
