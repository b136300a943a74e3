from datetime import datetime

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Account, ChildLink, Family
from parentauth._families import (
    differences,
    gathered,
    merged,
    problems,
    username_clashes,
    without_others,
)
from parentauth._texts import NAMES
from parentauth.testing import strategies
from parentauth.testing.clock import START
from tests.school import DAY, SECOND

NOOR, LOU = ChildLink("c1", "Noor", "1A"), ChildLink("c2", "Lou", "2B")
ANNA = Family("p1", "anna", "Anna", "anna@example.be", "fr", (NOOR,), place="line 2")


def told(*families: Family) -> list[str]:
    """Return the problems of these rows."""
    return problems(families, NAMES)


def families() -> st.SearchStrategy[Family]:
    """Return rows of every kind, also bad ones."""
    return st.builds(
        Family,
        id=st.sampled_from(["", "p1", "p2", "\0", "x" * 300]),
        username=st.text(max_size=10) | st.sampled_from(["anna", "ANNA ", "bert"]),
        name=st.text(max_size=10),
        email=st.none() | st.text(max_size=20) | strategies.addresses(),
        locale=st.sampled_from([None, "", "fr", "xx"]),
        children=st.lists(strategies.child_links(), max_size=2).map(tuple),
    )


class TestMerged:
    def test_new(self) -> None:
        """A new account has what the row says, and neither password nor invitation."""
        account = merged(None, ANNA, now=START)

        assert Account("p1", "anna", "Anna", "anna@example.be", "fr", children=(NOOR,)) == account

    @given(strategies.accounts(account_id=st.just("p1")))
    def test_silence_changes_nothing(self, account: Account) -> None:
        """What a row leaves out stays as it was."""
        username = account.username.strip()
        account = attrs.evolve(account, username=username)

        assert account == merged(account, Family("p1", username), now=START)

    @given(strategies.accounts(account_id=st.just("p1")), strategies.child_links())
    def test_additive(self, account: Account, link: ChildLink) -> None:
        """A row adds or updates its own children, and ends no other link."""
        after = merged(account, Family("p1", account.username, children=(link,)), now=START)

        [now] = [one for one in after.children if one.child_id == link.child_id]
        assert link.name == now.name
        others = [one for one in account.children if one.child_id != link.child_id]
        assert others == [one for one in after.children if one.child_id != link.child_id]

    def test_ended_stays_ended(self) -> None:
        """A row without dates, or without a class, changes neither; it may be a judge's decision."""
        ended = attrs.evolve(NOOR, since=START - 9 * DAY, until=START - DAY, school_class="3A")
        account = attrs.evolve(merged(None, ANNA, now=START), children=(ended,))
        row = attrs.evolve(ANNA, children=(ChildLink(NOOR.child_id, NOOR.name),))

        assert (ended,) == merged(account, row, now=START).children
        [again] = merged(account, row, now=START, complete=True).children
        assert (START - 9 * DAY, None, "3A") == (again.since, again.until, again.school_class)

    def test_explicit_return(self) -> None:
        """A row that says since when opens the link again, whatever ended it."""
        ended = attrs.evolve(NOOR, until=START - DAY)
        account = attrs.evolve(merged(None, ANNA, now=START), children=(ended,))
        back = attrs.evolve(NOOR, since=START)

        assert (back,) == merged(account, attrs.evolve(ANNA, children=(back,)), now=START).children

    def test_planned_end(self) -> None:
        """A planned end stays planned, in a complete import, too."""
        ending = attrs.evolve(NOOR, until=START + DAY)
        account = attrs.evolve(merged(None, ANNA, now=START), children=(ending,))

        for complete in (False, True):
            after = merged(account, ANNA, now=START, complete=complete)
            assert START + DAY == after.children[0].until

    @given(strategies.accounts(account_id=st.just("p1")))
    def test_credentials(self, account: Account) -> None:
        """No row touches id, hash, sessions, dates of connection, or the active flag."""
        after = merged(account, ANNA, now=START)

        for field in ("id", "password_hash", "sessions", "connected_at", "active", "version"):
            assert getattr(account, field) == getattr(after, field)

    @given(strategies.accounts(account_id=st.just("p1")))
    def test_twice(self, account: Account) -> None:
        """The same row again says nothing new."""
        once = merged(account, ANNA, now=START)

        assert once == merged(once, ANNA, now=START + DAY)

    def test_address(self) -> None:
        """An address is kept as mail will be sent to it."""
        row = attrs.evolve(ANNA, email=" Anna@École.be ")

        assert "Anna@xn--cole-9oa.be" == merged(None, row, now=START).email


