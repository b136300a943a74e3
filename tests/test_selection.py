from datetime import datetime, timedelta

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Account, Child, ChildLink, ChooseChild, Dashboard, NoChild, Session
from parentauth._selection import children_of, current, landing_of, parent_of, present
from parentauth.testing import strategies
from parentauth.testing.clock import START
from tests.school import SECOND

LINKS = st.lists(strategies.child_links(), max_size=6, unique_by=lambda link: link.child_id)


def account_with(links: list[ChildLink]) -> Account:
    """Return an account with these links."""
    return Account("p1", "anna", "Anna", "anna@example.be", children=tuple(links))


def session_on(child_id: str | None) -> Session:
    """Return a session in which that child was chosen."""
    return Session("s", START, START, child_id)


class TestIsLive:
    @pytest.mark.parametrize(
        ("since", "until", "live"),
        [
            (None, None, True),
            (0, None, True),
            (1, None, False),
            (None, 0, False),
            (None, 1, True),
            (-1, 1, True),
            (0, 1, True),
            (-1, 0, False),
            (1, 2, False),
            (1, -1, False),
            (0, 0, False),
        ],
    )
    def test_period(self, since: int | None, until: int | None, *, live: bool) -> None:
        """A link is live from "since" on, and no longer at "until"."""
        moments = [None if offset is None else START + offset * SECOND for offset in (since, until)]

        assert live is ChildLink("c", "C", "", *moments).is_live(START)


class TestPresent:
    @given(LINKS, strategies.moments(), st.none() | st.text())
    def test_policy(self, links: list[ChildLink], now: datetime, chosen: str | None) -> None:
        """For all links and clocks: the chosen one if live, else the only one, else none."""
        live = [link for link in links if link.is_live(now)]
        shown = present(account_with(links), session_on(chosen), now=now)

        assert [link.child_id for link in live] == [child.id for child in shown.children]
        if chosen in {link.child_id for link in live}:
            assert chosen == shown.child.id
        elif len(live) == 1:
            assert live[0].child_id == shown.child.id
        else:
            assert shown.child is None
        if shown.child is not None:
            assert Dashboard(shown.child) == shown.landing
        elif live:
            assert ChooseChild(shown.children) == shown.landing
        else:
            assert NoChild() == shown.landing

    @given(LINKS, strategies.child_links(), strategies.moments())
    def test_dead_link_blocks_nobody(
        self, links: list[ChildLink], dead: ChildLink, now: datetime
    ) -> None:
        """A link that is not live changes nothing for the others, wherever it stands."""
        dead = attrs.evolve(dead, child_id="dead", since=None, until=now)
        links = [link for link in links if link.child_id != "dead"]
        for chosen in (None, "dead", *(link.child_id for link in links)):
            without = present(account_with(links), session_on(chosen), now=now)
            for place in (0, len(links)):
                mixed = [*links[:place], dead, *links[place:]]
                assert without == present(account_with(mixed), session_on(chosen), now=now)

    @given(LINKS, strategies.moments())
    def test_only_linked(self, links: list[ChildLink], now: datetime) -> None:
        """The present child is always one of the account's own live links."""
        for chosen in ("", "other", *(link.child_id for link in links)):
            shown = present(account_with(links), session_on(chosen), now=now)
            assert shown.child is None or shown.child in shown.children

    def test_changes_over_time(self) -> None:
        """Two, then one, then none, without anybody doing anything."""
        links = [
            ChildLink("a", "A", until=START + SECOND),
            ChildLink("b", "B", until=START + 2 * SECOND),
        ]
        landings = [
            present(account_with(links), session_on(None), now=START + offset * SECOND).landing
            for offset in range(3)
        ]

        assert [ChooseChild, Dashboard, NoChild] == list(map(type, landings))


class TestParts:
    def test_parent(self) -> None:
        """A host sees neither address nor hash of a parent."""
        parent = parent_of(attrs.evolve(account_with([]), locale="nl", password_hash="canary"))

        assert ("p1", "anna", "Anna", "nl") == attrs.astuple(parent)

    def test_order(self) -> None:
        """Children stay in the account's order."""
        links = [ChildLink("b", "B", "2"), ChildLink("a", "A", "1")]

        assert (Child("b", "B", "2"), Child("a", "A", "1")) == children_of(
            account_with(links), now=START + timedelta(days=1)
        )

    def test_current(self) -> None:
        """Of several none is the present one until one is chosen."""
        children = (Child("a", "A", ""), Child("b", "B", ""))

        assert current(children, None) is None
        assert current(children, "c") is None
        assert children[1] == current(children, "b")
        assert current((), None) is None
        assert NoChild() == landing_of((), None)
