"""The face of the library: one object that holds the ports and the rules."""

import os
import secrets

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from parentauth import (
    _importing,
    _invitations,
    _letters,
    _office,
    _presence,
    _redemption,
    _reset,
    _sign_in,
    _upkeep,
)
from parentauth._codec import TokenCodec, check_secret_keys
from parentauth._configuration import (
    lifetimes,
    networks,
    pace,
    sender_address,
    typed_key,
    utc_now,
)
from parentauth._devices import Devices
from parentauth._events import Announcer, EventKind, Listener
from parentauth._fallback import with_fallback
from parentauth._families import Family
from parentauth._hashing import Argon2Hasher
from parentauth._importing import Saved
from parentauth._invitations import OnProgress
from parentauth._model import CheckedToken, Client, Landing, Parent, Present, SignedIn, Status
from parentauth._office import Departed
from parentauth._outbox import Delivery, OutboxRow
from parentauth._parts import Parts
from parentauth._passwords import PasswordPolicy
from parentauth._sessions import SessionRules
from parentauth._site import Paths, School, Site
from parentauth._slots import Slots
from parentauth._texts import texts
from parentauth._upkeep import Purged
from parentauth.ports import Clock, Hasher, Mailer, Storage, Throttle
from parentauth.throttles import MemoryThrottle

ANONYMOUS: Final = Client()
FOURTEEN_DAYS: Final = timedelta(days=14)


