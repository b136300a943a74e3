from pathlib import Path

import pytest

from flask import Flask
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from parentauth import EventKind
from parentauth.exceptions import ConfigurationError
from parentauth.flask import ParentAuth, auth_of, signal_of
from parentauth.storage.memory import MemoryStorage
from tests.doubles import CountingHasher, ListMailer
from tests.flask_app import CONFIG, Site, add_pages
from tests.school import PASSWORD

PORTS = {"hasher": CountingHasher()}


def bare_app(**config: object) -> Flask:
    """Make an application that has the configuration and nothing else."""
    app = Flask("school")
    merged = {**CONFIG, "PARENTAUTH_DASHBOARD": "/enfants/{child_id}", **config}
    app.config.update({key: value for key, value in merged.items() if value is not None})
    return app


def refusal(**config: object) -> str:
    """Return why an application with this configuration does not start."""
    with pytest.raises(ConfigurationError) as caught:
        ParentAuth(bare_app(**config), storage=MemoryStorage(), mailer=ListMailer(), **PORTS)
    return str(caught.value)


class TestInitApp:
    def test_later(self) -> None:
        """The extension may be made first and given its application later."""
        extension = ParentAuth(storage=MemoryStorage(), mailer=ListMailer(), **PORTS)
        app = bare_app()
        extension.init_app(app)

        assert "parentauth" in app.extensions
        assert 200 == app.test_client().get("/login").status_code

    def test_not_kept(self) -> None:
        """No application is kept: one extension serves several."""
        extension = ParentAuth(storage=MemoryStorage(), mailer=ListMailer(), **PORTS)
        one, other = bare_app(), bare_app(PARENTAUTH_URL_PREFIX="/parents")
        extension.init_app(one)
        extension.init_app(other)

        assert not [value for value in vars(extension).values() if isinstance(value, Flask)]
        assert auth_of(one) is not auth_of(other)
        assert (200, 404) == tuple(
            app.test_client().get("/login").status_code for app in (one, other)
        )
        assert 200 == other.test_client().get("/parents/login").status_code

    def test_not_initialised(self) -> None:
        """Without the extension, asking for its core is a KeyError."""
        with pytest.raises(KeyError):
            auth_of(Flask("school"))

    def test_two_schools(self) -> None:
        """Two portals in one process share no parent, session or event."""
        one = Site()
        other = Site(config={"PARENTAUTH_SCHOOL_NAME": "Athénée Horta"})
        browser = one.signed_in()
        stranger = other.browser()
        stranger.give("__Host-parentauth", browser.cookie("__Host-parentauth") or "")

        assert browser.is_signed_in
        assert not stranger.is_signed_in
        assert "Athénée Horta" in stranger.get("/login").text
        assert "Athénée Horta" not in one.browser().get("/login").text
        assert [] == other.events

    def test_signals_of_two_schools(self) -> None:
        """A signal names the application that it comes from."""
        one, other, senders = Site(), Site(), []

        def note(sender: Flask, *, event: object) -> None:
            senders.append(sender)

        with signal_of(EventKind.SIGN_IN_REFUSED).connected_to(note):
            other.browser().sign_in("anna", "wrong")
            one.browser().sign_in("anna", "wrong")

        assert [other.app, one.app] == senders


class TestConfiguration:
    @pytest.mark.parametrize("key", [None, "", "changeme", "a" * 64, b"\0" * 32])
    def test_secret_key(self, key: object) -> None:
        """A SECRET_KEY that is missing, short or an example stops the start and names the cure."""
        problem = refusal(SECRET_KEY=key, PARENTAUTH_SECRET_KEYS=None)

        assert "secrets" in problem or "SECRET_KEY" in problem

    def test_secret_key_of_the_host_alone(self) -> None:
        """Own keys do not replace Flask's SECRET_KEY, which guards the forms."""
        assert "SECRET_KEY" in refusal(SECRET_KEY=None)

    def test_secret_bytes(self) -> None:
        """A SECRET_KEY of random bytes is as good as one of text."""
        app = bare_app(
            SECRET_KEY=bytes(range(100, 140)),
            SECRET_KEY_FALLBACKS=[bytes(range(50, 90))],
            PARENTAUTH_SECRET_KEYS=None,
        )
        ParentAuth(app, storage=MemoryStorage(), mailer=ListMailer(), **PORTS)

        assert 200 == app.test_client().get("/login").status_code

    def test_nearest_key(self) -> None:
        """A mistyped key is told with the one that was meant."""
        assert "did you mean PARENTAUTH_BASE_URL?" in refusal(PARENTAUTH_BASEURL="https://x.be")

    def test_relative_base_url(self) -> None:
        """The portal's address must be absolute."""
        assert "https://portail.ecole.be" in refusal(PARENTAUTH_BASE_URL="/portal")


