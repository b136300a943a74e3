from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Never
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs
import pytest

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from parentauth import Child, EventKind, PasswordPolicy, Violation
from parentauth._slots import Slots
from parentauth.pages import HEADERS, PAGES, Cookie, PageRequest, Pages, Redirect, Show
from parentauth.throttles import MemoryThrottle
from tests.doubles import ConflictingStorage, RecordingStorage
from tests.school import DAY, MINUTE, OTHER_PASSWORD, PASSWORD, SECOND, Portal

PATHS = {
    "login": "/login",
    "token": "/token",
    "password": "/password",
    "password_change": "/password/change",
    "forgot": "/forgot",
    "children": "/children",
    "logout": "/logout",
}
NOBODYS = "0" * 32
EXPIRED_FORM = "La page est restée ouverte trop longtemps. Recommencez."
BAD_FORM = "Ce formulaire n'a pas pu être lu. Revenez en arrière et recommencez."


@attrs.frozen
class FakeLinks:
    """Addresses without a framework."""

    own_no_child: str | None = None

    def page(self, name: str, /, **query: str) -> str:
        """Return a path with a query."""
        kept = {key: value for key, value in query.items() if value}
        return PATHS[name] + (f"?{urlencode(kept)}" if kept else "")

    def static(self, name: str) -> str:
        """Return a path."""
        return f"/static/{name}"

    def extra_stylesheet(self) -> str:
        """Return nothing."""
        return ""

    def dashboard(self, child: Child) -> str:
        """Return the host's page."""
        return f"/child/{child.id}"

    def no_child(self) -> str | None:
        """Return the host's page, if it has one."""
        return self.own_no_child


@attrs.define
class Browser:
    """Sends requests to the page flow and keeps its cookies."""

    portal: Portal
    links: FakeLinks = attrs.field(factory=FakeLinks)
    cookies: dict[str, str] = attrs.field(factory=dict)
    flashes: list[str] = attrs.field(factory=list)
    values: dict[str, Any] = attrs.field(factory=dict)

    @property
    def pages(self) -> Pages:
        """The page flow."""
        return Pages(self.portal.auth)

    def request(
        self,
        method: str,
        form: Mapping[str, str | Sequence[str]] | None = None,
        query: Mapping[str, str | Sequence[str]] | None = None,
        **values: Any,
    ) -> PageRequest:
        """Build a request."""
        names = self.pages.cookies
        given = {
            "address": "192.0.2.7",
            "session_id": self.cookies.get(names.session),
            "device": self.cookies.get(names.device),
            "language": self.cookies.get(names.language),
            "csrf": lambda: ("csrf_token", "csrf-value"),
            "flashes": lambda: tuple(self.flashes),
        }
        return PageRequest(
            method=method,
            links=self.links,
            form=_lists(form or {}),
            query=_lists(query or {}),
            **{**given, **self.values, **values},
        )

    def get(self, asked: str, query: Mapping[str, Any] | None = None, **values: Any) -> Any:
        """GET a page."""
        return self.keep(self.pages.respond(asked, self.request("GET", query=query, **values)))

    def post(self, asked: str, form: Mapping[str, Any] | None = None, **values: Any) -> Any:
        """POST a form."""
        return self.keep(self.pages.respond(asked, self.request("POST", form, **values)))

    def link(self, token: str, **values: Any) -> Any:
        """GET a mailed link."""
        return self.keep(self.pages.link(token, self.request("GET", **values)))

    def keep(self, outcome: Show | Redirect) -> Any:
        """Keep what was set."""
        for cookie in outcome.cookies:
            if cookie.value is None:
                self.cookies.pop(cookie.name, None)
            else:
                self.cookies[cookie.name] = cookie.value
        return outcome

    def signed_in(self, account_id: str) -> "Browser":
        """Sign a parent in."""
        signed_in = self.portal.connected(account_id)
        self.cookies[self.pages.cookies.session] = signed_in.session_id
        return self


def _lists(fields: Mapping[str, str | Sequence[str]]) -> dict[str, Sequence[str]]:
    return {
        name: [value] if isinstance(value, str) else list(value) for name, value in fields.items()
    }


def said(show: Show) -> list[str]:
    """Return the errors that a page shows, in French spacing that compares."""
    return [plain(error["text"]) for error in show.context["errors"]]


def plain(text: str) -> str:
    """Return a text with ordinary spaces and apostrophes."""
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")


def errors_of(show: Show) -> dict[str, str]:
    """Return the error beside each field that has one."""
    return {
        field["name"]: plain(field["error"])
        for field in show.context["form"]["fields"]
        if field["error"]
    }


def values_of(show: Show) -> dict[str, str]:
    """Return what the form would send, hidden fields too."""
    form = show.context["form"]
    return {field["name"]: field["value"] for field in [*form["hidden"], *form["fields"]]}


def steps_of(show: Show) -> list[str]:
    """Return where the page's next steps lead."""
    return [step["href"] for step in show.context["next_steps"]]


def kept_by_menu(show: Show) -> dict[str, str]:
    """Return what the language menu carries."""
    return {field["name"]: field["value"] for field in show.context["languages"]["hidden"]}


@pytest.fixture
def visitor(portal: Portal) -> Browser:
    """Give a browser without cookies."""
    return Browser(portal)


class TestMethods:
    @pytest.mark.parametrize("asked", PAGES)
    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"])
    def test_others(self, visitor: Browser, asked: str, method: str) -> None:
        """Other methods are answered 405, with those that are allowed, and change nothing."""
        before = visitor.portal.everything()
        show = visitor.pages.respond(asked, visitor.request(method))

        assert 405 == show.status
        allowed = {"logout": "POST", "well_known": "GET, HEAD"}.get(asked, "GET, HEAD, POST")
        assert allowed == show.headers["Allow"]
        assert before == visitor.portal.everything()

    @pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
    def test_link(self, visitor: Browser, method: str) -> None:
        """A mailed link is read, nothing else."""
        show = visitor.pages.link(NOBODYS, visitor.request(method))

        assert (405, "GET, HEAD") == (show.status, show.headers["Allow"])

    @pytest.mark.parametrize("asked", [asked for asked in PAGES if asked != "logout"])
    def test_head(self, visitor: Browser, asked: str) -> None:
        """HEAD is answered like GET."""
        get, head = (
            visitor.pages.respond(asked, visitor.request(method)) for method in ("GET", "HEAD")
        )

        assert get == head

    def test_logout_by_get(self, visitor: Browser) -> None:
        """No link signs anybody out."""
        visitor.signed_in("p1")

        assert 405 == visitor.get("logout").status
        assert isinstance(visitor.get("login"), Redirect)


class TestGetChangesNothing:
    @pytest.mark.parametrize("signed_in", [None, "p1", "p2"])
    def test_storage(self, visitor: Browser, signed_in: str | None) -> None:
        """GET and HEAD of every page and of live, used and unknown links leave all accounts alone."""
        portal = visitor.portal
        live = portal.invited("p3")
        if signed_in:
            visitor.signed_in(signed_in)
        before = portal.everything()
        portal.forget()
        for method in ("GET", "HEAD"):
            for asked in PAGES:
                visitor.pages.respond(asked, visitor.request(method, query={"next": "/x"}))
            for token in (live, NOBODYS, "", "x" * 500):
                for _ in range(60):
                    visitor.pages.link(token, visitor.request(method))

        assert before == portal.everything()
        assert [] == portal.told
        assert 3 == len(portal.account("p3").keys)
        assert "p3" == portal.auth.check_token(live).parent.id

    def test_anonymous_reads_nothing(self, visitor: Browser) -> None:
        """Without a session cookie no page asks the storage."""
        storage = RecordingStorage(visitor.portal.storage)
        visitor.portal.auth = visitor.portal.new_auth(storage=storage)
        for asked in PAGES:
            visitor.get(asked)
        visitor.link(NOBODYS)

        assert [] == storage.calls

    def test_counts_nothing(self, visitor: Browser) -> None:
        """Looking at links and pages touches no counter."""

        class Untouchable(MemoryThrottle):
            def hit(self, key: str, **values: Any) -> Never:
                raise AssertionError(key)

            peek = hit

        visitor.portal.auth = visitor.portal.new_auth(throttle=Untouchable())
        for asked in PAGES:
            visitor.get(asked)
        visitor.link(NOBODYS)