class ParentAuth:
    """
    Authentication for a school portal.

    Args:
        storage: Keeps accounts and the outbox.
        mailer: Sends what :meth:`deliver` prepares.
        secret_keys: At least one of 32 bytes or more; the newest first.  Older ones still
            verify, so that tokens in parents' mailboxes survive a change of keys.
        base_url: The portal's own address; links in mails are made from it alone.
        school: Name and contact, shown on every page and in every mail.
        paths: Where the pages are.
        policy: The rules for new passwords.
        hasher: Default: Argon2id with RFC 9106's low-memory profile.
        throttle: Default: counters in this process's memory; also used while the given one
            fails.
        clock: Default: the system's, in UTC.
        locale: The portal's language, where nothing else decides.
        sender: Address that mails come from; default ``noreply@`` and the portal's host.
        first_login_ttl: How long a first-connection token is valid, at least 1 hour.
        reset_ttl: How long a token for a forgotten password is valid, at least 1 hour.
        session_idle: A session ends after that long without a request.
        session_absolute: A session ends after that long in any case.
        reset_delay: Reset mails fall due after a random time between these two.
        reset_pace: At most so many reset mails a minute, over all; the rest wait their turn.
        exempt_networks: Networks in CIDR form whose failures are not counted together:
            the school's own, at a parents' evening.
        hashes_at_once: How many passwords are hashed at the same time; default: one per core.
        not_before: After a restored backup: tokens, sessions and outbox rows made earlier
            are dead.
        listeners: Called with each :class:`Event` after it was written.

    Raises:
        ConfigurationError: A setting is missing or unsafe; the text names the cure.
    """

    def __init__(
        self,
        *,
        storage: Storage,
        mailer: Mailer,
        secret_keys: Sequence[str],
        base_url: str,
        school: School,
        paths: Paths | None = None,
        policy: PasswordPolicy | None = None,
        hasher: Hasher | None = None,
        throttle: Throttle | None = None,
        clock: Clock | None = None,
        locale: str = "fr",
        sender: str | None = None,
        first_login_ttl: timedelta = FOURTEEN_DAYS,
        reset_ttl: timedelta = FOURTEEN_DAYS,
        session_idle: timedelta = timedelta(minutes=60),
        session_absolute: timedelta = timedelta(hours=12),
        reset_delay: tuple[timedelta, timedelta] = (timedelta(seconds=2), timedelta(seconds=8)),
        reset_pace: int = 300,
        exempt_networks: Iterable[str] = (),
        hashes_at_once: int | None = None,
        not_before: datetime | None = None,
        listeners: Sequence[Listener] = (),
    ) -> None:
        keys, site = check_secret_keys(secret_keys), Site(base_url, paths or Paths())
        hasher = hasher or Argon2Hasher()
        texts(locale)
        self._parts = Parts(
            storage=storage,
            mailer=mailer,
            throttle=with_fallback(throttle or MemoryThrottle()),
            hasher=hasher,
            clock=clock or utc_now,
            site=site,
            school=school,
            policy=policy or PasswordPolicy(),
            lifetimes=lifetimes(first_login_ttl, reset_ttl, reset_delay, not_before),
            sessions=SessionRules(session_idle, session_absolute, not_before),
            codec=TokenCodec(keys),
            devices=Devices(keys, audience=site.base_url),
            slots=Slots((os.cpu_count() or 1) if hashes_at_once is None else hashes_at_once),
            announce=Announcer(tuple(listeners)),
            exempt=networks(exempt_networks),
            reset_pace=pace(reset_pace),
            locale=locale,
            sender=sender_address(sender, site),
            # Made by the configured hasher, so that who has no account costs the same.
            dummy_hash=hasher.hash(password=secrets.token_hex(16)),
            typed_key=typed_key(keys),
        )

    @property
    def storage(self) -> Storage:
        """Where accounts and the outbox are kept."""
        return self._parts.storage

    @property
    def site(self) -> Site:
        """The portal's address and paths."""
        return self._parts.site

    @property
    def school(self) -> School:
        """The school's name and contact."""
        return self._parts.school

    @property
    def policy(self) -> PasswordPolicy:
        """The rules for new passwords."""
        return self._parts.policy

    @property
    def locale(self) -> str:
        """The portal's language."""
        return self._parts.locale

    # -- The parent

    def check_token(
        self, token: str, *, client: Client = ANONYMOUS, switch: bool = False
    ) -> CheckedToken:
        """
        Tell what a connection token is for, without spending it.

        Args:
            token: As typed or pasted; groups, blanks, case or the whole link don't matter.
            client: What is known of the visitor.
            switch: The parent said that another account's session may end.

        Raises:
            TokenRejectedError: It opens nothing; ``reason`` says why.
            OtherAccountError: Another account is signed in here, and *switch* is False.
            ThrottledError: Too many failures from the client's prefix.
            InputError: No text, or text that no form sends.
        """
        return _redemption.check_token(self._parts, token, client=client, switch=switch)

    def visit_link(self, token: str, *, client: Client) -> Landing | None:
        """
        Look at a mailed link that a signed-in parent opened; nothing is counted or written.

        Returns:
            Where the parent goes, if this very account used the link before; else None, and
            the token field is shown.

        Raises:
            OtherAccountError: The link is for another account than the one signed in.
        """
        return _redemption.visit_link(self._parts, token, client=client)

    def define_password(
        self,
        token: str,
        *,
        new_password: str,
        confirmation: str,
        client: Client = ANONYMOUS,
        switch: bool = False,
    ) -> SignedIn:
        """
        Spend a token: set the password, end all sessions, open one, queue the notice.

        All of it or nothing; of many who try at once exactly one succeeds.

        Raises:
            PasswordRejectedError: Rules are broken; the token stays live.
            TokenRejectedError: It opens nothing, or another was faster (``used``).
            OtherAccountError: Another account is signed in here, and *switch* is False.
            BusyError: Too many passwords are being hashed.
            ThrottledError: Too many failures from the client's prefix.
            InputError: No text, or text that no form sends.

        Source:
            OWASP ASVS 5.0, 6.5.1, 7.2.4 and 7.4.3.
        """
        return _redemption.define_password(
            self._parts,
            token,
            new_password=new_password,
            confirmation=confirmation,
            client=client,
            switch=switch,
        )

    def sign_in(self, *, username: str, password: str, client: Client = ANONYMOUS) -> SignedIn:
        """
        Open a session for who knows username and password.

        Unknown username, no password yet, closed account and wrong password have one
        answer and one cost.

        Raises:
            SignInRejectedError: Something is wrong, and it does not say what.
            ThrottledError: Too many failures; ``retry_after`` is None where only a new
                token by mail opens it again.
            BusyError: Too many passwords are being verified.
            InputError: No text, or text that no form sends; counted as a failure.

        Source:
            OWASP ASVS 5.0, 6.3.1 and 6.3.8; NIST SP 800-63B-4, 3.2.2.
        """
        return _sign_in.sign_in(self._parts, username=username, password=password, client=client)

    def request_reset(self, email: str, *, client: Client = ANONYMOUS) -> None:
        """
        Ask that a new token be mailed to whoever has this address.

        The address is never looked up here: known or not, the same is done.

        Raises:
            AddressError: The text is no e-mail address.
            ThrottledError: Too many requests from the client's prefix.
            InputError: No text, or text that no form sends.

        Source:
            OWASP ASVS 5.0, 6.3.8.
        """
        _reset.request_reset(self._parts, email, client=client)

    def resume(self, session_id: str | None) -> Present | None:
        """Return who is signed in with this session, and the child chosen, or None."""
        return _presence.resume(self._parts, session_id)

    def select_child(self, session_id: str, child_id: str) -> Present:
        """
        Choose the child whose pages are open in this session.

        Raises:
            ChildRejectedError: The child is not linked to the account now.
            NotSignedInError: The session is unknown, ended or too old.

        Source:
            OWASP ASVS 5.0, 8.2.2.
        """
        return _presence.select_child(self._parts, session_id, child_id)

    def change_password(
        self,
        session_id: str,
        *,
        current: str,
        new_password: str,
        confirmation: str,
        client: Client = ANONYMOUS,
    ) -> SignedIn:
        """
        Set another password; every other session ends, and this one gets a new id.

        Raises:
            CurrentPasswordError: *current* is wrong.
            PasswordRejectedError: Rules are broken.
            NotSignedInError: The session is unknown, ended or too old.
            ThrottledError: Too many wrong current passwords.
            BusyError: Too many passwords are being hashed.

        Source:
            OWASP ASVS 5.0, 6.2.2 and 6.2.3.
        """
        return _presence.change_password(
            self._parts,
            session_id,
            current=current,
            new_password=new_password,
            confirmation=confirmation,
            client=client,
        )

    def sign_out(self, session_id: str | None) -> None:
        """End the session on the server's side; an unknown one is no error."""
        _presence.sign_out(self._parts, session_id)

    # -- The adapters

    def count_bad_input(self, client: Client) -> None:
        """Count a request that no form of ours sends as a failure of the client's prefix."""
        now = self._parts.clock()
        self._parts.guard(now).count_failure(self._parts.prefix(client))
        self._parts.tell(EventKind.BAD_INPUT, at=now, client=client)

    def tell_csrf_refused(self, client: Client) -> None:
        """Announce that a form was refused because it did not come from our page."""
        self._parts.tell(EventKind.CSRF_REFUSED, at=self._parts.clock(), client=client)

    # -- The school

    def save(
        self, families: Iterable[Family], *, complete: bool = False, dry_run: bool = False
    ) -> Saved:
        """
        Add and update parents and their children.

        Every row is checked before anything is written.  New parents and usernames are then
        written in one step, the others in small ones, so that parents can sign in meanwhile;
        an import that was interrupted is simply run again.

        Matched by id alone; what is absent changes nothing.  Connected parents are told
        of a new child or another address.  A child link that has ended stays so until a row
        gives it a new ``since``.

        Args:
            complete: The families are all there are: child links that they do not name end,
                and ended ones that they name without dates are live again.
            dry_run: Write nothing, and tell what would be.

        Raises:
            FamiliesError: With every problem; nothing was written.
        """
        return _importing.save(self._parts, families, complete=complete, dry_run=dry_run)

    def invite(self, account_id: str, *, again: bool = False) -> None:
        """
        Queue the first-connection mail of one parent.

        Args:
            again: Also where a token of the school is live, or the parent is connected.

        Raises:
            AccountNotFoundError: No account has that id.
        """
        _invitations.invite(self._parts, account_id, again=again)

    def invite_all(self, *, again: bool = False, on_progress: OnProgress | None = None) -> int:
        """
        Queue the first-connection mails of all parents who were never invited.

        Args:
            again: Also of those who were, and have not connected yet.
            on_progress: Called with (done, total).

        Returns:
            How many were queued.
        """
        return _invitations.invite_all(self._parts, again=again, on_progress=on_progress)

    def change_address(self, account_id: str, email: str | None) -> None:
        """
        Set another e-mail address, or none, at once.

        Tokens that were mailed to the old one die; a connected parent is told at both.

        Raises:
            AccountNotFoundError: No account has that id.
            AddressError: *email* is no e-mail address.

        Source:
            OWASP ASVS 5.0, 6.3.7.
        """
        _office.change_address(self._parts, account_id, email)

    def set_active(self, account_id: str, *, active: bool) -> None:
        """
        Close or open an account; closing ends its tokens and sessions at once.

        Raises:
            AccountNotFoundError: No account has that id.

        Source:
            OWASP ASVS 5.0, 7.4.2.
        """
        _office.set_active(self._parts, account_id, active=active)

    def revoke_tokens(self, account_id: str) -> None:
        """
        Make every token dead that was mailed for this account.

        Raises:
            AccountNotFoundError: No account has that id.

        Source:
            OWASP ASVS 5.0, 6.5.6.
        """
        _office.revoke_tokens(self._parts, account_id)

    def end_sessions(self, account_id: str) -> None:
        """
        Sign the parent out everywhere.

        Raises:
            AccountNotFoundError: No account has that id.

        Source:
            OWASP ASVS 5.0, 7.4.5.
        """
        _office.end_sessions(self._parts, account_id)

    def erase(self, account_id: str) -> None:
        """
        Delete an account with all that belongs to it, its rows in the outbox too.

        Raises:
            AccountNotFoundError: No account has that id.
        """
        _office.erase(self._parts, account_id)

    def export(self, account_id: str) -> dict[str, Any]:
        """
        Return all that is kept about one parent, ready for JSON; no digest, no hash.

        Raises:
            AccountNotFoundError: No account has that id.
        """
        return _office.export(self._parts, account_id)

    def status(self, account_id: str) -> Status:
        """
        Return where one parent stands.

        Raises:
            AccountNotFoundError: No account has that id.
        """
        return _office.status(self._parts, account_id)

    def status_counts(self) -> Mapping[Status, int]:
        """Return how many parents stand where."""
        return _office.status_counts(self._parts)

    def departed(self, *, days: int = 90) -> Sequence[Departed]:
        """
        List parents whose last child left at least so many days ago.

        Who never had a child is not among them.

        Source:
            The French rule to erase within three months.
        """
        return _office.departed(self._parts, days=days)

    def find_parent(self, *, username: str) -> Parent | None:
        """Return the parent with that username, in any spelling."""
        return _office.find_parent(self._parts, username)

    def outbox(self) -> Sequence[OutboxRow]:
        """Return what waits in the outbox, and what died there and why."""
        return _letters.outbox(self._parts)

    def retry(self, ids: Collection[str]) -> int:
        """
        Queue dead mails anew.

        Args:
            ids: Of rows of :meth:`outbox`; those that are not dead are left alone.

        Returns:
            How many were queued.
        """
        return _letters.retry(self._parts, ids)

    def drop(self, ids: Collection[str]) -> None:
        """Delete rows of the outbox that no worker holds."""
        _letters.drop(self._parts, ids)

    def purge(self) -> Purged:
        """
        Forget dead tokens, ended sessions, old counters and old dead letters; no account.

        Source:
            OWASP ASVS 5.0, 14.2.7.
        """
        return _upkeep.purge(self._parts)

    # -- The worker

    def deliver(self, *, limit: int | None = None) -> Delivery:
        """
        Send what is due: what a thread, a cron job or a task engine calls.

        Several may run at once; nothing is sent twice unless one dies half-way.

        Args:
            limit: At most so many rows of the outbox; None: all that are due.
        """
        # Not at the top: a process that serves pages writes no mail, and need not load how.
        from parentauth import _worker

        return _worker.deliver(self._parts, limit=limit)
