import json

import attrs
import pytest

from parentauth import ChildLink, Client, EventKind, Family, Status
from parentauth._outbox import IntentKind
from parentauth.exceptions import (
    AccountNotFoundError,
    AddressError,
    FamiliesError,
    InputError,
    MailRefusedError,
    SignInRejectedError,
    TakenError,
    TokenRejectedError,
)
from parentauth.ports import Key
from tests.doubles import ConflictingStorage, RecordingStorage, raising
from tests.school import DAY, FAMILIES, SECOND, Portal


def family(account_id: str, **values: object) -> Family:
    """Return a family of the school with other values."""
    found = next(family for family in FAMILIES if family.id == account_id)
    return attrs.evolve(found, **values)


def kinds(portal: Portal) -> list[IntentKind]:
    """Return what waits in the outbox."""
    return [row.intent.kind for row in portal.outbox]


class TestSave:
    def test_added(self, portal: Portal) -> None:
        """New parents are added, in the order of their rows, and told."""
        saved = portal.auth.save(
            [Family("q2", "two"), Family("q1", "one", "Een", "een@example.be")]
        )

        assert (("q2", "q1"), (), ()) == (saved.added, saved.changed, saved.unchanged)
        assert {(EventKind.FAMILY_SAVED, "q1"), (EventKind.FAMILY_SAVED, "q2")} == {
            (event.kind, event.account_id) for event in portal.events
        }
        assert "one" == portal.account("q1").username

    def test_unchanged(self, portal: Portal) -> None:
        """The same file again changes nothing, writes nothing and tells nothing."""
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        saved = portal.auth.save(FAMILIES)

        assert ((), (), tuple(each.id for each in FAMILIES)) == (
            saved.added,
            saved.changed,
            saved.unchanged,
        )
        assert "replace" not in storage.calls
        assert [] == portal.told

    def test_dry_run(self, portal: Portal) -> None:
        """A dry run tells what would be, and writes and tells nothing."""
        before = portal.everything()
        rows = [Family("q1", "one"), family("p1", name="Anna P.")]
        dry = portal.auth.save(rows, dry_run=True)

        assert before == portal.everything()
        assert [] == portal.told
        assert (("q1",), ("p1",)) == (dry.added, dry.changed)
        assert any("'Anna Peeters' becomes 'Anna P.'" in line for line in dry.differences)
        assert dry == portal.auth.save(rows)

    def test_one_bad_row(self, portal: Portal) -> None:
        """When one row is bad nothing is written."""
        before = portal.everything()
        with pytest.raises(FamiliesError):
            portal.auth.save([Family("q1", "one"), Family("q2", "two", email="no address")])

        assert before == portal.everything()

    def test_username_of_other(self, portal: Portal) -> None:
        """A username that another account has is refused, with its place and holder."""
        rows = [Family("q1", "ANNA ", place="line 2")]
        with pytest.raises(FamiliesError, match=r"line 2: .*'ANNA '.*'p1'"):
            portal.auth.save(rows)

    def test_swap(self, portal: Portal) -> None:
        """Two parents may swap usernames in one import."""
        portal.auth.save([family("p1", username="bert"), family("p2", username="anna")])

        assert ("bert", "anna") == (portal.account("p1").username, portal.account("p2").username)
        assert "p2" == portal.auth.find_parent(username="anna").id

    def test_taken_meanwhile(self, portal: Portal) -> None:
        """A username that is taken between look and write is told, not raised as is."""

        class Taken(ConflictingStorage):
            def replace(self, changes: object) -> None:
                raise TakenError("taken")

        portal.auth = portal.new_auth(storage=Taken(portal.storage))
        with pytest.raises(FamiliesError, match="taken"):
            portal.auth.save([Family("q1", "one")])

    def test_conflicts(self, portal: Portal) -> None:
        """A lost race is read and merged again."""
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: portal.change("p1", locale="en")
        portal.auth = portal.new_auth(storage=storage)
        portal.auth.save([family("p1", name="Anna P.")])

        assert ("Anna P.", "en") == (portal.account("p1").name, portal.account("p1").locale)

    def test_child_added(self, portal: Portal) -> None:
        """A child added to a connected parent is told by mail, without a credential."""
        portal.connected("p1")
        portal.auth.save([family("p1", children=(ChildLink("c9", "Zoë"),))])

        assert [IntentKind.CHILD_ADDED] == kinds(portal)
        portal.deliver()
        assert [] == portal.mailer.tokens
        assert "Zoë" not in portal.mailer.sent[0].text
        assert ["c1", "c9"] == [link.child_id for link in portal.account("p1").children]

    def test_child_added_to_stranger(self, portal: Portal) -> None:
        """Before the first connection nothing is mailed by an import."""
        new = family("p1", children=(ChildLink("c9", "Zoë"),), email="new@example.be")
        portal.auth.save([new])

        assert [] == portal.outbox

    def test_address(self, portal: Portal) -> None:
        """A new address in the file kills what was mailed to the old one, and tells both."""
        portal.connected("p1")
        [token] = portal.reset("anna@example.be")
        portal.auth.save([family("p1", email="new@example.be")])
        portal.deliver()

        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.auth.check_token(token)
        assert ["Anna@example.be", "new@example.be"] == [m.to for m in portal.mailer.sent[-2:]]

    @pytest.mark.parametrize(
        "values",
        [{"name": "Other"}, {"username": "other"}, {"locale": "en"}, {"email": "ANNA@example.BE"}],
    )
    def test_token_kept(self, portal: Portal, values: dict) -> None:
        """Edits of name, username, language or an address's capitals keep tokens and sessions."""
        session_id = portal.connected("p1").session_id
        [token] = portal.reset("anna@example.be")
        portal.auth.save([family("p1", **values)])

        assert "p1" == portal.auth.check_token(token).parent.id
        assert portal.auth.resume(session_id)
        assert [] == portal.outbox

    def test_look_alikes(self, portal: Portal) -> None:
        """A new parent with name and address of another is reported, never merged."""
        saved = portal.auth.save([Family("q1", "anna2", "ANNA PEETERS", "anna@EXAMPLE.be")])

        assert (("q1", "p1"),) == saved.look_alikes
        assert 7 == len(portal.everything()[0])

    def test_complete(self, portal: Portal) -> None:
        """With "complete" the links that the file does not name end now, and leavers are told."""
        session_id = portal.connected("p1").session_id
        saved = portal.auth.save(
            [family("p2", children=(ChildLink("c2", "Lou", "2B"),))], complete=True
        )

        assert {"p1", "p4", "p5"} == set(saved.left)
        assert {"p1", "p2", "p4", "p5"} == set(saved.changed)
        lou, mila = portal.account("p2").children
        assert (None, portal.clock()) == (lou.until, mila.until)
        assert portal.auth.resume(session_id).children == ()
        assert 6 == len(portal.everything()[0])

    def test_complete_again(self, portal: Portal) -> None:
        """A link that has ended stays as it ended."""
        portal.auth.save([family("p2")], complete=True)
        before = portal.everything()
        portal.clock.advance(DAY)
        saved = portal.auth.save([family("p2")], complete=True)

        assert before == portal.everything()
        assert ((), ()) == (saved.changed, saved.left)

    def test_many(self, portal: Portal) -> None:
        """Thousands are read in pages and written in one go."""
        storage = RecordingStorage(portal.storage)
        portal.auth = portal.new_auth(storage=storage)
        saved = portal.auth.save(Family(f"f{n}", f"user{n}") for n in range(1200))

        assert 1200 == len(saved.added)
        assert (3, 1) == (storage.calls.count("accounts"), storage.calls.count("replace"))