class TestLogin:
    def test_form(self, visitor: Browser) -> None:
        """The page has two blocks, and a form of username and password."""
        show = visitor.get("login")
        text, form = show.context["text"], show.context["form"]

        assert ("login.html", 200) == (show.template, show.status)
        assert ("Connexion", "Connexion") == (show.context["heading"], show.context["title"])
        assert "Première connexion" == text["first_title"]
        assert "pour définir votre mot de passe personnel" == text["first_intro"]
        assert "JETON DE CONNEXION" == text["first_button"]
        assert "Connexions suivantes" == text["next_title"]
        assert (
            "Mot de passe oublié ? Pas de panique, cliquez ici pour redéfinir votre mot de passe."
            == plain(text["forgot"])
        )
        assert [
            ("username", "Nom d'utilisateur", "text", "username"),
            ("password", "Mot de passe", "password", "current-password"),
        ] == [
            (each["name"], each["label"], each["type"], each["autocomplete"])
            for each in form["fields"]
        ]
        assert ("CONNEXION", "/login") == (form["button"], form["action"])
        assert [] == show.context["errors"]

    @pytest.mark.parametrize(
        ("account_id", "location"),
        [("p1", "/child/c1"), ("p2", "/children"), ("p3", "/children")],
    )
    def test_signed_in(self, visitor: Browser, account_id: str, location: str) -> None:
        """One child's parent goes to the dashboard, others to their children."""
        visitor.portal.connected(account_id)
        username = visitor.portal.account(account_id).username
        redirect = visitor.post("login", {"username": username, "password": PASSWORD})

        assert Redirect(location, cookies=redirect.cookies) == redirect
        session, device = redirect.cookies
        assert ("__Host-parentauth", None, True) == (session.name, session.max_age, session.secure)
        assert ("__Host-parentauth-device", 365 * 86400) == (device.name, device.max_age)
        assert visitor.portal.auth.resume(session.value) is not None

    @pytest.mark.parametrize(
        ("account_id", "location"),
        [("p1", "/child/c1/x?y=1"), ("p2", "/children?next=%2Fchild%2Fc1%2Fx%3Fy%3D1")],
    )
    def test_next(self, visitor: Browser, account_id: str, location: str) -> None:
        """Who was on the way somewhere gets there, if need be by way of the choice."""
        visitor.portal.connected(account_id)
        username = visitor.portal.account(account_id).username
        shown = visitor.get("login", {"next": "/child/c1/x?y=1"})
        assert {"next": "/child/c1/x?y=1"} == {
            field["name"]: field["value"] for field in shown.context["form"]["hidden"]
        }
        form = {"username": username, "password": PASSWORD, "next": "/child/c1/x?y=1"}

        assert location == visitor.post("login", form).location

    @pytest.mark.parametrize("target", ["//evil.example", "https://evil.example", "/\\evil", ""])
    def test_open_redirect(self, visitor: Browser, target: str) -> None:
        """Another site is no place to go to: neither shown, kept nor followed."""
        visitor.portal.connected("p1")
        assert [] == visitor.get("login", {"next": target}).context["form"]["hidden"]
        form = {"username": "anna", "password": PASSWORD, "next": target}

        assert "/child/c1" == visitor.post("login", form).location

    def test_query_is_not_the_form(self, visitor: Browser) -> None:
        """What stands in the query of a POST is no field of the form."""
        visitor.portal.connected("p1")
        query = {"username": "anna", "password": PASSWORD, "next": "/elsewhere"}

        assert 422 == visitor.post("login", {}, query=_lists(query)).status
        form = {"username": "anna", "password": PASSWORD}
        assert "/child/c1" == visitor.post("login", form, query=_lists(query)).location

    @pytest.mark.parametrize("username", ["anna", "nobody", ""])
    def test_refused(self, visitor: Browser, username: str) -> None:
        """Every failure has one sentence; the username is kept, the password is not."""
        visitor.portal.connected("p1")
        show = visitor.post("login", {"username": username, "password": "wrong", "next": "/x"})

        sentence = "Nom d'utilisateur ou mot de passe incorrect."
        assert ("login.html", 422) == (show.template, show.status)
        assert [sentence] == said(show)
        assert {"username": sentence} == errors_of(show)
        assert {"username": username, "password": "", "next": "/x"} == values_of(show)
        assert "Erreur : Connexion" == plain(show.context["title"])
        assert () == show.cookies
        assert "#id_username" == show.context["errors"][0]["href"]

    def test_throttled(self, visitor: Browser) -> None:
        """At the limit the wait is said in minutes and in a header, with the mail procedure."""
        for _ in range(10):
            visitor.post("login", {"username": "anna", "password": "wrong"})
        visitor.portal.clock.advance(30 * SECOND)
        show = visitor.post("login", {"username": "anna", "password": "wrong", "next": "/x"})

        assert ("login.html", 429, "870") == (
            show.template,
            show.status,
            show.headers["Retry-After"],
        )
        assert [
            "Trop d'essais. Réessayez dans 15 minutes, ou redéfinissez votre mot de passe."
        ] == said(show)
        assert ["/forgot"] == steps_of(show)
        assert {"username": "anna", "password": "", "next": "/x"} == values_of(show)

    def test_one_minute(self, visitor: Browser) -> None:
        """The last minute is said in the singular."""
        for _ in range(10):
            visitor.post("login", {"username": "anna", "password": "wrong"})
        visitor.portal.clock.advance(15 * MINUTE - SECOND)
        show = visitor.post("login", {"username": "anna", "password": "wrong"})

        assert "dans 1 minute," in said(show)[0]
        assert "1" == show.headers["Retry-After"]

    def test_for_ever(self, visitor: Browser) -> None:
        """After a hundred failures only the mail helps, and no time is named."""
        for number in range(11):
            for _ in range(10):
                visitor.post(
                    "login", {"username": "anna", "password": "x"}, address=f"10.0.0.{number}"
                )
            visitor.portal.clock.advance(15 * MINUTE)
        show = visitor.post("login", {"username": "anna", "password": "x"})

        assert (429, {}) == (show.status, dict(show.headers))
        assert ["Trop d'essais. Redéfinissez votre mot de passe par mail."] == said(show)
        assert ["/forgot"] == steps_of(show)

    def test_busy(self, visitor: Browser) -> None:
        """Without a free slot: 503, when to come back, and a way on."""
        slots = Slots(1, queue=0, wait=timedelta(0))
        parts = visitor.portal.auth._parts
        visitor.portal.auth._parts = attrs.evolve(parts, slots=slots)
        with slots.take():
            show = visitor.post("login", {"username": "anna", "password": "x"})

        assert ("error.html", 503, "1") == (show.template, show.status, show.headers["Retry-After"])
        assert (
            "Beaucoup de parents se connectent en ce moment. Réessayez dans une minute."
            == show.context["text"]["message"]
        )
        assert ["/login"] == steps_of(show)

    def test_already_signed_in(self, visitor: Browser) -> None:
        """Who is signed in already goes on."""
        visitor.signed_in("p1")

        assert "/child/c1" == visitor.get("login").location
        assert "/x" == visitor.get("login", {"next": "/x"}).location

    def test_other_parent(self, visitor: Browser) -> None:
        """Another parent who signs in here ends the first one's session."""
        visitor.signed_in("p1")
        first = visitor.cookies["__Host-parentauth"]
        visitor.portal.connected("p2")
        visitor.post("login", {"username": "bert", "password": PASSWORD})

        assert visitor.portal.auth.resume(first) is None


