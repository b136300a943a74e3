from datetime import timedelta

import pytest

from hypothesis import given
from hypothesis import strategies as st

from parentauth import Client, EventKind
from parentauth.exceptions import AddressError, ConfigurationError, InputError, ThrottledError
from tests.doubles import RecordingStorage
from tests.school import DAY, HOUR, MINUTE, SECOND, VISITOR, Portal

KNOWN, UNKNOWN = "anna@example.be", "nobody@example.be"


class TestRequestReset:
    @pytest.mark.parametrize("email", [KNOWN, UNKNOWN])
    def test_silent(self, portal: Portal, email: str) -> None:
        """Known or unknown: no result, one event without account, one row, one storage call."""
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)

        assert portal.auth.request_reset(email, client=VISITOR) is None
        assert ["enqueue"] == storage.calls
        [event] = portal.events
        assert (EventKind.RESET_REQUESTED, None, "", "192.0.2.7") == (
            event.kind,
            event.account_id,
            event.reason,
            event.prefix,
        )
        [row] = portal.outbox
        assert (None, email) == (row.intent.account_id, row.intent.address)

    def test_due(self, portal: Portal) -> None:
        """Each row falls due after a random time of 2 to 8 seconds, so that load tells nothing."""
        for number in range(50):
            portal.auth.request_reset(f"x{number}@example.be")
        waits = [row.due - portal.clock() for row in portal.outbox]

        assert all(2 * SECOND <= wait <= 8 * SECOND for wait in waits)
        assert len(set(waits)) > 40
        assert max(waits) - min(waits) > 3 * SECOND

    def test_delay_is_configured(self) -> None:
        """The delay is the host's to choose."""
        portal = Portal(settings={"reset_delay": (MINUTE, MINUTE)})
        portal.auth.request_reset(KNOWN)

        assert portal.clock() + MINUTE == portal.outbox[0].due

    @pytest.mark.parametrize("email", ["Anna@Example.BE", " anna@example.be "])
    def test_canonical(self, portal: Portal, email: str) -> None:
        """Capitals and blanks don't matter; one row waits for one address."""
        portal.auth.request_reset(email)
        portal.auth.request_reset(KNOWN)

        assert [KNOWN] == [row.intent.address for row in portal.outbox]

    @pytest.mark.parametrize(
        "email", ["", "anna", "a@b", "a@b.be,c@d.be", "%@example.be'", "mıke@example.be"]
    )
    def test_no_address(self, portal: Portal, email: str) -> None:
        """What is no address is told so, and nothing is queued."""
        with pytest.raises(AddressError):
            portal.auth.request_reset(email if "'" not in email else email.replace("%", "\u2028"))

        assert [] == portal.outbox

    @pytest.mark.parametrize(
        "email", ["%@example.be", "_nna@example.be", "'@example.be", "*@example.be"]
    )
    def test_wildcards(self, portal: Portal, email: str) -> None:
        """Marks that databases know mean nothing: they match nobody."""
        assert [] == portal.reset(email)

    @pytest.mark.parametrize(
        "email", [None, 0, True, [KNOWN], b"a@b.be", "a\0@b.be", "x" * 100_000]
    )
    def test_no_text(self, portal: Portal, email: object) -> None:
        """What no form sends is refused as such."""
        with pytest.raises(InputError):
            portal.auth.request_reset(email)

        assert [] == portal.outbox

    @given(st.text(max_size=300))
    def test_any_text(self, email: str) -> None:
        """Whatever is typed is queued once or refused as input, never anything else."""
        portal = Portal()
        try:
            portal.auth.request_reset(email)
        except InputError:
            assert [] == portal.outbox
        else:
            assert 1 == len(portal.outbox)


class TestLimits:
    @pytest.mark.parametrize("email", [KNOWN, UNKNOWN])
    def test_per_address(self, portal: Portal, email: str) -> None:
        """Three an hour and ten a day per address, known or not; the surplus is dropped silently."""
        queued, told = [], 0
        for _ in range(24):
            for _ in range(5):
                portal.auth.request_reset(email)
                told += 1
                queued.append(len(portal.outbox))
                portal.deliver(after=10 * SECOND)
            portal.clock.advance(HOUR - 50 * SECOND)

        hours = [sum(queued[start : start + 5]) for start in range(0, 120, 5)]
        assert [3, 3, 3, 1] == hours[:4]
        assert {0} == set(hours[4:])
        assert told == portal.told.count(EventKind.RESET_REQUESTED)

    def test_next_day(self, portal: Portal) -> None:
        """The next day it starts anew."""
        self.test_per_address(portal, KNOWN)
        portal.forget()
        portal.reset(KNOWN)

        assert 1 == len(portal.mailer.sent)

    def test_bombing(self, portal: Portal) -> None:
        """A thousand requests for one parent: three mails, the first link opens, nobody is locked out."""
        portal.connected("p1")
        [first] = portal.reset(KNOWN)
        for number in range(1000):
            portal.auth.request_reset(KNOWN, client=Client(f"10.0.{number % 256}.{number // 256}"))
        portal.deliver(after=10 * SECOND)

        assert len(portal.mailer.sent) <= 3
        assert "p1" == portal.sign_in("anna").parent.id
        assert "p1" == portal.define(first, "tracteur mandarine nuage").parent.id

    def test_per_prefix(self, portal: Portal) -> None:
        """Three hundred an hour per prefix; then the same visible wait for every address."""
        for number in range(300):
            portal.auth.request_reset(f"x{number}@example.be", client=VISITOR)
        portal.forget()
        for email in (KNOWN, UNKNOWN):
            with pytest.raises(ThrottledError) as caught:
                portal.auth.request_reset(email, client=VISITOR)
            assert HOUR == caught.value.retry_after
        assert [EventKind.THROTTLED] * 2 == portal.told
        portal.auth.request_reset(KNOWN, client=Client("192.0.2.8"))
        portal.clock.advance(HOUR)
        portal.auth.request_reset(KNOWN, client=VISITOR)

    def test_exempt(self) -> None:
        """An exempt network has no limit of its own."""
        portal = Portal(settings={"exempt_networks": ["192.0.2.0/24"]})
        for number in range(301):
            portal.auth.request_reset(f"x{number}@example.be", client=VISITOR)


class TestConfiguration:
    @pytest.mark.parametrize("delay", [(MINUTE, SECOND), (-SECOND, SECOND), (-2 * SECOND, -SECOND)])
    def test_delay(self, delay: tuple[timedelta, timedelta]) -> None:
        """A delay that makes no sense is refused at the start."""
        with pytest.raises(ConfigurationError, match="reset_delay"):
            Portal(settings={"reset_delay": delay})

    @pytest.mark.parametrize("name", ["first_login_ttl", "reset_ttl"])
    def test_lifetimes(self, name: str) -> None:
        """A token lives an hour at least."""
        with pytest.raises(ConfigurationError, match=name):
            Portal(settings={name: HOUR - SECOND})

        Portal(settings={name: HOUR})

    def test_lifetime_of_reset(self) -> None:
        """A reset's token lives as long as it is configured to."""
        portal = Portal(settings={"reset_ttl": DAY})
        portal.connected("p1")
        [token] = portal.reset(KNOWN)

        assert portal.clock() + DAY == portal.auth.check_token(token).expires_at
