from collections.abc import Callable
from datetime import datetime

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Account, ChildLink, Family, Origin, Status
from parentauth._families import merged
from parentauth._lifecycle import left_at, status_of, with_active, with_address, with_password
from parentauth._sessions import SessionRules, all_ended, opened
from parentauth._tokens import issue, redeem, revoke_all
from parentauth.testing import strategies
from parentauth.testing.clock import START
from tests.school import DAY, SECOND

NOW = START + DAY
Step = Callable[[Account], Account]


def anna() -> Account:
    """Return an account with two live tokens and an open session."""
    account = Account(
        "p1", "anna", "Anna", "anna@example.be", password_hash="old", connected_at=START
    )
    account = issue(account, "a", origin=Origin.SCHOOL, ttl=14 * DAY, now=START)
    account = issue(account, "b", origin=Origin.VISITOR, ttl=14 * DAY, now=START)
    return opened(account, "s", SessionRules(), now=START)


def imported(**values: object) -> Step:
    """Return an import that says something new."""
    family = Family("p1", "anna", "Anna", "anna@example.be")
    return lambda account: merged(account, attrs.evolve(family, **values), now=NOW)


# Event: does it kill live tokens, does it end sessions?
TABLE: list[tuple[str, Step, bool, bool]] = [
    ("redeemed", lambda account: redeem(account, "a", now=NOW), True, False),
    ("password", lambda account: with_password(account, "new", now=NOW), True, True),
    ("address", lambda account: with_address(account, "new@example.be", now=NOW), True, False),
    ("address removed", lambda account: with_address(account, None, now=NOW), True, False),
    ("closed", lambda account: with_active(account, active=False, now=NOW), True, True),
    ("revoked", lambda account: revoke_all(account, now=NOW), True, False),
    ("address imported", imported(email="new@example.be"), True, False),
    ("sessions ended", all_ended, False, True),
    ("opened", lambda account: with_active(account, active=True, now=NOW), False, False),
    ("spelling", lambda account: with_address(account, "ANNA@example.BE", now=NOW), False, False),
    ("name", imported(name="Anna P."), False, False),
    ("username", imported(username="anna.p"), False, False),
    ("locale", imported(locale="nl"), False, False),
    ("children", imported(children=(ChildLink("c1", "Noor"),)), False, False),
    ("no address in the file", imported(email=None), False, False),
]


class TestEvents:
    @pytest.mark.parametrize(
        ("step", "tokens_die", "sessions_end"),
        [row[1:] for row in TABLE],
        ids=[r[0] for r in TABLE],
    )
    def test_table(self, step: Step, *, tokens_die: bool, sessions_end: bool) -> None:
        """What kills tokens and what ends sessions, and what leaves them alone."""
        after = step(anna())

        assert tokens_die is not any(token.is_live(NOW) for token in after.tokens)
        assert sessions_end is (after.sessions == ())

    @pytest.mark.parametrize(
        ("there", "back"),
        [
            (
                lambda account: with_address(account, "new@example.be", now=NOW),
                lambda account: with_address(account, "anna@example.be", now=NOW),
            ),
            (
                lambda account: with_address(account, None, now=NOW),
                lambda account: with_address(account, "anna@example.be", now=NOW),
            ),
            (
                lambda account: with_active(account, active=False, now=NOW),
                lambda account: with_active(account, active=True, now=NOW),
            ),
        ],
    )
    def test_change_back(self, there: Step, back: Step) -> None:
        """Changing back revives nothing."""
        after = back(there(anna()))

        assert not any(token.is_live(NOW) for token in after.tokens)
        assert (after.email, after.active) == ("anna@example.be", True)


class TestWithPassword:
    def test_connected_once(self) -> None:
        """The first password connects the parent; a later one does not move that date."""
        never = attrs.evolve(anna(), connected_at=None)

        assert NOW == with_password(never, "new", now=NOW).connected_at
        assert START == with_password(anna(), "new", now=NOW).connected_at
        assert "new" == with_password(anna(), "new", now=NOW).password_hash


class TestWithAddress:
    @given(st.none() | strategies.addresses(), st.none() | strategies.addresses())
    def test_bound(self, one: str | None, other: str | None) -> None:
        """Tokens and invitation survive exactly when the address is the same but for capitals."""
        account = Account("p1", "anna", email=one)
        if one is not None:
            account = issue(account, "a", origin=Origin.SCHOOL, ttl=DAY, now=START)
        after = with_address(account, other, now=START)
        same = one is not None and other is not None and one.lower() == other.lower()

        assert same is any(token.is_live(START) for token in after.tokens)
        assert same is (after.invited_at is not None)
        assert other == after.email


class TestStatus:
    @pytest.mark.parametrize(
        ("values", "status"),
        [
            ({}, Status.NOT_INVITED),
            ({"email": None}, Status.NO_ADDRESS),
            ({"invited_at": START, "invited_until": NOW + SECOND}, Status.WAITING),
            ({"invited_at": START, "invited_until": NOW}, Status.EXPIRED),
            ({"invited_at": START, "invited_until": NOW - SECOND}, Status.EXPIRED),
            ({"invited_at": START, "invited_until": None}, Status.EXPIRED),
            ({"connected_at": START}, Status.CONNECTED),
            ({"connected_at": START, "email": None}, Status.CONNECTED),
            ({"connected_at": START, "active": False}, Status.CLOSED),
            ({"active": False}, Status.CLOSED),
            ({"active": False, "email": None}, Status.CLOSED),
        ],
    )
    def test_table(self, values: dict, status: Status) -> None:
        """A status is computed from the account and the clock."""
        account = attrs.evolve(Account("p1", "anna", email="anna@example.be"), **values)

        assert status is status_of(account, now=NOW)

    def test_restored(self) -> None:
        """After a restored backup nobody waits with an invitation made before it."""
        account = Account(
            "p1", "anna", email="a@example.be", invited_at=START, invited_until=NOW + DAY
        )

        assert Status.WAITING is status_of(account, now=NOW, not_before=START)
        assert Status.EXPIRED is status_of(account, now=NOW, not_before=START + SECOND)

    def test_revoked(self) -> None:
        """A parent whose invitation was revoked waits for nothing any more."""
        account = Account("p1", "anna", email="anna@example.be")
        account = issue(account, "a", origin=Origin.SCHOOL, ttl=14 * DAY, now=START)

        assert Status.WAITING is status_of(account, now=NOW)
        assert Status.EXPIRED is status_of(revoke_all(account, now=NOW), now=NOW)

    @given(strategies.accounts(), strategies.moments())
    def test_every_account(self, account: Account, now: datetime) -> None:
        """Every account has exactly one status at every moment."""
        assert status_of(account, now=now) in Status


class TestLeftAt:
    @pytest.mark.parametrize(
        ("untils", "expected"),
        [([], None), ([None], None), ([1], 1), ([1, None], None), ([3, 1, 2], 3)],
    )
    def test_last(self, untils: list[int | None], expected: int | None) -> None:
        """A parent has left when the last link ends; who never had one has not left."""
        ends = [None if until is None else START + until * DAY for until in untils]
        links = tuple(ChildLink(str(n), "C", until=end) for n, end in enumerate(ends))
        account = Account("p1", "anna", children=links)

        assert (None if expected is None else START + expected * DAY) == left_at(account)