class TestLogout:
    def test_out(self, visitor: Browser) -> None:
        """Signing out ends the session, removes its cookie alone, and says so."""
        visitor.signed_in("p1")
        session_id = visitor.cookies["__Host-parentauth"]
        redirect = visitor.post("logout")

        assert "/login?notice=signed-out" == redirect.location
        assert (Cookie("__Host-parentauth", None, secure=True),) == redirect.cookies
        assert {"Clear-Site-Data": '"cache"'} == redirect.headers
        assert visitor.portal.auth.resume(session_id) is None
        assert ["Vous êtes déconnecté."] == visitor.get("login", {"notice": "signed-out"}).context[
            "notices"
        ]

    def test_again(self, visitor: Browser) -> None:
        """A double click is harmless."""
        visitor.signed_in("p1")

        assert visitor.post("logout") == visitor.post("logout")

    @pytest.mark.parametrize("notice", ["", "sent", "<script>", "signed-out "])
    def test_other_notices(self, visitor: Browser, notice: str) -> None:
        """Nobody can put words of their own on the page."""
        assert [] == visitor.get("login", {"notice": notice}).context["notices"]


class TestToken:
    def test_form(self, visitor: Browser) -> None:
        """One field, its hint, the button, and what to do when no mail came."""
        show = visitor.get("token")
        [field] = show.context["form"]["fields"]

        assert ("token.html", 200) == (show.template, show.status)
        assert "Jeton de connexion" == show.context["heading"] == field["label"]
        assert "Introduisez votre jeton de connexion envoyé par mail." == field["hint"]
        assert ("one-time-code", "text", "") == (
            field["autocomplete"],
            field["type"],
            field["value"],
        )
        assert "CONNEXION" == show.context["form"]["button"]
        assert (
            "Vous n'avez pas reçu le mail ? Regardez dans les courriers indésirables, "
            "ou téléphonez à l'école." == plain(show.context["text"]["missing_mail"])
        )

    @pytest.mark.parametrize("linked", ["", NOBODYS, "anything else"])
    def test_link_fills(self, visitor: Browser, linked: str) -> None:
        """A link fills the field and checks nothing."""
        show = visitor.link(linked)

        assert ("token.html", 200, linked) == (
            show.template,
            show.status,
            values_of(show)["token"],
        )

    def test_connexion(self, visitor: Browser) -> None:
        """CONNEXION checks the token and shows the password page, the token in its form."""
        token = visitor.portal.invited("p1")
        show = visitor.post("token", {"token": token})

        assert ("password.html", 200, ()) == (show.template, show.status, show.cookies)
        assert token == values_of(show)["token"]
        assert "/password" == show.context["form"]["action"]

    def test_scanner(self, visitor: Browser) -> None:
        """A scanner that submits the form days early takes nothing away."""
        token = visitor.portal.invited("p1")
        for number in range(50):
            visitor.post("token", {"token": token}, address=f"198.51.100.{number}")
        visitor.portal.clock.advance(3 * DAY)

        assert "p1" == visitor.portal.define(token).parent.id

    @pytest.mark.parametrize("typed", ["", " ", "\n"])
    def test_empty(self, visitor: Browser, typed: str) -> None:
        """An empty field says what to do and counts nothing."""
        show = visitor.post("token", {"token": typed})

        assert 422 == show.status
        assert {"token": "Introduisez votre jeton de connexion."} == errors_of(show)
        assert [] == visitor.portal.told

    @pytest.mark.parametrize("asked", ["token", "password"])
    def test_verdicts(self, visitor: Browser, asked: str) -> None:
        """Each verdict has its sentence and its next step, on CONNEXION and on MODIFIER."""
        portal = visitor.portal
        used, revoked = portal.invited("p1"), portal.invited("p2")
        portal.define(used)
        portal.auth.revoke_tokens("p2")
        closed = portal.invited("p3")
        portal.auth.set_active("p3", active=True)
        portal.change("p3", active=False)
        expired = portal.reset("wouters@example.be")[0]
        expected = {
            NOBODYS: (
                "Ce jeton n'est pas valable. Copiez-le en entier depuis le mail.",
                ["/forgot"],
            ),
            used: (
                "Ce jeton a déjà servi. Votre mot de passe est déjà défini : passez par « Connexions suivantes ».",
                ["/login", "/forgot"],
            ),
            revoked: (
                "Ce jeton n'est plus valable. Utilisez le mail le plus récent, ou demandez-en un nouveau.",
                ["/forgot"],
            ),
            closed: ("Ce compte est fermé. Téléphonez à l'école.", []),
            expired: (
                "Ce jeton n'est plus valable depuis le mardi 15 septembre 2026 à 10 h. Demandez-en un nouveau.",
                ["/forgot"],
            ),
        }
        portal.clock.advance(14 * DAY)
        for token, (sentence, steps) in expected.items():
            form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}
            show = visitor.post(asked, form)

            assert ("token.html", 422) == (show.template, show.status)
            assert [sentence] == said(show)
            assert steps == steps_of(show)
            assert token == values_of(show)["token"]

    @pytest.mark.parametrize("asked", ["token", "password"])
    def test_throttled(self, visitor: Browser, asked: str) -> None:
        """After a hundred bad tokens: 429, with the time to wait, the token kept."""
        for _ in range(100):
            visitor.post("token", {"token": NOBODYS})
        show = visitor.post(asked, {"token": NOBODYS})

        assert ("token.html", 429, "900") == (
            show.template,
            show.status,
            show.headers["Retry-After"],
        )
        assert NOBODYS == values_of(show)["token"]
        assert ["/forgot"] == steps_of(show)


class TestOtherAccount:
    def test_question(self, visitor: Browser) -> None:
        """A link for another account names both, and offers to go on or to stay."""
        token = visitor.portal.invited("p1")
        visitor.signed_in("p2")
        for show, status in (
            (visitor.link(token), 200),
            (visitor.post("token", {"token": token}), 422),
        ):
            assert ("switch.html", status) == (show.template, status)
            text = show.context["text"]
            assert (
                "Ce lien est pour le compte anna. Vous êtes connecté avec bert." == text["question"]
            )
            assert "CONTINUER AVEC anna" == show.context["form"]["button"]
            assert ("Rester avec bert", "/children") == (text["stay"], text["stay_href"])

    def test_yes(self, visitor: Browser) -> None:
        """Saying yes travels to the end: the other session ends with the new password alone."""
        token = visitor.portal.invited("p1")
        berts = visitor.signed_in("p2").cookies["__Host-parentauth"]
        asked = visitor.link(token)
        chosen = visitor.post("token", values_of(asked))
        assert "password.html" == chosen.template
        assert visitor.portal.auth.resume(berts) is not None

        weak = visitor.post("password", {**values_of(chosen), "new_password": "x"})
        assert ("password.html", "1") == (weak.template, values_of(weak)["switch"])
        form = {**values_of(weak), "new_password": PASSWORD, "confirmation": PASSWORD}
        redirect = visitor.post("password", form)

        assert "/child/c1" == redirect.location
        assert visitor.portal.auth.resume(berts) is None

    def test_no_yes(self, visitor: Browser) -> None:
        """Without the yes, MODIFIER asks too."""
        token = visitor.portal.invited("p1")
        visitor.signed_in("p2")
        form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}

        assert "switch.html" == visitor.post("password", form).template

    def test_used_link(self, visitor: Browser) -> None:
        """A used link leads who used it, and is still signed in, to the dashboard."""
        token = visitor.portal.invited("p1")
        signed_in = visitor.portal.define(token)
        visitor.cookies["__Host-parentauth"] = signed_in.session_id

        assert "/child/c1" == visitor.link(token).location


