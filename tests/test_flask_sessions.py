import string

import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth._sessions import session_digest
from tests.flask_app import DEVICE, GARBAGE, SESSION, Site
from tests.school import MINUTE, OTHER_PASSWORD, PASSWORD, SECOND

BOUNDARY = 60 * MINUTE


@pytest.fixture
def site() -> Site:
    """Give a portal."""
    return Site()


class TestCookie:
    def test_opaque(self, site: Site) -> None:
        """The id is 256 random bits, and only its digest is kept."""
        value = site.signed_in("p1").cookie(SESSION) or ""
        [session] = site.account("p1").sessions

        assert 43 == len(value)
        assert set(string.ascii_letters + string.digits + "-_") >= set(value)
        assert session_digest(value) == session.digest
        assert value not in repr(site.everything())

    @pytest.mark.parametrize(
        "value",
        ["", "0", "p1", "anna", GARBAGE, "x" * 4000, "None", "null", "é", '"', "a b", "\\0"],
    )
    def test_unknown(self, site: Site, value: str) -> None:
        """An id that was never given is anonymous, and is not adopted."""
        site.connected("p1")
        browser = site.browser()
        browser.give(SESSION, value)

        assert not browser.is_signed_in
        assert 200 == browser.get("/login").status_code
        assert 303 == browser.sign_in("anna").status_code
        assert value != browser.cookie(SESSION)

    @pytest.mark.parametrize("raw", [b"\xff\xfe", b"\x00", b"caf\xc3\xa9", b"\xed\xa0\x80"])
    def test_bytes(self, site: Site, raw: bytes) -> None:
        """Bytes that no browser sends in a cookie are anonymous, too."""
        from parentauth.flask import auth_of

        assert auth_of(site.app).resume(raw.decode("utf-8", "surrogateescape")) is None

    def test_every_bit(self, site: Site) -> None:
        """A genuine id with one character changed opens nothing."""
        genuine = site.signed_in("p1").cookie(SESSION) or ""
        browser = site.browser()
        for place, mark in enumerate(genuine):
            other = "A" if mark != "A" else "B"
            browser.give(SESSION, genuine[:place] + other + genuine[place + 1 :])
            assert not browser.is_signed_in

    def test_digest_is_no_id(self, site: Site) -> None:
        """What is kept opens nothing: a stolen database signs nobody in."""
        site.signed_in("p1")
        account = site.account("p1")
        browser = site.browser()
        for value in (
            account.sessions[0].digest,
            account.tokens[0].digest,
            account.password_hash or "",
        ):
            browser.give(SESSION, value)
            assert not browser.is_signed_in
            assert 422 == browser.post("/token", token=value).status_code

    def test_twice(self, site: Site) -> None:
        """A cookie that comes twice was tossed in by a sibling host: nobody is signed in."""
        genuine = site.signed_in("p1").cookie(SESSION)
        other = site.signed_in("p2").cookie(SESSION)
        for one, two in ((genuine, other), (other, genuine), (genuine, "x"), (genuine, genuine)):
            response = site.browser().get(
                "/mine", headers={"Cookie": f"{SESSION}={one}; {SESSION}={two}"}
            )
            assert 303 == response.status_code

    def test_plain_name(self, site: Site) -> None:
        """On https the name without ``__Host-`` is worth nothing: a sibling host could set it."""
        genuine = site.signed_in("p1").cookie(SESSION) or ""
        browser = site.browser()
        browser.give("parentauth", genuine)

        assert not browser.is_signed_in

    @given(st.text(alphabet=string.printable.strip(), max_size=60))
    def test_any_text(self, value: str) -> None:
        """Whatever the cookie holds, the answer is an ordinary page."""
        response = SHARED.browser().get(
            "/login", headers={"Cookie": f"{SESSION}={value}; {DEVICE}={value}"}
        )

        assert 200 == response.status_code


SHARED = Site()


class TestEnds:
    def test_sign_out(self, site: Site) -> None:
        """A cookie that was saved before signing out opens nothing afterwards."""
        browser = site.signed_in("p1")
        saved = browser.cookie(SESSION) or ""
        browser.post("/logout")
        thief = site.browser()
        thief.give(SESSION, saved)

        assert not thief.is_signed_in
        assert not browser.is_signed_in
        assert () == site.account("p1").sessions

    def test_sign_out_twice(self, site: Site) -> None:
        """Signing out twice, or without being signed in, is harmless."""
        browser = site.signed_in("p1")

        assert [303, 303] == [browser.post("/logout").status_code for _ in range(2)]
        assert 303 == site.browser().post("/logout").status_code

    def test_idle(self, site: Site) -> None:
        """After an hour without a request the parent signs in again."""
        browser = site.signed_in("p1")
        site.clock.advance(BOUNDARY + SECOND)

        assert not browser.is_signed_in

    def test_in_use(self, site: Site) -> None:
        """A session in use lives on, up to twelve hours."""
        browser = site.signed_in("p1")
        for _ in range(14):
            site.clock.advance(50 * MINUTE)
            assert browser.is_signed_in
        site.clock.advance(50 * MINUTE)

        assert not browser.is_signed_in

    def test_closed(self, site: Site) -> None:
        """A closed account is anonymous at the next request."""
        browser = site.signed_in("p1")
        site.auth.set_active("p1", active=False)

        assert not browser.is_signed_in

    def test_erased(self, site: Site) -> None:
        """So is an erased one."""
        browser = site.signed_in("p1")
        site.auth.erase("p1")

        assert not browser.is_signed_in
        assert 303 == browser.post("/children", child="c1").status_code
        assert 303 == browser.post("/password/change").status_code

    def test_end_sessions(self, site: Site) -> None:
        """The school can sign a parent out everywhere."""
        browser = site.signed_in("p1")
        site.auth.end_sessions("p1")

        assert not browser.is_signed_in


