import threading

from collections.abc import Callable
from datetime import timedelta
from typing import Any, Never

import attrs
import pytest

from parentauth import Client, Dashboard, EventKind
from parentauth._hashing import Argon2Hasher
from parentauth._slots import Slots
from parentauth.exceptions import (
    BusyError,
    ConflictError,
    InputError,
    ParentAuthError,
    SignInRejectedError,
    ThrottledError,
)
from parentauth.ports import Change
from parentauth.throttles import MemoryThrottle
from tests.doubles import ConflictingStorage, RecordingStorage
from tests.school import DAY, MINUTE, OTHER_PASSWORD, PASSWORD, SECOND, VISITOR, Portal

QUARTER = 15 * MINUTE
STATES = ["unknown", "wrong", "no_password", "closed", "too_long"]


def refused(
    portal: Portal, username: str, password: str = "wrong", client: Client = VISITOR
) -> str:
    """Return the reason of a refusal."""
    with pytest.raises(ParentAuthError) as caught:
        portal.sign_in(username, password, client)
    return caught.value.reason


def attempt_in(portal: Portal, state: str) -> str:
    """Bring the portal into a state, and return the username to try with the right password."""
    portal.connected("p1")
    if state == "wrong":
        portal.change("p1", password_hash=portal.hasher.inner.hash(password=OTHER_PASSWORD))
    elif state == "no_password":
        portal.change("p1", password_hash=None)
    elif state == "closed":
        portal.change("p1", active=False)
    return {"unknown": "nobody", "too_long": "a" * 500}.get(state, "anna")


class TestSignIn:
    def test_signed_in(self, portal: Portal) -> None:
        """Username and password open a session, on the dashboard of an only child."""
        portal.connected("p1")
        portal.clock.advance(DAY)
        signed_in = portal.sign_in("anna")
        present = portal.auth.resume(signed_in.session_id)

        assert present is not None
        assert isinstance(signed_in.landing, Dashboard)
        assert signed_in.landing == present.landing
        assert portal.clock() == portal.account("p1").last_sign_in_at
        assert [(EventKind.SIGNED_IN, "p1", "192.0.2.7")] == [
            (event.kind, event.account_id, event.prefix) for event in portal.events
        ]

    @pytest.mark.parametrize("typed", ["ANNA", " anna ", "Ａｎｎａ", "anna\t"])
    def test_spelling(self, portal: Portal, typed: str) -> None:
        """Capitals, width and blanks of the username don't matter."""
        portal.connected("p1")

        assert "p1" == portal.sign_in(typed).parent.id

    @pytest.mark.parametrize(
        "password", [PASSWORD.upper(), f" {PASSWORD}", f"{PASSWORD} ", PASSWORD[:-1]]
    )
    def test_password_as_is(self, portal: Portal, password: str) -> None:
        """Capitals and blanks of the password matter."""
        portal.connected("p1")

        assert "rejected" == refused(portal, "anna", password)

    def test_username_only(self, portal: Portal) -> None:
        """An address is no username, even where another's username is that address."""
        portal.connected("p1")
        portal.connected("p2", OTHER_PASSWORD)
        portal.change("p2", username="anna@example.be")

        assert "rejected" == refused(portal, "anna@example.be", PASSWORD)
        assert "p2" == portal.sign_in("anna@example.be", OTHER_PASSWORD).parent.id

    @pytest.mark.parametrize("state", STATES)
    def test_one_answer(self, portal: Portal, state: str) -> None:
        """Unknown, wrong, without password and closed have one answer and one event."""
        username = attempt_in(portal, state)
        portal.forget()
        with pytest.raises(SignInRejectedError) as caught:
            portal.sign_in(username)

        assert ("rejected", ()) == (caught.value.reason, caught.value.args)
        [event] = portal.events
        assert (EventKind.SIGN_IN_REFUSED, None, "rejected") == (
            event.kind,
            event.account_id,
            event.reason,
        )

    @pytest.mark.parametrize("state", STATES)
    def test_one_cost(self, portal: Portal, state: str) -> None:
        """Each failure costs one verification and the same calls of the storage."""
        username = attempt_in(portal, state)
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        portal.hasher.reset()
        refused(portal, username, PASSWORD)

        assert (1, 0) == (portal.hasher.verified, portal.hasher.hashed)
        assert ["account"] == storage.calls

    def test_dummy_hash(self, portal: Portal) -> None:
        """The dummy hash is the configured hasher's own, and nobody's password."""
        dummy = portal.auth._parts.dummy_hash

        assert not portal.hasher.needs_rehash(password_hash=dummy)
        assert not Argon2Hasher.for_tests().needs_rehash(password_hash=dummy)
        assert dummy not in repr(portal.auth._parts)

    def test_slow_without_end(self, portal: Portal) -> None:
        """Passwords don't expire: ten years later it still opens."""
        portal.connected("p1")
        portal.clock.advance(3653 * DAY)

        assert "p1" == portal.sign_in("anna").parent.id

    @pytest.mark.parametrize("field", ["username", "password"])
    @pytest.mark.parametrize(
        "value", [None, 0, True, ["anna"], {"a": 1}, b"anna", "a\0", "\ud800", "a" * 1_000_000]
    )
    def test_no_text(self, portal: Portal, field: str, value: object) -> None:
        """What no form sends is refused as such, counted, and never repeated."""
        given = {"username": "anna", "password": PASSWORD, field: value}
        for _ in range(100):
            with pytest.raises(InputError) as caught:
                portal.auth.sign_in(**given, client=VISITOR)
        assert str(value) not in str(caught.value)
        assert {EventKind.SIGN_IN_REFUSED} == set(portal.told)
        with pytest.raises(ThrottledError):
            portal.sign_in("anna")

    def test_token_is_no_password(self, portal: Portal) -> None:
        """A connection token typed as password is refused."""
        portal.connected("p1")
        [token] = portal.reset("anna@example.be")

        assert "rejected" == refused(portal, "anna", token)

    def test_reset_under_way(self, portal: Portal) -> None:
        """Signing in with a remembered password leaves the reset's token alive."""
        portal.connected("p1")
        [token] = portal.reset("anna@example.be")
        portal.sign_in("anna")

        assert "p1" == portal.define(token, OTHER_PASSWORD).parent.id


