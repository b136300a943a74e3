import logging

from collections.abc import Callable

import attrs
import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Client, Event, EventKind
from parentauth._events import Announcer
from parentauth.exceptions import (
    ChildRejectedError,
    CurrentPasswordError,
    OtherAccountError,
    PasswordRejectedError,
    SignInRejectedError,
    TokenRejectedError,
)
from parentauth.testing.clock import START
from tests.school import OTHER_PASSWORD, PASSWORD, SECOND, VISITOR, Portal

K = EventKind


class TestAnnouncer:
    def test_in_order(self) -> None:
        """Listeners are called in order, each with the event."""
        seen: list[tuple[int, Event]] = []
        announce = Announcer([lambda e: seen.append((1, e)), lambda e: seen.append((2, e))])
        event = Event(K.BUSY, START)
        announce(event)

        assert [(1, event), (2, event)] == seen

    def test_listener_fails(self, caplog: pytest.LogCaptureFixture) -> None:
        """What a listener raises is logged and goes no further; the others are still told."""

        def broken(event: Event) -> None:
            raise RuntimeError("broken")

        seen: list[Event] = []
        Announcer([broken, seen.append])(Event(K.BUSY, START))

        assert 1 == len(seen)
        [record] = [each for each in caplog.records if each.levelno >= logging.ERROR]
        assert "busy" in record.getMessage()

    @given(
        st.builds(
            Event,
            kind=st.sampled_from(EventKind),
            at=st.just(START),
            account_id=st.none() | st.text(st.characters(exclude_categories=[])),
            reason=st.text(st.characters(exclude_categories=[])),
            prefix=st.none() | st.text(),
        )
    )
    def test_one_line(self, event: Event) -> None:
        """One event is one line of printable ASCII, whatever an id is made of."""
        assert str(event).isascii()
        assert str(event).isprintable()
        assert str(event).startswith(event.kind.value)

    def test_forged_line(self, caplog: pytest.LogCaptureFixture) -> None:
        """An id can't forge a second record."""
        with caplog.at_level(logging.INFO):
            Announcer()(Event(K.BUSY, START, account_id="p1\r\nINFO signed_in account='p2'"))

        assert 1 == len(caplog.text.splitlines())

    def test_structured(self, caplog: pytest.LogCaptureFixture) -> None:
        """The record carries the event itself, for structured logs."""
        event = Event(K.BUSY, START)
        with caplog.at_level(logging.INFO):
            Announcer()(event)

        assert event == caplog.records[0].parentauth_event


def _refused(error: type[Exception], call: Callable[[], object]) -> None:
    with pytest.raises(error):
        call()


def invited(portal: Portal) -> None:
    """Invite Anna."""
    portal.invited("p1")


def redeemed(portal: Portal) -> None:
    """Redeem Anna's token."""
    token = portal.invited("p1")
    portal.forget()
    portal.define(token)


def unknown_token(portal: Portal) -> None:
    """Try a made-up token."""
    _refused(TokenRejectedError, lambda: portal.auth.check_token("0" * 32))


def weak(portal: Portal) -> None:
    """Define a weak password."""
    token = portal.invited("p1")
    portal.forget()
    _refused(PasswordRejectedError, lambda: portal.define(token, "x"))


def other_account(portal: Portal) -> None:
    """Open Anna's link as Bert."""
    token = portal.invited("p1")
    client = Client(session_id=portal.connected("p2").session_id)
    _refused(OtherAccountError, lambda: portal.auth.check_token(token, client=client))


def signed_in(portal: Portal) -> None:
    """Sign Anna in."""
    portal.connected("p1")
    portal.sign_in("anna")


def refused(portal: Portal) -> None:
    """Sign in with a wrong password."""
    _refused(SignInRejectedError, lambda: portal.sign_in("anna"))


def signed_out(portal: Portal) -> None:
    """Sign Anna out."""
    portal.auth.sign_out(portal.connected("p1").session_id)


def reset(portal: Portal) -> None:
    """Ask for a reset, unknown address."""
    portal.reset("nobody@example.be")


def reset_known(portal: Portal) -> None:
    """Ask for a reset of a shared mailbox."""
    portal.reset("wouters@example.be")