class TestPassword:
    def test_get(self, visitor: Browser) -> None:
        """The password page without a token is the token page."""
        assert "/token" == visitor.get("password").location

    def test_page(self, visitor: Browser) -> None:
        """It says the username, the rules and what for, and carries the username for managers."""
        show = visitor.post("token", {"token": visitor.portal.invited("p1")})
        text = show.context["text"]

        assert "Définition du mot de passe personnel" == show.context["heading"]
        assert (
            "Vous avez reçu ou demandé un (nouveau) jeton de connexion afin de (re)définir "
            "votre mot de passe personnel." == text["intro"]
        )
        assert "Votre nom d'utilisateur est anna. Notez-le." == (
            text["username_before"] + text["username"] + text["username_after"]
        )
        assert "Au moins 15 caractères. Par exemple trois mots sans rapport." == text["rules"]
        username, new, confirmation = show.context["form"]["fields"]
        assert ("anna", True, "username") == (
            username["value"],
            username["readonly"],
            username["autocomplete"],
        )
        assert ("Nouveau Mot de passe", "new-password") == (new["label"], new["autocomplete"])
        assert ("Vérification du mot de passe", "new-password") == (
            confirmation["label"],
            confirmation["autocomplete"],
        )
        assert "MODIFIER" == show.context["form"]["button"]

    def test_saved(self, visitor: Browser) -> None:
        """MODIFIER answers 303, signed in, with two cookies and a word for the next page."""
        token = visitor.portal.invited("p1")
        form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}
        redirect = visitor.post("password", form)

        assert ("/child/c1", "Votre mot de passe est enregistré.") == (
            redirect.location,
            redirect.flash,
        )
        assert ["__Host-parentauth", "__Host-parentauth-device"] == [
            cookie.name for cookie in redirect.cookies
        ]

    @pytest.mark.parametrize(
        ("new", "confirmation", "errors"),
        [
            ("", "", {"new_password": "Introduisez un mot de passe."}),
            (
                "girafe",
                "girafe",
                {"new_password": "Le mot de passe doit compter au moins 15 caractères."},
            ),
            (
                "motdepassemotdepasse",
                "motdepassemotdepasse",
                {"new_password": "Ce mot de passe est trop courant. Choisissez-en un autre."},
            ),
            (
                "annaannaannaannaanna",
                "annaannaannaannaanna",
                {
                    "new_password": "Ce mot de passe ressemble trop à votre nom, à celui d'un "
                    "enfant ou de l'école."
                },
            ),
            (
                PASSWORD,
                OTHER_PASSWORD,
                {"confirmation": "Les deux mots de passe ne sont pas identiques."},
            ),
            (
                f"{PASSWORD} " * 20,
                f"{PASSWORD} " * 20,
                {"new_password": "Le mot de passe doit compter au plus 256 caractères."},
            ),
        ],
    )
    def test_refused(
        self, visitor: Browser, new: str, confirmation: str, errors: dict[str, str]
    ) -> None:
        """Each broken rule has its sentence beside its field; the token stays, the passwords go."""
        token = visitor.portal.invited("p1")
        form = {"token": token, "new_password": new, "confirmation": confirmation}
        show = visitor.post("password", form)

        assert ("password.html", 422, ()) == (show.template, show.status, show.cookies)
        assert errors.keys() == errors_of(show).keys()
        for name, sentence in errors.items():
            assert sentence in errors_of(show)[name]
        assert token == values_of(show)["token"]
        assert "" == values_of(show)["new_password"] == values_of(show)["confirmation"]
        assert "p1" == visitor.portal.define(token).parent.id

    @pytest.mark.parametrize(
        ("parameters", "sentence"),
        [
            ({"text": "Pas de nom d'animal."}, "Pas de nom d'animal."),
            ({}, "Ce mot de passe ne convient pas. Choisissez-en un autre."),
        ],
    )
    def test_host_rule(self, parameters: dict, sentence: str) -> None:
        """A rule of the host's own is said in its words, or in ours."""
        policy = PasswordPolicy(extra_rules=[lambda *_: [Violation("animal", parameters)]])
        visitor = Browser(Portal(settings={"policy": policy}))
        form = {"token": visitor.portal.invited("p1")}
        form |= {"new_password": PASSWORD, "confirmation": PASSWORD}

        assert {"new_password": sentence} == errors_of(visitor.post("password", form))

    def test_twice(self, visitor: Browser) -> None:
        """A second submit is explained, and changes nothing."""
        token = visitor.portal.invited("p1")
        form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}
        visitor.post("password", form)
        before = visitor.portal.everything()
        show = visitor.post("password", form)

        assert 422 == show.status
        assert "déjà servi" in said(show)[0]
        assert before == visitor.portal.everything()

    @pytest.mark.parametrize("token", ["", NOBODYS])
    def test_no_token(self, visitor: Browser, token: str) -> None:
        """MODIFIER without a token that opens signs nobody in."""
        form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}
        show = visitor.post("password", form)

        assert ("token.html", 422, ()) == (show.template, show.status, show.cookies)

    def test_next_is_dropped(self, visitor: Browser) -> None:
        """A link can't say where its parent goes afterwards."""
        form = {"token": visitor.portal.invited("p1"), "next": "/elsewhere"}
        form |= {"new_password": PASSWORD, "confirmation": PASSWORD}

        assert "/child/c1" == visitor.post("password", form).location


class TestPasswordChange:
    def form(self, **values: str) -> dict[str, str]:
        """Return a form that is right."""
        right = {
            "current_password": PASSWORD,
            "new_password": OTHER_PASSWORD,
            "confirmation": OTHER_PASSWORD,
        }
        return {**right, **values}

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_anonymous(self, visitor: Browser, method: str) -> None:
        """Who is not signed in signs in first, and comes back."""
        outcome = visitor.pages.respond("password_change", visitor.request(method))

        assert "/login?next=%2Fpassword%2Fchange" == outcome.location

    def test_page(self, visitor: Browser) -> None:
        """It asks for the present password and twice for the new one."""
        show = visitor.signed_in("p1").get("password_change")

        assert "Changer mon mot de passe" == show.context["heading"]
        assert [
            ("username", "username"),
            ("current_password", "current-password"),
            ("new_password", "new-password"),
            ("confirmation", "new-password"),
        ] == [(field["name"], field["autocomplete"]) for field in show.context["form"]["fields"]]

    def test_changed(self, visitor: Browser) -> None:
        """It answers 303 with a new session and a word for the next page."""
        old = visitor.signed_in("p1").cookies["__Host-parentauth"]
        redirect = visitor.post("password_change", self.form())

        assert ("/child/c1", "Votre mot de passe est enregistré.") == (
            redirect.location,
            redirect.flash,
        )
        assert old != visitor.cookies["__Host-parentauth"]
        assert visitor.portal.auth.resume(old) is None
        assert visitor.get("password_change").status == 200

    def test_wrong_current(self, visitor: Browser) -> None:
        """A wrong present password is said beside its field, and counted."""
        visitor.signed_in("p1")
        for _ in range(10):
            show = visitor.post("password_change", self.form(current_password="wrong"))
            assert 422 == show.status
            assert {"current_password": "Le mot de passe actuel n'est pas correct."} == errors_of(
                show
            )
        show = visitor.post("password_change", self.form())

        assert (429, "900") == (show.status, show.headers["Retry-After"])

    def test_weak(self, visitor: Browser) -> None:
        """Broken rules are said beside their fields, all fields emptied."""
        show = visitor.signed_in("p1").post("password_change", self.form(new_password="x"))

        assert 422 == show.status
        assert {"new_password", "confirmation"} == errors_of(show).keys()
        assert {"username": "anna"} == {k: v for k, v in values_of(show).items() if v}

    def test_ended_meanwhile(self, visitor: Browser) -> None:
        """A session that ends between the look and the change signs in again."""
        visitor.signed_in("p1")
        verify = visitor.portal.hasher.verify

        def meanwhile(**values: str) -> bool:
            visitor.portal.auth.end_sessions("p1")
            return verify(**values)

        visitor.portal.hasher.verify = meanwhile

        assert (
            "/login?next=%2Fpassword%2Fchange"
            == visitor.post("password_change", self.form()).location
        )

    def test_well_known(self, visitor: Browser) -> None:
        """The well-known address leads to the change."""
        assert "/password/change" == visitor.get("well_known").location