class TestSaveNothing:
    def test_complete(self, portal: Portal) -> None:
        """No rows at all do not end every child link of a school."""
        before = portal.everything()
        with pytest.raises(FamiliesError, match="no rows"):
            portal.auth.save([], complete=True)

        assert before == portal.everything()
        assert () == portal.auth.save([]).changed


class TestInvite:
    @pytest.mark.parametrize("account_id", ["nobody", "", "P1"])
    def test_unknown(self, portal: Portal, account_id: str) -> None:
        """An id that no account has is told."""
        with pytest.raises(AccountNotFoundError, match=f"{account_id!r}"):
            portal.auth.invite(account_id)

    @pytest.mark.parametrize("account_id", [None, 7, "p1\0"])
    def test_no_text(self, portal: Portal, account_id: object) -> None:
        """An id that is no text is refused as such."""
        with pytest.raises(InputError):
            portal.auth.invite(account_id)

    def test_returns_no_token(self, portal: Portal) -> None:
        """No verb of the school's hands out a token."""
        assert portal.auth.invite("p1") is None

    def test_all(self, portal: Portal) -> None:
        """All who were never invited and have an address are invited, once."""
        progress = []
        count = portal.auth.invite_all(on_progress=lambda *values: progress.append(values))

        assert (5, [(5, 5)]) == (count, progress)
        portal.deliver()
        assert {"Anna@example.be", "bert@example.be", "cara@example.be", "wouters@example.be"} == {
            mail.to for mail in portal.mailer.sent
        }
        assert 0 == portal.auth.invite_all()

    def test_again(self, portal: Portal) -> None:
        """ "Again" adds who was invited and has not connected; never who has, or is closed."""
        portal.connected("p1")
        portal.invited("p2")
        portal.auth.set_active("p3", active=False)

        assert 2 == portal.auth.invite_all()
        assert 3 == portal.auth.invite_all(again=True)

    def test_progress(self, portal: Portal) -> None:
        """Progress is told page by page."""
        portal.auth.save(Family(f"f{n}", f"user{n}", email=f"u{n}@example.be") for n in range(1200))
        progress = []
        portal.auth.invite_all(on_progress=lambda *values: progress.append(values))

        assert [(500, 1205), (1000, 1205), (1205, 1205)] == progress