def chosen(portal: Portal) -> None:
    """Choose a child, and another's."""
    session_id = portal.connected("p2").session_id
    portal.auth.select_child(session_id, "c2")
    _refused(ChildRejectedError, lambda: portal.auth.select_child(session_id, "c1"))


def changed(portal: Portal) -> None:
    """Change the password, first with a wrong one."""
    session_id = portal.connected("p1").session_id
    new = {"new_password": OTHER_PASSWORD, "confirmation": OTHER_PASSWORD}
    _refused(
        CurrentPasswordError,
        lambda: portal.auth.change_password(session_id, current="x", **new),
    )
    portal.auth.change_password(session_id, current=PASSWORD, **new)


def bad_input(portal: Portal) -> None:
    """Count bad input and a cross-site form."""
    portal.auth.count_bad_input(VISITOR)
    portal.auth.tell_csrf_refused(VISITOR)


def resumed(portal: Portal) -> None:
    """Look around."""
    session_id = portal.connected("p1").session_id
    portal.auth.resume(session_id)
    portal.auth.resume("unknown")
    portal.auth.status("p1")
    portal.auth.find_parent(username="anna")


class TestFlows:
    @pytest.mark.parametrize(
        ("flow", "kinds"),
        [
            (invited, [K.TOKEN_ISSUED, K.MAIL_SENT]),
            (
                redeemed,
                [K.TOKEN_REDEEMED, K.PASSWORD_CHANGED, K.SESSIONS_ENDED, K.SIGNED_IN],
            ),
            (unknown_token, [K.TOKEN_REFUSED]),
            (weak, [K.PASSWORD_REFUSED]),
            (other_account, []),
            (signed_in, [K.SIGNED_IN]),
            (refused, [K.SIGN_IN_REFUSED]),
            (signed_out, [K.SIGNED_OUT]),
            (reset, [K.RESET_REQUESTED, K.MAIL_DROPPED]),
            (reset_known, [K.RESET_REQUESTED, K.TOKEN_ISSUED, K.TOKEN_ISSUED, K.MAIL_SENT]),
            (chosen, [K.CHILD_SELECTED, K.CHILD_REFUSED]),
            (changed, [K.PASSWORD_REFUSED, K.PASSWORD_CHANGED, K.SESSIONS_ENDED]),
            (bad_input, [K.BAD_INPUT, K.CSRF_REFUSED]),
            (resumed, []),
        ],
        ids=lambda value: getattr(value, "__name__", ""),
    )
    def test_table(
        self, portal: Portal, flow: Callable[[Portal], None], kinds: list[EventKind]
    ) -> None:
        """Each flow tells these events, in this order, and no others."""
        flow(portal)

        assert kinds == portal.told
        assert all(portal.clock() >= event.at > START - SECOND for event in portal.events)
        assert all(event.at.tzinfo is not None for event in portal.events)

    def test_after_the_write(self, portal: Portal) -> None:
        """A listener sees what was written: it is told afterwards."""
        seen = []

        def look(event: Event) -> None:
            if event.kind is K.SIGNED_IN:
                seen.append(len(portal.account("p1").sessions))

        portal.auth = portal.new_auth(listeners=[look])
        portal.define(portal.invited("p1"))

        assert [1] == seen

    def test_listener_that_calls_back(self, portal: Portal) -> None:
        """A listener may call the library."""
        portal.settings["listeners"] = [lambda event: portal.auth.status_counts()]
        portal.auth = portal.new_auth()

        assert portal.connected("p1")

    def test_broken_listener_changes_nothing(self, portal: Portal) -> None:
        """With a listener that always fails every flow goes as without."""

        def broken(event: Event) -> None:
            raise RuntimeError("broken")

        portal.auth = portal.new_auth(listeners=[broken])

        assert portal.connected("p1")
        assert portal.sign_in("anna")


class TestEvent:
    def test_fields(self) -> None:
        """An event has no field in which a secret could travel."""
        assert ["kind", "at", "account_id", "reason", "prefix"] == [
            field.name for field in attrs.fields(Event)
        ]

    def test_exempt_prefix_is_told(self) -> None:
        """A prefix that is not counted is still told."""
        portal = Portal(settings={"exempt_networks": ["192.0.2.0/24"]})
        portal.auth.count_bad_input(VISITOR)

        assert "192.0.2.7" == portal.events[0].prefix
