import re
import threading

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from tests.portal import PASSWORD, Answer, Browser, Portal, live_portal, text_of, tokens_of
from tests.smtp import SMTPSink, smtp_sink

MARIE, KARIM, NATHALIE = "marie.dubois", "karim.benali", "nathalie.collard"
OTHER = "quatre autres mots pour demain"


@pytest.fixture(name="sink")
def _sink() -> Iterator[SMTPSink]:
    with smtp_sink() as sink:
        yield sink


@pytest.fixture(name="portal")
def _portal(tmp_path: Path, sink: SMTPSink) -> Iterator[Portal]:
    with live_portal(tmp_path, smtp_url=sink.url) as portal:
        yield portal


@pytest.fixture(name="visitor")
def _visitor(portal: Portal) -> Browser:
    return portal.browser()


def token_for(portal: Portal, sink: SMTPSink, username: str) -> str:
    """Invite one parent and return the token that was mailed."""
    parent = portal.auth.find_parent(username=username)
    assert parent is not None
    portal.auth.invite(parent.id)
    portal.deliver()
    (token,) = tokens_of(sink.messages[-1])
    return token


def connected(portal: Portal, sink: SMTPSink, username: str = MARIE) -> Browser:
    """Return the browser of a parent who has just chosen a password."""
    browser = portal.browser()
    browser.choose_password(token_for(portal, sink, username))
    browser.follow()
    sink.envelopes.clear()
    return browser


def is_anonymous(visitor: Browser) -> bool:
    """Tell whether a child's page asks to sign in first."""
    answer = visitor.get("/enfants/E101")
    return (303, "/login?next=/enfants/E101") == (answer.status, answer.location)