class TestStatus:
    def test_walk(self, portal: Portal) -> None:
        """A parent's status goes from not invited over waiting and expired to connected and closed."""
        seen = [portal.auth.status("p1")]
        token = portal.invited("p1")
        seen.append(portal.auth.status("p1"))
        portal.clock.advance(14 * DAY)
        seen.append(portal.auth.status("p1"))
        token = portal.invited("p1")
        portal.define(token)
        seen.append(portal.auth.status("p1"))
        portal.auth.set_active("p1", active=False)
        seen.append(portal.auth.status("p1"))
        portal.auth.set_active("p1", active=True)
        seen.append(portal.auth.status("p1"))

        assert [
            Status.NOT_INVITED,
            Status.WAITING,
            Status.EXPIRED,
            Status.CONNECTED,
            Status.CLOSED,
            Status.CONNECTED,
        ] == seen

    def test_scanner(self, portal: Portal) -> None:
        """Looking at a link changes no status: scanners look, too."""
        token = portal.invited("p1")
        portal.auth.check_token(token)

        assert Status.WAITING is portal.auth.status("p1")

    def test_visitors_request(self, portal: Portal) -> None:
        """A visitor's request is no invitation."""
        portal.reset("anna@example.be")

        assert Status.NOT_INVITED is portal.auth.status("p1")

    def test_mail_that_did_not_leave(self, portal: Portal) -> None:
        """An invitation whose mail did not leave is none."""
        portal.mailer.fail_send = raising(MailRefusedError("no"))
        portal.auth.invite("p1")
        portal.deliver()

        assert Status.NOT_INVITED is portal.auth.status("p1")

    def test_counts(self, portal: Portal) -> None:
        """Every status is counted, also those that nobody has."""
        portal.connected("p1")
        portal.auth.set_active("p2", active=False)

        assert {
            Status.NO_ADDRESS: 1,
            Status.NOT_INVITED: 3,
            Status.WAITING: 0,
            Status.EXPIRED: 0,
            Status.CONNECTED: 1,
            Status.CLOSED: 1,
        } == portal.auth.status_counts()

    def test_unknown(self, portal: Portal) -> None:
        """An id that no account has is told."""
        with pytest.raises(AccountNotFoundError):
            portal.auth.status("nobody")


class TestFindParent:
    @pytest.mark.parametrize("username", ["anna", " ANNA", "Ａnna"])
    def test_found(self, portal: Portal, username: str) -> None:
        """A parent is found by any spelling of the username."""
        assert "p1" == portal.auth.find_parent(username=username).id

    @pytest.mark.parametrize("username", ["", "p1", "anna@example.be"])
    def test_none(self, portal: Portal, username: str) -> None:
        """Nothing but the username finds."""
        assert portal.auth.find_parent(username=username) is None


