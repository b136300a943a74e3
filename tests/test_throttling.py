from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import ip_network

import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth._throttling import (
    FAILURES_PER_PREFIX,
    RESETS_PER_DAY,
    RESETS_PER_HOUR,
    RESETS_PER_PREFIX,
    SIGN_IN_LONG,
    SIGN_IN_SHORT,
    Guard,
    prefix_of,
)
from parentauth.exceptions import ConfigurationError, ThrottledError
from parentauth.testing.clock import START
from parentauth.throttles import MemoryThrottle
from tests.school import DAY, HOUR, MINUTE, Portal


def guard(throttle: MemoryThrottle | None = None, now: datetime = START) -> Guard:
    """Return limits on a throttle."""
    return Guard(throttle or MemoryThrottle(), now)


class TestPrefixOf:
    @pytest.mark.parametrize(
        ("address", "prefix"),
        [
            ("192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("::ffff:c000:207", "192.0.2.7"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("2001:DB8:1:2::", "2001:db8:1:2::/64"),
            ("2001:0db8:0001:0002:ffff::1", "2001:db8:1:2::/64"),
            ("fe80::1%eth0", "fe80::/64"),
            ("::1", "::/64"),
            ("127.0.0.1", "127.0.0.1"),
        ],
    )
    def test_table(self, address: str, prefix: str) -> None:
        """IPv4 counts by address, IPv6 by /64, in whatever spelling."""
        assert prefix == prefix_of(address)

    @pytest.mark.parametrize(
        "address",
        [
            None,
            "",
            "x",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.7:80",
            "[::1]",
            "1" * 10_000,
            "\0",
            "١.٢.٣.٤",
        ],
    )
    def test_unreadable(self, address: str | None) -> None:
        """What is no address is not counted."""
        assert prefix_of(address) is None

    @given(st.ip_addresses(v=6, network="2001:db8:1:2::/64"))
    def test_one_bucket(self, address: object) -> None:
        """All addresses of one /64 are one bucket."""
        assert "2001:db8:1:2::/64" == prefix_of(str(address))

    @given(st.ip_addresses(v=4))
    def test_mapped(self, address: object) -> None:
        """An IPv4 address written as IPv6 is the same bucket."""
        assert prefix_of(str(address)) == prefix_of(f"::ffff:{address}")

    @given(st.ip_addresses())
    def test_every_address(self, address: object) -> None:
        """Every address has a bucket, unless its network is exempt."""
        assert prefix_of(str(address))
        assert prefix_of(str(address), [ip_network("::/0"), ip_network("0.0.0.0/0")]) is None

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Any text is an address or none, never an error."""
        prefix_of(text)

    def test_exempt(self) -> None:
        """Exempt networks of either kind, and mapped addresses in them, are not counted."""
        exempt = [ip_network("192.0.2.0/24"), ip_network("2001:db8::/32")]

        for address in ("192.0.2.7", "::ffff:192.0.2.7", "2001:db8:9::1"):
            assert prefix_of(address, exempt) is None
        for address in ("192.0.3.7", "2001:db9::1"):
            assert prefix_of(address, exempt) is not None

    @pytest.mark.parametrize("network", ["x", "192.0.2.1/24", "192.0.2.0/33"])
    def test_configured(self, network: str) -> None:
        """An exempt network that can't be read is refused at the start."""
        with pytest.raises(ConfigurationError, match="exempt_networks"):
            Portal(settings={"exempt_networks": [network]})


class TestLimits:
    def test_figures(self) -> None:
        """The limits are those that are documented."""
        assert [
            (10, 15 * MINUTE),
            (100, 30 * DAY),
            (100, 15 * MINUTE),
            (3, HOUR),
            (10, DAY),
            (300, HOUR),
        ] == [
            (limit.amount, limit.window)
            for limit in (
                SIGN_IN_SHORT,
                SIGN_IN_LONG,
                FAILURES_PER_PREFIX,
                RESETS_PER_HOUR,
                RESETS_PER_DAY,
                RESETS_PER_PREFIX,
            )
        ]


class TestGuard:
    def test_peek_counts_nothing(self) -> None:
        """Looking at counters leaves them alone."""
        throttle = MemoryThrottle()
        for _ in range(500):
            guard(throttle).peek_sign_in("x")
            guard(throttle).peek_failures("x")

        assert {} == throttle._windows

    def test_short_window_saves_the_long_one(self) -> None:
        """What the short window refuses does not use up the long one."""
        throttle = MemoryThrottle()
        for _ in range(500):
            with suppress(ThrottledError):
                guard(throttle).count_sign_in("x")

        assert 10 == throttle._windows["x:30d"].count

    def test_long_window(self) -> None:
        """At a hundred no time is named, whatever the short window says."""
        throttle, now = MemoryThrottle(), START
        for number in range(100):
            guard(throttle, now + (number // 10) * 15 * MINUTE).count_sign_in("x")
        for offset in (150 * MINUTE, DAY, 29 * DAY):
            with pytest.raises(ThrottledError) as caught:
                guard(throttle, START + offset).peek_sign_in("x")
            assert caught.value.retry_after is None
        guard(throttle, START + 30 * DAY).peek_sign_in("x")

    def test_clear(self) -> None:
        """Clearing forgets both windows of those counters alone."""
        throttle = MemoryThrottle()
        for counter in "xyz":
            guard(throttle).count_sign_in(counter)
        guard(throttle).clear_sign_in("x", "y")

        assert {"z:15m", "z:30d"} == set(throttle._windows)

    def test_nobody(self) -> None:
        """Without a prefix nothing is counted or refused."""
        throttle = MemoryThrottle()
        for _ in range(500):
            guard(throttle).count_failure(None)
            guard(throttle).count_reset(None)
            guard(throttle).peek_failures(None)

        assert {} == throttle._windows

    def test_pace(self) -> None:
        """The pace says how long to wait; it starts anew each minute."""
        throttle = MemoryThrottle()
        waits = [guard(throttle).wait_for_pace(2) for _ in range(3)]

        assert [None, None, MINUTE] == waits
        assert guard(throttle, START + MINUTE).wait_for_pace(2) is None

    @given(st.lists(st.sampled_from(["count", "clear", "pass"]), max_size=60))
    def test_never_more_than_ten(self, steps: list[str]) -> None:
        """In no history are more than ten counted in a window without a success between."""
        throttle, now, since_clear = MemoryThrottle(), START, []
        for step in steps:
            if step == "clear":
                guard(throttle, now).clear_sign_in("x")
                since_clear = []
            elif step == "pass":
                now += timedelta(minutes=4)
            else:
                try:
                    guard(throttle, now).count_sign_in("x")
                except ThrottledError:
                    assert len(since_clear) >= 10
                else:
                    since_clear.append(now)
            recent = [moment for moment in since_clear if now - moment < 7.5 * MINUTE]
            assert len(recent) <= 20
