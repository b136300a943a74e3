import logging
import threading

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import attrs
import pytest

from parentauth import ChildLink, Delivery, EventKind, Family
from parentauth._mails import Writer
from parentauth._outbox import IntentKind
from parentauth._worker import BATCH, GIVEN_UP_AFTER, LEASE
from parentauth.exceptions import (
    ConflictError,
    MailDelayedError,
    MailRefusedError,
    StorageError,
    TokenRejectedError,
)
from parentauth.ports import Change, Intent, Mail
from tests.doubles import ConflictingStorage, RecordingStorage, raising, tokens_in
from tests.school import DAY, HOUR, MINUTE, OTHER_PASSWORD, PASSWORD, SECOND, Portal


def due(portal: Portal) -> timedelta:
    """Return in how much time the only row of the outbox is tried again."""
    [row] = portal.outbox
    return row.due - portal.clock()


class TestInvitation:
    def test_mailed(self, portal: Portal) -> None:
        """An invitation goes to the account's address, with one live token of the school."""
        portal.auth.invite("p1")

        assert Delivery(sent=1) == portal.deliver()
        [mail] = portal.mailer.sent
        assert "Anna@example.be" == mail.to
        [token] = tokens_in(mail)
        assert "p1" == portal.auth.check_token(token).parent.id
        assert [] == portal.outbox
        assert portal.clock() == portal.account("p1").invited_at
        assert portal.clock() + 14 * DAY == portal.account("p1").invited_until
        assert [EventKind.TOKEN_ISSUED, EventKind.MAIL_SENT] == portal.told
        assert ["p1", "p1"] == [event.account_id for event in portal.events]

    def test_address_of_the_moment(self, portal: Portal) -> None:
        """It goes to the address that the account has when the mail leaves."""
        portal.auth.invite("p1")
        portal.change("p1", email="new@example.be")
        portal.deliver()

        assert "new@example.be" == portal.mailer.sent[0].to

    @pytest.mark.parametrize(
        ("values", "reason"),
        [({"active": False}, "closed"), ({"email": None}, "no_address")],
    )
    @pytest.mark.parametrize("again", [False, True])
    def test_dropped(self, portal: Portal, values: dict, reason: str, *, again: bool) -> None:
        """A closed account and one without address get nothing, with an event that says why."""
        portal.auth.invite("p1", again=again)
        portal.change("p1", **values)

        assert Delivery(dropped=1) == portal.deliver()
        assert [] == portal.mailer.sent
        assert [(EventKind.MAIL_DROPPED, "p1", reason)] == [
            (event.kind, event.account_id, event.reason) for event in portal.events
        ]
        assert [] == portal.outbox

    def test_erased_between(self, portal: Portal) -> None:
        """An account erased while its mail is being prepared gets nothing."""
        portal.auth.invite("p1")
        before = portal.account("p1")
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.storage.replace([Change(before, None)])
        portal.auth = portal.new_auth(storage=storage)
        portal.deliver()

        assert [] == portal.mailer.sent
        assert [] == portal.outbox

    def test_erased_row(self, portal: Portal) -> None:
        """An intent for an account that does not exist is dropped as erased."""
        intent = Intent(IntentKind.INVITE, "invite:nobody", "nobody", due=portal.clock())
        portal.storage.enqueue([intent])
        portal.deliver()

        assert [("nobody", "erased")] == [(e.account_id, e.reason) for e in portal.events]

    def test_connected(self, portal: Portal) -> None:
        """An invitation of a parent who connected meanwhile is dropped, one "again" is not."""
        portal.connected("p1")
        portal.auth.invite("p1")
        portal.deliver()
        assert ["connected"] == [event.reason for event in portal.events]
        assert [] == portal.mailer.sent

        portal.auth.invite("p1", again=True)
        portal.deliver()
        assert 1 == len(portal.mailer.sent)

    def test_waiting(self, portal: Portal) -> None:
        """An invitation is dropped where a token of the school is live; one "again" is not."""
        portal.invited("p1")
        portal.forget()
        portal.auth.invite("p1")
        portal.deliver()
        assert ["waiting"] == [event.reason for event in portal.events]

        portal.auth.invite("p1", again=True)
        portal.deliver()
        assert 1 == len(portal.mailer.sent)

    def test_visitors_token_is_none_of_the_schools(self, portal: Portal) -> None:
        """A visitor's live token does not hold back the school's invitation."""
        portal.reset("anna@example.be")
        portal.auth.invite("p1")
        portal.deliver()

        assert 2 == len(portal.mailer.sent)

    def test_once_while_it_waits(self, portal: Portal) -> None:
        """However often it is asked for, one invitation waits, and one "again" beside it."""
        for again in (False, True) * 5:
            portal.auth.invite("p1", again=again)

        assert 2 == len(portal.outbox)

    def test_token_at_rest(self, portal: Portal) -> None:
        """The token is in the mail alone: neither in account, outbox, event nor repr."""
        token = portal.invited("p1")
        kept = repr(
            (
                [attrs.asdict(account) for account in portal.everything()[0]],
                portal.outbox,
                portal.events,
                portal.mailer.sent,
            )
        )

        assert token not in kept
        assert token.replace("-", "") not in kept