class TestChangeAddress:
    def test_connected(self, portal: Portal) -> None:
        """Tokens die, both addresses are told, and the event says so."""
        session_id = portal.connected("p1").session_id
        [token] = portal.reset("anna@example.be")
        portal.forget()
        portal.auth.change_address("p1", "Nouvelle@École.be")

        assert [(EventKind.ADDRESS_CHANGED, "p1")] == [
            (e.kind, e.account_id) for e in portal.events
        ]
        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.define(token)
        assert portal.auth.resume(session_id)
        portal.deliver()
        assert ["Anna@example.be", "Nouvelle@xn--cole-9oa.be"] == [m.to for m in portal.mailer.sent]
        assert [] == portal.mailer.tokens

    def test_waiting(self, portal: Portal) -> None:
        """Before the first connection nobody is told, and the parent is to be invited again."""
        token = portal.invited("p1")
        portal.auth.change_address("p1", "new@example.be")

        assert [] == portal.outbox
        assert Status.NOT_INVITED is portal.auth.status("p1")
        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.define(token)

    def test_back(self, portal: Portal) -> None:
        """Changing back revives nothing."""
        token = portal.invited("p1")
        portal.auth.change_address("p1", "new@example.be")
        portal.auth.change_address("p1", "anna@example.be")

        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.define(token)

    @pytest.mark.parametrize("email", [None, ""])
    def test_removed(self, portal: Portal, email: str | None) -> None:
        """Without an address a parent can't be mailed; the old one is told."""
        portal.connected("p1")
        portal.auth.change_address("p1", email)
        portal.deliver()

        assert portal.account("p1").email is None
        assert ["Anna@example.be"] == [mail.to for mail in portal.mailer.sent]

    def test_spelling(self, portal: Portal) -> None:
        """A change of capitals only corrects the spelling."""
        token = portal.invited("p1")
        portal.auth.change_address("p1", "ANNA@example.be")

        assert "p1" == portal.auth.check_token(token).parent.id
        assert "ANNA@example.be" == portal.account("p1").email

    def test_same(self, portal: Portal) -> None:
        """The same address again does and tells nothing."""
        before = portal.everything()
        portal.auth.change_address("p1", "Anna@example.be")

        assert before == portal.everything()
        assert [] == portal.told

    @pytest.mark.parametrize("email", ["no address", "a@b.be\r\nBcc: x@y.be", "a@b.be, c@d.be"])
    def test_no_address(self, portal: Portal, email: str) -> None:
        """What is no address is refused, and nothing changes."""
        before = portal.everything()
        with pytest.raises(AddressError):
            portal.auth.change_address("p1", email)

        assert before == portal.everything()

    @pytest.mark.parametrize("email", [7, ["a@b.be"], "a@b.be\0"])
    def test_no_text(self, portal: Portal, email: object) -> None:
        """An address that is no text is refused as such."""
        with pytest.raises(InputError):
            portal.auth.change_address("p1", email)

    def test_unknown(self, portal: Portal) -> None:
        """An id that no account has is told."""
        with pytest.raises(AccountNotFoundError):
            portal.auth.change_address("nobody", "a@example.be")

    def test_races_redemption(self, portal: Portal) -> None:
        """A change between reading and writing wins over the redemption."""
        token, office = portal.invited("p1"), portal.auth
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: office.change_address("p1", "new@example.be")
        portal.auth = portal.new_auth(storage=storage)
        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.define(token)


class TestSetActive:
    def test_closed(self, portal: Portal) -> None:
        """Closing ends tokens and sessions at once, and nobody gets in."""
        session_id = portal.connected("p1").session_id
        [token] = portal.reset("anna@example.be")
        portal.forget()
        portal.auth.set_active("p1", active=False)

        assert portal.auth.resume(session_id) is None
        with pytest.raises(TokenRejectedError, match="closed"):
            portal.auth.check_token(token)
        with pytest.raises(SignInRejectedError):
            portal.sign_in("anna")
        assert (EventKind.ACCOUNT_CLOSED, "p1") == (
            portal.events[0].kind,
            portal.events[0].account_id,
        )

    def test_opened(self, portal: Portal) -> None:
        """Opening again revives neither tokens nor sessions; the password still works."""
        session_id = portal.connected("p1").session_id
        [token] = portal.reset("anna@example.be")
        portal.auth.set_active("p1", active=False)
        portal.auth.set_active("p1", active=True)

        assert portal.auth.resume(session_id) is None
        with pytest.raises(TokenRejectedError, match="revoked"):
            portal.auth.check_token(token)
        assert "p1" == portal.sign_in("anna").parent.id

    def test_twice(self, portal: Portal) -> None:
        """Closing a closed account does and tells nothing."""
        portal.auth.set_active("p1", active=False)
        portal.auth.set_active("p1", active=False)

        assert 1 == portal.told.count(EventKind.ACCOUNT_CLOSED)


