import secrets
import subprocess
import sys
import time

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from types import SimpleNamespace

import pytest

from limits.errors import ConfigurationError as LimitsError
from limits.storage import MemoryStorage, RedisStorage, memory, storage_from_string

from parentauth import throttles
from parentauth.exceptions import ConfigurationError, StorageError
from parentauth.ports import Throttle
from parentauth.testing import ThrottleContract, ThrottleProcessContract
from parentauth.testing._races import race
from parentauth.testing.clock import START
from parentauth.testing.throttles import LIMIT, QUARTER, SECOND, hits
from parentauth.throttles import LimitsThrottle
from tests.services import unavailable

REDIS = "redis://127.0.0.1:6379/0?socket_connect_timeout=3&max_connections=200"


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

    def test_threads_take_turns(self) -> None:
        """Exactly the limit pass even when threads give way in the midst of a count."""

        class Slow(Counter[str]):
            def get(self, key: str, default: int | None = None) -> int | None:
                time.sleep(0.001)
                return super().get(key, default)

        storage = MemoryStorage()
        storage.storage = Slow()
        throttle = LimitsThrottle(storage)

        assert LIMIT == race(40, lambda _: hits(throttle, "a")[0]).count(None)


def redis_storage(name: str) -> RedisStorage:
    """Return a storage of limits whose keys begin with *name*."""
    try:
        storage = storage_from_string(REDIS, key_prefix=name)
    except LimitsError:
        unavailable("redis: its client is not installed (pip install redis)")
    assert isinstance(storage, RedisStorage)
    if not storage.check():
        unavailable("redis at 127.0.0.1:6379 does not answer")
    return storage


def make(name: str) -> LimitsThrottle:
    """Make a throttle on the keys that begin with *name*."""
    return LimitsThrottle(redis_storage(name))


@pytest.mark.service
class TestRedis(ThrottleContract, ThrottleProcessContract):
    uses_now = False

    @pytest.fixture
    def storage(self) -> Iterator[RedisStorage]:
        """Give a storage with keys of its own, and remove them afterwards."""
        storage = redis_storage(f"parentauth-test-{secrets.token_hex(8)}")
        yield storage
        storage.reset()
        storage.get_connection().close()

    @pytest.fixture
    def throttle(self, storage: RedisStorage) -> Throttle:
        """Give a throttle that has counted nothing."""
        return LimitsThrottle(storage)

    @pytest.fixture
    def throttle_factory(self, storage: RedisStorage) -> Callable[[], Throttle]:
        """Make throttles in other processes."""
        return partial(make, storage.key_prefix)

    def test_at_rest(self, storage: RedisStorage, throttle: Throttle) -> None:
        """A key is a digest, goes by itself, and its count stops at the limit."""
        hits(throttle, "s3cret", count=3 * LIMIT, window=1.5 * SECOND)
        client = storage.get_connection()
        [key] = client.keys(f"{storage.key_prefix}:*")

        assert f"{storage.key_prefix}:parentauth:".encode() == key[:-64]
        assert b"s3cret" not in key
        assert LIMIT == int(client.get(key))
        assert 1000 < client.pttl(key) <= 2000

    def test_prefixes(self, storage: RedisStorage, throttle: Throttle) -> None:
        """Two portals on one Redis count apart."""
        hits(throttle, "a", count=LIMIT)

        assert [None] == hits(LimitsThrottle(storage, prefix="other:"), "a")

    def test_uri(self) -> None:
        """A URI is enough."""
        redis_storage("unused").get_connection().close()
        key = secrets.token_hex(8)
        throttle = LimitsThrottle(REDIS)
        try:
            assert LIMIT == hits(throttle, key, count=LIMIT + 1).count(None)
        finally:
            throttle.clear(key)
            throttle._storage.get_connection().close()


class Broken(MemoryStorage):
    """A storage of limits that is away."""

    STORAGE_SCHEME = None
    error: Exception = ConnectionRefusedError("redis://u:s3cret@redis.example")

    def get(self, key: str) -> int:
        """Fail."""
        raise self.error

    def clear(self, key: str) -> None:
        """Fail."""
        raise self.error


class TestErrors:
    @pytest.mark.parametrize("error", [ConnectionRefusedError("s3cret"), ValueError("s3cret")])
    def test_away(self, error: Exception) -> None:
        """What the store's client raises is a StorageError that names a cure and no secret."""
        storage = Broken()
        storage.error = error
        throttle = LimitsThrottle(storage)
        for use in (
            lambda: hits(throttle, "a"),
            lambda: throttle.peek("a", limit=LIMIT, window=QUARTER, now=START),
            lambda: throttle.clear("a"),
        ):
            with pytest.raises(StorageError, match="check that it runs") as caught:
                use()
            assert "s3cret" not in str(caught.value)

    def test_redis_away(self) -> None:
        """A Redis that does not run is noticed at the first attempt, not when it is named."""
        redis_storage("unused").get_connection().close()
        throttle = LimitsThrottle("redis://127.0.0.1:1/0")

        with pytest.raises(StorageError, match="ConnectionError"):
            hits(throttle, "a")

    @pytest.mark.parametrize("uri", ["", "redis", "nonsense://u:s3cret@host"])
    def test_no_uri(self, uri: str) -> None:
        """What limits does not know is refused, and not repeated."""
        with pytest.raises(ConfigurationError, match="like redis://") as caught:
            LimitsThrottle(uri)
        assert "s3cret" not in str(caught.value)
        assert caught.value.__suppress_context__

    @pytest.mark.parametrize("storage", ["async+memory://", None, 3])
    def test_no_storage(self, storage: str) -> None:
        """An asynchronous storage, or none at all, is refused."""
        with pytest.raises(ConfigurationError, match="storage of limits"):
            LimitsThrottle(storage)

    def test_not_installed(self) -> None:
        """Without limits, the error says how to install it, and the module is still there."""
        program = (
            "import sys; sys.modules['limits'] = None\n"
            "from parentauth.exceptions import ConfigurationError\n"
            "from parentauth.throttles import LimitsThrottle, MemoryThrottle\n"
            "try: LimitsThrottle('memory://')\n"
            "except ConfigurationError as error: print(error)"
        )
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert "pip install 'parentauth[limits]'" in ran.stdout

    def test_not_loaded(self) -> None:
        """Who does not use it does not load it."""
        program = "import sys, parentauth.throttles; print('limits' in sys.modules)"
        ran = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )

        assert "False" == ran.stdout.strip()
