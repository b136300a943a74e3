from datetime import timedelta

import attrs
import pytest

from parentauth import (
    Child,
    ChildLink,
    ChooseChild,
    Client,
    Dashboard,
    EventKind,
    NoChild,
    SignedIn,
)
from parentauth._outbox import IntentKind
from parentauth._slots import Slots
from parentauth.exceptions import (
    BusyError,
    ChildRejectedError,
    ConfigurationError,
    CurrentPasswordError,
    InputError,
    NotSignedInError,
    PasswordRejectedError,
    SignInRejectedError,
    ThrottledError,
    TokenRejectedError,
)
from parentauth.ports import Change
from tests.doubles import ConflictingStorage, RecordingStorage
from tests.school import DAY, HOUR, MINUTE, OTHER_PASSWORD, PASSWORD, SECOND, VISITOR, Portal

LOU, MILA = Child("c2", "Lou", "2B"), Child("c3", "Mila", "3C")


class TestResume:
    @pytest.mark.parametrize("session_id", [None, "", "x", "\0", "\ud800", "x" * 100_000])
    def test_unknown(self, portal: Portal, session_id: str | None) -> None:
        """An id that was never given signs nobody in."""
        assert portal.auth.resume(session_id) is None

    def test_anonymous(self, portal: Portal) -> None:
        """Without a session nothing is read."""
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        portal.auth.resume(None)

        assert [] == storage.calls

    def test_one_read(self, portal: Portal) -> None:
        """A request usually reads once; "last seen" is written at most every five minutes."""
        session_id = portal.connected("p1").session_id
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        for _ in range(10):
            portal.clock.advance(MINUTE)
            assert portal.auth.resume(session_id)

        assert 10 == storage.calls.count("account")
        assert 2 == storage.calls.count("replace")

    @pytest.mark.parametrize(
        ("after", "live"), [(HOUR - SECOND, True), (HOUR, False), (HOUR + SECOND, False)]
    )
    def test_idle(self, portal: Portal, after: timedelta, *, live: bool) -> None:
        """A session ends after an hour without a request, to the second."""
        session_id = portal.connected("p1").session_id
        portal.clock.advance(after)

        assert live is bool(portal.auth.resume(session_id))

    def test_absolute(self, portal: Portal) -> None:
        """A session ends after twelve hours, however busy it is, to the second."""
        session_id = portal.connected("p1").session_id
        for _ in range(24):
            assert portal.auth.resume(session_id)
            portal.clock.advance(30 * MINUTE)
        assert portal.auth.resume(session_id) is None
        portal.clock.advance(-SECOND)
        assert portal.auth.resume(session_id)

    @pytest.mark.parametrize("idle", [MINUTE, 2 * MINUTE, 5 * MINUTE])
    def test_short_idle(self, idle: timedelta) -> None:
        """However short the limit, a session that is used does not end."""
        portal = Portal(settings={"session_idle": idle})
        session_id = portal.connected("p1").session_id
        for _ in range(20):
            portal.clock.advance(idle * 0.45)
            assert portal.auth.resume(session_id)
        portal.clock.advance(idle)
        assert portal.auth.resume(session_id) is None

    def test_conflict(self, portal: Portal) -> None:
        """ "Last seen" is let go on conflict: the request is served."""
        session_id = portal.connected("p1").session_id
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        portal.clock.advance(10 * MINUTE)

        assert portal.auth.resume(session_id)

    @pytest.mark.parametrize("change", [{"active": False}, {"sessions": ()}])
    def test_ended(self, portal: Portal, change: dict) -> None:
        """Closing the account or ending its sessions holds at the next request."""
        session_id = portal.connected("p1").session_id
        portal.change("p1", **change)

        assert portal.auth.resume(session_id) is None

    def test_erased(self, portal: Portal) -> None:
        """Nothing is left of an erased account's session."""
        session_id = portal.connected("p1").session_id
        portal.storage.replace([Change(portal.account("p1"), None)])

        assert portal.auth.resume(session_id) is None

    def test_not_before(self, portal: Portal) -> None:
        """After a restored backup earlier sessions are dead."""
        session_id = portal.connected("p1").session_id
        portal.clock.advance(SECOND)
        portal.auth = portal.new_auth(not_before=portal.clock())

        assert portal.auth.resume(session_id) is None

    def test_only_what_a_host_may_see(self, portal: Portal) -> None:
        """What a host gets holds neither hash, digest, address nor links that are not live."""
        present = portal.auth.resume(portal.connected("p1").session_id)

        assert {"id", "username", "name", "locale"} == set(attrs.asdict(present.parent))
        assert "example.be" not in repr(present)

    def test_cap(self, portal: Portal) -> None:
        """At most ten sessions; the oldest gives way."""
        first = portal.connected("p1").session_id
        later = []
        for _ in range(10):
            portal.clock.advance(SECOND)
            later.append(portal.sign_in("anna").session_id)

        assert portal.auth.resume(first) is None
        assert all(portal.auth.resume(session_id) for session_id in later)