class TestForgot:
    ANSWER = "/forgot?notice=sent"

    def test_form(self, visitor: Browser) -> None:
        """The page keeps the reference's wording."""
        show = visitor.get("forgot")
        [field] = show.context["form"]["fields"]

        assert "Mot de passe oublié" == show.context["heading"]
        assert (
            "Afin de redéfinir votre mot de passe, veuillez entrer votre adresse email. "
            "Vous allez recevoir des instructions dans votre boîte mail."
            == show.context["text"]["intro"]
        )
        assert ("email", "email", "email") == (
            field["label"],
            field["type"],
            field["autocomplete"],
        )
        assert "SOUMETTRE" == show.context["form"]["button"]

    @pytest.mark.parametrize(
        "email", ["anna@example.be", "nobody@example.be", "farid@example.be", "cara@example.be"]
    )
    def test_one_answer(self, visitor: Browser, email: str) -> None:
        """Known, unknown, closed, without password: one answer, and the same calls of the storage."""
        visitor.portal.connected("p1")
        visitor.portal.change("p3", active=False)
        storage = RecordingStorage(visitor.portal.storage)
        visitor.portal.auth = visitor.portal.new_auth(storage=storage)

        assert Redirect(self.ANSWER) == visitor.post("forgot", {"email": email})
        assert ["enqueue"] == storage.calls

    def test_throttled_silently(self, visitor: Browser) -> None:
        """Beyond an address's limits the answer is the same, and nothing more is queued."""
        for _ in range(20):
            assert Redirect(self.ANSWER) == visitor.post("forgot", {"email": "anna@example.be"})
            visitor.portal.deliver(after=10 * SECOND)

        assert 3 == len(visitor.portal.mailer.sent)

    def test_sent(self, visitor: Browser) -> None:
        """The answer says what to do, the same for all, and again after a reload."""
        show = visitor.get("forgot", {"notice": "sent"})

        assert ("forgot_sent.html", 200) == (show.template, show.status)
        assert (
            "Si un compte est lié à cette adresse, un mail vient d'être envoyé. "
            "Il arrive en une minute ou deux. Regardez aussi dans les courriers indésirables. "
            "Vous ne recevez rien ? Recommencez avec l'adresse mail que vous avez communiquée "
            "à l'école." == plain(" ".join(show.context["paragraphs"]))
        )

    @pytest.mark.parametrize("email", ["", "anna", "anna@", "a@b.be, c@d.be", "anna@example.be\nx"])
    def test_no_address(self, visitor: Browser, email: str) -> None:
        """Only what is no address gets an error, and is kept."""
        show = visitor.post("forgot", {"email": email})

        assert ("forgot.html", 422) == (show.template, show.status)
        assert {"email": "Introduisez une adresse mail, par exemple nom@example.com."} == errors_of(
            show
        )
        assert email == values_of(show)["email"]

    def test_limit(self, visitor: Browser) -> None:
        """Three hundred requests an hour from one prefix; then a visible wait, for any address."""
        for number in range(300):
            assert (
                self.ANSWER == visitor.post("forgot", {"email": f"x{number}@example.be"}).location
            )
        for email in ("anna@example.be", "nobody@example.be"):
            show = visitor.post("forgot", {"email": email})
            assert (429, "3600") == (show.status, show.headers["Retry-After"])
            assert ["Trop de demandes. Réessayez dans 60 minutes."] == said(show)

    def test_mailer_down(self, visitor: Browser) -> None:
        """A mail server that is down does not show."""
        visitor.portal.mailer.fail_connect = lambda: 1 / 0

        assert Redirect(self.ANSWER) == visitor.post("forgot", {"email": "anna@example.be"})


class TestChildren:
    def test_anonymous(self, visitor: Browser) -> None:
        """Who is not signed in signs in first, and comes back."""
        assert "/login?next=%2Fchildren" == visitor.get("children").location
        assert "/login?next=%2Fchildren" == visitor.post("children", {"child": "c1"}).location

    def test_several(self, visitor: Browser) -> None:
        """Several children are shown by name and class, with one button each."""
        show = visitor.signed_in("p2").get("children")

        assert "Choisissez un enfant" == show.context["heading"]
        assert [
            {"id": "c2", "name": "Lou", "school_class": "2B"},
            {"id": "c3", "name": "Mila", "school_class": "3C"},
        ] == show.context["children"]
        assert "Se connecter avec ce compte" == show.context["form"]["button"]

    def test_one(self, visitor: Browser) -> None:
        """With one child there is nothing to choose."""
        assert "/child/c1" == visitor.signed_in("p1").get("children").location
        assert "/x" == visitor.get("children", {"next": "/x"}).location

    def test_none(self, visitor: Browser) -> None:
        """Without a child ours says so, unless the host has a page for it."""
        show = visitor.signed_in("p3").get("children")
        assert (
            "Aucun enfant n'est lié à votre compte. Téléphonez à l'école."
            == (show.context["text"]["none"])
        )
        assert [] == show.context["children"]

        visitor.links = FakeLinks("/nobody")
        assert "/nobody" == visitor.get("children").location

    def test_picked(self, visitor: Browser) -> None:
        """Picking a child leads to its dashboard, or to where the parent was going."""
        visitor.signed_in("p2")

        assert "/child/c3" == visitor.post("children", {"child": "c3"}).location
        assert "/x" == visitor.post("children", {"child": "c2", "next": "/x"}).location
        assert "/child/c2" == visitor.post("children", {"child": "c2", "next": "//e"}).location

    @pytest.mark.parametrize("child", ["c1", "c4", "", "c2 ", "C2", "../c2", "0"])
    def test_others_child(self, visitor: Browser, child: str) -> None:
        """A child that is not linked is not found, and it is told to listeners."""
        show = visitor.signed_in("p2").post("children", {"child": child})

        assert ("error.html", 404) == (show.template, show.status)
        assert EventKind.CHILD_REFUSED in visitor.portal.told

    @pytest.mark.parametrize(
        ("meanwhile", "location"),
        [
            (lambda portal: portal.auth.end_sessions("p2"), "/login?next=%2Fchildren"),
            (lambda portal: portal.change("p2", active=False), "/login?next=%2Fchildren"),
        ],
    )
    def test_ended_meanwhile(
        self, visitor: Browser, meanwhile: Callable[[Portal], None], location: str
    ) -> None:
        """A session that ends between the look and the choice signs in again."""
        visitor.signed_in("p2")
        choose = visitor.portal.auth.select_child

        def late(*values: str) -> object:
            meanwhile(visitor.portal)
            return choose(*values)

        visitor.portal.auth.select_child = late

        assert location == visitor.post("children", {"child": "c2"}).location

    def test_link_ended(self, visitor: Browser) -> None:
        """A link that ends is gone on the next request: first one, then none, and no loop."""
        visitor.signed_in("p2")
        visitor.post("children", {"child": "c3"})
        lou, mila = visitor.portal.account("p2").children
        now = visitor.portal.clock()
        visitor.portal.change("p2", children=(lou, attrs.evolve(mila, until=now)))
        assert "/child/c2" == visitor.get("children").location
        visitor.portal.change("p2", children=(attrs.evolve(lou, until=now),))
        assert 200 == visitor.get("children").status