class TestTemplates:
    def test_override(self, tmp_path: Path) -> None:
        """A host's templates/parentauth/login.html stands before ours, and may extend our base."""
        page = tmp_path / "templates" / "parentauth" / "login.html"
        page.parent.mkdir(parents=True)
        page.write_text(
            '{% extends "parentauth/base.html" %}{% block content %}<h1>OURS</h1>{% endblock %}'
        )
        browser = Site(root=tmp_path).browser()

        assert "<h1>OURS</h1>" in browser.get("/login").text
        assert "<h1>OURS</h1>" not in browser.get("/forgot").text

    def test_child_band(self) -> None:
        """The band names the child whose pages are open, and leads back only to several children."""
        from flask import render_template_string

        def add(app: Flask) -> None:
            app.add_url_rule(
                "/band",
                "band",
                lambda: render_template_string(
                    '{% include "parentauth/child_band.html" %}'
                    "{{ current_parent.username }}/{{ current_child.name }}"
                ),
            )

        site = Site(after=add)
        anna, bert = site.signed_in("p1"), site.signed_in("p2")
        bert.post("/children", child="c3")

        assert "Noor" in anna.get("/band").text
        assert "/children" not in anna.get("/band").text
        assert "bert/Mila" in bert.get("/band").text
        assert "/children" in bert.get("/band").text

    def test_band_of_nobody(self) -> None:
        """Who is not signed in sees no band, and the host's page is shown."""
        from flask import render_template_string

        def add(app: Flask) -> None:
            app.add_url_rule(
                "/band",
                "band",
                lambda: render_template_string(
                    '[{% include "parentauth/child_band.html" %}]{{ current_parent and 1 }}'
                ),
            )

        assert 200 == Site(after=add).browser().get("/band").status_code


class TestPaths:
    def test_prefix(self) -> None:
        """All pages move below the prefix, but for the well-known one."""
        site = Site(config={"PARENTAUTH_URL_PREFIX": "/parents"})
        browser = site.browser()

        assert 200 == browser.get("/parents/login").status_code
        assert 404 == browser.get("/login").status_code
        assert 200 == browser.get("/parents/parentauth/parentauth.css").status_code
        assert "/parents/password/change" == browser.get(
            "/.well-known/change-password"
        ).headers.get("Location")

    def test_own_paths(self) -> None:
        """A page may have another path; links and mails follow."""
        site = Site(config={"PARENTAUTH_PATHS": {"login": "/connexion", "token": "/jeton"}})
        token = site.invited("p1")
        browser = site.browser()

        assert f"/jeton/{token}".replace("-", "") in site.mailer.sent[-1].text.replace("-", "")
        assert 200 == browser.get(f"/jeton/{token}").status_code
        assert 'action="/connexion"' in browser.get("/connexion").text

    def test_unknown_page(self) -> None:
        """A path for a page that there is not is refused, with the names that there are."""
        assert "login" in refusal(PARENTAUTH_PATHS={"signin": "/x"})

    def test_mounted(self) -> None:
        """Below a SCRIPT_NAME every link, redirect and return path keeps it."""
        site = Site()
        browser = site.browser(mount="/portal")
        sent_away = browser.get("/mine?a=1&b=é")
        site.connected("p1")
        page = browser.get("/login", query_string={"next": "/portal/mine?a=1"})
        arrived = browser.sign_in("anna", next="/portal/mine?a=1")

        assert (
            "/portal/login?next=/portal/mine?a%3D1%26b%3D%25C3%25A9"
            == sent_away.headers["Location"]
        )
        assert 'action="/portal/login"' in page.text
        assert "/portal/parentauth/parentauth.css" in page.text
        assert "/portal/mine?a=1" == arrived.headers["Location"]
        assert "/portal/child/c1" == browser.get("/login").headers["Location"]

    def test_dispatched(self) -> None:
        """Mounted by Werkzeug's dispatcher, the whole first visit works."""
        site = Site()
        wsgi = DispatcherMiddleware(Flask("root"), {"/portal": site.app})
        response = Client(wsgi).get("/portal/login", base_url="https://portail.ecole.be")

        assert 200 == response.status_code
        assert 'href="/portal/token"' in response.text

    def test_return_to_accented_path(self) -> None:
        """A path in other letters than ASCII's is come back to, too."""
        site = Site()
        browser = site.browser()
        login = browser.get("/agenda/été?jour=1").headers["Location"]
        site.connected("p1")
        after = login.partition("next=")[2]
        from urllib.parse import unquote

        arrived = browser.sign_in("anna", next=unquote(after))

        assert "/agenda/%C3%A9t%C3%A9?jour=1" == arrived.headers["Location"]
        assert "agenda of Noor" == browser.get(arrived.headers["Location"]).text


