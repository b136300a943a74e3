import re

import pytest

from parentauth._texts import available
from tests.flask_app import LANGUAGE, Browser, Site, forms_of, set_cookies
from tests.school import PASSWORD

# With two languages there is a choice, whichever catalogues are there.
WORDS = {"fr": "Nom d&#39;utilisateur", "en": "Username"}


@pytest.fixture
def site() -> Site:
    """Give a portal in French."""
    return Site()


def language(browser: Browser, path: str = "/login", wish: str = "") -> str:
    """Return the language of a page, by its ``lang``."""
    response = browser.get(path, headers={"Accept-Language": wish})
    found = re.search(r'<html lang="([a-z-]+)">', response.text)
    assert found is not None, response.text
    return found[1]


class TestOrder:
    @pytest.mark.parametrize(
        ("wish", "expected"),
        [
            ("", "fr"),
            ("en", "en"),
            ("en-GB,en;q=0.9", "en"),
            ("xx, en;q=0.1", "en"),
            ("xx", "fr"),
            ("fr;q=0.1, en;q=0.9", "en"),
            ("en;q=0, fr", "fr"),
            ("*", "fr"),
            ("en;q=abc", "fr"),
            (",;,;q=,", "fr"),
            ("x" * 5000, "fr"),
        ],
    )
    def test_browser(self, site: Site, wish: str, expected: str) -> None:
        """A new visitor reads the browser's language, where there is one of ours, else the portal's."""
        browser = site.browser()

        assert expected == language(browser, wish=wish)
        assert WORDS[expected] in browser.get("/login", headers={"Accept-Language": wish}).text

    def test_portal(self) -> None:
        """The portal's language decides where nothing else does."""
        assert "en" == language(Site(config={"PARENTAUTH_LOCALE": "en"}).browser())

    def test_account(self, site: Site) -> None:
        """The account's language stands before the browser's."""
        site.change("p2", locale="en")
        browser = site.signed_in("p2")

        assert "en" == language(browser, "/children", wish="fr")

    def test_cookie(self, site: Site) -> None:
        """What was chosen in the menu stands before all."""
        site.change("p2", locale="fr")
        browser = site.signed_in("p2")
        browser.post("/children", lang="en")

        assert "en" == language(browser, "/children", wish="fr")

    @pytest.mark.parametrize("value", ["", "xx", "EN ", "en-GB;q=2", "../fr", "é", "x" * 3000])
    def test_cookie_that_is_none(self, site: Site, value: str) -> None:
        """A cookie that names no language of ours does no harm."""
        browser = site.browser()
        browser.give(LANGUAGE, value)

        assert language(browser, wish="fr") in {"fr", "en"}

    def test_error_pages(self, site: Site) -> None:
        """Error pages follow the same order."""
        browser = site.browser()
        browser.post("/login", lang="en")
        response = browser.open("/login", "PUT", headers={"Accept-Language": "fr"})

        assert '<html lang="en">' in response.text


class TestMenu:
    def test_names(self, site: Site) -> None:
        """Each language stands there in its own name; the present one is no button."""
        page = site.browser().get("/login")
        menu = forms_of(page)[0]

        assert [("lang", code) for code in available() if code != "en"] == menu.buttons
        assert (
            '<button type="submit" name="lang" value="fr" lang="fr">Français</button>' in page.text
        )
        assert '<span lang="en" aria-current="true">English</span>' in page.text

    @pytest.mark.parametrize(
        "path", ["/login", "/token", "/forgot", "/children", "/password/change"]
    )
    def test_pages_without_values(self, site: Site, path: str) -> None:
        """A page without values comes back by GET, in the chosen language, and it stays."""
        browser = (
            site.signed_in("p2") if path in {"/children", "/password/change"} else site.browser()
        )
        menu = forms_of(browser.get(path))[0]
        response = browser.send(menu.action, {**menu.fields, "lang": "fr"})

        assert (303, path) == (response.status_code, response.headers["Location"])
        assert "Max-Age=31536000" in set_cookies(response)[LANGUAGE]
        assert "fr" == language(browser, path, wish="en")

    def test_sent_page(self, site: Site) -> None:
        """The answer to a reset request comes back, and nothing is asked for again."""
        browser = site.browser()
        page = browser.get(browser.post("/forgot", email="anna@example.be").headers["Location"])
        menu = forms_of(page)[0]
        response = browser.send(menu.action, {**menu.fields, "lang": "fr"})

        assert "/forgot?notice=sent" == response.headers["Location"]
        assert 1 == len(site.outbox)

    def test_sign_in_values(self, site: Site) -> None:
        """After a wrong sign-in the menu keeps username and way on, and attempts nothing."""
        browser = site.browser()
        wrong = browser.sign_in("anna", "wrong", next="/mine")
        site.hasher.reset()
        site.forget()
        menu = forms_of(wrong)[0]
        response = browser.send(menu.action, {**menu.fields, "lang": "fr"})
        form = forms_of(response)[1]

        assert (200, 0, []) == (response.status_code, site.hasher.verified, site.events)
        assert ("anna", "", "/mine") == (
            form.fields["username"],
            form.fields["password"],
            form.fields["next"],
        )

    def test_token(self, site: Site) -> None:
        """A token that was typed stays in its field."""
        token, browser = site.invited("p1"), site.browser()
        menu = forms_of(browser.get(f"/token/{token}"))[0]
        response = browser.send(menu.action, {**menu.fields, "lang": "fr"})

        assert (200, token) == (response.status_code, forms_of(response)[1].fields["token"])

    def test_password_page(self, site: Site) -> None:
        """The password page comes back with its token; nothing is defined, nothing is spent."""
        token, browser = site.invited("p1"), site.browser()
        menu = forms_of(browser.post("/token", token=token))[0]
        before = site.account("p1")
        response = browser.send(
            menu.action,
            {**menu.fields, "lang": "fr", "new_password": PASSWORD, "confirmation": PASSWORD},
        )

        assert (200, token) == (response.status_code, forms_of(response)[1].fields["token"])
        assert before == site.account("p1")
        assert not browser.is_signed_in

    def test_address(self, site: Site) -> None:
        """An address that was typed stays, and no mail is asked for."""
        browser = site.browser()
        menu = forms_of(browser.post("/forgot", email="no address"))[0]
        response = browser.send(menu.action, {**menu.fields, "lang": "fr"})

        assert (200, "no address") == (response.status_code, forms_of(response)[1].fields["email"])
        assert [] == site.outbox

    def test_child(self, site: Site) -> None:
        """A language is chosen, not a child."""
        browser = site.signed_in("p2")
        site.forget()
        browser.post("/children", lang="fr", child="c2")

        assert "bert, None" in browser.get("/mine").text
        assert [] == site.events

    @pytest.mark.parametrize("value", ["xx", "", ["fr", "en"]])
    def test_unknown(self, site: Site, value: object) -> None:
        """A language that there is not is not remembered."""
        browser = site.browser()
        response = browser.post("/login", lang=value)

        assert response.status_code in {200, 303}
        assert LANGUAGE not in set_cookies(response)