class TestSelectChild:
    def test_several(self, portal: Portal) -> None:
        """A parent of several has no present child until one is chosen; switching is possible."""
        signed_in = portal.connected("p2")
        present = portal.auth.resume(signed_in.session_id)
        assert (None, ChooseChild((LOU, MILA))) == (present.child, present.landing)

        for child in (MILA, LOU):
            present = portal.auth.select_child(signed_in.session_id, child.id)
            assert (child, Dashboard(child)) == (present.child, present.landing)
            assert present == portal.auth.resume(signed_in.session_id)
        assert [(EventKind.CHILD_SELECTED, "p2")] * 2 == [
            (event.kind, event.account_id) for event in portal.events
        ]

    def test_per_session(self, portal: Portal) -> None:
        """Each session has its own choice."""
        one = portal.connected("p2").session_id
        other = portal.sign_in("bert").session_id
        portal.auth.select_child(one, "c2")
        portal.auth.select_child(other, "c3")

        assert LOU == portal.auth.resume(one).child
        assert MILA == portal.auth.resume(other).child

    def test_all_pairs(self, portal: Portal) -> None:
        """Of all pairs of parent and child only the linked ones pass."""
        passed = set()
        for parent in ("p1", "p2", "p3", "p4", "p5"):
            session_id = portal.connected(parent).session_id
            for child in ("c1", "c2", "c3", "c4", "c5", "", " c1", "C1", "01"):
                try:
                    portal.auth.select_child(session_id, child)
                except ChildRejectedError:
                    assert EventKind.CHILD_REFUSED is portal.events[-1].kind
                else:
                    passed.add((parent, child))

        links = {("p1", "c1"), ("p2", "c2"), ("p2", "c3"), ("p4", "c4"), ("p5", "c4")}
        assert links == passed

    @pytest.mark.parametrize("child", [None, 2, ["c2"], "c2\0", "\ud800"])
    def test_no_text(self, portal: Portal, child: object) -> None:
        """What no form sends is refused as such."""
        with pytest.raises(InputError):
            portal.auth.select_child(portal.connected("p2").session_id, child)

    @pytest.mark.parametrize(
        "period", [{"until": -SECOND}, {"until": 0 * SECOND}, {"since": SECOND}]
    )
    def test_not_live(self, portal: Portal, period: dict[str, timedelta]) -> None:
        """A link that has ended or not begun can't be chosen, and never blocks the others."""
        session_id = portal.connected("p2").session_id
        portal.auth.select_child(session_id, "c3")
        lou, mila = portal.account("p2").children
        values = {name: portal.clock() + offset for name, offset in period.items()}
        portal.change("p2", children=(lou, attrs.evolve(mila, **values)))

        assert LOU == portal.auth.resume(session_id).child
        with pytest.raises(ChildRejectedError):
            portal.auth.select_child(session_id, "c3")

    def test_none_left(self, portal: Portal) -> None:
        """When the last link ends, the next request has no child."""
        session_id = portal.connected("p1").session_id
        portal.change("p1", children=())

        assert NoChild() == portal.auth.resume(session_id).landing

    def test_rollover(self, portal: Portal) -> None:
        """A period that begins or ends during a session holds from that second."""
        now = portal.clock()
        links = (
            ChildLink("old", "Old", until=now + MINUTE),
            ChildLink("new", "New", since=now + MINUTE),
        )
        portal.change("p1", children=links)
        session_id = portal.connected("p1").session_id
        seen = []
        for _ in range(3):
            seen.append(portal.auth.resume(session_id).child.id)
            portal.clock.advance(30 * SECOND)

        assert ["old", "old", "new"] == seen

    def test_conflicts(self, portal: Portal) -> None:
        """A lost race is read and judged again."""
        session_id = portal.connected("p2").session_id
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 9

        assert LOU == portal.auth.select_child(session_id, "c2").child

    def test_unlinked_meanwhile(self, portal: Portal) -> None:
        """A link that ends between reading and writing is refused."""
        session_id = portal.connected("p2").session_id
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p2", children=())
        with pytest.raises(ChildRejectedError):
            portal.auth.select_child(session_id, "c2")

    @pytest.mark.parametrize("session_id", ["", "unknown"])
    def test_not_signed_in(self, portal: Portal, session_id: str) -> None:
        """Who is not signed in chooses nothing."""
        with pytest.raises(NotSignedInError):
            portal.auth.select_child(session_id, "c2")


