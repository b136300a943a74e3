"""
The testing kit, for pytest and Hypothesis: a clock that stands still, strategies, contracts.

Who writes a storage inherits :class:`StorageContract`; that is the whole of its tests.
"""

import pytest

# Before the import: only then do failures show the values that differ.
pytest.register_assert_rewrite(
    *(
        f"parentauth.testing._{name}"
        for name in ("accounts", "outbox", "processes", "races", "replace")
    ),
    "parentauth.testing.throttles",
)

from parentauth.testing.clock import FrozenClock  # noqa: E402
from parentauth.testing.contracts import ProcessContract, StorageContract  # noqa: E402
from parentauth.testing.machine import CheapHasher, Mailbox, ParentAuthMachine  # noqa: E402
from parentauth.testing.throttles import ThrottleContract, ThrottleProcessContract  # noqa: E402

__all__ = [
    "CheapHasher",
    "FrozenClock",
    "Mailbox",
    "ParentAuthMachine",
    "ProcessContract",
    "StorageContract",
    "ThrottleContract",
    "ThrottleProcessContract",
]
