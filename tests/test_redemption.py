import threading

from collections.abc import Callable
from datetime import timedelta
from typing import Never

import attrs
import pytest

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from parentauth import (
    Child,
    ChooseChild,
    Client,
    Dashboard,
    EventKind,
    Family,
    NoChild,
    PasswordPolicy,
    Purpose,
)
from parentauth._outbox import IntentKind
from parentauth._slots import Slots
from parentauth.exceptions import (
    BusyError,
    ConflictError,
    InputError,
    OtherAccountError,
    PasswordRejectedError,
    SignInRejectedError,
    ThrottledError,
    TokenRejectedError,
)
from parentauth.ports import Change
from tests.doubles import ConflictingStorage
from tests.school import (
    DAY,
    FAMILIES,
    OTHER_PASSWORD,
    PASSWORD,
    SECOND,
    SECRET,
    VISITOR,
    Portal,
)

FOURTEEN_DAYS = 14 * DAY
NOBODYS = "0" * 32


def _family(account_id: str) -> Family:
    return next(family for family in FAMILIES if family.id == account_id)


def verdict_of(portal: Portal, token: str) -> str:
    """Return why a token opens nothing."""
    with pytest.raises(TokenRejectedError) as caught:
        portal.auth.check_token(token, client=VISITOR)
    return caught.value.reason