class TestSessionOfSignIn:
    def test_new_id(self, portal: Portal) -> None:
        """A sign-in gives a new id, and ends the session that the browser came with."""
        first = portal.connected("p1").session_id
        second = portal.sign_in("anna", client=Client(session_id=first)).session_id

        assert first != second
        assert portal.auth.resume(first) is None
        assert portal.auth.resume(second) is not None

    def test_others_stay(self, portal: Portal) -> None:
        """Sessions of the same account in other browsers go on."""
        first = portal.connected("p1").session_id
        portal.sign_in("anna")

        assert portal.auth.resume(first) is not None

    def test_fixation(self, portal: Portal) -> None:
        """A cookie planted before sign-in stays worthless."""
        portal.connected("p1")
        signed_in = portal.sign_in("anna", client=Client(session_id="planted"))

        assert "planted" != signed_in.session_id
        assert portal.auth.resume("planted") is None

    def test_other_account(self, portal: Portal) -> None:
        """Another account's session in the same browser ends in the same write."""
        berts = portal.connected("p2").session_id
        portal.connected("p1")
        portal.sign_in("anna", client=Client(session_id=berts))

        assert portal.auth.resume(berts) is None

    def test_ids(self, portal: Portal) -> None:
        """An id has 256 bits, is never the same, and is nowhere kept as it is."""
        portal.connected("p1")
        ids = {portal.sign_in("anna").session_id for _ in range(50)}

        assert 50 == len(ids)
        assert {43} == set(map(len, ids))
        kept = repr(attrs.asdict(portal.account("p1")))
        assert not any(session_id in kept for session_id in ids)