class TestReset:
    def test_unknown_address(self, portal: Portal) -> None:
        """Nothing is mailed to an address that no account has."""
        portal.auth.request_reset("nobody@example.be")
        portal.forget()

        assert Delivery(dropped=1) == portal.deliver(after=10 * SECOND)
        assert [(EventKind.MAIL_DROPPED, None, "nobody")] == [
            (event.kind, event.account_id, event.reason) for event in portal.events
        ]

    def test_to_the_kept_address(self, portal: Portal) -> None:
        """The mail goes to the address as it is kept, never as it was typed."""
        portal.connected("p1")
        portal.reset("ANNA@EXAMPLE.BE")

        assert "Anna@example.be" == portal.mailer.sent[0].to

    def test_shared_address(self, portal: Portal) -> None:
        """Several accounts on one address get one mail, each username with its own token."""
        portal.connected("p4")
        tokens = portal.reset("wouters@example.be")
        [mail] = portal.mailer.sent

        checked = [portal.auth.check_token(token) for token in tokens]
        assert {"dirk": "reset", "els": "first_login"} == {
            one.parent.username: one.purpose.value for one in checked
        }
        for username in ("dirk", "els"):
            assert f" {username}\n" in mail.text

    @pytest.mark.parametrize(("closed", "left"), [(["p4"], ["p5"]), (["p4", "p5"], [])])
    def test_closed(self, portal: Portal, closed: list[str], left: list[str]) -> None:
        """A closed account is left out, silently."""
        for account_id in closed:
            portal.change(account_id, active=False)
        tokens = portal.reset("wouters@example.be")

        assert left == [portal.auth.check_token(token).parent.id for token in tokens]

    @pytest.mark.parametrize("count", [1, 2, 5, 30])
    def test_many_on_one_address(self, portal: Portal, count: int) -> None:
        """However many accounts share an address, it is one mail and as many tokens."""
        portal.auth.save(
            [Family(f"f{n}", f"user{n}", email="shared@example.be") for n in range(count)]
        )
        tokens = portal.reset("shared@example.be")

        assert 1 == len(portal.mailer.sent)
        assert count == len({portal.auth.check_token(token).parent.id for token in tokens})

    def test_never_connected(self, portal: Portal) -> None:
        """Who never connected gets the first-connection mail, asked for or not."""
        [token] = portal.reset("anna@example.be")
        asked = portal.mailer.sent[-1]
        portal.invited("p1")
        invited = portal.mailer.sent[-1]

        assert "first_login" == portal.auth.check_token(token).purpose.value
        assert asked.subject == invited.subject
        assert asked.text.splitlines()[:4] == invited.text.splitlines()[:4]

    def test_first_token_survives(self, portal: Portal) -> None:
        """However often a stranger asks, the token that the school sent still opens."""
        schools = portal.invited("p1")
        for _ in range(30):
            portal.reset("anna@example.be")
            portal.clock.advance(HOUR)

        assert "p1" == portal.define(schools).parent.id

    def test_earlier_mail_survives(self, portal: Portal) -> None:
        """Mails overtake each other: the token of an earlier request still opens."""
        [first] = portal.reset("anna@example.be")
        portal.reset("anna@example.be")

        assert "p1" == portal.define(first).parent.id

    def test_pace(self) -> None:
        """Beyond the pace reset mails wait a minute; none is dropped, none is dead."""
        portal = Portal(settings={"reset_pace": 3})
        portal.auth.save(
            [Family(f"f{n}", f"user{n}", email=f"user{n}@example.be") for n in range(8)]
        )
        for number in range(8):
            portal.auth.request_reset(f"user{number}@example.be")
        portal.clock.advance(10 * SECOND)
        sent = []
        for _ in range(4):
            sent.append(portal.auth.deliver().sent)
            portal.clock.advance(MINUTE)

        assert [3, 3, 2, 0] == sent
        assert [] == portal.outbox

    def test_pace_is_for_resets(self) -> None:
        """Invitations and notices don't wait for the pace of reset mails."""
        portal = Portal(settings={"reset_pace": 1})
        portal.auth.invite_all()

        assert 5 == portal.deliver().sent