class TestGate:
    def gate(self, visitor: Browser, *, child: bool, after: str = "/child/c1") -> Redirect | None:
        """Ask whether the visitor may see a page of the host's."""
        request = visitor.request("GET")
        present = visitor.portal.auth.resume(request.session_id)
        return visitor.pages.gate(request, present, child=child, after=after)

    def test_anonymous(self, visitor: Browser) -> None:
        """Strangers sign in and come back."""
        assert Redirect("/login?next=%2Fchild%2Fc1") == self.gate(visitor, child=False)

    def test_foreign_place(self, visitor: Browser) -> None:
        """They come back to this site only."""
        assert Redirect("/login") == self.gate(visitor, child=True, after="//evil.example")

    @pytest.mark.parametrize(
        ("account_id", "location"),
        [("p1", None), ("p2", "/children?next=%2Fchild%2Fc1"), ("p3", "/children")],
    )
    def test_child(self, visitor: Browser, account_id: str, location: str | None) -> None:
        """A child's page lets in who has a present child; others choose one or are told."""
        visitor.signed_in(account_id)

        assert (location and Redirect(location)) == self.gate(visitor, child=True)
        assert self.gate(visitor, child=False) is None


class TestBand:
    def band(self, visitor: Browser) -> dict[str, str] | None:
        """Return the band."""
        request = visitor.request("GET")
        return visitor.pages.band(request, visitor.portal.auth.resume(request.session_id))

    def test_none(self, visitor: Browser) -> None:
        """Without a present child there is no band."""
        assert self.band(visitor) is None
        assert self.band(visitor.signed_in("p2")) is None

    def test_one(self, visitor: Browser) -> None:
        """An only child's band leads nowhere else."""
        assert {
            "lang": "fr",
            "text": "Vous êtes connecté au compte de Noor",
            "back": "",
            "back_href": "/children",
        } == self.band(visitor.signed_in("p1"))

    def test_several(self, visitor: Browser) -> None:
        """One of several has a way back to the others."""
        visitor.signed_in("p2").post("children", {"child": "c3"})

        assert {
            "lang": "fr",
            "text": "Vous êtes connecté au compte de Mila",
            "back": "Revenir à mes enfants",
            "back_href": "/children",
        } == self.band(visitor)


class TestLanguage:
    def test_order(self, visitor: Browser) -> None:
        """The language is the cookie's, the account's, the browser's, the portal's, in that order."""
        visitor.portal.change("p1", locale="en")
        values = {"accept_language": "nl-BE,nl;q=0.9,en;q=0.5"}
        available = {each["code"] for each in visitor.get("login").context["languages"]["choices"]}
        seen = [visitor.get("login", **values).context["lang"]]
        visitor.signed_in("p1")
        seen += [visitor.get("password_change", **values).context["lang"]]
        seen += [visitor.get("password_change", **values, language="fr").context["lang"]]
        seen += [visitor.get("login", session_id=None).context["lang"]]

        assert ["nl" if "nl" in available else "en", "en", "fr", "fr"] == seen

    def test_menu(self, visitor: Browser) -> None:
        """The menu names every language in its own, and marks the present one."""
        choices = visitor.get("login").context["languages"]["choices"]

        assert ("fr", "Français", True) == tuple(choices[0].values())
        assert {"code": "en", "name": "English", "current": False} == choices[-1]

    @pytest.mark.parametrize("asked", ["login", "token", "forgot", "children", "password_change"])
    def test_without_values(self, visitor: Browser, asked: str) -> None:
        """The menu of an empty page sets the cookie for a year and shows the page by GET."""
        visitor.signed_in("p2")
        redirect = visitor.post(asked, {"lang": "en", "next": "/x", "csrf_token": "csrf-value"})

        path, query = urlsplit(redirect.location).path, urlsplit(redirect.location).query
        assert (PATHS[asked], {"next": ["/x"]}) == (path, parse_qs(query))
        [cookie] = redirect.cookies
        assert ("__Host-parentauth-lang", "en", 365 * 86400) == (
            cookie.name,
            cookie.value,
            cookie.max_age,
        )
        assert "en" == visitor.get("token").context["lang"]

    @pytest.mark.parametrize(
        ("asked", "values"),
        [
            ("login", {"username": "anna", "next": "/x"}),
            ("token", {"token": NOBODYS}),
            ("token", {"token": NOBODYS, "switch": "1"}),
            ("forgot", {"email": "anna@example.be"}),
        ],
    )
    def test_values_kept(self, visitor: Browser, asked: str, values: dict[str, str]) -> None:
        """The menu of a page with values shows them again in the new language; nothing is attempted."""
        before = visitor.portal.everything()
        show = visitor.post(asked, {**values, "lang": "en"})

        assert ("en", 200) == (show.context["lang"], show.status)
        assert values.items() <= values_of(show).items()
        assert values == kept_by_menu(show)
        assert before == visitor.portal.everything()
        assert [] == visitor.portal.told
        assert "en" == visitor.cookies["__Host-parentauth-lang"]

    def test_password_page(self, visitor: Browser) -> None:
        """On the password page the token is kept and not spent."""
        token = visitor.portal.invited("p1")
        shown = visitor.post("token", {"token": token})
        show = visitor.post("password", {**kept_by_menu(shown), "lang": "en"})

        assert ("password.html", "en", token) == (
            show.template,
            show.context["lang"],
            values_of(show)["token"],
        )
        assert (200, []) == (show.status, said(show))
        assert "p1" == visitor.portal.define(token).parent.id

    def test_passwords_never_kept(self, visitor: Browser) -> None:
        """No password travels with the menu or comes back in a page."""
        show = visitor.post("login", {"username": "anna", "password": "canary-password"})

        assert "canary-password" not in repr(show.context)

    @pytest.mark.parametrize("chosen", ["xx", "", "../../x", "FR"])
    def test_unknown(self, visitor: Browser, chosen: str) -> None:
        """A language that there is not changes nothing."""
        outcome = visitor.post("login", {"lang": chosen, "username": "anna"})

        assert ("fr", ()) == (outcome.context["lang"], outcome.cookies)

    def test_sent_page(self, visitor: Browser) -> None:
        """The answer of the forgotten password survives a change of language."""
        shown = visitor.get("forgot", {"notice": "sent"})
        redirect = visitor.post("forgot", {**kept_by_menu(shown), "lang": "en"})

        assert "/forgot?notice=sent" == redirect.location
        assert [] == visitor.portal.outbox