class TestChangePassword:
    def change(
        self, portal: Portal, session_id: str, current: str = PASSWORD, **values: object
    ) -> SignedIn:
        """Change to the other password."""
        given = {"new_password": OTHER_PASSWORD, "confirmation": OTHER_PASSWORD, **values}
        return portal.auth.change_password(session_id, current=current, **given)

    def test_changed(self, portal: Portal) -> None:
        """The new password opens, the old one does not; every other session ends, this gets a new id."""
        first = portal.connected("p1").session_id
        others = [portal.sign_in("anna").session_id for _ in range(4)]
        [token] = portal.reset("anna@example.be")
        portal.forget()
        signed_in = self.change(portal, first, client=VISITOR)

        for session_id in (first, *others):
            assert portal.auth.resume(session_id) is None
        assert portal.auth.resume(signed_in.session_id)
        assert [EventKind.PASSWORD_CHANGED, EventKind.SESSIONS_ENDED] == portal.told
        assert [IntentKind.PASSWORD_CHANGED] == [row.intent.kind for row in portal.outbox]
        with pytest.raises(SignInRejectedError):
            portal.sign_in("anna")
        assert "p1" == portal.sign_in("anna", OTHER_PASSWORD).parent.id
        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.define(token)

    def test_wrong(self, portal: Portal) -> None:
        """A wrong current password changes nothing, and is counted: ten, then a wait."""
        session_id = portal.connected("p1").session_id
        before = portal.everything()
        for _ in range(10):
            with pytest.raises(CurrentPasswordError):
                self.change(portal, session_id, "wrong")
        with pytest.raises(ThrottledError):
            self.change(portal, session_id)

        assert before == portal.everything()
        assert 10 == portal.hasher.verified
        assert (EventKind.PASSWORD_REFUSED, "p1", "current_password") == (
            portal.events[0].kind,
            portal.events[0].account_id,
            portal.events[0].reason,
        )
        assert EventKind.THROTTLED is portal.events[-1].kind

    def test_counts_apart_from_strangers(self, portal: Portal) -> None:
        """A stranger at the sign-in can't keep the parent from changing the password."""
        session_id = portal.connected("p1").session_id
        for _ in range(10):
            with pytest.raises(SignInRejectedError):
                portal.sign_in("anna", "wrong")

        assert self.change(portal, session_id)
        assert "p1" == portal.sign_in("anna", OTHER_PASSWORD).parent.id

    @pytest.mark.parametrize("current", [None, 1, ["x"], "\0", "\ud800", "x" * 3000])
    def test_no_text(self, portal: Portal, current: object) -> None:
        """What no form sends is refused as such."""
        session_id = portal.connected("p1").session_id
        with pytest.raises(InputError):
            self.change(portal, session_id, current)

    def test_weak(self, portal: Portal) -> None:
        """Broken rules are told all at once, and nothing changes."""
        session_id = portal.connected("p1").session_id
        before = portal.everything()
        with pytest.raises(PasswordRejectedError) as caught:
            self.change(portal, session_id, new_password="anna", confirmation="x")

        codes = {violation.code for violation in caught.value.violations}
        assert {"too_short", "context", "mismatch"} <= codes
        assert before == portal.everything()

    def test_wrong_before_weak(self, portal: Portal) -> None:
        """Who does not know the current password learns nothing about the rules."""
        session_id = portal.connected("p1").session_id
        with pytest.raises(CurrentPasswordError):
            self.change(portal, session_id, "wrong", new_password="x")

    def test_no_password_yet(self, portal: Portal) -> None:
        """An account whose password was taken away has no current one."""
        session_id = portal.connected("p1").session_id
        portal.change("p1", password_hash=None)
        with pytest.raises(CurrentPasswordError):
            self.change(portal, session_id)

    def test_busy(self, portal: Portal) -> None:
        """Without a free slot the parent is asked to wait, and nothing is counted."""
        session_id = portal.connected("p1").session_id
        slots = Slots(1, queue=0, wait=timedelta(0))
        portal.auth._parts = attrs.evolve(portal.auth._parts, slots=slots)
        with slots.take():
            for _ in range(11):
                with pytest.raises(BusyError):
                    self.change(portal, session_id)

        assert {EventKind.BUSY} == set(portal.told)
        assert self.change(portal, session_id)

    def test_not_signed_in(self, portal: Portal) -> None:
        """Who is not signed in changes nothing, and nothing is verified."""
        portal.connected("p1")
        with pytest.raises(NotSignedInError):
            self.change(portal, "unknown")

        assert 0 == portal.hasher.verified

    def test_raced_by_reset(self, portal: Portal) -> None:
        """A password defined meanwhile is not overwritten by who knew the old one."""
        session_id = portal.connected("p1").session_id
        newer = portal.hasher.inner.hash(password="a third one, quite long")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p1", password_hash=newer)
        with pytest.raises(CurrentPasswordError):
            self.change(portal, session_id)

        assert newer == portal.account("p1").password_hash
        assert [] == portal.outbox

    def test_raced_by_rehash(self, portal: Portal) -> None:
        """A better hash of the same password, made by a sign-in meanwhile, is no other password."""
        session_id = portal.connected("p1").session_id
        better = portal.hasher.inner.hash(password=PASSWORD)
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p1", password_hash=better)
        self.change(portal, session_id)

        assert better != portal.account("p1").password_hash

    def test_conflicts(self, portal: Portal) -> None:
        """A lost race that left the password alone is judged again, without hashing again."""
        session_id = portal.connected("p1").session_id
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        portal.hasher.reset()
        storage.conflicts = 5
        self.change(portal, session_id)

        assert (1, 1) == (portal.hasher.verified, portal.hasher.hashed)
        assert 1 == len(portal.outbox)