class TestNotice:
    def test_mailed(self, portal: Portal) -> None:
        """A new password is told to the account's address, once, without any token."""
        portal.define(portal.invited("p1"))
        portal.forget()

        assert Delivery(sent=1) == portal.deliver()
        [mail] = portal.mailer.sent
        assert ("Anna@example.be", []) == (mail.to, tokens_in(mail))
        assert [EventKind.MAIL_SENT] == portal.told

    def test_each_change(self, portal: Portal) -> None:
        """Two changes are two notices, even while the first waits."""
        signed_in = portal.connected("p1")
        for current, new in ((PASSWORD, OTHER_PASSWORD), (OTHER_PASSWORD, PASSWORD)):
            signed_in = portal.auth.change_password(
                signed_in.session_id, current=current, new_password=new, confirmation=new
            )

        assert 2 == portal.deliver().sent

    def test_not_connected(self, portal: Portal) -> None:
        """A parent who never connected gets no notice: the address may be a stranger's."""
        intent = Intent(IntentKind.PASSWORD_CHANGED, "k", "p1", due=portal.clock())
        portal.storage.enqueue([intent])
        portal.deliver()

        assert [("p1", "not_connected")] == [(e.account_id, e.reason) for e in portal.events]


class TestNotBefore:
    def test_outbox(self, portal: Portal) -> None:
        """After a restored backup, rows from before are not mailed again."""
        portal.auth.invite("p1")
        portal.clock.advance(SECOND)
        portal.auth = portal.new_auth(not_before=portal.clock())
        portal.auth.invite("p2")

        assert Delivery(sent=1, dropped=1) == portal.deliver()
        assert "bert@example.be" == portal.mailer.sent[0].to


