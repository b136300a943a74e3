from datetime import datetime, timedelta

import attrs
import pytest

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parentauth import Account, Origin, Purpose, Token
from parentauth._tokens import (
    DEAD_KEPT,
    LIVE_PER_ORIGIN,
    has_live,
    issue,
    purged,
    purpose_for,
    redeem,
    revoke_all,
    verdict,
    withdraw,
)
from parentauth.exceptions import TokenRejectedError
from parentauth.testing.clock import START
from tests.school import DAY, SECOND

TTL = 14 * DAY
ANNA = Account("p1", "anna", email="anna@example.be")


def issued(
    account: Account,
    *digests: str,
    origin: Origin = Origin.SCHOOL,
    now: datetime = START,
    ttl: timedelta = TTL,
) -> Account:
    """Issue tokens, one after the other."""
    for digest in digests:
        account = issue(account, digest, origin=origin, ttl=ttl, now=now)
    return account


def reason(
    account: Account, digest: str, *, now: datetime = START, not_before: datetime | None = None
) -> str:
    """Return the verdict as one word."""
    try:
        verdict(account, digest, now=now, not_before=not_before)
    except TokenRejectedError as error:
        return error.reason
    return "live"


def live(account: Account, origin: Origin, now: datetime = START) -> list[str]:
    """Return the digests of live tokens."""
    return [
        token.digest for token in account.tokens if token.origin is origin and token.is_live(now)
    ]


class TestIssue:
    @pytest.mark.parametrize(
        ("connected_at", "purpose"), [(None, Purpose.FIRST_LOGIN), (START, Purpose.RESET)]
    )
    def test_purpose(self, connected_at: object, purpose: Purpose) -> None:
        """The purpose follows from whether the parent ever connected, not from who asks."""
        account = attrs.evolve(ANNA, connected_at=connected_at)
        for origin in Origin:
            assert purpose is issued(account, "a", origin=origin).tokens[0].purpose
        assert purpose is purpose_for(account)

    def test_no_address(self) -> None:
        """An account without an address has nothing to bind a token to."""
        with pytest.raises(ValueError, match="address"):
            issued(attrs.evolve(ANNA, email=None), "a")

    def test_invitation(self) -> None:
        """The school's token is an invitation until it expires; a visitor's is none."""
        schools, visitors = issued(ANNA, "a"), issued(ANNA, "a", origin=Origin.VISITOR)

        assert (START, START + TTL) == (schools.invited_at, schools.invited_until)
        assert (None, None) == (visitors.invited_at, visitors.invited_until)

    @pytest.mark.parametrize("origin", Origin)
    def test_five(self, origin: Origin) -> None:
        """At most five are live per origin: the oldest gives way, and is told as revoked."""
        account = ANNA
        for number in range(7):
            account = issued(account, str(number), origin=origin, now=START + number * SECOND)

        assert ["2", "3", "4", "5", "6"] == live(account, origin, START + 6 * SECOND)
        assert ["revoked", "revoked", "live"] == [
            reason(account, digest, now=START + 7 * SECOND) for digest in "012"
        ]

    def test_origins_apart(self) -> None:
        """A visitor's request never pushes out what the school sent."""
        account = issued(ANNA, *"abcde")
        account = issued(account, *map(str, range(50)), origin=Origin.VISITOR)

        assert list("abcde") == live(account, Origin.SCHOOL)
        assert LIVE_PER_ORIGIN == len(live(account, Origin.VISITOR))