class TestSignOut:
    def test_ended(self, portal: Portal) -> None:
        """A saved cookie opens nothing after signing out; other sessions go on."""
        first = portal.connected("p1").session_id
        second = portal.sign_in("anna").session_id
        portal.forget()
        portal.auth.sign_out(first)

        assert portal.auth.resume(first) is None
        assert portal.auth.resume(second)
        assert [(EventKind.SIGNED_OUT, "p1")] == [(e.kind, e.account_id) for e in portal.events]

    @pytest.mark.parametrize("session_id", [None, "", "unknown", "\ud800"])
    def test_unknown(self, portal: Portal, session_id: str | None) -> None:
        """Signing out an unknown session is no error, and tells nothing."""
        portal.auth.sign_out(session_id)

        assert [] == portal.told

    def test_twice(self, portal: Portal) -> None:
        """A double click is harmless."""
        session_id = portal.connected("p1").session_id
        portal.auth.sign_out(session_id)
        portal.auth.sign_out(session_id)

        assert 1 == portal.told.count(EventKind.SIGNED_OUT)

    def test_over(self, portal: Portal) -> None:
        """Nobody signs out of a session that was over."""
        session_id = portal.connected("p1").session_id
        portal.clock.advance(DAY)
        portal.auth.sign_out(session_id)

        assert [] == portal.told

    def test_conflicts(self, portal: Portal) -> None:
        """A lost race is judged again: the session surely ends."""
        session_id = portal.connected("p1").session_id
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        storage.conflicts = 9
        portal.auth.sign_out(session_id)

        assert portal.auth.resume(session_id) is None


class TestRules:
    @pytest.mark.parametrize(
        ("idle", "absolute"),
        [
            (timedelta(0), HOUR),
            (-HOUR, HOUR),
            (2 * HOUR, HOUR),
            (HOUR, 30 * DAY + SECOND),
        ],
    )
    def test_refused(self, idle: timedelta, absolute: timedelta) -> None:
        """Limits that make no sense are refused at the start."""
        with pytest.raises(ConfigurationError, match="session limits"):
            Portal(settings={"session_idle": idle, "session_absolute": absolute})

    def test_client(self) -> None:
        """What is known of a visitor shows no secret."""
        client = Client("192.0.2.7", device="canary-1", session_id="canary-2")

        assert "canary" not in repr(client)