class TestMailerAway:
    def test_connect(self, portal: Portal) -> None:
        """When the mail server can't be reached no token is minted; everything waits a minute."""
        portal.auth.invite_all()
        before = portal.everything()[0]
        portal.mailer.fail_connect = raising(MailDelayedError("no answer"))

        assert Delivery(delayed=5) == portal.deliver()
        assert before == portal.everything()[0]
        assert {(MINUTE, "no answer")} == {
            (row.due - portal.clock(), row.reason) for row in portal.outbox
        }
        assert {EventKind.MAIL_DELAYED} == set(portal.told)
        assert Delivery() == portal.deliver(after=MINUTE - SECOND)
        assert Delivery(sent=5) == portal.deliver(after=SECOND)

    @pytest.mark.parametrize("error", [OSError("boom"), RuntimeError("boom"), KeyError("boom")])
    def test_connect_crashes(
        self, portal: Portal, error: Exception, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A mailer that crashes before any mail loses nothing and mints nothing."""
        portal.auth.invite("p1")
        before = portal.account("p1")
        portal.mailer.fail_connect = raising(error)

        assert Delivery(delayed=1) == portal.deliver()
        assert before == portal.account("p1")
        assert MINUTE == due(portal)
        assert Delivery(sent=1) == portal.deliver(after=MINUTE)

    @pytest.mark.parametrize("error", [MailDelayedError("bye"), OSError("bye")])
    def test_leave_crashes(self, portal: Portal, error: Exception) -> None:
        """A mailer that fails after the last mail does not make it leave again."""
        portal.auth.invite("p1")
        portal.mailer.fail_leave = raising(error)

        assert Delivery(sent=1) == portal.deliver()
        assert [] == portal.outbox

    def test_delayed(self, portal: Portal) -> None:
        """A mail that surely did not leave takes its token and its invitation with it."""
        portal.auth.invite("p1")
        before = attrs.evolve(portal.account("p1"), version=0)
        portal.mailer.fail_send = raising(MailDelayedError("try later"))

        assert Delivery(delayed=1) == portal.deliver()
        assert before == attrs.evolve(portal.account("p1"), version=0)
        assert MINUTE == due(portal)
        assert [EventKind.TOKEN_ISSUED, EventKind.MAIL_DELAYED] == portal.told

    def test_maybe_sent(self, portal: Portal) -> None:
        """The token of a mail that may have left stays; the retry's mail has another."""
        sent = []

        def lost(mail: Mail) -> None:
            sent.extend(tokens_in(mail))
            raise MailDelayedError("lost", maybe_sent=True)

        portal.auth.invite("p1")
        portal.mailer.fail_send = lost
        assert Delivery(delayed=1) == portal.deliver()
        portal.mailer.fail_send = lambda _: None
        assert Delivery(sent=1) == portal.deliver(after=MINUTE)

        tokens = [*sent, *portal.mailer.tokens]
        assert 2 == len(set(tokens))
        assert {"p1"} == {portal.auth.check_token(token).parent.id for token in tokens}
        portal.define(tokens[0])
        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.define(tokens[1], OTHER_PASSWORD)

    def test_refused(self, portal: Portal) -> None:
        """A mail that will never be accepted is dead at once, visible, without a live token."""
        portal.auth.invite("p1")
        portal.mailer.fail_send = raising(MailRefusedError("no such mailbox"))

        assert Delivery(dead=1) == portal.deliver()
        [row] = portal.outbox
        assert (portal.clock(), "no such mailbox") == (row.dead_at, row.reason)
        assert () == portal.account("p1").tokens
        assert (EventKind.MAIL_DEAD, "no such mailbox") == (
            portal.events[-1].kind,
            portal.events[-1].reason,
        )
        assert Delivery() == portal.deliver(after=10 * DAY)

    def test_one_of_many(self, portal: Portal) -> None:
        """One refused recipient leaves the others' mails alone."""

        def picky(mail: Mail) -> None:
            if mail.to == "bert@example.be":
                raise MailRefusedError("no such mailbox")

        portal.auth.invite_all()
        portal.mailer.fail_send = picky

        assert Delivery(sent=4, dead=1) == portal.deliver()

    def test_crash(self, portal: Portal, caplog: pytest.LogCaptureFixture) -> None:
        """A mailer's own error delays its mail; it may have left, so its token stays."""
        portal.auth.invite("p1")
        portal.mailer.fail_send = raising(RuntimeError("bug"))
        with caplog.at_level(logging.INFO):
            assert Delivery(delayed=1) == portal.deliver()

        assert 1 == len(portal.account("p1").tokens)
        assert "RuntimeError" == portal.outbox[0].reason
        assert any(record.levelno >= logging.ERROR for record in caplog.records)

    def test_crash_tells_no_secret(self, portal: Portal, caplog: pytest.LogCaptureFixture) -> None:
        """What a crashing mailer says is not logged: it may quote the mail."""

        def quoting(mail: Mail) -> None:
            raise RuntimeError(mail.text)

        portal.auth.invite("p1")
        portal.mailer.fail_send = quoting
        with caplog.at_level(logging.DEBUG):
            portal.deliver()

        assert "mailer" in caplog.text
        assert "Anna Peeters" not in caplog.text

    def test_back_off(self, portal: Portal) -> None:
        """Waits double from a minute up to an hour, for 24 hours; then the row is dead."""
        portal.auth.invite("p1")
        begun, waits = portal.clock(), []
        portal.mailer.fail_connect = raising(*[MailDelayedError("away")] * 100)
        while portal.deliver().delayed:
            waits.append(due(portal))
            portal.clock.advance(waits[-1])

        minutes = [int(wait / MINUTE) for wait in waits]
        assert [1, 2, 4, 8, 16, 32, 60, 60] == minutes[:8]
        assert {60} == set(minutes[6:])
        [row] = portal.outbox
        assert GIVEN_UP_AFTER <= row.dead_at - begun < GIVEN_UP_AFTER + HOUR
        assert "away" == row.reason

    def test_idle_for_days(self, portal: Portal) -> None:
        """After days without a worker, a hiccup of the mail server ends nothing."""
        portal.auth.invite("p1")
        portal.clock.advance(5 * DAY)
        portal.mailer.fail_connect = raising(MailDelayedError("hiccup"))

        assert 1 == portal.deliver().delayed
        portal.clock.advance(MINUTE)
        assert 1 == portal.deliver().sent

    def test_request_does_not_notice(self, portal: Portal) -> None:
        """A parent's request never talks to the mailer."""
        portal.auth.request_reset("anna@example.be")
        portal.define(portal.invited("p2"))
        connects = portal.mailer.connects
        portal.auth.request_reset("anna@example.be")
        portal.sign_in("bert")

        assert connects == portal.mailer.connects

    def test_slow(self, portal: Portal) -> None:
        """A batch that takes too long stops sending before its lease is over."""
        portal.auth.invite_all()

        def slowly(_: Mail) -> None:
            portal.clock.advance(LEASE / 3)

        portal.mailer.fail_send = slowly
        delivery = portal.deliver()

        assert 5 == delivery.sent + delivery.delayed
        assert delivery.delayed >= 3
        issued = [token for account in portal.everything()[0] for token in account.tokens]
        assert delivery.sent == len(issued)


class TestAgain:
    def test_died_before_mail(self, portal: Portal) -> None:
        """An invitation whose worker died between token and mail is mailed by the next one."""
        portal.auth.invite("p1")
        portal.mailer.fail_send = raising(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            portal.deliver()
        assert Delivery() == portal.deliver(after=LEASE - SECOND)

        assert Delivery(sent=1) == portal.deliver(after=SECOND)
        assert "p1" == portal.define(portal.mailer.tokens[0]).parent.id

    def test_message_id(self, portal: Portal) -> None:
        """Every attempt has a name of its own, in the sender's domain."""
        portal.auth.invite("p1")
        seen = []

        def note(mail: Mail) -> None:
            seen.append(mail.message_id)
            if len(seen) < 3:
                raise MailDelayedError("later")

        portal.mailer.fail_send = note
        for _ in range(3):
            portal.deliver(after=HOUR)

        assert 3 == len(set(seen))
        assert all(each.startswith("<") and each.endswith("@portail.ecole.be>") for each in seen)


class TestBatches:
    def families(self, count: int) -> list[Family]:
        """Make families."""
        return [Family(f"f{n:03}", f"user{n}", email=f"user{n}@example.be") for n in range(count)]

    def test_one_write(self, portal: Portal) -> None:
        """Fifty invitations are read once, written once, sent over one connection."""
        portal.auth.save(self.families(BATCH - 5))
        portal.auth.invite_all()
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)

        assert BATCH == portal.deliver().sent
        # Settled ten at a time: as many leave twice where a worker is killed.
        assert ["claim", "accounts", "replace", *["settle"] * 5, "claim"] == storage.calls
        assert 1 == portal.mailer.connects

    def test_one_bad_draft(
        self, portal: Portal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A mail that can't be written waits alone; the others of its batch leave."""
        portal.auth.save(self.families(5))
        portal.auth.invite_all()
        access = Writer.access

        def fails_for_one(self: Writer, to: str, *args: Any) -> Mail:
            if to == "user3@example.be":
                raise ZeroDivisionError
            return access(self, to, *args)

        monkeypatch.setattr(Writer, "access", fails_for_one)
        delivery = portal.deliver()

        assert 1 == delivery.delayed
        assert "user3@example.be" not in [mail.to for mail in portal.mailer.sent]
        assert delivery.sent == len(portal.mailer.sent) >= 4
        assert "ZeroDivisionError" in [row.reason for row in portal.outbox]
        assert "drafting failed" in caplog.text

    def test_limit(self, portal: Portal) -> None:
        """No more rows are handled than asked for."""
        portal.auth.save(self.families(100))
        portal.auth.invite_all()

        assert 3 == portal.auth.deliver(limit=3).sent
        assert 0 == portal.auth.deliver(limit=0).sent
        assert 60 == portal.auth.deliver(limit=60).sent
        assert 42 == portal.auth.deliver().sent

    def test_conflict_falls_back(self, portal: Portal) -> None:
        """When one of a batch was changed meanwhile, all still leave, one by one."""
        portal.auth.invite_all()
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p2", name="Bert C.")
        portal.auth = portal.new_auth(storage=storage)

        assert Delivery(sent=5) == portal.deliver()
        assert 5 == len(set(portal.mailer.tokens))
        assert {EventKind.TOKEN_ISSUED, EventKind.MAIL_SENT} == set(portal.told)
        assert 5 == portal.told.count(EventKind.TOKEN_ISSUED)

    def test_endless_conflicts(self, portal: Portal) -> None:
        """An account that is changed again and again waits; the others leave."""
        portal.auth.invite_all()

        class Stubborn(ConflictingStorage):
            def replace(self, changes: Sequence[Change]) -> None:
                if any(change.before and change.before.id == "p2" for change in changes):
                    raise ConflictError("injected")
                self.inner.replace(changes)

        portal.auth = portal.new_auth(storage=Stubborn(portal.storage))

        assert Delivery(sent=4, delayed=1) == portal.deliver()
        assert () == portal.account("p2").tokens

    def test_one_account_twice(self, portal: Portal) -> None:
        """Two mails for one account in one batch both leave, with a token each."""
        portal.auth.invite("p1", again=True)
        portal.auth.request_reset("anna@example.be")
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)

        assert Delivery(sent=2) == portal.deliver(after=10 * SECOND)
        assert 2 == storage.calls.count("replace")
        for token in portal.mailer.tokens:
            assert "p1" == portal.auth.check_token(token).parent.id

    def test_withdrawn_despite_conflict(self, portal: Portal) -> None:
        """A token is withdrawn from the account as it is then, whatever happened to it."""
        portal.auth.invite("p1")

        def refuse(_: Mail) -> None:
            portal.change("p1", name="Renamed")
            raise MailRefusedError("no")

        portal.mailer.fail_send = refuse
        portal.deliver()

        assert ((), "Renamed") == (portal.account("p1").tokens, portal.account("p1").name)

    def test_not_withdrawn(self, portal: Portal, caplog: pytest.LogCaptureFixture) -> None:
        """A token that can't be withdrawn is told in the log; nobody ever received it."""
        portal.auth.invite("p1")
        storage = ConflictingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)

        def refuse(_: Mail) -> None:
            storage.conflicts = 10
            raise MailRefusedError("no")

        portal.mailer.fail_send = refuse

        assert Delivery(dead=1) == portal.deliver()
        assert "could not be withdrawn" in caplog.text

    def test_erased_before_withdrawal(self, portal: Portal) -> None:
        """There is nothing to withdraw from an account that was erased meanwhile."""
        portal.auth.invite("p1")

        def refuse(_: Mail) -> None:
            portal.auth.erase("p1")
            raise MailRefusedError("no")

        portal.mailer.fail_send = refuse
        portal.deliver()

        assert [] == portal.outbox

    def test_storage_away(self, portal: Portal) -> None:
        """A storage that fails is not hidden; what was claimed comes back after its lease."""
        portal.auth.invite("p1")

        class Away(ConflictingStorage):
            def replace(self, changes: Sequence[Change]) -> None:
                raise StorageError("disk full")

            settle = replace

        portal.auth = portal.new_auth(storage=Away(portal.storage))
        with pytest.raises((StorageError, TypeError)):
            portal.deliver()
        portal.auth = portal.new_auth()

        assert Delivery(sent=1) == portal.deliver(after=LEASE)

    def test_two_workers(self, portal: Portal) -> None:
        """Two workers at once mail each parent once."""
        portal.auth.save(self.families(200))
        portal.auth.invite_all()
        results: list[Delivery] = []
        threads = [
            threading.Thread(target=lambda: results.append(portal.auth.deliver())) for _ in range(2)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert Delivery(sent=205) == results[0] + results[1]
        assert 205 == len({mail.to for mail in portal.mailer.sent}) + 1

    def test_lost_lease(self, portal: Portal) -> None:
        """A worker that comes back after its lease disturbs nobody."""
        portal.auth.invite("p1")

        def late(_: Mail) -> None:
            portal.mailer.fail_send = lambda _: None
            portal.clock.advance(LEASE)
            assert Delivery(sent=1) == portal.auth.deliver()

        portal.mailer.fail_send = late
        portal.deliver()

        assert [] == portal.outbox
        assert 2 == len(portal.mailer.sent)
        assert 2 == len(portal.account("p1").tokens)


class TestLanguage:
    @pytest.mark.parametrize(("locale", "written"), [(None, "fr"), ("xx", "fr"), ("en", "en")])
    def test_accounts(self, portal: Portal, locale: str | None, written: str) -> None:
        """A mail is in the account's language, or in the portal's where we have no texts."""
        portal.change("p1", locale=locale)
        portal.invited("p1")

        assert written == portal.mailer.sent[0].locale


class TestChildren:
    def test_no_child_named(self, portal: Portal) -> None:
        """No mail names a child."""
        portal.auth.save(
            [Family("p1", "anna", "Anna", children=(ChildLink("c9", "Canari", "Zèbres"),))]
        )
        portal.invited("p1")
        portal.define(portal.mailer.tokens[0])
        portal.deliver()

        assert 2 == len(portal.mailer.sent)
        for mail in portal.mailer.sent:
            for word in ("Canari", "Zèbres", "Noor"):
                assert word not in mail.text + mail.html + mail.subject