class TestVerdict:
    @pytest.mark.parametrize(
        ("offset", "expected"),
        [(TTL - SECOND, "live"), (TTL, "expired"), (TTL + SECOND, "expired"), (-DAY, "live")],
    )
    def test_time(self, offset: timedelta, expected: str) -> None:
        """A token is live until the very moment it expires; a clock that is behind refuses nothing."""
        assert expected == reason(issued(ANNA, "a"), "a", now=START + offset)

    @pytest.mark.parametrize(
        ("account", "token", "late", "expected"),
        [
            ({}, {}, False, "live"),
            ({}, {}, True, "expired"),
            ({}, {"redeemed_at": START}, False, "used"),
            ({}, {"redeemed_at": START}, True, "used"),
            ({}, {"redeemed_at": START, "revoked_at": START}, True, "used"),
            ({}, {"revoked_at": START}, False, "revoked"),
            ({}, {"revoked_at": START}, True, "revoked"),
            ({"email": "b@example.be"}, {}, False, "revoked"),
            ({"email": None}, {}, False, "revoked"),
            ({"email": "ANNA@example.be"}, {}, False, "live"),
            ({"active": False}, {}, False, "closed"),
            ({"active": False}, {"redeemed_at": START}, True, "closed"),
            ({"tokens": ()}, {}, False, "unknown"),
        ],
    )
    def test_table(self, account: dict, token: dict, expected: str, *, late: bool) -> None:
        """Of several reasons the one that helps most is told."""
        kept = issued(ANNA, "a")
        kept = attrs.evolve(kept, tokens=(attrs.evolve(kept.tokens[0], **token),))

        assert expected == reason(
            attrs.evolve(kept, **account), "a", now=START + (TTL if late else timedelta(0))
        )

    @pytest.mark.parametrize(("offset", "expected"), [(SECOND, "revoked"), (0 * SECOND, "live")])
    def test_not_before(self, offset: timedelta, expected: str) -> None:
        """After a restored backup what was issued before that moment is revoked."""
        assert expected == reason(issued(ANNA, "a"), "a", not_before=START + offset)

    def test_spent_stays_spent(self) -> None:
        """ "Used" and "revoked" depend on no clock."""
        account = redeem(issued(ANNA, "a", "b"), "a", now=START + DAY)
        for now in (START - DAY, START, START + DAY, START + 1000 * DAY):
            assert ("used", "revoked") == (
                reason(account, "a", now=now),
                reason(account, "b", now=now),
            )


class TestRedeem:
    def test_others_revoked(self) -> None:
        """Redeeming one revokes all others of the account, and ends the invitation."""
        account = issued(issued(ANNA, "a", "b"), "c", origin=Origin.VISITOR)
        after = redeem(account, "b", now=START + SECOND)

        assert ["revoked", "used", "revoked"] == [reason(after, digest) for digest in "abc"]
        assert START + SECOND == after.invited_until

    def test_expired_stays_expired(self) -> None:
        """What was over already is told as expired, not as revoked."""
        account = issued(ANNA, "old", ttl=SECOND)
        account = issued(account, "new", now=START + DAY)
        after = redeem(account, "new", now=START + DAY)

        assert "expired" == reason(after, "old", now=START + DAY)

    @pytest.mark.parametrize("digest", ["a", "unknown"])
    def test_twice(self, digest: str) -> None:
        """What opens nothing can't be redeemed."""
        account = redeem(issued(ANNA, "a"), "a", now=START)
        with pytest.raises(TokenRejectedError):
            redeem(account, digest, now=START)


class TestRevokeAll:
    def test_invitation_over(self) -> None:
        """A waiting invitation is over; one that was over keeps its date."""
        account = issued(ANNA, "a")

        assert START + DAY == revoke_all(account, now=START + DAY).invited_until
        assert START + TTL == revoke_all(account, now=START + 2 * TTL).invited_until
        assert revoke_all(ANNA, now=START).invited_until is None

    def test_again(self) -> None:
        """Revoking again changes nothing."""
        account = revoke_all(issued(ANNA, "a"), now=START)

        assert account == revoke_all(account, now=START + DAY)


class TestWithdraw:
    def test_first(self) -> None:
        """A withdrawn first invitation leaves no trace."""
        assert ANNA == withdraw(issued(ANNA, "a"), "a", before=ANNA)

    def test_later(self) -> None:
        """A withdrawn later one gives the earlier one's dates back."""
        first = issued(ANNA, "a")
        second = issued(first, "b", now=START + DAY)

        assert first == withdraw(second, "b", before=first)

    def test_replaced(self) -> None:
        """Dates that a later invitation set stay."""
        first = issued(ANNA, "a")
        second = issued(first, "b", now=START + DAY)
        after = withdraw(second, "a", before=ANNA)

        assert (START + DAY, ["b"]) == (after.invited_at, [token.digest for token in after.tokens])

    def test_visitors(self) -> None:
        """A visitor's touches no invitation."""
        first = issued(ANNA, "a")
        second = issued(first, "b", origin=Origin.VISITOR)

        assert first == withdraw(second, "b", before=first)

    def test_gone(self) -> None:
        """A token that is gone already is no error."""
        assert ANNA == withdraw(ANNA, "a", before=ANNA)


