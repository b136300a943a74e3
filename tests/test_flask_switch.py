"""A link for another account than the one signed in: an attacker's own, perhaps."""

import pytest

from tests.flask_app import Browser, Site, forms_of
from tests.school import PASSWORD

NEW = {"new_password": PASSWORD, "confirmation": PASSWORD}


@pytest.fixture
def site() -> Site:
    """Give a portal."""
    return Site()


@pytest.fixture
def anna(site: Site) -> Browser:
    """Give the browser of a signed-in parent."""
    return site.signed_in("p1")


@pytest.fixture
def link(site: Site, anna: Browser) -> str:
    """Give the token of another parent, who sent their own link to Anna."""
    return site.invited("p2")


class TestAsked:
    def test_opened(self, site: Site, anna: Browser, link: str) -> None:
        """The page names the account that the link is for and the one signed in."""
        page = anna.get(f"/token/{link}")
        before = site.everything()

        assert 200 == page.status_code
        assert "This link is for the account bert. You are signed in as anna." in page.text
        assert "CONTINUE WITH bert" in page.text
        assert "Stay with anna" in page.text
        assert before == site.everything()

    @pytest.mark.parametrize("switch", ["", "0", "true", "yes", "11", " 1", "on"])
    def test_connexion(self, site: Site, anna: Browser, link: str, switch: str) -> None:
        """CONNEXION alone does not go on; only the explicit choice does."""
        response = anna.post("/token", token=link, switch=switch)

        assert 422 == response.status_code
        assert "You are signed in as anna." in response.text
        assert "mine: anna" in anna.get("/mine").text

    @pytest.mark.parametrize("switch", ["", "0", "true", "11"])
    def test_definition(self, site: Site, anna: Browser, link: str, switch: str) -> None:
        """Nor does a password form that the attacker's page would send."""
        before = site.account("p2")
        response = anna.post("/password", token=link, switch=switch, **NEW)

        assert 422 == response.status_code
        assert "You are signed in as anna." in response.text
        assert before == site.account("p2")
        assert "mine: anna" in anna.get("/mine").text

    def test_switch_in_the_link(self, site: Site, anna: Browser, link: str) -> None:
        """The choice can't be made in a link."""
        page = anna.get(f"/token/{link}?switch=1")
        sent = anna.send("/token?switch=1", {"csrf_token": anna.csrf, "token": link})

        assert "You are signed in as anna." in page.text
        assert 422 == sent.status_code

    def test_stay(self, anna: Browser, link: str) -> None:
        """Staying leads back to one's own children."""
        assert 'href="/children"' in anna.get(f"/token/{link}").text


class TestChosen:
    def test_goes_on(self, site: Site, anna: Browser, link: str) -> None:
        """After the explicit choice the other account is signed in, and the first one's session ended."""
        asked = forms_of(anna.get(f"/token/{link}"))[1]
        old = anna.cookie("__Host-parentauth") or ""
        checked = anna.send(asked.action, asked.fields)
        form = forms_of(checked)[1]
        assert "mine: anna" in anna.get("/mine").text
        arrived = anna.send(form.action, {**form.fields, **NEW})
        thief = site.browser()
        thief.give("__Host-parentauth", old)

        assert "1" == asked.fields["switch"] == form.fields["switch"]
        assert 303 == arrived.status_code
        assert "mine: bert" in anna.get("/mine").text
        assert () == site.account("p1").sessions
        assert not thief.is_signed_in

    def test_next_is_dropped(self, anna: Browser, link: str) -> None:
        """Where the attacker would like the parent to go is not asked."""
        response = anna.post("/password", token=link, switch="1", next="/mine?evil", **NEW)

        assert "/children" == response.headers["Location"]

    def test_other_sessions_stay(self, site: Site, anna: Browser, link: str) -> None:
        """Only this browser's session of the first account ends."""
        elsewhere = site.browser()
        elsewhere.sign_in("anna")
        anna.post("/password", token=link, switch="1", **NEW)

        assert elsewhere.is_signed_in

    def test_language(self, site: Site, anna: Browser, link: str) -> None:
        """The language menu asks again in the other language, and chooses nothing else."""
        menu = forms_of(anna.get(f"/token/{link}"))[0]
        page = anna.send(menu.action, {**menu.fields, "lang": "fr"})
        form = forms_of(page)[1]

        assert (200, link) == (page.status_code, form.fields["token"])
        assert "mine: anna" in anna.get("/mine").text


class TestOwnLink:
    def test_live(self, site: Site) -> None:
        """A signed-in parent's own new link needs no question."""
        browser = site.signed_in("p1")
        [token] = site.reset("anna@example.be")

        assert forms_of(browser.get(f"/token/{token}"))[1].fields["token"] == token
        assert 200 == browser.post("/token", token=token).status_code

    def test_ended_session(self, site: Site, anna: Browser, link: str) -> None:
        """A session that has ended is nobody's: the link simply works."""
        site.auth.end_sessions("p1")

        assert 200 == anna.post("/token", token=link).status_code

    def test_dead_link_of_another(self, site: Site, anna: Browser, link: str) -> None:
        """A dead link names nobody."""
        site.auth.revoke_tokens("p2")
        page = anna.get(f"/token/{link}")
        verdict = anna.post("/token", token=link)

        assert "bert" not in page.text + verdict.text
        assert 422 == verdict.status_code