class TestFirstConnection:
    def test_one_child(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """The mailed link, CONNEXION and a password lead straight to the only child's page."""
        token = token_for(portal, sink, MARIE)

        linked = visitor.get(f"/token/{token}")
        checked = visitor.submit("/token")
        saved = visitor.submit("/password", new_password=PASSWORD, confirmation=PASSWORD)
        page = visitor.follow()

        assert 200 == linked.status
        assert token == linked.forms("/token")[0]["token"]
        assert 200 == checked.status
        assert MARIE == checked.forms("/password")[0]["username"]
        assert (303, "/enfants/E101") == (saved.status, saved.location)
        assert "Votre mot de passe est enregistré." in page.text
        assert "Vous êtes connecté au compte de Lucas Dubois" in page.text
        assert "Revenir à mes enfants" not in page.text

    def test_notice(self, portal: Portal, sink: SMTPSink) -> None:
        """A new password is told by mail, without a link that opens anything."""
        connected(portal, sink)
        portal.deliver()

        assert ["marie.dubois@example.com"] == sink.recipients
        assert "votre mot de passe a été modifié" in sink.messages[0]["Subject"]
        assert [] == tokens_of(sink.messages[0])

    def test_several_children(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A parent of three children picks one, and may pick another one later."""
        saved = visitor.choose_password(token_for(portal, sink, KARIM))
        choice = visitor.follow()
        picked = visitor.submit("/children", form=1)
        page = visitor.follow()
        visitor.get("/children")
        again = visitor.submit("/children", form=2)

        assert "/children" == saved.location
        assert ["E102", "E103", "E104"] == [form["child"] for form in choice.forms("/children")]
        assert "/enfants/E103" == picked.location
        assert "Revenir à mes enfants" in page.text
        assert "/enfants/E104" == again.location

    def test_no_child(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A parent without child is told whom to telephone."""
        saved = visitor.choose_password(token_for(portal, sink, NATHALIE))

        assert "/sans-enfant" == saved.location
        assert "Aucun enfant n'est lié à votre compte" in visitor.follow().text

    def test_visits_spend_nothing(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A mail scanner that opens the link and presses its button takes nothing away."""
        token = token_for(portal, sink, MARIE)
        for _ in range(3):
            portal.browser().open_token(token)

        assert 303 == visitor.choose_password(token).status

    def test_typed(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A token that is typed from the mail, in small letters and groups, is read."""
        token = token_for(portal, sink, MARIE).lower()
        typed = " ".join(token[at : at + 4] for at in range(0, 32, 4))
        visitor.get("/token")

        assert 200 == visitor.submit("/token", token=typed).status

    def test_refused_password(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A password that breaks the rules burns nothing: all is said, and the next one counts."""
        visitor.open_token(token_for(portal, sink, MARIE))
        refused = visitor.submit("/password", new_password="court", confirmation="autre")
        saved = visitor.submit("/password", new_password=PASSWORD, confirmation=PASSWORD)

        assert 422 == refused.status
        assert "au moins 15 caractères" in refused.text
        assert "ne sont pas identiques" in refused.text
        assert 303 == saved.status


class TestVerdicts:
    def test_expired(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """After fourteen days the token says since when it is over, and where to get another."""
        token = token_for(portal, sink, MARIE)
        portal.clock.advance(timedelta(days=14))
        answer = visitor.open_token(token)

        assert 422 == answer.status
        assert "Ce jeton n'est plus valable depuis le mardi 15 septembre 2026" in answer.text
        assert 'href="/forgot"' in answer.text

    def test_expired_meanwhile(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A token that expires between CONNEXION and MODIFIER sets no password."""
        visitor.open_token(token_for(portal, sink, MARIE))
        portal.clock.advance(timedelta(days=14))
        answer = visitor.submit("/password", new_password=PASSWORD, confirmation=PASSWORD)

        assert 422 == answer.status
        assert 422 == portal.browser().sign_in(MARIE).status

    def test_used(self, portal: Portal, sink: SMTPSink) -> None:
        """A token that was used says so, and leads to the sign-in page first."""
        token = token_for(portal, sink, MARIE)
        portal.browser().choose_password(token)
        answer = portal.browser().open_token(token)

        assert 422 == answer.status
        assert "Ce jeton a déjà servi." in answer.text
        assert answer.text.index('step" href="/login"') < answer.text.index('step" href="/forgot"')

    def test_bookmarked(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """A parent who is signed in and opens the used link again lands on the child's page."""
        token = token_for(portal, sink, MARIE)
        visitor.choose_password(token)

        assert "/enfants/E101" == visitor.get(f"/token/{token}").location

    def test_unknown(self, visitor: Browser) -> None:
        """What is no token of ours gets one answer that tells nothing."""
        answer = visitor.open_token("A" * 32)

        assert 422 == answer.status
        assert "Ce jeton n'est pas valable. Copiez-le en entier depuis le mail." in answer.text


class TestSignOut:
    def test_replayed(self, portal: Portal, sink: SMTPSink) -> None:
        """Signing out ends the session on the server: its cookie, sent again, is anonymous."""
        browser = connected(portal, sink)
        kept = f"parentauth={browser.cookie('parentauth')}"
        answer = browser.submit("/logout")
        replayed = portal.browser().get("/enfants/E101", Cookie=kept)

        assert (303, "/login?notice=signed-out") == (answer.status, answer.location)
        assert "Vous êtes déconnecté." in browser.follow().text
        assert is_anonymous(browser)
        assert (303, "/login?next=/enfants/E101") == (replayed.status, replayed.location)

    def test_get(self, portal: Portal, sink: SMTPSink) -> None:
        """A link or a picture can sign nobody out."""
        browser = connected(portal, sink)

        assert 405 == browser.get("/logout").status
        assert 200 == browser.get("/enfants/E101").status


class TestSignIn:
    @pytest.mark.parametrize("typed", [MARIE, "Marie.Dubois", "  MARIE.DUBOIS "])
    def test_spelling(self, portal: Portal, sink: SMTPSink, visitor: Browser, typed: str) -> None:
        """Capitals and blanks around the username do not matter."""
        connected(portal, sink)
        answer = visitor.sign_in(typed)

        assert (303, "/enfants/E101") == (answer.status, answer.location)

    def test_comes_back(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """Who was sent to the sign-in page comes back to the page asked for."""
        connected(portal, sink)
        visitor.get("/enfants/E101/bulletin")
        visitor.follow()
        visitor.submit("/login", username=MARIE, password=PASSWORD)

        assert "/enfants/E101/bulletin" == visitor.page.location

    def test_one_answer(self, portal: Portal, sink: SMTPSink) -> None:
        """Wrong password, unknown username and a parent without password get one same page."""
        connected(portal, sink)
        answers = [
            without_typed(portal.browser().sign_in(name, OTHER), name)
            for name in (MARIE, "personne", KARIM)
        ]

        assert "Nom d'utilisateur ou mot de passe incorrect." in answers[0][2]
        assert answers[0] == answers[1] == answers[2]

    def test_other_child(self, portal: Portal, sink: SMTPSink) -> None:
        """The address of another family's child leads to one's own, and shows nothing."""
        browser = connected(portal, sink)
        answer = browser.get("/enfants/E115/bulletin")

        assert (303, "/enfants/E101") == (answer.status, answer.location)


class TestForgotten:
    def test_new_password(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """The address brings a mail with the username and a link to a new password."""
        before = connected(portal, sink)
        visitor.forget("marie.dubois@example.com")
        portal.deliver()
        mail = sink.messages[-1]
        still = portal.browser().sign_in(MARIE)
        saved = visitor.choose_password(tokens_of(mail)[0], OTHER)

        assert f"Nom d'utilisateur : {MARIE}" in text_of(mail)
        assert 303 == still.status
        assert (303, "/enfants/E101") == (saved.status, saved.location)
        assert is_anonymous(before)
        assert 422 == portal.browser().sign_in(MARIE).status
        assert 303 == portal.browser().sign_in(MARIE, OTHER).status

    def test_unknown_address(self, portal: Portal, sink: SMTPSink) -> None:
        """An address that nobody has gets the bytes and headers of one that somebody has."""
        connected(portal, sink)
        sent = [
            (without_typed(browser.forget(email)), without_typed(browser.follow()))
            for browser, email in (
                (portal.browser(), "marie.dubois@example.com"),
                (portal.browser(), "karin.dubois@example.com"),
            )
        ]
        sink.envelopes.clear()
        portal.deliver()

        assert sent[0] == sent[1]
        assert "Si un compte est lié à cette adresse" in sent[0][1][2]
        assert 2 == sink.recipients.count("marie.dubois@example.com")  # The notice, too.
        assert "karin.dubois@example.com" not in sink.recipients

    def test_shared_address(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """Two accounts on one address get one mail, with two usernames and two links."""
        visitor.forget("famille.renard@example.org")
        portal.deliver()
        (mail,) = sink.messages
        names = [username_of(portal, token) for token in tokens_of(mail)]

        assert ["isabelle.renard", "olivier.renard"] == sorted(names)
        assert names == re.findall("Nom d'utilisateur : (.*)", text_of(mail))

    def test_never_connected(self, portal: Portal, sink: SMTPSink, visitor: Browser) -> None:
        """Who never connected and asks for a reset gets the first-connection mail again."""
        token_for(portal, sink, MARIE)
        visitor.forget("Marie.Dubois@EXAMPLE.com")
        portal.deliver()
        invitation, again = sink.messages

        assert invitation["Subject"] == again["Subject"]
        assert "vous donne accès à son portail" in text_of(again)
        assert 303 == visitor.choose_password(tokens_of(again)[0]).status

    def test_no_address(self, visitor: Browser) -> None:
        """Only what is no address at all is told so."""
        answer = visitor.forget("marie.dubois")

        assert 422 == answer.status
        assert "Erreur :" in answer.text


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/login", "/token/ABCD", "/nulle-part", "/compte"])
    def test_every_page(self, visitor: Browser, path: str) -> None:
        """The school's own pages are as guarded as the library's."""
        headers = visitor.get(path).headers

        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "nosniff" == headers["X-Content-Type-Options"]
        assert "no-store" == headers["Cache-Control"]


@pytest.mark.slow
class TestRace:
    THREADS = 64

    @pytest.mark.parametrize("username", [MARIE, KARIM, "an.peeters"])
    def test_one_wins(self, tmp_path: Path, sink: SMTPSink, username: str) -> None:
        """Of 64 who save a password with one token at once, one does; the rest read why not."""
        with live_portal(tmp_path, smtp_url=sink.url) as portal:
            token = token_for(portal, sink, username)
            browsers = [portal.browser() for _ in range(self.THREADS)]
            for browser in browsers:
                browser.open_token(token)
            answers = self._at_once(browsers)

        assert {303: 1, 422: self.THREADS - 1} == Counter(answer.status for answer in answers)
        assert all("a déjà servi" in answer.text for answer in answers if answer.status == 422)

    def _at_once(self, browsers: list[Browser]) -> list[Answer]:
        barrier = threading.Barrier(self.THREADS)

        def save(number: int) -> Answer:
            password = f"{PASSWORD} {number}"
            barrier.wait()
            return browsers[number].submit(
                "/password", new_password=password, confirmation=password
            )

        with ThreadPoolExecutor(self.THREADS) as threads:
            return list(threads.map(save, range(self.THREADS)))


def without_typed(answer: Answer, typed: str = "") -> tuple[int, list[tuple[str, str]], str]:
    """Return what an answer tells, but for the time, CSRF tokens and what was typed."""
    random = re.compile(r'(session=)[^;]*|(name="csrf_token" value=)"[^"]*"')
    headers = [
        (name, random.sub(r"\1", value))
        for name, value in answer.headers.items()
        if name not in {"Date", "Content-Length"}
    ]
    text = random.sub(r"\2", answer.text)
    return answer.status, headers, text.replace(f'value="{typed}"', "") if typed else text


def username_of(portal: Portal, token: str) -> str:
    """Return the username that the password page shows for a token."""
    return portal.browser().open_token(token).forms("/password")[0]["username"]