class TestRehash:
    def test_grown(self, portal: Portal) -> None:
        """When parameters grew, the next sign-in keeps a better hash, once, and no session ends."""
        first = portal.connected("p1")
        old = portal.account("p1").password_hash
        portal.hasher.outdated.add(old)
        portal.sign_in("anna")
        new = portal.account("p1").password_hash
        portal.sign_in("anna")

        assert old != new
        assert new == portal.account("p1").password_hash
        assert portal.auth.resume(first.session_id) is not None
        assert [] == portal.outbox

    def test_raced_by_new_password(self, portal: Portal) -> None:
        """A rehash never brings back a password that was changed meanwhile."""
        portal.connected("p1")
        portal.hasher.outdated.add(portal.account("p1").password_hash)
        newer = portal.hasher.inner.hash(password=OTHER_PASSWORD)
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p1", password_hash=newer)
        portal.auth = portal.new_auth(storage=storage)

        assert "rejected" == refused(portal, "anna", PASSWORD)
        assert newer == portal.account("p1").password_hash


class TestConflicts:
    def test_verified_once(self, portal: Portal) -> None:
        """A lost race that left the hash alone is read again, not verified again."""
        portal.connected("p1")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        portal.hasher.reset()
        storage.conflicts = 9
        portal.sign_in("anna")

        assert 1 == portal.hasher.verified

    def test_bounded(self, portal: Portal) -> None:
        """After ten lost races the conflict is told."""
        portal.connected("p1")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 10
        with pytest.raises(ConflictError):
            portal.sign_in("anna")

        assert 0 == storage.conflicts

    @pytest.mark.parametrize("values", [{"active": False}, {"password_hash": None}])
    def test_changed_meanwhile(self, portal: Portal, values: dict) -> None:
        """The account is judged again at the moment of the write."""
        portal.connected("p1")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p1", **values)

        assert "rejected" == refused(portal, "anna", PASSWORD)

    def test_erased_meanwhile(self, portal: Portal) -> None:
        """An account erased between reading and writing is refused like any other."""
        portal.connected("p1")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.storage.replace(
            [Change(portal.account("p1"), None)]
        )

        assert "rejected" == refused(portal, "anna", PASSWORD)

    def test_parallel(self, portal: Portal) -> None:
        """Twelve at once all get in, and ten sessions are kept."""
        portal.connected("p1")
        portal.auth = portal.new_auth(hashes_at_once=12)
        results = in_parallel(12, lambda _: portal.sign_in("anna").session_id)

        assert 12 == len(set(results))
        assert 10 == len(portal.account("p1").sessions)