class TestLanding:
    def test_endpoint(self) -> None:
        """The dashboard may be an endpoint that takes child_id."""
        site = Site()
        site.connected("p1")

        assert "/child/c1" == site.browser().sign_in("anna").headers["Location"]

    def test_path(self) -> None:
        """The dashboard may be a path; what the child's id has of its own is quoted."""
        site = Site(config={"PARENTAUTH_DASHBOARD": "/kinder/{child_id}/start"})
        links = site.account("p1").children
        import attrs

        site.change("p1", children=(attrs.evolve(links[0], child_id="a/b ?é"),))
        site.connected("p1")

        assert (
            "/kinder/a%2Fb%20%3F%C3%A9/start" == site.browser().sign_in("anna").headers["Location"]
        )

    @pytest.mark.parametrize("no_child", ["nobody", "/nobody"])
    def test_no_child(self, no_child: str) -> None:
        """A parent without child lands on the host's page, by endpoint or path."""
        site = Site(config={"PARENTAUTH_NO_CHILD": no_child})
        browser = site.signed_in("p3")

        assert "/nobody" == browser.get("/login").headers["Location"]
        assert "/nobody" == browser.get("/children").headers["Location"]
        assert "/nobody" == browser.get("/child/c1").headers["Location"]

    def test_no_child_at_home(self) -> None:
        """Without such a page, ours says what to do, and nothing loops."""
        browser = Site().signed_in("p3")
        away = browser.get("/child/c1")

        assert "/children" == away.headers["Location"]
        assert "Telephone the school" in browser.get("/children").text

    def test_several(self) -> None:
        """A parent of several children picks one first, and goes on to where they wanted."""
        browser = Site().signed_in("p2")
        away = browser.get("/child/c2?week=2")
        picked = browser.post("/children", child="c2", next="/child/c2?week=2")

        assert "/children?next=/child/c2?week%3D2" == away.headers["Location"]
        assert "/child/c2?week=2" == picked.headers["Location"]
        assert "Lou" in browser.get("/child/c2").text

    def test_forms_are_not_returned_to(self) -> None:
        """Who must sign in first because of a form is not sent back to that form's address."""
        from parentauth.flask import parent_required

        def add(app: Flask) -> None:
            app.add_url_rule(
                "/order", "order", parent_required(lambda: "ordered"), methods=["POST"]
            )

        response = Site(after=add).browser().send("/order", {})

        assert (303, "/login") == (response.status_code, response.headers["Location"])


class TestProxies:
    def _prefixes(self, site: Site, forwarded: list[str]) -> list[str | None]:
        for value in forwarded:
            site.browser(address="10.0.0.1").send(
                "/forgot",
                {"csrf_token": "", "email": "x@example.be"},
                headers={"X-Forwarded-For": value},
            )
        return [event.prefix for event in site.events]

    def test_none_trusted(self) -> None:
        """By default what a client says about its own address is not believed."""
        assert ["10.0.0.1"] == self._prefixes(Site(), ["203.0.113.9"])

    def test_trusted(self) -> None:
        """With one proxy, the last address counts: what comes before it is the client's tale."""
        site = Site(config={"PARENTAUTH_TRUSTED_PROXIES": 1})

        assert ["203.0.113.9", "203.0.113.9"] == self._prefixes(
            site, ["203.0.113.9", "198.51.100.1, 203.0.113.9"]
        )

    def test_proxy_fix(self) -> None:
        """Behind Werkzeug's ProxyFix the client's address is that of the request."""

        def wrap(app: Flask) -> None:
            app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]

        assert ["203.0.113.9"] == self._prefixes(Site(after=wrap), ["198.51.100.1, 203.0.113.9"])

    def test_https_behind_proxy(self) -> None:
        """Behind a proxy that ends TLS, forms work although the request itself is plain."""
        site = Site(config={"PARENTAUTH_TRUSTED_PROXIES": 1})
        site.connected("p1")
        browser = site.browser(origin="http://backend:8000")
        token = browser.csrf
        response = browser.send(
            "/login",
            {"csrf_token": token, "username": "anna", "password": PASSWORD},
            headers={"Origin": "https://portail.ecole.be", "Sec-Fetch-Site": None},
        )

        assert 303 == response.status_code
        assert "; Secure" in response.headers.getlist("Set-Cookie")[-1]


def test_pages_of_the_host() -> None:
    """The host's pages are its own: without headers or errors of ours."""
    app = bare_app()
    ParentAuth(app, storage=MemoryStorage(), mailer=ListMailer(), **PORTS)
    add_pages(app)
    response = app.test_client().get("/nobody")

    assert "Content-Security-Policy" not in response.headers
    assert 404 == app.test_client().get("/elsewhere").status_code
    assert "Content-Security-Policy" not in app.test_client().get("/elsewhere").headers
