import secrets
import subprocess
import sys
import time

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import limits.storage
import pytest

from limits.storage import memory, storage_from_string

from parentauth import throttles
from parentauth.exceptions import ConfigurationError, StorageError
from parentauth.ports import Throttle
from parentauth.testing import ThrottleContract, ThrottleProcessContract
from parentauth.testing.clock import START
from parentauth.testing.throttles import LIMIT, QUARTER, SECOND, hits
from parentauth.throttles import LimitsThrottle
from tests.services import unavailable

REDIS = "redis://127.0.0.1:6379/0?socket_connect_timeout=3"


class TestMemory(ThrottleContract):
    uses_now = False

    @pytest.fixture(autouse=True)
    def _clock(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        clock = SimpleNamespace(time=lambda: time.time() + self.ahead)
        monkeypatch.setattr(memory, "time", clock)
        monkeypatch.setattr(throttles, "time", clock)

    @pytest.fixture
    def throttle(self, _clock: None) -> Throttle:
        """Give one that counts in the memory of limits."""
        return LimitsThrottle("memory://")

    def wait(self, by: timedelta) -> None:
        """Let time pass at once."""
        self.ahead += by.total_seconds()


@pytest.mark.service
class TestRedis(ThrottleContract, ThrottleProcessContract):
    uses_now = False

    @pytest.fixture
    def storage(self) -> Iterator[limits.storage.RedisStorage]:
        """Give a Redis where nobody else has such keys, and remove them afterwards."""
        pytest.importorskip("redis") if not _required() else None
        name = f"parentauth-test-{secrets.token_hex(4)}"
        storage = storage_from_string(REDIS, key_prefix=name)
        assert isinstance(storage, limits.storage.RedisStorage)
        if not storage.check():
            unavailable("redis at 127.0.0.1:6379 does not answer")
        yield storage
        storage.reset()
        storage.storage.close()