class TestGathered:
    def test_rows(self) -> None:
        """The rows of one parent become one, in the order of the first; children in theirs."""
        bert = Family("p2", "bert")
        second = attrs.evolve(ANNA, children=(LOU,))

        assert [attrs.evolve(ANNA, children=(NOOR, LOU)), bert] == gathered([ANNA, bert, second])

    def test_shared_child(self) -> None:
        """One child may have several parents; each has a link of its own."""
        rows = [ANNA, Family("p2", "bert", children=(NOOR,))]

        assert [(NOOR,), (NOOR,)] == [family.children for family in gathered(rows)]
        assert [] == told(*rows)


class TestProblems:
    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            ({"id": ""}, "parent_id is empty"),
            ({"id": "p\0"}, "parent_id is too long or has characters that can't be printed"),
            ({"id": "p" * 201}, "parent_id is too long"),
            ({"username": ""}, "username is empty"),
            ({"username": " \xa0"}, "username is empty"),
            ({"username": "a" * 151}, "username is longer than 150"),
            ({"username": "an\u202ena"}, "username is too long or has characters"),
            ({"name": "Anna\r\nBcc: x"}, "parent_name is too long or has characters"),
            ({"name": "A" * 201}, "parent_name is too long"),
            ({"name": "\ud800"}, "parent_name is too long or has characters"),
            ({"email": "no address"}, "email 'no address' is no e-mail address"),
            ({"email": "a@b.be, c@d.be"}, "email 'a@b.be, c@d.be' is no e-mail address"),
            ({"locale": "xx"}, "locale 'xx' is unknown"),
            ({"children": (ChildLink("", "Noor"),)}, "child_id is empty"),
            ({"children": (ChildLink("c1", ""),)}, "child_name is empty"),
            ({"children": (ChildLink("c1", "No\nor"),)}, "child_name is too long or has"),
            ({"children": (ChildLink("c1", "N", "\0"),)}, "class is too long or has characters"),
            ({"children": (ChildLink("c1", "N", "", START, START),)}, "until is not after since"),
            (
                {"children": (ChildLink("c1", "N", "", START, START - SECOND),)},
                "until is not after since",
            ),
            (
                {"children": (ChildLink("c1", "N", "", datetime(2026, 1, 1)),)},  # noqa: DTZ001
                "since and until need a time zone",
            ),
            (
                {"children": (ChildLink("c1", "N", "", START, datetime(2027, 1, 1)),)},  # noqa: DTZ001
                "since and until need a time zone",
            ),
        ],
    )
    def test_row(self, values: dict, problem: str) -> None:
        """Each problem of a row is told with its place and its cure."""
        found = told(attrs.evolve(ANNA, **values))

        assert any(f"line 2: {problem}" in each and ";" in each for each in found), found

    def test_all_at_once(self) -> None:
        """Every problem of every row is told at once."""
        bad = Family("", "", email="x", locale="xx", children=(ChildLink("", ""),), place="line 3")
        found = told(ANNA, bad, attrs.evolve(bad, place="line 4"))

        assert 12 == len(found)
        assert 6 == sum(each.startswith("line 3: ") for each in found)

    @pytest.mark.parametrize(
        ("values", "problem"),
        [
            ({"username": "other"}, "username 'other' differs from 'anna'"),
            ({"email": "other@example.be"}, "email 'other@example.be' differs from"),
            ({"email": None}, "email '' differs from 'anna@example.be'"),
            ({"name": "Other"}, "parent_name 'Other' differs from 'Anna'"),
            ({"locale": "nl"}, "locale 'nl' differs from 'fr'"),
            ({"children": (attrs.evolve(NOOR, name="Nora"),)}, "child 'c1' differs from"),
            ({"children": (attrs.evolve(NOOR, until=START),)}, "child 'c1' differs from"),
        ],
    )
    def test_disagreement(self, values: dict, problem: str) -> None:
        """Two rows of one parent that disagree are told, none is taken."""
        second = attrs.evolve(ANNA, children=(LOU,), place="line 3")
        [found] = told(ANNA, attrs.evolve(second, **values))

        assert found.startswith(f"line 3: {problem}")

    def test_agreement(self) -> None:
        """Rows of one parent that agree are no problem, nor is the same row twice."""
        assert [] == told(ANNA, attrs.evolve(ANNA, children=(LOU,)), ANNA)

    @pytest.mark.parametrize("username", ["anna", "ANNA", " anna", "ａnna"])
    def test_username_twice(self, username: str) -> None:
        """Two parents with one username, in any spelling, are told."""
        [found] = told(ANNA, Family("p2", username, place="line 9"))

        assert "line 9" in found
        assert "'p1'" in found

    def test_empty_rows_are_no_family(self) -> None:
        """Rows without a parent's key are not taken for one parent that disagrees with itself."""
        rows = [Family("", "anna"), Family("", "bert"), Family("", "")]

        assert ["parent_id is empty"] * 3 + ["username is empty"] == [
            each.partition(";")[0] for each in told(*rows)
        ]

    @given(st.lists(families(), max_size=5))
    def test_any_rows(self, rows: list[Family]) -> None:
        """Whatever the rows say, problems are told as text; without one, they can be merged."""
        found = told(*rows)

        assert all(isinstance(each, str) for each in found)
        if not found:
            for family in gathered(rows):
                account = merged(None, family, now=START)
                assert account.username
                assert account.id