def in_parallel(count: int, call: Callable[[int], object]) -> list[Any]:
    """Call from many threads at once, and return what each got: a result or an error."""
    barrier, results = threading.Barrier(count), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            results.append(call(number))
        except ParentAuthError as error:
            results.append(error)

    threads = [threading.Thread(target=run, args=[number]) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class TestThrottle:
    @pytest.mark.parametrize("username", ["anna", "nobody"])
    def test_curve(self, portal: Portal, username: str) -> None:
        """Ten failures in 15 minutes, then a wait, known or unknown."""
        portal.connected("p1")
        seen = []
        for _ in range(12):
            with pytest.raises(ParentAuthError) as caught:
                portal.sign_in(username, "wrong")
            seen.append((caught.value.reason, getattr(caught.value, "retry_after", None)))
            portal.clock.advance(SECOND)

        waits = [("throttled", QUARTER - 10 * SECOND), ("throttled", QUARTER - 11 * SECOND)]
        assert [("rejected", None)] * 10 + waits == seen
        assert 10 == portal.hasher.verified

    def test_right_password_too(self, portal: Portal) -> None:
        """Beyond the limit the right password has the same answer, and nothing is verified."""
        portal.connected("p1")
        for _ in range(10):
            refused(portal, "anna")
        portal.hasher.reset()
        portal.forget()

        assert "throttled" == refused(portal, "anna", PASSWORD)
        assert 0 == portal.hasher.verified
        assert [EventKind.THROTTLED] == portal.told
        portal.clock.advance(QUARTER)
        assert "p1" == portal.sign_in("anna").parent.id

    @pytest.mark.parametrize("username", ["anna", "nobody"])
    def test_two_hundred_threads(self, portal: Portal, username: str) -> None:
        """Of two hundred at once exactly ten are verified, known or unknown."""
        portal.connected("p1")
        portal.auth = portal.new_auth(hashes_at_once=200)
        portal.hasher.reset()
        results = in_parallel(
            200, lambda number: portal.sign_in(username, "wrong", Client(f"10.0.0.{number}"))
        )

        assert 10 == portal.hasher.verified
        assert {"rejected": 10, "throttled": 190} == {
            reason: [result.reason for result in results].count(reason)
            for reason in ("rejected", "throttled")
        }

    @pytest.mark.parametrize("username", ["anna", "nobody"])
    def test_hundred(self, portal: Portal, username: str) -> None:
        """A hundred failures in thirty days; then only the mail procedure helps."""
        portal.connected("p1")
        for _ in range(12):
            for number in range(12):
                refused(portal, username, client=Client(f"10.0.0.{number}"))
            portal.clock.advance(QUARTER)
        assert 100 == portal.hasher.verified
        with pytest.raises(ThrottledError) as caught:
            portal.sign_in(username)
        assert caught.value.retry_after is None

    def test_mail_opens_again(self, portal: Portal) -> None:
        """After a hundred failures a reset by mail opens the sign-in."""
        self.test_hundred(portal, "anna")
        portal.define(*portal.reset("anna@example.be"), OTHER_PASSWORD)

        assert "p1" == portal.sign_in("anna", OTHER_PASSWORD).parent.id

    def test_success_clears(self, portal: Portal) -> None:
        """A success clears its own username's counter: nine failures, again and again."""
        portal.connected("p1")
        for _ in range(20):
            for number in range(9):
                assert "rejected" == refused(portal, "anna", client=Client(f"10.0.0.{number}"))
            portal.sign_in("anna")

    def test_own_success_gains_nothing(self, portal: Portal) -> None:
        """An attacker's own sign-ins clear neither the victim's counter nor the prefix's."""
        portal.connected("p1")
        portal.connected("p2", OTHER_PASSWORD)
        for _ in range(10):
            assert "rejected" == refused(portal, "anna")
            portal.sign_in("bert", OTHER_PASSWORD)
        assert "throttled" == refused(portal, "anna", PASSWORD)
        for number in range(90):
            refused(portal, f"nobody{number}")
        assert "throttled" == refused(portal, "bert", OTHER_PASSWORD)

    def test_spellings_share(self, portal: Portal) -> None:
        """All spellings of a username count on one counter."""
        portal.connected("p1")
        for username in ["anna", "ANNA", " anna", "anna ", "Anna"] * 2:
            refused(portal, username)

        assert "throttled" == refused(portal, "aNNa", PASSWORD)

    def test_padded(self, portal: Portal) -> None:
        """What is cut off a name, to look it up, is not counted apart either."""
        portal.connected("p1")
        for number in range(10):
            refused(portal, "anna" + " " * 147 + str(number))

        assert "throttled" == refused(portal, "anna" + " " * 147 + "x", PASSWORD)
        assert "throttled" == refused(portal, "anna", PASSWORD)

    def test_device(self, portal: Portal) -> None:
        """A remembered device counts apart: a stranger can't lock the parent out."""
        device = portal.connected("p1").device
        for _ in range(10):
            refused(portal, "anna")
        assert "throttled" == refused(portal, "anna", PASSWORD)

        own = Client("192.0.2.9", device=device)
        assert "p1" == portal.sign_in("anna", client=own).parent.id
        assert "throttled" == refused(portal, "anna", PASSWORD)

    def test_device_limit(self, portal: Portal) -> None:
        """A remembered device has the same limit, and does not use up the strangers'."""
        client = Client("192.0.2.9", device=portal.connected("p1").device)
        for _ in range(10):
            refused(portal, "anna", client=client)

        assert "throttled" == refused(portal, "anna", PASSWORD, client)
        assert "p1" == portal.sign_in("anna").parent.id

    def test_device_of_other(self, portal: Portal) -> None:
        """A device remembered for one username is a stranger's for another."""
        berts = portal.connected("p2", OTHER_PASSWORD).device
        portal.connected("p1")
        for _ in range(10):
            refused(portal, "anna", client=Client("192.0.2.9", device=berts))

        assert "throttled" == refused(portal, "anna", PASSWORD)

    def test_new_password_clears_both(self, portal: Portal) -> None:
        """A new password clears the strangers' counter and the devices'."""
        client = Client("192.0.2.9", device=portal.connected("p1").device)
        for _ in range(10):
            refused(portal, "anna")
            refused(portal, "anna", client=client)
        portal.define(*portal.reset("anna@example.be"), OTHER_PASSWORD)

        assert "p1" == portal.sign_in("anna", OTHER_PASSWORD).parent.id
        assert "p1" == portal.sign_in("anna", OTHER_PASSWORD, client).parent.id

    def test_prefix(self, portal: Portal) -> None:
        """A hundred failures from one prefix, whatever the usernames, then a visible wait."""
        portal.connected("p1")
        for number in range(100):
            assert "rejected" == refused(portal, f"nobody{number}")

        assert "throttled" == refused(portal, "anna", PASSWORD)
        assert "p1" == portal.sign_in("anna", client=Client("192.0.2.8")).parent.id

    def test_successes_are_free(self, portal: Portal) -> None:
        """A hundred and fifty families sign in from one address."""
        portal.connected("p1")
        for _ in range(150):
            portal.sign_in("anna")

    def test_exempt(self) -> None:
        """Failures from the school's own network are not counted together."""
        portal = Portal(settings={"exempt_networks": ["192.0.2.0/24"]})
        portal.connected("p1")
        for number in range(150):
            refused(portal, f"nobody{number}")

        assert "p1" == portal.sign_in("anna").parent.id

    def test_rotating_v6(self, portal: Portal) -> None:
        """All addresses of one /64 are one client."""
        for number in range(100):
            refused(portal, f"nobody{number}", client=Client(f"2001:db8::{number:x}"))

        assert "throttled" == refused(portal, "x", client=Client("2001:db8::ffff:1"))
        assert "rejected" == refused(portal, "x", client=Client("2001:db8:0:1::1"))

    def test_throttle_away(self, portal: Portal) -> None:
        """While the throttle can't be asked the limits hold all the same."""
        portal.connected("p1")

        class Away:
            def __getattr__(self, name: str) -> Never:
                raise OSError("away")

        portal.auth = portal.new_auth(throttle=Away())
        portal.hasher.reset()
        for _ in range(15):
            refused(portal, "anna")

        assert 10 == portal.hasher.verified
        assert "throttled" == refused(portal, "anna", PASSWORD)

    def test_no_username_in_keys(self, portal: Portal) -> None:
        """What was typed as username is in no key of the throttle: it may be a password."""
        keys = []

        class Noting(MemoryThrottle):
            def hit(self, key: str, **values: Any) -> timedelta | None:
                keys.append(key)
                return super().hit(key, **values)

        portal.auth = portal.new_auth(throttle=Noting())
        refused(portal, "canary")

        assert keys
        assert not any("canary" in key for key in keys)


class TestSlots:
    def test_throttled_first(self, portal: Portal) -> None:
        """Who is over the limit is told so at once, and takes no slot from anybody."""
        for _ in range(10):
            refused(portal, "nobody")
        slots = Slots(1, queue=0, wait=timedelta(0))
        portal.auth._parts = attrs.evolve(portal.auth._parts, slots=slots)
        with slots.take():
            assert "throttled" == refused(portal, "nobody")

    def test_busy(self, portal: Portal) -> None:
        """Without a free slot nothing is verified or counted, and the wait is told."""
        portal.connected("p1")
        slots = Slots(1, queue=0, wait=timedelta(0))
        portal.auth._parts = attrs.evolve(portal.auth._parts, slots=slots)
        with slots.take():
            for _ in range(11):
                with pytest.raises(BusyError) as caught:
                    portal.sign_in("anna")
        assert SECOND == caught.value.retry_after
        assert 0 == portal.hasher.verified
        assert {EventKind.BUSY} == set(portal.told)
        assert "p1" == portal.sign_in("anna").parent.id
