import pytest

from flask import Flask
from flask_wtf.csrf import CSRFProtect, generate_csrf

from tests.flask_app import GARBAGE, LANGUAGE, SESSION, Browser, Site, set_cookies
from tests.school import HOUR, OTHER_PASSWORD, PASSWORD

# Each form of ours, complete and right, so that only its protection stands in the way.
FORMS = {
    "login": "/login",
    "token": "/token",
    "password": "/password",
    "password_change": "/password/change",
    "forgot": "/forgot",
    "children": "/children",
    "logout": "/logout",
    "language": "/login",
}
FRIENDLY = "The page was left open too long. Start again."


@pytest.fixture
def site() -> Site:
    """Give a portal of one connected parent of two children."""
    return Site()


def form_of(site: Site, name: str) -> dict[str, str]:
    """Return the fields of a form that would do something."""
    return {
        "login": {"username": "bert", "password": PASSWORD},
        "token": {"token": GARBAGE},
        "password": {
            "token": site.invited("p1"),
            "new_password": OTHER_PASSWORD,
            "confirmation": OTHER_PASSWORD,
        },
        "password_change": {
            "current_password": PASSWORD,
            "new_password": OTHER_PASSWORD,
            "confirmation": OTHER_PASSWORD,
        },
        "forgot": {"email": "bert@example.be"},
        "children": {"child": "c3"},
        "logout": {},
        "language": {"lang": "fr"},
    }[name]


def attacked(site: Site, name: str, headers: dict[str, str | None], csrf: str | None) -> None:
    """Send a forged form from a signed-in parent's browser, and see that it does nothing."""
    browser = site.signed_in("p2")
    form = form_of(site, name)
    fields = {**form, "csrf_token": browser.csrf if csrf is None else csrf}
    site.forget()
    before, hashes = site.everything(), site.hasher.verified
    response = browser.send(FORMS[name], fields, headers=headers)

    assert 403 == response.status_code
    assert FRIENDLY in response.text
    assert before == site.everything()
    assert hashes == site.hasher.verified
    assert ["csrf_refused"] == site.flask_events
    assert not {SESSION, LANGUAGE} & set_cookies(response).keys()
    assert browser.is_signed_in


@pytest.mark.parametrize("name", FORMS)
class TestRefused:
    def test_no_token(self, site: Site, name: str) -> None:
        """A form without a CSRF token does nothing, and its page comes back."""
        attacked(site, name, {}, "")

    def test_token_of_another_browser(self, site: Site, name: str) -> None:
        """A CSRF token is worth something in the browser that it was made for, and nowhere else."""
        attacked(site, name, {}, site.browser().csrf)

    def test_forged_token(self, site: Site, name: str) -> None:
        """A made-up CSRF token does nothing."""
        attacked(site, name, {}, "IjAwMDAwMDAwIg.aaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbb")

    @pytest.mark.parametrize(
        "headers",
        [
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": ""},
            {"Sec-Fetch-Site": None, "Origin": "https://evil.example"},
            {"Sec-Fetch-Site": None, "Origin": "https://www.portail.ecole.be"},
            {"Sec-Fetch-Site": None, "Origin": "https://portail.ecole.be.evil.example"},
            {"Sec-Fetch-Site": None, "Origin": "https://portail.ecole.be:8443"},
            {"Sec-Fetch-Site": None, "Origin": "http://portail.ecole.be"},
            {"Sec-Fetch-Site": None, "Origin": "null"},
            {"Sec-Fetch-Site": None, "Origin": ""},
            {"Sec-Fetch-Site": None, "Origin": "https://[::1"},
        ],
        ids=lambda headers: ",".join(f"{name}={value}" for name, value in headers.items()),
    )
    def test_another_site(self, site: Site, name: str, headers: dict[str, str | None]) -> None:
        """What a browser says comes from another site does nothing, even with the right token."""
        attacked(site, name, headers, None)