class TestPurged:
    @pytest.mark.parametrize(
        ("offset", "kept"), [(30 * DAY - SECOND, ["a"]), (30 * DAY, []), (31 * DAY, [])]
    )
    def test_thirty_days(self, offset: timedelta, kept: list[str]) -> None:
        """A dead token is kept for 30 days from its end, so that its verdict can be told."""
        account = purged(issued(ANNA, "a"), now=START + TTL + offset)

        assert kept == [token.digest for token in account.tokens]

    def test_live_stay(self) -> None:
        """Live ones are never forgotten."""
        account = issued(issued(ANNA, *"abcde"), *"vwxyz", origin=Origin.VISITOR)

        assert account == purged(account, now=START)


class TestHasLive:
    def test_origin(self) -> None:
        """Only live tokens of that origin count."""
        account = issued(ANNA, "a")

        assert has_live(account, Origin.SCHOOL, now=START)
        assert not has_live(account, Origin.VISITOR, now=START)
        assert not has_live(account, Origin.SCHOOL, now=START + TTL)
        assert not has_live(revoke_all(account, now=START), Origin.SCHOOL, now=START)


class History(RuleBasedStateMachine):
    """Whatever happens in whatever order, the rules of the token hold."""

    def __init__(self) -> None:
        super().__init__()
        self.account, self.now = ANNA, START
        self.digests: list[str] = []
        self.spent: set[str] = set()
        self.ended: dict[str, str] = {}

    @rule(origin=st.sampled_from(Origin), days=st.integers(1, 40))
    def issue(self, origin: Origin, days: int) -> None:
        """A new token is live, and the other origin's tokens are as they were."""
        other = Origin.SCHOOL if origin is Origin.VISITOR else Origin.VISITOR
        before = live(self.account, other, self.now)
        digest = f"t{len(self.digests)}"
        self.digests.append(digest)
        self.account = issued(self.account, digest, origin=origin, now=self.now, ttl=days * DAY)

        assert digest in live(self.account, origin, self.now)
        assert before == live(self.account, other, self.now)
        assert len(self.dead()) <= DEAD_KEPT

    @precondition(lambda self: self.digests)
    @rule(number=st.integers(0, 100))
    def redeem(self, number: int) -> None:
        """No token is redeemed twice, and none outlives a redemption."""
        digest = self.digests[-1 - number % len(self.digests)]
        told = reason(self.account, digest, now=self.now)
        if told != "live":
            with pytest.raises(TokenRejectedError, match=told):
                redeem(self.account, digest, now=self.now)
            return
        self.account = redeem(self.account, digest, now=self.now)

        assert digest not in self.spent
        self.spent.add(digest)
        assert len(self.dead()) == len(self.account.tokens)

    @precondition(lambda self: self.digests)
    @rule(number=st.integers(0, 100))
    def withdraw(self, number: int) -> None:
        """A withdrawn token is gone."""
        digest = self.digests[-1 - number % len(self.digests)]
        self.account = withdraw(self.account, digest, before=ANNA)

        assert reason(self.account, digest, now=self.now) == "unknown"

    @rule()
    def revoke(self) -> None:
        """Nothing is live afterwards."""
        self.account = revoke_all(self.account, now=self.now)

        assert len(self.dead()) == len(self.account.tokens) <= DEAD_KEPT

    @rule(days=st.integers(-1, 40))
    def time_passes(self, days: int) -> None:
        """Clocks go on, and now and then back."""
        self.now += days * DAY

    @rule(email=st.sampled_from(["anna@example.be", "b@example.be"]), active=st.booleans())
    def change(self, email: str, *, active: bool) -> None:
        """Address and active flag change behind the token's back."""
        self.account = attrs.evolve(self.account, email=email, active=active)

    @invariant()
    def bounded(self) -> None:
        """At most five are live per origin."""
        for origin in Origin:
            assert len(live(self.account, origin, self.now)) <= LIVE_PER_ORIGIN

    @invariant()
    def nothing_revives(self) -> None:
        """What was used or revoked stays so until it is forgotten."""
        for token in self.account.tokens:
            if token.redeemed_at or token.revoked_at:
                self.ended.setdefault(token.digest, "used" if token.redeemed_at else "revoked")
        for digest, told in self.ended.items():
            assert reason(self.account, digest, now=self.now) in {told, "unknown", "closed"}

    def dead(self) -> list[Token]:
        """Return the tokens that are not live."""
        return [token for token in self.account.tokens if not token.is_live(self.now)]


TestAllHistories = History.TestCase
