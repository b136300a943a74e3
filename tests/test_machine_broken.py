"""Each rule of the machine is seen to fail: the core is broken on purpose, in one place at a time."""

import logging

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from parentauth.exceptions import ParentAuthError
from parentauth.testing import ParentAuthMachine
from tests import broken_sessions
from tests.broken_tokens import BREAKS

assert broken_sessions  # Its ways to break are among BREAKS.
BOUND: Final = settings(
    max_examples=150,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Keep broken cores' complaints out of the log; loggers remember, so by logging's own call."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(BREAKS))
def test_broken(
    name: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    """A core that is broken in one place is caught within a bounded number of steps."""

    class Machine(ParentAuthMachine):
        least_level = 3

    BREAKS[name](monkeypatch)
    with pytest.raises((AssertionError, ParentAuthError)) as caught:
        run_state_machine_as_test(Machine, settings=BOUND)
    record_property("steps", Machine.steps)
    record_property("caught", str(caught.value)[:100])