class TestWayOn:
    def test_values_are_kept(self, site: Site) -> None:
        """The refused form comes back with what was typed, passwords apart, and works then."""
        site.connected("p1")
        browser = site.browser()
        fields = {"username": "anna", "password": PASSWORD, "next": "/mine", "csrf_token": "old"}
        refused = browser.send("/login", fields)
        again = browser.sign_in("anna", next="/mine")

        assert 'value="anna"' in refused.text
        assert 'value="/mine"' in refused.text
        assert PASSWORD not in refused.text
        assert (303, "/mine") == (again.status_code, again.headers["Location"])

    def test_token_is_kept(self, site: Site) -> None:
        """The connection token is not lost with the form."""
        token = site.invited("p1")
        refused = site.browser().send("/password", {"token": token, "new_password": PASSWORD})

        assert f'value="{token}"' in refused.text

    def test_left_open(self, site: Site) -> None:
        """A page that was left open over lunch still works."""
        site.connected("p1")
        browser = site.browser()
        assert browser.csrf
        site.clock.advance(30 * HOUR)

        assert 303 == browser.sign_in("anna").status_code

    def test_other_browser_may_finish(self, site: Site) -> None:
        """The connection token alone decides: another browser may go on, with its own CSRF token."""
        token = site.invited("p1")
        site.browser().post("/token", token=token)
        finished = site.browser().post(
            "/password", token=token, new_password=PASSWORD, confirmation=PASSWORD
        )

        assert 303 == finished.status_code

    @pytest.mark.parametrize("field", ["_method", "X-HTTP-Method-Override", "_METHOD"])
    def test_method_override(self, site: Site, field: str) -> None:
        """No field or header turns one method into another."""
        browser = site.signed_in("p2")
        by_field = browser.get("/logout", query_string={field: "POST"})
        by_header = browser.get("/logout", headers={"X-HTTP-Method-Override": "POST"})

        assert (405, 405) == (by_field.status_code, by_header.status_code)
        assert browser.is_signed_in


def protected_before(app: Flask) -> None:
    """Let the host protect its own forms first."""
    CSRFProtect(app)


@pytest.mark.parametrize("when", ["before", "after"])
class TestHostProtection:
    def test_ours(self, when: str) -> None:
        """With the host's own CSRFProtect, ours refuses and accepts as ever."""
        site = Site(**{when: protected_before})
        site.connected("p1")
        browser = site.browser()
        refused = browser.send("/login", {"username": "anna", "password": PASSWORD})

        assert 403 == refused.status_code
        assert FRIENDLY in refused.text
        assert 303 == browser.sign_in("anna").status_code

    def test_theirs(self, when: str) -> None:
        """The host's forms stay protected by the host, with the host's answer."""
        site = Site(**{when: protected_before})
        browser = site.browser()

        assert 400 == browser.send("/host-form", {}).status_code
        assert "host's own" == browser.post("/host-form").text

    def test_exempt_by_the_host(self, when: str) -> None:
        """A host can't open our forms by exempting our blueprint."""

        def exempt(app: Flask) -> None:
            csrf = app.extensions.get("csrf") or CSRFProtect(app)
            csrf.exempt(app.blueprints["parentauth"])

        site = Site(
            **{"before": protected_before, "after": exempt}
            if when == "before"
            else {"after": exempt}
        )

        assert 403 == site.browser().send("/forgot", {"email": "anna@example.be"}).status_code


class TestHostWithoutProtection:
    def test_untouched(self) -> None:
        """A host without CSRFProtect keeps its forms as they are."""
        assert "host's own" == Site().browser().send("/host-form", {}).text

    def test_own_field_name(self) -> None:
        """The field's name is the host's to choose."""
        site = Site(config={"WTF_CSRF_FIELD_NAME": "kiwi"})
        browser = site.browser()
        page = browser.get("/forgot").text

        assert 'name="kiwi"' in page
        assert "csrf_token" not in page

    def test_switched_off(self) -> None:
        """A host's tests may switch the tokens off, as they do for Flask-WTF; not the rest."""
        site = Site(config={"WTF_CSRF_ENABLED": False})
        site.connected("p1")
        browser = site.browser()
        crossing = browser.send(
            "/login",
            {"username": "anna", "password": PASSWORD},
            headers={"Sec-Fetch-Site": "cross-site"},
        )

        assert 403 == crossing.status_code
        assert 303 == browser.send("/login", {"username": "anna", "password": PASSWORD}).status_code

    def test_host_token_is_one_of_ours(self) -> None:
        """A host's page may carry our forms: Flask-WTF's token is the same one."""

        def add(app: Flask) -> None:
            app.add_url_rule("/host-token", "host_token", generate_csrf)

        site = Site(after=add)
        browser = site.signed_in("p1")
        response = browser.send("/logout", {"csrf_token": browser.get("/host-token").text})

        assert 303 == response.status_code


def test_plain_http_on_this_machine() -> None:
    """On loopback, without https, forms need no Referer."""
    site = Site(config={"PARENTAUTH_BASE_URL": "http://127.0.0.1:5000"})
    site.connected("p1")
    browser = Browser(site.app.test_client(), origin="http://127.0.0.1:5000")
    response = browser.send(
        "/login",
        {"csrf_token": browser.csrf, "username": "anna", "password": PASSWORD},
        headers={"Referer": None, "Sec-Fetch-Site": None, "Origin": None},
    )

    assert 303 == response.status_code