class TestCheckToken:
    def test_first_login(self, portal: Portal) -> None:
        """A school's token tells whom it is for, what for, and until when."""
        checked = portal.auth.check_token(portal.invited("p1"), client=VISITOR)

        assert ("p1", "anna", "Anna Peeters") == (
            checked.parent.id,
            checked.parent.username,
            checked.parent.name,
        )
        assert Purpose.FIRST_LOGIN is checked.purpose
        assert portal.clock() + FOURTEEN_DAYS == checked.expires_at

    def test_reset(self, portal: Portal) -> None:
        """Once connected, a new token is for a reset."""
        portal.connected("p1")
        [token] = portal.reset("anna@example.be")

        assert Purpose.RESET is portal.auth.check_token(token).purpose

    def test_changes_nothing(self, portal: Portal) -> None:
        """Mail scanners submit the form, too: fifty checks leave the token and the storage alone."""
        token = portal.invited("p1")
        before = portal.everything()
        for _ in range(50):
            portal.auth.check_token(token, client=VISITOR)

        assert before == portal.everything()
        assert "p1" == portal.define(token).parent.id

    @pytest.mark.parametrize(
        "disguise",
        [
            str.lower,
            lambda token: f"  {token}\r\n",
            lambda token: token.replace("-", " "),
            lambda token: token.replace("-", ""),
            lambda token: f"« {token} ».",
            lambda token: f"https://portail.ecole.be/token/{token.replace('-', '')}",
            lambda token: token.replace("0", "O").replace("1", "l"),
        ],
    )
    def test_as_pasted(self, portal: Portal, disguise: Callable[[str], str]) -> None:
        """Whatever a mail program or a parent makes of the token is read."""
        token = portal.invited("p1")

        assert "p1" == portal.auth.check_token(disguise(token)).parent.id

    @pytest.mark.parametrize("token", ["", " ", "null", "true", "[]", "0", NOBODYS, "x" * 2000])
    def test_unknown(self, portal: Portal, token: str) -> None:
        """Garbage has one answer, and is counted as a failure of the client's prefix."""
        assert "unknown" == verdict_of(portal, token)
        assert [EventKind.TOKEN_REFUSED] == portal.told
        assert "unknown" == portal.events[0].reason

    def test_never_seen(self, portal: Portal) -> None:
        """A token with the right check that no account has is unknown, like garbage."""
        token = portal.auth._parts.codec.issue(b"0123456789abcdef")

        assert "unknown" == verdict_of(portal, token)

    def test_garbage_reads_nothing(self, portal: Portal) -> None:
        """A token without the right check never reaches the storage."""
        portal.auth._parts.storage.account = None  # Any call would be an error.

        assert "unknown" == verdict_of(portal, NOBODYS)

    @pytest.mark.parametrize("token", [None, 0, b"0" * 32, ["x"], "\0", "\ud800", "x" * 2049])
    def test_no_text(self, portal: Portal, token: object) -> None:
        """What no form sends is refused as such, and counted all the same."""
        for _ in range(100):
            with pytest.raises(InputError):
                portal.auth.check_token(token, client=VISITOR)
        with pytest.raises(ThrottledError):
            portal.auth.check_token(portal.invited("p1"), client=VISITOR)

    def test_no_value_in_error(self, portal: Portal) -> None:
        """An error about bad input never repeats the value."""
        with pytest.raises(InputError) as caught:
            portal.auth.check_token("canary\0", client=VISITOR)

        assert "canary" not in str(caught.value)

    def test_guesses(self, portal: Portal) -> None:
        """After a hundred bad tokens in 15 minutes a prefix is refused, whatever it brings."""
        token = portal.invited("p1")
        for _ in range(100):
            verdict_of(portal, NOBODYS)
        portal.forget()
        with pytest.raises(ThrottledError) as caught:
            portal.auth.check_token(token, client=VISITOR)

        assert timedelta(minutes=15) == caught.value.retry_after
        assert [EventKind.THROTTLED] == portal.told
        assert "p1" == portal.auth.check_token(token, client=Client(address="192.0.2.8")).parent.id
        portal.clock.advance(timedelta(minutes=15))
        assert "p1" == portal.auth.check_token(token, client=VISITOR).parent.id

    def test_stale_is_no_guess(self, portal: Portal) -> None:
        """A genuine token that came too late is not counted as a guess."""
        token = portal.invited("p1")
        portal.clock.advance(FOURTEEN_DAYS)
        for _ in range(101):
            assert "expired" == verdict_of(portal, token)

    @pytest.mark.parametrize(
        ("after", "verdict"),
        [
            (FOURTEEN_DAYS - SECOND, None),
            (FOURTEEN_DAYS, "expired"),
            (FOURTEEN_DAYS + SECOND, "expired"),
        ],
    )
    def test_lifetime(self, portal: Portal, after: timedelta, verdict: str | None) -> None:
        """A token is valid for 14 days, to the second; afterwards its holder is told since when."""
        token, issued = portal.invited("p1"), portal.clock()
        portal.clock.advance(after)
        if verdict is None:
            assert portal.auth.check_token(token)
            return
        with pytest.raises(TokenRejectedError, match=verdict) as caught:
            portal.auth.check_token(token)
        assert issued + FOURTEEN_DAYS == caught.value.at

    @pytest.mark.parametrize(("purpose", "hours"), [("first_login_ttl", 1), ("reset_ttl", 2)])
    def test_lifetimes(self, purpose: str, hours: int) -> None:
        """Each purpose has a lifetime of its own."""
        ttl = timedelta(hours=hours)
        portal = Portal(settings={purpose: ttl})
        first = portal.auth.check_token(portal.invited("p1")).expires_at - portal.clock()
        portal.connected("p2")
        [token] = portal.reset("bert@example.be")
        reset = portal.auth.check_token(token).expires_at - portal.clock()

        expected = {"first_login_ttl": FOURTEEN_DAYS, "reset_ttl": FOURTEEN_DAYS, purpose: ttl}
        assert expected == {"first_login_ttl": first, "reset_ttl": reset}

    def test_closed(self, portal: Portal) -> None:
        """The token of a closed account is told so."""
        token = portal.invited("p1")
        portal.change("p1", active=False)

        assert "closed" == verdict_of(portal, token)

    def test_erased(self, portal: Portal) -> None:
        """The token of an erased account was never seen."""
        token = portal.invited("p1")
        portal.storage.replace([Change(portal.account("p1"), None)])

        assert "unknown" == verdict_of(portal, token)

    def test_used(self, portal: Portal) -> None:
        """A spent token is told so, and no clock revives it."""
        token = portal.invited("p1")
        portal.define(token)

        assert "used" == verdict_of(portal, token)
        portal.clock.advance(-FOURTEEN_DAYS)
        assert "used" == verdict_of(portal, token)

    def test_others_revoked(self, portal: Portal) -> None:
        """The other live tokens of an account are revoked when one is redeemed."""
        one, other = portal.invited("p1"), portal.invited("p1")
        portal.define(other)

        assert "revoked" == verdict_of(portal, one)

    def test_address_changed(self, portal: Portal) -> None:
        """A token is bound to the address that it was mailed to, and a change back does not revive it."""
        token = portal.invited("p1")
        portal.change("p1", email="new@example.be")
        assert "revoked" == verdict_of(portal, token)

        portal = Portal()
        token = portal.invited("p1")
        family = attrs.evolve(_family("p1"), email="new@example.be")
        portal.auth.save([family])
        portal.auth.save([attrs.evolve(family, email="anna@example.be")])
        assert "revoked" == verdict_of(portal, token)

    def test_renamed(self, portal: Portal) -> None:
        """A token outlives a change of username, name and children, and shows the new ones."""
        token = portal.invited("p1")
        portal.auth.save([attrs.evolve(_family("p1"), username="anna.p", name="Anna P.")])

        assert "anna.p" == portal.auth.check_token(token).parent.username

    def test_not_before(self, portal: Portal) -> None:
        """After a restored backup, what was issued before is revoked, what comes later is not."""
        old = portal.invited("p1")
        portal.clock.advance(SECOND)
        portal.auth = portal.new_auth(not_before=portal.clock())

        assert "revoked" == verdict_of(portal, old)
        assert "p1" == portal.auth.check_token(portal.invited("p1")).parent.id

    def test_rotation(self, portal: Portal) -> None:
        """Older secrets still verify; without them a token is unknown."""
        token, new = portal.invited("p1"), "Zk8rQ1xNw5JtV3bYc7MhDf2LpGs9TuEa-newer"
        rotated = portal.new_auth(secret_keys=[new, SECRET])

        assert "p1" == rotated.check_token(token).parent.id
        with pytest.raises(TokenRejectedError, match="unknown"):
            portal.new_auth(secret_keys=[new]).check_token(token)