class TestRevokeTokens:
    def test_revoked(self, portal: Portal) -> None:
        """Every live token dies; sessions and password stay."""
        session_id = portal.connected("p1").session_id
        tokens = [*portal.reset("anna@example.be"), portal.invited("p1")]
        portal.forget()
        portal.auth.revoke_tokens("p1")

        for token in tokens:
            with pytest.raises(TokenRejectedError, match="revoked"):
                portal.auth.check_token(token)
        assert portal.auth.resume(session_id)
        assert EventKind.TOKENS_REVOKED is portal.events[0].kind

    def test_none(self, portal: Portal) -> None:
        """Without a live token nothing is done or told."""
        portal.auth.revoke_tokens("p1")

        assert [] == portal.told


class TestEndSessions:
    def test_ended(self, portal: Portal) -> None:
        """The parent is signed out everywhere; tokens stay."""
        ids = [portal.connected("p1").session_id, portal.sign_in("anna").session_id]
        [token] = portal.reset("anna@example.be")
        portal.auth.end_sessions("p1")

        assert [None, None] == [portal.auth.resume(session_id) for session_id in ids]
        assert "p1" == portal.auth.check_token(token).parent.id
        assert EventKind.SESSIONS_ENDED is portal.events[-1].kind


class TestErase:
    def test_gone(self, portal: Portal) -> None:
        """Nothing is left: account, keys, sessions, tokens, rows of the outbox."""
        session_id = portal.connected("p1").session_id
        [token] = portal.reset("anna@example.be")
        portal.auth.invite("p1", again=True)
        portal.auth.invite("p2")
        portal.auth.erase("p1")

        assert portal.storage.account(Key.by_id("p1")) is None
        assert ["p2"] == [row.intent.account_id for row in portal.outbox]
        assert portal.auth.resume(session_id) is None
        with pytest.raises(TokenRejectedError, match="unknown"):
            portal.auth.check_token(token)
        with pytest.raises(SignInRejectedError):
            portal.sign_in("anna")
        assert EventKind.ACCOUNT_ERASED is portal.events[-3].kind

    def test_conflicts(self, portal: Portal) -> None:
        """A lost race is read again."""
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 3
        portal.new_auth(storage=storage).erase("p1")

        assert portal.storage.account(Key.by_id("p1")) is None

    def test_unknown(self, portal: Portal) -> None:
        """An id that no account has is told."""
        with pytest.raises(AccountNotFoundError):
            portal.auth.erase("nobody")


class TestExport:
    def test_whole(self, portal: Portal) -> None:
        """Everything that is kept is there, ready for JSON, in words."""
        portal.connected("p1")
        portal.auth.invite("p1", again=True)
        export = json.loads(json.dumps(portal.auth.export("p1")))

        assert ("p1", "anna", "Anna@example.be") == (
            export["id"],
            export["username"],
            export["email"],
        )
        assert "first_login" == export["tokens"][0]["purpose"]
        assert "Noor" == export["children"][0]["name"]
        assert 1 == len(export["sessions"])
        assert "invite_again" == export["mails"][0]["kind"]
        assert export["connected_at"].startswith("2026-09-01T08:00")

    def test_no_secret(self, portal: Portal) -> None:
        """Neither hash nor digest is there."""
        portal.connected("p1")
        portal.reset("anna@example.be")
        account, text = portal.account("p1"), json.dumps(portal.auth.export("p1"))

        for secret in (
            account.password_hash,
            *(token.digest for token in account.tokens),
            *(token.address_digest for token in account.tokens),
            *(session.digest for session in account.sessions),
        ):
            assert secret not in text


class TestDeparted:
    def test_listed(self, portal: Portal) -> None:
        """Who has had no child for so many days is listed; who never had one is not."""
        now = portal.clock()
        [noor] = portal.account("p1").children
        portal.change("p1", children=(attrs.evolve(noor, until=now - 90 * DAY),))
        lou, mila = portal.account("p2").children
        portal.change("p2", children=(attrs.evolve(lou, until=now - 200 * DAY), mila))
        [jef] = portal.account("p4").children
        portal.change("p4", children=(attrs.evolve(jef, until=now - 90 * DAY + SECOND),))

        assert ["p1"] == [each.parent.id for each in portal.auth.departed()]
        assert {"p1", "p4"} == {each.parent.id for each in portal.auth.departed(days=1)}
        assert now - 90 * DAY == portal.auth.departed()[0].since