class TestNewId:
    def test_fixed_before(self, site: Site) -> None:
        """An id that was there before signing in is not the one after it."""
        site.connected("p1")
        browser = site.browser()
        browser.give(SESSION, "fixed" * 8)
        browser.sign_in("anna")

        assert "fixed" * 8 != browser.cookie(SESSION)

    def test_signing_in_again(self, site: Site) -> None:
        """Signing in again ends the session that this browser had."""
        browser = site.signed_in("p1")
        old = browser.cookie(SESSION) or ""
        browser.sign_in("anna")
        thief = site.browser()
        thief.give(SESSION, old)

        assert not thief.is_signed_in
        assert browser.is_signed_in

    def test_signing_in_as_another(self, site: Site) -> None:
        """Signing in as somebody else ends the first one's session here."""
        site.connected("p2")
        browser = site.signed_in("p1")
        browser.sign_in("bert")

        assert () == site.account("p1").sessions
        assert "mine: bert" in browser.get("/mine").text

    def test_password_change(self, site: Site) -> None:
        """A new password ends the four other sessions, and gives this one a new id."""
        here = site.signed_in("p1")
        others = [site.browser() for _ in range(4)]
        for other in others:
            other.sign_in("anna")
        old = here.cookie(SESSION)
        changed = here.post(
            "/password/change",
            current_password=PASSWORD,
            new_password=OTHER_PASSWORD,
            confirmation=OTHER_PASSWORD,
        )

        assert 303 == changed.status_code
        assert old != here.cookie(SESSION)
        assert here.is_signed_in
        assert [False] * 4 == [other.is_signed_in for other in others]

    def test_definition(self, site: Site) -> None:
        """So does a password that was defined with a token, wherever the old sessions are."""
        here = site.signed_in("p1")
        [token] = site.reset("anna@example.be")
        there = site.browser()
        there.post(
            "/password", token=token, new_password=OTHER_PASSWORD, confirmation=OTHER_PASSWORD
        )

        assert there.is_signed_in
        assert not here.is_signed_in


class TestTwice:
    """Two tabs, the Back button, a double click, a reload."""

    def test_second_definition(self, site: Site) -> None:
        """Sending the password form again is explained, and changes nothing."""
        token, browser = site.invited("p1"), site.browser()
        form = {"token": token, "new_password": PASSWORD, "confirmation": PASSWORD}
        assert 303 == browser.post("/password", **form).status_code
        before = site.account("p1").password_hash
        again = browser.post("/password", **{**form, "new_password": OTHER_PASSWORD})

        assert 422 == again.status_code
        assert "already been used" in again.text
        assert before == site.account("p1").password_hash
        assert browser.is_signed_in

    def test_back_to_the_link(self, site: Site) -> None:
        """The used link leads its own parent to the dashboard, and others to signing in."""
        token, browser = site.invited("p1"), site.browser()
        browser.post("/password", token=token, new_password=PASSWORD, confirmation=PASSWORD)
        own, other = browser.get(f"/token/{token}"), site.browser()

        assert (303, "/child/c1") == (own.status_code, own.headers["Location"])
        assert 200 == other.get(f"/token/{token}").status_code
        verdict = other.post("/token", token=token)
        assert 'href="/login"' in verdict.text.partition("parentauth-errors")[2]

    def test_double_connexion(self, site: Site) -> None:
        """CONNEXION may be pressed as often as one likes."""
        token, browser = site.invited("p1"), site.browser()

        assert {200} == {browser.post("/token", token=token).status_code for _ in range(5)}

    def test_double_sign_in(self, site: Site) -> None:
        """A double click at sign-in leaves one session."""
        site.connected("p1")
        site.auth.end_sessions("p1")
        browser = site.browser()
        browser.sign_in("anna")
        browser.sign_in("anna")

        assert 1 == len(site.account("p1").sessions)

    def test_password_page_reloaded(self, site: Site) -> None:
        """The address of the password page leads back to the token."""
        assert "/token" == site.browser().get("/password").headers["Location"]