class TestDefinePassword:
    def test_signed_in(self, portal: Portal) -> None:
        """A new password signs its parent in at once, on the dashboard of an only child."""
        signed_in = portal.define(portal.invited("p1"), client=VISITOR)
        present = portal.auth.resume(signed_in.session_id)

        assert Dashboard(Child("c1", "Noor", "1A")) == signed_in.landing
        assert "p1" == signed_in.parent.id
        assert present is not None
        assert signed_in.landing == present.landing

    @pytest.mark.parametrize(("account_id", "landing"), [("p2", ChooseChild), ("p3", NoChild)])
    def test_landing(self, portal: Portal, account_id: str, landing: type) -> None:
        """A parent of several picks one first, a parent of none is told so."""
        assert isinstance(portal.define(portal.invited(account_id)).landing, landing)

    def test_kept(self, portal: Portal) -> None:
        """One write keeps the hash, the dates, one session, and the notice."""
        token = portal.invited("p1")
        portal.define(token)
        account = portal.account("p1")

        assert portal.hasher.inner.verify(
            password=PASSWORD, password_hash=account.password_hash or ""
        )
        assert portal.clock() == account.connected_at == account.last_sign_in_at
        assert 1 == len(account.sessions)
        assert [IntentKind.PASSWORD_CHANGED] == [row.intent.kind for row in portal.outbox]
        assert portal.clock() == account.tokens[0].redeemed_at

    def test_events(self, portal: Portal) -> None:
        """A redemption tells of the token, the password, the sessions and the sign-in."""
        token = portal.invited("p1")
        portal.forget()
        portal.define(token, client=VISITOR)

        assert [
            EventKind.TOKEN_REDEEMED,
            EventKind.PASSWORD_CHANGED,
            EventKind.SESSIONS_ENDED,
            EventKind.SIGNED_IN,
        ] == portal.told
        assert {("p1", "192.0.2.7")} == {(e.account_id, e.prefix) for e in portal.events}

    def test_single_use(self, portal: Portal) -> None:
        """A token is spent once; the second time it is used, and the password stays."""
        token = portal.invited("p1")
        portal.define(token)
        before = portal.everything()
        with pytest.raises(TokenRejectedError, match="used"):
            portal.define(token, OTHER_PASSWORD)

        assert before == portal.everything()
        assert "p1" == portal.sign_in("anna").parent.id

    def test_refused_password_burns_nothing(self, portal: Portal) -> None:
        """Twenty refused passwords leave the token and the storage as they were."""
        token = portal.invited("p1")
        before = portal.everything()
        bad = ["", "court", "annaannaanna", "Saint-Exupéry Saint-Exupéry", "motdepassemotdepasse"]
        for password in bad * 4:
            with pytest.raises(PasswordRejectedError):
                portal.define(token, password)

        assert before == portal.everything()
        assert "p1" == portal.define(token).parent.id

    def test_context(self, portal: Portal) -> None:
        """Username, name, address, children, school and portal are no passwords."""
        token = portal.invited("p1")
        for word in ("annaannaannaanna", "PeetersPeetersPeeters", "noornoornoornoor2026"):
            with pytest.raises(PasswordRejectedError) as caught:
                portal.define(token, word)
            assert "context" in [violation.code for violation in caught.value.violations], word

    def test_all_violations_told(self, portal: Portal) -> None:
        """All broken rules are told at once, to the parent and, by their codes, to listeners."""
        token = portal.invited("p1")
        portal.forget()
        with pytest.raises(PasswordRejectedError) as caught:
            portal.auth.define_password(token, new_password="anna", confirmation="anne")

        codes = [violation.code for violation in caught.value.violations]
        assert {"too_short", "context", "mismatch"} <= set(codes)
        assert [(EventKind.PASSWORD_REFUSED, ",".join(codes))] == [
            (event.kind, event.reason) for event in portal.events
        ]

    def test_host_rule(self) -> None:
        """A rule of the host's own that fails burns no token."""

        def broken(password: str, context: object) -> Never:
            raise OSError("the breach list is away")

        portal = Portal(settings={"policy": PasswordPolicy(extra_rules=[broken])})
        token = portal.invited("p1")
        with pytest.raises(OSError, match="breach"):
            portal.define(token)

        portal.auth = portal.new_auth(policy=None)
        assert "p1" == portal.define(token).parent.id

    @pytest.mark.parametrize("field", ["new_password", "confirmation"])
    @pytest.mark.parametrize("value", [None, 1, b"x", ["x"], "\0" * 20, "\ud800" * 20, "x" * 3000])
    def test_no_text(self, portal: Portal, field: str, value: object) -> None:
        """What no form sends is refused as such, and the token lives."""
        token = portal.invited("p1")
        given = {"new_password": PASSWORD, "confirmation": PASSWORD, field: value}
        with pytest.raises(InputError):
            portal.auth.define_password(token, **given)

        assert "p1" == portal.define(token).parent.id

    def test_normal_form(self, portal: Portal) -> None:
        """A password typed in one normal form is known again in the other."""
        portal.define(portal.invited("p1"), "cafe\u0301 girafe velours")

        assert "p1" == portal.sign_in("anna", "caf\u00e9 girafe velours").parent.id

    def test_longest(self, portal: Portal) -> None:
        """All 256 characters count: none is cut off."""
        password = "".join(f"{number:04}" for number in range(64))
        portal.define(portal.invited("p1"), password)

        assert "p1" == portal.sign_in("anna", password).parent.id
        for beginning in (72, 255):
            with pytest.raises(SignInRejectedError):
                portal.sign_in("anna", password[:beginning])

    def test_sessions_end(self, portal: Portal) -> None:
        """Every earlier session ends with a new password."""
        first = portal.connected("p1")
        others = [portal.sign_in("anna").session_id for _ in range(4)]
        [token] = portal.reset("anna@example.be")
        fresh = portal.define(token, OTHER_PASSWORD)

        for session_id in (first.session_id, *others):
            assert portal.auth.resume(session_id) is None
        assert portal.auth.resume(fresh.session_id) is not None
        assert 1 == len(portal.account("p1").sessions)

    def test_connected_once(self, portal: Portal) -> None:
        """The date of the first connection does not move."""
        portal.connected("p1")
        first = portal.account("p1").connected_at
        portal.clock.advance(DAY)
        portal.define(*portal.reset("anna@example.be"), OTHER_PASSWORD)

        assert first == portal.account("p1").connected_at

    def test_others_untouched(self, portal: Portal) -> None:
        """Redeeming one account's token leaves every other account as it was, bit by bit."""
        one, _ = portal.reset("wouters@example.be")
        before = portal.account("p5")
        portal.define(one)

        assert before == portal.account("p5")

    def test_counters_cleared(self, portal: Portal) -> None:
        """A new password opens the sign-in that wrong passwords had closed."""
        portal.connected("p1")
        for _ in range(10):
            with pytest.raises(SignInRejectedError):
                portal.sign_in("anna", "wrong")
        with pytest.raises(ThrottledError):
            portal.sign_in("anna")
        portal.define(*portal.reset("anna@example.be"), OTHER_PASSWORD)

        assert "p1" == portal.sign_in("anna", OTHER_PASSWORD).parent.id

    def test_not_before_the_write(self, portal: Portal) -> None:
        """When the write fails, the parent is not signed in and nothing is told."""
        token = portal.invited("p1")
        portal.forget()
        failing = ConflictingStorage(portal.storage)
        failing.conflicts = 100
        with pytest.raises(ConflictError):
            portal.new_auth(storage=failing).define_password(
                token, new_password=PASSWORD, confirmation=PASSWORD
            )

        assert [] == portal.told
        assert () == portal.account("p1").sessions

    @pytest.mark.parametrize("conflicts", [1, 5, 9])
    def test_conflicts(self, portal: Portal, conflicts: int) -> None:
        """A lost race is read and judged again, up to ten times; the password is hashed once."""
        token = portal.invited("p1")
        portal.hasher.reset()
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        portal.hasher.reset()
        storage.conflicts = conflicts
        portal.define(token)

        assert 1 == portal.hasher.hashed
        assert 1 == len(portal.account("p1").sessions)
        assert 1 == len(portal.outbox)

    def test_loser_is_told_used(self, portal: Portal) -> None:
        """Who loses the race for a token learns that it was used, and changes nothing."""
        token = portal.invited("p1")
        storage, winner = ConflictingStorage(portal.storage), portal.auth
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: winner.define_password(
            token, new_password=PASSWORD, confirmation=PASSWORD
        )
        with pytest.raises(TokenRejectedError, match="used"):
            portal.define(token, OTHER_PASSWORD)

        assert "p1" == portal.sign_in("anna").parent.id
        assert 1 == len(portal.outbox)

    @pytest.mark.parametrize(
        ("values", "verdict"),
        [
            ({"active": False}, "closed"),
            ({"email": "new@example.be"}, "revoked"),
            ({"email": None}, "revoked"),
        ],
    )
    def test_changed_meanwhile(self, portal: Portal, values: dict, verdict: str) -> None:
        """The account is judged again at the moment of the write."""
        token = portal.invited("p1")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p1", **values)
        with pytest.raises(TokenRejectedError, match=verdict):
            portal.define(token)

        assert portal.account("p1").password_hash is None

    def test_no_grace(self, portal: Portal) -> None:
        """A token that expires while the password is hashed is expired."""
        token = portal.invited("p1")
        portal.clock.advance(FOURTEEN_DAYS - SECOND)
        hashed = portal.hasher.hash

        def slowly(*, password: str) -> str:
            portal.clock.advance(SECOND)
            return hashed(password=password)

        portal.hasher.hash = slowly
        with pytest.raises(TokenRejectedError, match="expired"):
            portal.define(token)

        assert portal.account("p1").password_hash is None

    def test_threads(self, portal: Portal) -> None:
        """Of sixteen at once with one token, exactly one succeeds and the losers are told "used"."""
        token, lock = portal.invited("p1"), threading.Barrier(16)
        portal.auth = portal.new_auth(hashes_at_once=16)
        outcomes: list[tuple[str, str]] = []

        def redeem(number: int) -> None:
            password = f"{PASSWORD} {number}"
            lock.wait()
            try:
                portal.define(token, password)
                outcomes.append(("won", password))
            except TokenRejectedError as error:
                outcomes.append((error.reason, password))

        threads = [threading.Thread(target=redeem, args=[number]) for number in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        [winner] = [password for outcome, password in outcomes if outcome == "won"]
        assert 15 == [outcome for outcome, _ in outcomes].count("used")
        assert "p1" == portal.sign_in("anna", winner).parent.id
        assert 1 == len(portal.outbox)

    @pytest.mark.parametrize("skew", [-120 * SECOND, 120 * SECOND])
    def test_clocks_disagree(self, portal: Portal, skew: timedelta) -> None:
        """A machine whose clock is off issues and redeems all the same; what is spent is spent."""
        there = portal.new_auth(clock=lambda: portal.clock() + skew)
        token = portal.invited("p1")
        there.define_password(token, new_password=PASSWORD, confirmation=PASSWORD)

        assert "used" == verdict_of(portal, token)
        assert there.sign_in(username="anna", password=PASSWORD)
        assert portal.auth.resume(portal.sign_in("anna").session_id)

    @pytest.mark.parametrize("skew", [-120 * SECOND, 120 * SECOND])
    def test_expiry_is_absolute(self, portal: Portal, skew: timedelta) -> None:
        """A machine that is two minutes off ends a token two minutes off, and no more."""
        token = portal.invited("p1")
        there = portal.new_auth(clock=lambda: portal.clock() + skew)
        portal.clock.advance(FOURTEEN_DAYS - skew - SECOND)
        assert there.check_token(token)
        portal.clock.advance(SECOND)
        with pytest.raises(TokenRejectedError, match="expired"):
            there.check_token(token)

    def test_busy(self, portal: Portal) -> None:
        """When no slot is free the parent is asked to wait, and the token lives."""
        token = portal.invited("p1")
        slots = Slots(1, queue=0, wait=timedelta(0))
        portal.auth._parts = attrs.evolve(portal.auth._parts, slots=slots)
        portal.forget()
        with slots.take(), pytest.raises(BusyError):
            portal.define(token)

        assert [EventKind.BUSY] == portal.told
        assert "p1" == portal.define(token).parent.id

    def test_throttled(self, portal: Portal) -> None:
        """A prefix with a hundred failures can't redeem; nothing is hashed for it."""
        token = portal.invited("p1")
        for _ in range(100):
            portal.auth.count_bad_input(VISITOR)
        portal.forget()
        with pytest.raises(ThrottledError):
            portal.define(token, client=VISITOR)

        assert 0 == portal.hasher.hashed
        assert [EventKind.THROTTLED] == portal.told

    def test_no_hash_without_live_token(self, portal: Portal) -> None:
        """No password is hashed for a token that opens nothing."""
        with pytest.raises(TokenRejectedError):
            portal.define(NOBODYS)

        assert 0 == portal.hasher.hashed


class TestOtherAccount:
    def visit(self, portal: Portal) -> tuple[str, str, Client]:
        """Return Anna's token and Bert's session, in Bert's browser."""
        session_id = portal.connected("p2").session_id
        return portal.invited("p1"), session_id, Client(session_id=session_id)

    def test_asked(self, portal: Portal) -> None:
        """A link for another account than the one signed in names both and changes nothing."""
        token, session_id, client = self.visit(portal)
        before = portal.everything()
        for attempt in (portal.auth.check_token, portal.define, portal.auth.visit_link):
            with pytest.raises(OtherAccountError) as caught:
                attempt(token, client=client)
            assert ("anna", "bert") == (caught.value.wanted, caught.value.present)

        assert before == portal.everything()
        assert portal.auth.resume(session_id) is not None

    def test_switch(self, portal: Portal) -> None:
        """An explicit yes ends the other session and opens the new one, in one write."""
        token, session_id, client = self.visit(portal)
        portal.auth.check_token(token, client=client, switch=True)
        assert portal.auth.resume(session_id) is not None
        signed_in = portal.define(token, client=client, switch=True)

        assert portal.auth.resume(session_id) is None
        assert "p1" == signed_in.parent.id

    def test_dead_session(self, portal: Portal) -> None:
        """A session that is over asks nothing."""
        token, _, client = self.visit(portal)
        portal.clock.advance(timedelta(hours=1))

        assert "p1" == portal.define(token, client=client).parent.id

    def test_forged_session(self, portal: Portal) -> None:
        """A made-up session id asks nothing, and is never adopted."""
        client = Client(session_id="made up \ud800")
        signed_in = portal.define(portal.invited("p1"), client=client)

        assert client.session_id != signed_in.session_id
        assert portal.auth.resume(client.session_id) is None

    def test_own(self, portal: Portal) -> None:
        """The same account's own session asks nothing, and gets a new id."""
        session_id = portal.connected("p1").session_id
        [token] = portal.reset("anna@example.be")
        signed_in = portal.define(token, OTHER_PASSWORD, client=Client(session_id=session_id))

        assert portal.auth.resume(session_id) is None
        assert session_id != signed_in.session_id


class TestVisitLink:
    def test_stranger(self, portal: Portal) -> None:
        """Who is not signed in is shown the token field, whatever the link."""
        for token in (portal.invited("p1"), NOBODYS, ""):
            assert portal.auth.visit_link(token, client=VISITOR) is None

    def test_counts_nothing(self, portal: Portal) -> None:
        """A thousand looks at links write nothing, tell nothing and count nothing."""
        token, client = portal.invited("p1"), Client("192.0.2.7", session_id="unknown")
        before = portal.everything()
        portal.forget()
        for _ in range(500):
            portal.auth.visit_link(token, client=client)
            portal.auth.visit_link(NOBODYS, client=client)

        assert before == portal.everything()
        assert [] == portal.told
        assert "p1" == portal.auth.check_token(token, client=client).parent.id

    def test_used_by_own(self, portal: Portal) -> None:
        """The parent who used the link before, still signed in, goes to the dashboard."""
        token = portal.invited("p1")
        signed_in = portal.define(token)
        client = Client(session_id=signed_in.session_id)

        assert signed_in.landing == portal.auth.visit_link(token, client=client)

    def test_used_by_other(self, portal: Portal) -> None:
        """A used link of another account leads nowhere."""
        token = portal.invited("p1")
        portal.define(token)
        client = Client(session_id=portal.connected("p2").session_id)

        assert portal.auth.visit_link(token, client=client) is None

    def test_live_own(self, portal: Portal) -> None:
        """A live link of the account that is signed in fills the field."""
        client = Client(session_id=portal.connected("p1").session_id)
        [token] = portal.reset("anna@example.be")

        assert portal.auth.visit_link(token, client=client) is None


class History(RuleBasedStateMachine):
    """Whatever school, visitors and parent do in whatever order, each token is spent once at most."""

    def __init__(self) -> None:
        super().__init__()
        self.portal, self.email = Portal(), "anna@example.be"
        self.redeemed: list[str] = []

    @rule()
    def invite(self) -> None:
        """The school invites."""
        self.portal.auth.invite("p1", again=True)
        self.portal.deliver()

    @rule()
    def reset(self) -> None:
        """A visitor asks."""
        self.portal.reset(self.email)

    @precondition(lambda self: self.portal.mailer.tokens)
    @rule(number=st.integers(0, 9))
    def redeem(self, number: int) -> None:
        """A parent uses one of the mails."""
        tokens = self.portal.mailer.tokens
        token = tokens[-1 - number % len(tokens)]
        try:
            signed_in = self.portal.define(token, f"{PASSWORD} {number}")
        except TokenRejectedError:
            return
        assert signed_in.parent.id == "p1"
        assert token not in self.redeemed
        self.redeemed.append(token)

    @rule(active=st.booleans())
    def close_or_open(self, *, active: bool) -> None:
        """The school closes or opens the account."""
        self.portal.auth.set_active("p1", active=active)

    @rule(number=st.integers(0, 2))
    def move(self, number: int) -> None:
        """The school changes the address."""
        self.email = f"anna{number}@example.be"
        self.portal.auth.change_address("p1", self.email)

    @invariant()
    def others_untouched(self) -> None:
        """Nobody else's account is touched."""
        for account_id in ("p2", "p3"):
            assert self.portal.account(account_id).version == 1


TestHistories = History.TestCase
TestHistories.settings = settings(max_examples=40, stateful_step_count=20, deadline=None)