class TestBadInput:
    @pytest.mark.parametrize(
        ("asked", "form"),
        [
            ("login", {"username": ["anna", "bert"], "password": PASSWORD}),
            ("login", {"username": "anna", "password": [PASSWORD, PASSWORD]}),
            ("login", {"username": "anna\0", "password": PASSWORD}),
            ("login", {"username": "anna", "password": "\ud800"}),
            ("login", {"username": "anna", "password": "x" * 1_000_000}),
            ("login", {"username": "anna", "password": "x", "next": ["/a", "/b"]}),
            ("forgot", {"email": ["anna@example.be", "evil@example.be"]}),
            ("forgot", {"email": "anna@example.be\0"}),
            ("forgot", {"email": "x" * 1_000_000}),
            ("token", {"token": [NOBODYS, NOBODYS]}),
            ("token", {"token": "x" * 1_000_000}),
            ("password", {"token": NOBODYS, "switch": ["1", "1"]}),
            ("children", {"child": ["c2", "c3"]}),
            ("children", {"child": "c2\0"}),
        ],
    )
    def test_refused(self, visitor: Browser, asked: str, form: dict) -> None:
        """A field that came twice, or holds what no form sends, is 400 and does nothing."""
        visitor.signed_in("p2")
        before = visitor.portal.everything()
        show = visitor.post(asked, form)

        assert ("error.html", 400) == (show.template, show.status)
        assert BAD_FORM == plain(show.context["text"]["message"])
        assert before == visitor.portal.everything()

    @pytest.mark.parametrize(
        ("asked", "name"),
        [("login", "username"), ("forgot", "email"), ("token", "token"), ("children", "child")],
    )
    @pytest.mark.parametrize("value", [["a", "b"], "\0"])
    def test_counted(self, visitor: Browser, asked: str, name: str, value: object) -> None:
        """Bad input counts as a failure of the client's prefix."""
        visitor.portal.connected("p1")
        visitor.signed_in("p2")
        for _ in range(100):
            visitor.post(asked, {name: value})
        show = visitor.post("login", {"username": "anna", "password": PASSWORD})

        assert 429 == show.status

    @pytest.mark.parametrize(("asked", "name"), [("login", "next"), ("forgot", "notice")])
    def test_query(self, visitor: Browser, asked: str, name: str) -> None:
        """A repeated field in the query is 400."""
        assert 400 == visitor.get(asked, {name: ["/a", "/b"]}).status

    def test_repeated_language(self, visitor: Browser) -> None:
        """A repeated language chooses none."""
        outcome = visitor.post("login", {"lang": ["en", "fr"], "username": "anna"})

        assert () == outcome.cookies

    def test_language_cookie(self, visitor: Browser) -> None:
        """A language cookie that makes no sense is ignored."""
        assert "fr" == visitor.get("login", language="\ud800,;q=\0").context["lang"]


NAMES = [
    "username",
    "password",
    "next",
    "token",
    "switch",
    "new_password",
    "confirmation",
    "current_password",
    "email",
    "child",
    "lang",
    "notice",
    "csrf_token",
]
KNOWN = ["", "1", "anna", "bert", "c2", "en", "xx", "sent", "/x", "//evil", "anna@example.be"]
HOSTILE = ["\0", "\ud800", "é" * 40, "x" * 3000]
VALUES = st.sampled_from([*KNOWN, *HOSTILE, PASSWORD, OTHER_PASSWORD, NOBODYS]) | st.text(
    st.characters(exclude_categories=[]), max_size=20
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), st.lists(VALUES, max_size=2), max_size=6)


class TestAnyRequest:
    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(
        st.sampled_from(PAGES),
        st.sampled_from(["GET", "HEAD", "POST", "PUT"]),
        st.sampled_from([None, "p1", "p2", "unknown"]),
        FIELDS,
        FIELDS,
    )
    def test_answered(
        self, asked: str, method: str, who: str | None, form: dict, query: dict
    ) -> None:
        """Whatever is sent to whichever page by whomever has an answer of ours, on this site."""
        visitor = Browser(Portal())
        if who in {"p1", "p2"}:
            visitor.signed_in(who)
        elif who:
            visitor.cookies["__Host-parentauth"] = who
        outcome = visitor.pages.respond(asked, visitor.request(method, form, query))

        if isinstance(outcome, Redirect):
            assert outcome.location.startswith("/")
            assert not outcome.location.startswith("//")
        else:
            assert outcome.status in {200, 400, 403, 404, 405, 422}
            assert outcome.status == 200 or method in {"POST", "PUT"} or 400 <= outcome.status < 410
        for cookie in outcome.cookies:
            assert cookie.name.startswith("__Host-")


class TestConflicts:
    @pytest.mark.parametrize("asked", ["login", "password", "children", "logout"])
    def test_busy(self, visitor: Browser, asked: str) -> None:
        """Who loses every race for the account is asked to try again, and nothing is written."""
        visitor.signed_in("p2")
        token = visitor.portal.invited("p1")
        storage = ConflictingStorage(visitor.portal.storage)
        visitor.portal.auth = visitor.portal.new_auth(storage=storage)
        before = visitor.portal.everything()
        storage.conflicts = 10
        form = {"username": "bert", "password": PASSWORD, "child": "c2", "token": token}
        form |= {"switch": "1", "new_password": PASSWORD, "confirmation": PASSWORD}
        show = visitor.post(asked, form)

        assert ("error.html", 503) == (show.template, show.status)
        assert "1" == show.headers["Retry-After"]
        assert before == visitor.portal.everything()


class TestCrossSite:
    @pytest.mark.parametrize("asked", [asked for asked in PAGES if asked != "well_known"])
    @pytest.mark.parametrize(
        "headers",
        [
            {"fetch_site": "cross-site"},
            {"fetch_site": "same-site"},
            {"origin": "https://evil.example", "host": "portail.ecole.be"},
            {"origin": "null", "host": "portail.ecole.be"},
            {"origin": "http://[", "host": "portail.ecole.be"},
        ],
    )
    def test_refused(self, visitor: Browser, asked: str, headers: dict[str, str]) -> None:
        """A form that another site sent is refused before anything is done."""
        visitor.signed_in("p2")
        token = visitor.portal.invited("p1")
        visitor.portal.forget()
        before = visitor.portal.everything()
        form = {
            "username": "bert",
            "password": PASSWORD,
            "token": token,
            "email": "anna@example.be",
            "child": "c2",
            "current_password": PASSWORD,
            "new_password": OTHER_PASSWORD,
            "confirmation": OTHER_PASSWORD,
            "switch": "1",
        }
        show = visitor.post(asked, form, **headers)

        assert (403, ()) == (show.status, show.cookies)
        assert before == visitor.portal.everything()
        assert [EventKind.CSRF_REFUSED] == visitor.portal.told

    def test_language_too(self, visitor: Browser) -> None:
        """Another site can't choose the language either."""
        outcome = visitor.post("login", {"lang": "en"}, fetch_site="cross-site")

        assert (403, ()) == (outcome.status, outcome.cookies)

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"fetch_site": "same-origin"},
            {"fetch_site": "none"},
            {"origin": "https://portail.ecole.be", "host": "portail.ecole.be"},
            {"origin": "https://portail.ecole.be", "host": "internal:8000"},
        ],
    )
    def test_own(self, visitor: Browser, headers: dict[str, str]) -> None:
        """Our own forms pass, also behind a proxy that changes the host."""
        visitor.portal.connected("p1")
        form = {"username": "anna", "password": PASSWORD}

        assert "/child/c1" == visitor.post("login", form, **headers).location


