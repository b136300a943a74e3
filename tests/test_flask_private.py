"""What a host's own pages get from us, and what is held against a host's mistakes."""

import pytest

from flask import Flask
from flask_wtf.csrf import CSRFProtect

from parentauth import Family
from parentauth.flask import ParentAuth, auth_of, parent_required
from parentauth.storage.memory import MemoryStorage
from tests.doubles import ListMailer
from tests.flask_app import CONFIG, Site
from tests.school import PASSWORD


@pytest.fixture
def site() -> Site:
    """Give a portal of one connected parent of two children."""
    return Site()


def app_with(**config: object) -> Flask:
    """Make an application with a page of its own, and without a dashboard unless told."""
    app = Flask("school")
    app.config.update({**CONFIG, **config})
    ParentAuth(app, storage=MemoryStorage(), mailer=ListMailer())
    return app


class TestCaches:
    def test_private(self) -> None:
        """A page that asks who is signed in is kept by no cache, whatever the host forgot."""
        app = app_with(PARENTAUTH_DASHBOARD="/enfants/{child_id}")
        app.add_url_rule("/p", view_func=parent_required(lambda: "hello"))
        response = app.test_client().get("/p", base_url="https://portail.ecole.be")

        assert 303 == response.status_code
        assert "no-store" == response.headers["Cache-Control"]
        assert "Cookie" in response.headers["Vary"]

    def test_public(self) -> None:
        """A page that does not ask is the host's alone."""
        app = app_with(PARENTAUTH_DASHBOARD="/enfants/{child_id}")
        app.add_url_rule("/q", view_func=lambda: "hello", endpoint="q")
        response = app.test_client().get("/q", base_url="https://portail.ecole.be")

        assert "Cache-Control" not in response.headers
        assert "Vary" not in response.headers


class TestDashboard:
    def test_nowhere(self) -> None:
        """A dashboard that is not there shows before a token is spent, not after."""
        app = app_with(PARENTAUTH_DASHBOARD="nope", PROPAGATE_EXCEPTIONS=False)
        auth = auth_of(app)
        auth.save([Family("p1", "anna", email="a@example.be")])

        response = app.test_client().get("/login", base_url="https://portail.ecole.be")
        assert 500 == response.status_code

    def test_outer_context(self) -> None:
        """Who is signed in is asked for each request, in an outer context of the host's, too."""
        app = app_with(PARENTAUTH_DASHBOARD="/enfants/{child_id}")
        app.add_url_rule("/p", view_func=parent_required(lambda: "hello"), endpoint="p")
        auth = auth_of(app)
        auth.save([Family("p1", "anna", email="a@example.be")])
        with app.app_context():
            client = app.test_client()
            assert 303 == client.get("/p", base_url="https://portail.ecole.be").status_code
            auth.invite("p1")
            auth.deliver()
            token = auth._parts.mailer.tokens[-1]
            done = auth.define_password(token, new_password=PASSWORD, confirmation=PASSWORD)
            name = "__Host-parentauth"
            client.set_cookie(name, done.session_id, domain="portail.ecole.be", secure=True)
            assert 200 == client.get("/p", base_url="https://portail.ecole.be").status_code

    def test_another_child(self, site: Site) -> None:
        """An address that names another child leads to the present one's dashboard."""
        browser = site.signed_in("p2")
        browser.post("/children", child="c3")
        own = browser.get("/child/c3")
        response = browser.get("/child/c4")

        assert 200 == own.status_code
        assert (303, True) == (response.status_code, response.location.endswith("/c3"))


class TestBody:
    @pytest.mark.parametrize("protected", [False, True])
    def test_bounded(self, *, protected: bool) -> None:
        """A huge body is refused before it is read, whoever reads forms first."""
        app = app_with(PARENTAUTH_DASHBOARD="/enfants/{child_id}")
        if protected:
            CSRFProtect(app)
        response = app.test_client().post(
            "/login", data={"username": "a" * 300_000}, base_url="https://portail.ecole.be"
        )

        assert 413 == response.status_code


class TestForms:
    def test_csrf_token(self) -> None:
        """A host's template can protect a form of ours without Flask-WTF being switched on."""
        app = app_with(PARENTAUTH_DASHBOARD="/enfants/{child_id}")

        @app.get("/form")
        def form() -> str:
            from flask import render_template_string

            return render_template_string("{{ csrf_token() }}")

        response = app.test_client().get("/form", base_url="https://portail.ecole.be")
        assert len(response.text) > 40
