from datetime import timedelta

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Account, Session
from parentauth._sessions import (
    SEEN_EVERY,
    SESSIONS_KEPT,
    SessionRules,
    all_ended,
    ended,
    find,
    opened,
    purged,
    seen,
    session_digest,
    with_child,
)
from parentauth.exceptions import ConfigurationError
from parentauth.testing.clock import START
from tests.school import DAY, HOUR, MINUTE, SECOND

RULES = SessionRules()
ANNA = Account("p1", "anna")


def one(**values: object) -> tuple[Account, Session]:
    """Return an account with one session, and that session."""
    account = opened(ANNA, "s", RULES, now=START)
    session = attrs.evolve(account.sessions[0], **values)
    return attrs.evolve(account, sessions=(session,)), session


class TestRules:
    @pytest.mark.parametrize(
        ("idle", "absolute"),
        [(0 * HOUR, HOUR), (-HOUR, HOUR), (HOUR + SECOND, HOUR), (HOUR, 30 * DAY + SECOND)],
    )
    def test_refused(self, idle: timedelta, absolute: timedelta) -> None:
        """0 < idle <= absolute <= 30 days."""
        with pytest.raises(ConfigurationError, match="session limits"):
            SessionRules(idle, absolute)

    def test_accepted(self) -> None:
        """The limits themselves are allowed."""
        assert SessionRules(30 * DAY, 30 * DAY)

    @pytest.mark.parametrize("offset", [-SECOND, 0 * SECOND, SECOND])
    def test_idle(self, offset: timedelta) -> None:
        """An hour after the last request a session is over, to the second."""
        account, session = one(last_seen_at=START + 5 * HOUR)

        assert (offset < 0 * SECOND) is RULES.is_live(session, START + 6 * HOUR + offset)
        assert (offset < 0 * SECOND) is bool(
            find(account, "s", RULES, now=START + 6 * HOUR + offset)
        )

    @pytest.mark.parametrize("offset", [-SECOND, 0 * SECOND, SECOND])
    def test_absolute(self, offset: timedelta) -> None:
        """Twelve hours after it was opened a session is over, whatever happened in it."""
        _, session = one(last_seen_at=START + 12 * HOUR)

        assert (offset < 0 * SECOND) is RULES.is_live(session, START + 12 * HOUR + offset)

    def test_not_before(self) -> None:
        """Sessions opened before that moment are dead."""
        _, session = one()

        assert SessionRules(not_before=START).is_live(session, START)
        assert not SessionRules(not_before=START + SECOND).is_live(session, START + SECOND)


class TestFind:
    def test_nobody(self) -> None:
        """No account, a closed one, or another digest: no session."""
        account, _ = one()

        assert find(None, "s", RULES, now=START) is None
        assert find(attrs.evolve(account, active=False), "s", RULES, now=START) is None
        assert find(account, "other", RULES, now=START) is None

    @given(st.text(st.characters(exclude_categories=[])))
    def test_digest(self, session_id: str) -> None:
        """Whatever a cookie holds has a digest of 64 hexadecimal digits."""
        assert set(session_digest(session_id)) <= set("0123456789abcdef")
        assert 64 == len(session_digest(session_id))


class TestOpened:
    @given(st.lists(st.integers(0, 40), max_size=40))
    def test_bounded(self, minutes: list[int]) -> None:
        """Never more than ten are kept; the newest is among them, dead ones are not."""
        account, now = ANNA, START
        for number, wait in enumerate(minutes):
            now += wait * MINUTE
            account = opened(account, str(number), RULES, now=now)

            assert len(account.sessions) <= SESSIONS_KEPT
            assert str(number) == account.sessions[-1].digest
            assert all(RULES.is_live(session, now) for session in account.sessions)
            assert now == account.last_sign_in_at
            opening = [session.opened_at for session in account.sessions]
            assert sorted(opening) == opening

    def test_oldest_gives_way(self) -> None:
        """The oldest gives way, not the one that was seen longest ago."""
        account = ANNA
        for number in range(10):
            account = opened(account, str(number), RULES, now=START + number * SECOND)
        first = attrs.evolve(account.sessions[0], last_seen_at=START + MINUTE)
        account = attrs.evolve(account, sessions=(first, *account.sessions[1:]))
        account = opened(account, "new", RULES, now=START + MINUTE)

        assert ["1", "2"] == [session.digest for session in account.sessions[:2]]


class TestSeen:
    @pytest.mark.parametrize(
        ("offset", "noted"), [(-SECOND, False), (0 * SECOND, True), (SECOND, True)]
    )
    def test_every_five_minutes(self, offset: timedelta, *, noted: bool) -> None:
        """It is noted at most every five minutes; else the account is the very same."""
        account, session = one()
        now = START + SEEN_EVERY + offset
        after = seen(account, session, RULES, now=now)

        assert noted is (after is not account)
        assert (now if noted else START) == after.sessions[0].last_seen_at

    @pytest.mark.parametrize("idle", [MINUTE, 10 * MINUTE, HOUR, 12 * HOUR])
    def test_short_limit(self, idle: timedelta) -> None:
        """What is noted is never older than a twelfth of the limit."""
        rules = SessionRules(idle=idle)
        account, session = one()

        assert account is not seen(account, session, rules, now=START + idle / 12)


class TestChanges:
    def test_with_child(self) -> None:
        """The choice is noted in that session alone, and counts as a request."""
        account, session = one()
        account = opened(account, "t", RULES, now=START)
        after = with_child(account, session, "c1", now=START + MINUTE)

        assert [("c1", START + MINUTE), (None, START)] == [
            (session.child_id, session.last_seen_at) for session in after.sessions
        ]

    def test_ended(self) -> None:
        """One ends, or all; an unknown one is no error."""
        account = opened(one()[0], "t", RULES, now=START)

        assert ["t"] == [session.digest for session in ended(account, "s").sessions]
        assert account == ended(account, "unknown")
        assert () == all_ended(account).sessions

    def test_purged(self) -> None:
        """Those that are over are forgotten."""
        account = opened(one()[0], "t", RULES, now=START + 30 * MINUTE)

        assert ["t"] == [s.digest for s in purged(account, RULES, now=START + HOUR).sessions]
        assert account == purged(account, RULES, now=START + HOUR - SECOND)