class TestExpiredForm:
    @pytest.mark.parametrize(
        ("asked", "form", "template", "kept"),
        [
            (
                "login",
                {"username": "anna", "password": "canary", "next": "/x"},
                "login.html",
                {"username": "anna", "next": "/x"},
            ),
            ("token", {"token": NOBODYS}, "token.html", {"token": NOBODYS}),
            (
                "password",
                {"token": NOBODYS, "new_password": "canary"},
                "token.html",
                {"token": NOBODYS},
            ),
            ("forgot", {"email": "anna@example.be"}, "forgot.html", {"email": "anna@example.be"}),
            ("password_change", {"new_password": "canary"}, "password_change.html", {}),
        ],
    )
    def test_form_again(
        self, visitor: Browser, asked: str, form: dict, template: str, kept: dict
    ) -> None:
        """The same form is shown again with a new CSRF value; all but passwords is kept."""
        visitor.signed_in("p1")
        show = visitor.pages.expired_form(asked, visitor.request("POST", form))

        assert (template, 403) == (show.template, show.status)
        assert [EXPIRED_FORM] == said(show)
        assert kept.items() <= values_of(show).items()
        assert "canary" not in repr(show.context)
        assert {"name": "csrf_token", "value": "csrf-value"} == show.context["csrf"]
        assert [EventKind.CSRF_REFUSED] == visitor.portal.told

    @pytest.mark.parametrize("asked", ["children", "logout", "password_change"])
    def test_others(self, visitor: Browser, asked: str) -> None:
        """Where there is no form to show again, there is a way on."""
        show = visitor.pages.expired_form(asked, visitor.request("POST"))

        assert ("error.html", 403, ["/children"]) == (show.template, show.status, steps_of(show))

    def test_link(self, visitor: Browser) -> None:
        """A form sent to a mailed link's address gets the token page."""
        show = visitor.pages.expired_form("link", visitor.request("POST", {"lang": "en"}))

        assert ("token.html", 403) == (show.template, show.status)

    @pytest.mark.parametrize(
        ("asked", "allowed"), [("login", "GET, HEAD, POST"), ("link", "GET, HEAD")]
    )
    def test_other_method(self, visitor: Browser, asked: str, allowed: str) -> None:
        """A method that no form has is told as such."""
        show = visitor.pages.expired_form(asked, visitor.request("PUT"))

        assert (405, allowed) == (show.status, show.headers["Allow"])
        assert [] == visitor.portal.told

    def test_repeated_field(self, visitor: Browser) -> None:
        """Bad input in a refused form is 400, never a crash."""
        request = visitor.request("POST", {"username": ["a", "b"]})

        assert 400 == visitor.pages.expired_form("login", request).status


class TestError:
    @pytest.mark.parametrize(
        ("status", "message"),
        [
            (400, BAD_FORM),
            (403, "Vous n'avez pas accès à cette page."),
            (404, "Cette page n'existe pas."),
            (405, "Cette page n'existe pas."),
            (413, BAD_FORM),
            (500, "Un problème est survenu. Réessayez plus tard."),
            (502, "Un problème est survenu. Réessayez plus tard."),
        ],
    )
    def test_message(self, visitor: Browser, status: int, message: str) -> None:
        """An error is said without code or jargon, with the school's telephone."""
        show = visitor.pages.error(visitor.request("GET"), status)

        assert ("error.html", status) == (show.template, show.status)
        assert message == plain(show.context["text"]["message"])
        assert "02 555 12 34" == show.context["school"]["telephone"]
        assert "tel:025551234" == show.context["school"]["telephone_href"]

    @pytest.mark.parametrize(
        ("status", "method", "headers", "counted"),
        [
            (400, "POST", {}, True),
            (413, "POST", {}, True),
            (413, "POST", {"fetch_site": "cross-site"}, False),
            (400, "GET", {}, False),
            (404, "POST", {}, False),
        ],
    )
    def test_counted(
        self, visitor: Browser, status: int, method: str, headers: dict[str, str], *, counted: bool
    ) -> None:
        """A form that the framework could not read is counted, if it came from our page."""
        visitor.pages.error(visitor.request(method, **headers), status)

        assert counted is (EventKind.BAD_INPUT in visitor.portal.told)

    def test_without_protection(self, visitor: Browser) -> None:
        """Where a host's protection needs no field, there is none with a value."""
        request = PageRequest(method="GET", links=visitor.links)

        assert {"name": "", "value": ""} == visitor.pages.respond("login", request).context["csrf"]

    def test_storage_away(self, visitor: Browser) -> None:
        """The page that says that something failed needs nothing of what failed."""

        class Away:
            def __getattr__(self, name: str) -> Any:
                raise OSError("away")

        visitor.signed_in("p1")
        visitor.portal.auth = visitor.portal.new_auth(storage=Away())

        assert 500 == visitor.pages.error(visitor.request("GET"), 500).status


class TestCookies:
    @pytest.mark.parametrize(
        ("base_url", "names"),
        [
            (
                "https://portail.ecole.be",
                ["__Host-parentauth", "__Host-parentauth-device", "__Host-parentauth-lang"],
            ),
            (
                "http://127.0.0.1:5000",
                ["parentauth", "parentauth-device", "parentauth-lang"],
            ),
        ],
    )
    def test_names(self, base_url: str, names: list[str]) -> None:
        """Names have the __Host- prefix on https, and are plain on loopback."""
        cookies = Pages(Portal(settings={"base_url": base_url}).auth).cookies

        assert names == [cookies.session, cookies.device, cookies.language]

    @pytest.mark.parametrize("secure", [True, False])
    def test_attributes(self, *, secure: bool) -> None:
        """Every cookie is HttpOnly, SameSite=Lax, for the whole site, Secure on https, without domain."""
        assert {
            "key": "x",
            "value": "v",
            "max_age": None,
            "secure": secure,
            "httponly": True,
            "samesite": "Lax",
            "path": "/",
        } == Cookie("x", "v", secure=secure).attributes()
        assert 0 == Cookie("x", None, secure=secure).attributes()["max_age"]

    def test_size(self, visitor: Browser) -> None:
        """No cookie comes near the limit of browsers, whatever the username."""
        visitor.portal.change("p1", username="Ü" * 150)
        visitor.portal.connected("p1")
        redirect = visitor.post("login", {"username": "Ü" * 150, "password": PASSWORD})

        assert all(len(cookie.value) < 400 for cookie in redirect.cookies)

    def test_repr(self, visitor: Browser) -> None:
        """No outcome shows a secret in its repr."""
        token = visitor.portal.invited("p1")
        shown = visitor.post("token", {"token": token})
        form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}
        request = visitor.request("POST", form)
        redirect = visitor.pages.respond("password", request)

        for value in (shown, redirect, request):
            for secret in (token, PASSWORD, *(cookie.value for cookie in redirect.cookies)):
                assert secret not in repr(value)


class TestHeaders:
    def test_table(self) -> None:
        """The headers of every response keep scripts, frames, caches and other origins out."""
        assert "default-src 'none'" in HEADERS["Content-Security-Policy"]
        for directive in ("base-uri 'none'", "frame-ancestors 'none'", "form-action 'self'"):
            assert directive in HEADERS["Content-Security-Policy"]
        assert "unsafe" not in HEADERS["Content-Security-Policy"]
        assert ("no-store", "strict-origin", "nosniff", "same-origin") == (
            HEADERS["Cache-Control"],
            HEADERS["Referrer-Policy"],
            HEADERS["X-Content-Type-Options"],
            HEADERS["Cross-Origin-Opener-Policy"],
        )


class TestRotation:
    def test_device(self, visitor: Browser) -> None:
        """A browser remembered under an older secret is still remembered."""
        visitor.signed_in("p1")
        device = visitor.portal.sign_in("anna").device
        new = "Zk8rQ1xNw5JtV3bYc7MhDf2LpGs9TuEa-newer"
        old = visitor.portal.auth._parts
        rotated = visitor.portal.new_auth(
            secret_keys=[new, "q7Vd2mXcP0sLr9TzKe4HwYb6NfUaGj1B-tests"]
        )
        digest = rotated._parts.device_digest("anna")

        assert old.devices.knows(device, old.device_digest("anna"), now=visitor.portal.clock())
        assert rotated._parts.devices.knows(device, digest, now=visitor.portal.clock())