class TestOutbox:
    def test_dead_letter(self, portal: Portal) -> None:
        """A dead mail is visible with its reason, and can be queued anew."""
        portal.mailer.fail_send = raising(MailRefusedError("no such mailbox"))
        portal.auth.invite("p1")
        portal.deliver()
        [row] = portal.auth.outbox()
        assert "no such mailbox" == row.reason

        assert 1 == portal.auth.retry([row.id])
        [waiting] = portal.auth.outbox()
        assert (None, portal.clock()) == (waiting.dead_at, waiting.due)
        assert 1 == portal.deliver().sent

    def test_retry_notice(self, portal: Portal) -> None:
        """A notice that is tried again tells when the password was changed, not when it was tried."""
        changed_at = portal.clock()
        portal.define(portal.invited("p1"))
        portal.mailer.fail_send = raising(MailRefusedError("no"))
        portal.clock.advance(DAY)
        portal.deliver()
        [dead] = [row for row in portal.auth.outbox() if row.dead_at]
        portal.mailer.fail_send = lambda _: None
        portal.auth.retry([dead.id])

        assert [changed_at] == [row.intent.due for row in portal.auth.outbox()]
        assert 1 == portal.deliver().sent

    def test_retry_living(self, portal: Portal) -> None:
        """What is not dead is left alone."""
        portal.auth.invite("p1")
        [row] = portal.auth.outbox()

        assert 0 == portal.auth.retry([row.id, "unknown"])
        assert [row] == portal.auth.outbox()

    def test_retry_beside_another(self, portal: Portal) -> None:
        """Where the same mail waits already, the dead one just goes."""
        portal.mailer.fail_send = raising(MailRefusedError("no"))
        portal.auth.invite("p1")
        portal.deliver()
        [dead] = portal.auth.outbox()
        portal.auth.invite("p1")
        portal.auth.retry([dead.id])

        assert 1 == len(portal.auth.outbox())

    def test_drop(self, portal: Portal) -> None:
        """A row can be dropped, and an unknown one is no error."""
        portal.auth.invite("p1")
        portal.auth.drop([portal.auth.outbox()[0].id, "unknown"])

        assert [] == portal.auth.outbox()


class TestPurge:
    def test_forgotten(self, portal: Portal) -> None:
        """Dead tokens after 30 days and ended sessions go; accounts and live ones stay."""
        portal.connected("p1")
        portal.invited("p2")
        accounts = len(portal.everything()[0])
        portal.clock.advance(44 * DAY - SECOND)
        portal.auth.purge()
        assert ((), 1) == (portal.account("p1").sessions, len(portal.account("p2").tokens))
        portal.clock.advance(SECOND)
        portal.auth.purge()

        assert () == portal.account("p2").tokens
        assert accounts == len(portal.everything()[0])

    def test_counts(self, portal: Portal) -> None:
        """It says how many accounts and dead letters it touched."""
        portal.connected("p1")
        portal.mailer.fail_send = raising(MailRefusedError("no"))
        portal.auth.invite("p2")
        portal.deliver()
        portal.clock.advance(30 * DAY)
        purged = portal.auth.purge()

        assert (1, 1) == (purged.accounts, purged.dead_letters)
        assert [] == portal.outbox
        again = portal.auth.purge()
        assert (0, 0) == (again.accounts, again.dead_letters)

    def test_young_dead_letter(self, portal: Portal) -> None:
        """A dead letter is kept for 30 days."""
        portal.mailer.fail_send = raising(MailRefusedError("no"))
        portal.auth.invite("p2")
        portal.deliver()
        portal.clock.advance(30 * DAY - SECOND)
        portal.auth.purge()

        assert 1 == len(portal.outbox)

    def test_races(self, portal: Portal) -> None:
        """Purging never undoes what happened meanwhile."""
        portal.connected("p1")
        portal.connected("p2")
        portal.clock.advance(DAY)
        session_ids = []
        storage = ConflictingStorage(portal.storage)
        storage.conflicts = 1
        storage.before_conflict = lambda: session_ids.append(portal.sign_in("anna").session_id)
        portal.new_auth(storage=storage).purge()

        assert portal.auth.resume(session_ids[0])
        assert () == portal.account("p2").sessions

    def test_counters(self, portal: Portal) -> None:
        """Old counters are forgotten."""
        for number in range(5):
            with pytest.raises(SignInRejectedError):
                portal.sign_in("nobody", client=Client(f"10.0.0.{number}"))
        portal.clock.advance(31 * DAY)
        portal.auth.purge()

        assert {} == portal.throttle._windows
