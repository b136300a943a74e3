from datetime import timedelta

import attrs
import pytest

from parentauth import ChildLink, Family
from tests.flask_app import Browser, Site
from tests.school import DAY

CHILDREN = ["c1", "c2", "c3", "c4", "gone", "later"]
# Which children the parents of the school may enter.
LINKS = {
    "p1": {"c1"},
    "p2": {"c2", "c3"},
    "p3": set(),
    "p4": {"c4"},
    "p5": {"c4"},
    "p7": {"c2", "c5"},
}
ODD = [
    "",
    " ",
    "c2 ",
    " c2",
    "C2",
    "c02",
    "c2\t",
    "2",
    "01",
    "1 ",
    "c",
    "c22",
    "c2,c3",
    "c2/../c3",
    "%63%32",
    "c２",
    "c2\u200b",
    "*",
    "%",
    "_",
    "None",
    "null",
    "true",
    "0",
    "-1",
    "[]",
    "p2",
    "Lou",
]


@pytest.fixture(scope="module")
def site() -> Site:
    """Give a portal with a child that has left and one that comes later."""
    site = Site()
    now = site.clock()
    extra = (
        ChildLink("gone", "Gone", until=now),
        ChildLink("later", "Later", since=now + 300 * DAY),
    )
    site.auth.save(
        [
            Family(
                "p7",
                "gina",
                "Gina",
                "gina@example.be",
                children=(
                    ChildLink("c2", "Lou"),
                    ChildLink("c5", "Ida"),
                    *extra,
                ),
            )
        ]
    )
    return site


@pytest.fixture(scope="module")
def browsers(site: Site) -> dict[str, Browser]:
    """Give the browsers of all parents."""
    return {parent: site.signed_in(parent) for parent in LINKS}


class TestEveryPair:
    @pytest.mark.parametrize("parent", LINKS)
    @pytest.mark.parametrize("child", [*CHILDREN, "c5"])
    def test_pick(self, site: Site, browsers: dict[str, Browser], parent: str, child: str) -> None:
        """A parent may pick the children linked to them now, and for all others there is no such page."""
        site.forget()
        response = browsers[parent].post("/children", child=child)

        if child in LINKS[parent]:
            assert (303, f"/child/{child}") == (response.status_code, response.headers["Location"])
            assert ["child_selected"] == site.flask_events
        else:
            assert 404 == response.status_code
            assert "This page does not exist." in response.text
            assert ["child_refused"] == site.flask_events

    @pytest.mark.parametrize("child", ODD)
    @pytest.mark.parametrize("parent", ["p1", "p2", "p3"])
    def test_odd(self, browsers: dict[str, Browser], parent: str, child: str) -> None:
        """An id is compared exactly; nothing that resembles one opens anything."""
        browsers["p2"].post("/children", child="c2")

        assert 404 == browsers[parent].post("/children", child=child).status_code
        assert "bert, Lou" in browsers["p2"].get("/mine").text

    def test_names_of_others(self, browsers: dict[str, Browser]) -> None:
        """The choice shows the parent's own children, by name and class, and nobody else's."""
        page = browsers["p2"].get("/children").text

        assert ("Lou", "Mila") == tuple(
            name for name in ("Lou", "Mila", "Noor", "Jef") if name in page
        )

    def test_not_signed_in(self, site: Site) -> None:
        """Who is not signed in picks nothing."""
        response = site.browser().post("/children", child="c2")

        assert "/login?next=/children" == response.headers["Location"]


class TestRemoval:
    @pytest.fixture
    def school(self) -> Site:
        """Give a portal that each test changes."""
        return Site()

    def _left_with(self, site: Site, *children: str) -> None:
        links = site.account("p2").children
        now = site.clock()
        site.change(
            "p2",
            children=tuple(
                link if link.child_id in children else attrs.evolve(link, until=now)
                for link in links
            ),
        )

    def test_chosen_one(self, school: Site) -> None:
        """A link that ends is lost at the next request; of two, the other one is chosen."""
        browser = school.signed_in("p2")
        browser.post("/children", child="c2")
        assert "bert, Lou" in browser.get("/mine").text
        self._left_with(school, "c3")

        assert "bert, Mila" in browser.get("/mine").text
        assert "Mila" in browser.get("/child/c3").text
        assert 404 == browser.post("/children", child="c2").status_code

    def test_other_one(self, school: Site) -> None:
        """The chosen child stays when another one leaves."""
        browser = school.signed_in("p2")
        browser.post("/children", child="c3")
        self._left_with(school, "c3")

        assert "bert, Mila" in browser.get("/mine").text

    def test_all(self, school: Site) -> None:
        """When all have left there is a plain page, and no loop."""
        browser = school.signed_in("p2")
        browser.post("/children", child="c3")
        self._left_with(school)
        away = browser.get("/child/c3")

        assert "bert, None" in browser.get("/mine").text
        assert (303, "/children") == (away.status_code, away.headers["Location"])
        assert 200 == browser.get("/children").status_code
        assert 404 == browser.post("/children", child="c3").status_code

    def test_of_three(self, school: Site) -> None:
        """Of three, when the chosen one leaves, the parent picks again."""
        school.change("p2", children=(*school.account("p2").children, ChildLink("c9", "Zoë")))
        browser = school.signed_in("p2")
        browser.post("/children", child="c9")
        self._left_with(school, "c2", "c3")
        away = browser.get("/child/c9")

        assert "/children?next=/child/c9" == away.headers["Location"]
        assert "Zoë" not in browser.get("/children").text

    def test_comes_back(self, school: Site) -> None:
        """A link that begins later opens by itself, without a new sign-in."""
        start = school.clock() + timedelta(minutes=10)
        [link] = school.account("p1").children
        school.change("p1", children=(attrs.evolve(link, since=start),))
        browser = school.signed_in("p1")

        assert "/children" == browser.get("/child/c1").headers["Location"]
        school.clock.advance(timedelta(minutes=10))
        assert 200 == browser.get("/child/c1").status_code

    def test_at_the_choice(self, school: Site) -> None:
        """A page of several children, sent when one is left, still works for that one."""
        browser = school.signed_in("p2")
        assert "Lou" in browser.get("/children").text
        self._left_with(school, "c2")

        assert "/child/c2" == browser.post("/children", child="c2").headers["Location"]
        assert "/child/c2" == browser.get("/children").headers["Location"]

    def test_added(self, school: Site) -> None:
        """A second child asks for a choice; until then the first one's pages are not guessed."""
        browser = school.signed_in("p1")
        family = Family(
            "p1", "anna", "Anna Peeters", "Anna@example.be", children=(ChildLink("c2", "Lou"),)
        )
        school.auth.save([family])

        assert "/children?next=/child/c1" == browser.get("/child/c1").headers["Location"]