class TestUsernameClashes:
    BERT = Account("p2", "bert")

    def test_clash(self) -> None:
        """A username that an account outside the file has is told with its holder."""
        [found] = username_clashes([attrs.evolve(ANNA, username="Bert")], {"bert": self.BERT})

        assert found.startswith("line 2: username 'Bert' belongs to account 'p2'")

    def test_own(self) -> None:
        """One's own username is no clash."""
        assert [] == username_clashes([Family("p2", "BERT")], {"bert": self.BERT})

    def test_freed(self) -> None:
        """A username that its holder gives up in the same file is free."""
        rows = [attrs.evolve(ANNA, username="bert"), Family("p2", "bert2")]

        assert [] == username_clashes(rows, {"bert": self.BERT})

    def test_not_freed(self) -> None:
        """A holder who changes capitals alone keeps it."""
        rows = [attrs.evolve(ANNA, username="bert"), Family("p2", "BERT")]

        assert 1 == len(username_clashes(rows, {"bert": self.BERT}))


class TestWithoutOthers:
    def test_ended(self) -> None:
        """Links that are not named end now; named ones and those that ended stay as they are."""
        old = ChildLink("c3", "Old", until=START)
        account = Account("p1", "anna", children=(NOOR, LOU, old))
        after = without_others(account, {"c1"}, now=START)

        assert (NOOR, attrs.evolve(LOU, until=START), old) == after.children

    @given(strategies.accounts())
    def test_none_live(self, account: Account) -> None:
        """Without names none is live, and ending again changes nothing."""
        after = without_others(account, (), now=START)

        assert not after.has_child(START)
        assert after == without_others(after, (), now=START + DAY)


class TestDifferences:
    def test_new(self) -> None:
        """A new parent is one line."""
        assert ["p1: new parent anna, 1 children"] == list(
            differences(None, merged(None, ANNA, now=START))
        )

    def test_changed(self) -> None:
        """Each value and each child that is new is a line."""
        before = merged(None, ANNA, now=START)
        row = attrs.evolve(ANNA, name="A", children=(LOU, attrs.evolve(NOOR, school_class="2A")))

        assert [
            "p1: parent_name 'Anna' becomes 'A'",
            "p1: child c1 changes",
            "p1: child c2 is added",
        ] == list(differences(before, merged(before, row, now=START)))
