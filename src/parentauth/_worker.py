"""
The worker: claims what is due, judges, writes the tokens, sends, settles.

The mail server is connected before a token is minted; the token of a mail that surely
did not leave is withdrawn.  Fifty at a time, one by one only where somebody interfered.
"""

import logging
import secrets
import traceback

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import Final

import attrs

from parentauth import _tokens
from parentauth._drafts import Draft, Drafter, Dropped, Minted
from parentauth._events import EventKind
from parentauth._model import Account, Key
from parentauth._outbox import Claim, Death, Delay, Delivery, IntentKind, Mail
from parentauth._parts import Parts, until_current
from parentauth.exceptions import (
    ConflictError,
    MailDelayedError,
    MailRefusedError,
    StorageError,
)
from parentauth.ports import Change

logger: Final = logging.getLogger("parentauth")

BATCH: Final = 50
SETTLED_AT_ONCE: Final = 10
LEASE: Final = timedelta(minutes=15)
GIVEN_UP_AFTER: Final = timedelta(hours=24)
# After a day without a worker, one hiccup of the mail server must not end a whole campaign.
TRIED_AT_LEAST: Final = 8
FIRST_RETRY: Final = timedelta(minutes=1)
LAST_RETRY: Final = timedelta(hours=1)

Send = Callable[[Mail], None]


def deliver(parts: Parts, *, limit: int | None) -> Delivery:
    """Drain what is due, in batches, until nothing is or *limit* rows were handled."""
    total, left = Delivery(), limit
    while left is None or left > 0:
        size = BATCH if left is None else min(BATCH, left)
        claims = parts.storage.claim(now=parts.clock(), lease=LEASE, limit=size)
        if not claims:
            break
        total += _Batch(parts).run(claims)
        left = None if left is None else left - len(claims)
    return total


@attrs.define
class _Batch:
    """One batch: what became of each claim, until it is settled."""

    parts: Parts
    done: list[Claim] = attrs.field(factory=list)
    later: list[Delay] = attrs.field(factory=list)
    dead: list[Death] = attrs.field(factory=list)
    dropped: int = 0
    settled: set[str] = attrs.field(factory=set)
    delivery: Delivery = attrs.field(factory=Delivery)

    def run(self, claims: Sequence[Claim]) -> Delivery:
        """Handle *claims*; whatever goes wrong, none of them is lost."""
        too_late = self.parts.clock() + LEASE / 2
        try:
            with self.parts.mailer.connect() as send:
                for draft in self._written(claims):
                    self._send(draft, send, too_late)
                    if len(self.done) + len(self.later) + len(self.dead) >= SETTLED_AT_ONCE:
                        self._settle()
        except MailDelayedError as error:
            self._delay_rest(claims, error.reason)
        except StorageError:
            raise
        except Exception as error:  # noqa: BLE001  the host's mailer may raise anything
            # A mailer's own bug must not stop the mails of all others for good.
            _log_crash(error, "the mailer failed around a batch")
            self._delay_rest(claims, type(error).__name__)
        finally:
            # Whatever happened: what left must not leave again.
            self._settle()
        return self.delivery

    @property
    def _handled(self) -> set[str]:
        claims = [*self.done, *(delay.claim for delay in self.later)]
        claims += [death.claim for death in self.dead]
        return {claim.id for claim in claims}

    def _settle(self) -> None:
        """Give back what is done with, some at a time: a killed worker's mails leave twice."""
        done, later, dead = self.done, self.later, self.dead
        if not self._handled:
            return
        self.parts.storage.settle(done=done, later=later, dead=dead)
        self.delivery += Delivery(len(done) - self.dropped, len(later), len(dead), self.dropped)
        self.settled |= self._handled
        self.done, self.later, self.dead, self.dropped = [], [], [], 0

    def _written(self, claims: Sequence[Claim]) -> Iterable[Draft]:
        """Give drafts whose tokens are kept: many by one write, else one by one."""
        found = self._found(claims)
        in_time = [claim for claim in claims if not self._paced(claim, found[claim.id])]
        together, apart = _disjoint(in_time, found)
        try:
            drafts = self._write(together)
        except ConflictError:
            drafts, apart = [], [*(claim for claim, _ in together), *apart]
        return chain(drafts, chain.from_iterable(self._alone(claim) for claim in apart))

    def _paced(self, claim: Claim, accounts: Sequence[Account]) -> bool:
        """Let a reset mail wait where too many leave at once; it is never dropped for that."""
        if claim.intent.kind is not IntentKind.RESET or not accounts:
            return False
        now = self.parts.clock()
        wait = self.parts.guard(now).wait_for_pace(self.parts.reset_pace)
        if wait is None:
            return False
        self.later.append(Delay(claim, now + wait, "paced"))
        self._tell(EventKind.MAIL_DELAYED, account_id=None, reason="paced")
        return True

    def _alone(self, claim: Claim) -> Sequence[Draft]:
        def step() -> Sequence[Draft]:
            return self._write([(claim, self._found([claim])[claim.id])])

        try:
            return until_current(step)
        except ConflictError:
            self._postpone(claim, "the account was changed again and again")
            return ()

    def _write(self, found: Iterable[tuple[Claim, Sequence[Account]]]) -> Sequence[Draft]:
        """Judge claims and write their tokens, all or none."""
        drafter = Drafter(self.parts, self.parts.clock(), _random_bits)
        results = [self._judged(drafter, claim, accounts) for claim, accounts in found]
        drafts = [result for result in results if isinstance(result, Draft)]
        minted = [token for draft in drafts for token in draft.tokens]
        if minted:
            self.parts.storage.replace([Change(token.before, token.after) for token in minted])
        for token in minted:
            self._tell(EventKind.TOKEN_ISSUED, account_id=token.after.id)
        for result in results:
            if isinstance(result, Dropped):
                self._drop(result)
        return drafts

    def _judged(
        self, drafter: Drafter, claim: Claim, accounts: Sequence[Account]
    ) -> Draft | Dropped | None:
        """Draft one mail; if that fails, the others of the batch leave all the same."""
        try:
            return drafter.draft(claim, accounts)
        except Exception as error:  # noqa: BLE001  whatever it is, it is this claim's alone
            _log_crash(error, f"drafting failed on {claim.id}")
            self._postpone(claim, type(error).__name__)
            return None

    def _found(self, claims: Collection[Claim]) -> Mapping[str, Sequence[Account]]:
        """Read whom each claim is for: by id all at once, by address one by one."""
        storage, found = self.parts.storage, dict[str, Sequence[Account]]()
        accounts = storage.accounts({claim.intent.account_id or "" for claim in claims})
        for claim in claims:
            if claim.intent.kind is IntentKind.RESET:
                found[claim.id] = storage.accounts_by_email(claim.intent.address or "")
            else:
                account = accounts.get(claim.intent.account_id or "")
                found[claim.id] = [] if account is None else [account]
        return found

    def _send(self, draft: Draft, send: Send, too_late: datetime) -> None:
        try:
            if self.parts.clock() > too_late:
                raise MailDelayedError("the batch took too long")  # noqa: TRY301
            send(draft.mail)
        except MailRefusedError as error:
            self._withdraw(draft)
            self._bury(draft.claim, error.reason)
        except MailDelayedError as error:
            if not error.maybe_sent:
                self._withdraw(draft)
            self._postpone(draft.claim, error.reason)
        except Exception as error:  # noqa: BLE001  the same
            # A mailer's own bug: the mail may have left, so its token stays.
            _log_crash(error, f"the mailer failed on {draft.claim.id}")
            self._postpone(draft.claim, type(error).__name__)
        else:
            self.done.append(draft.claim)
            self._tell(EventKind.MAIL_SENT, account_id=draft.claim.intent.account_id)

    def _withdraw(self, draft: Draft) -> None:
        for minted in draft.tokens:
            self._withdraw_one(minted)

    def _withdraw_one(self, minted: Minted) -> None:
        storage = self.parts.storage

        def step() -> None:
            account = storage.account(Key.by_token(minted.digest))
            if account is not None:
                after = _tokens.withdraw(account, minted.digest, before=minted.before)
                storage.replace([Change(account, after)])

        try:
            until_current(step)
        except ConflictError:
            # It stays until it expires: nobody ever received it.
            logger.warning("a token whose mail did not leave could not be withdrawn")

    def _delay_rest(self, claims: Iterable[Claim], reason: str) -> None:
        handled = self.settled | self._handled
        for claim in claims:
            if claim.id not in handled:
                self._postpone(claim, reason)

    def _postpone(self, claim: Claim, reason: str) -> None:
        """Try again after a minute, then with back-off up to an hour, for 24 hours."""
        now = self.parts.clock()
        tried = claim.attempts >= TRIED_AT_LEAST
        if tried and now - claim.intent.due >= GIVEN_UP_AFTER:
            self._bury(claim, reason)
            return
        wait = min(FIRST_RETRY * 2 ** min(claim.attempts - 1, 10), LAST_RETRY)
        self.later.append(Delay(claim, now + wait, reason))
        self._tell(EventKind.MAIL_DELAYED, account_id=claim.intent.account_id, reason=reason)

    def _bury(self, claim: Claim, reason: str) -> None:
        self.dead.append(Death(claim, self.parts.clock(), reason))
        self._tell(EventKind.MAIL_DEAD, account_id=claim.intent.account_id, reason=reason)

    def _drop(self, dropped: Dropped) -> None:
        self.done.append(dropped.claim)
        self.dropped += 1
        account_id = dropped.claim.intent.account_id
        self._tell(EventKind.MAIL_DROPPED, account_id=account_id, reason=dropped.reason)

    def _tell(self, kind: EventKind, *, account_id: str | None, reason: str = "") -> None:
        self.parts.tell(kind, at=self.parts.clock(), account_id=account_id, reason=reason)


def _log_crash(error: Exception, what: str) -> None:
    """Log where it happened; not the error's own text, which may quote the mail and its token."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("%s: %s\n%s", what, type(error).__name__, frames)


def _random_bits() -> bytes:
    """Return the 128 random bits of a token (ASVS 5.0, 11.5.1)."""
    return secrets.token_bytes(16)


def _disjoint(
    claims: Sequence[Claim], found: Mapping[str, Sequence[Account]]
) -> tuple[list[tuple[Claim, Sequence[Account]]], list[Claim]]:
    """Part the claims that share no account with an earlier one from those that do."""
    together, apart, seen = list[tuple[Claim, Sequence[Account]]](), list[Claim](), set[str]()
    for claim in claims:
        ids = {account.id for account in found[claim.id]}
        if seen.isdisjoint(ids):
            together.append((claim, found[claim.id]))
            seen |= ids
        else:
            apart.append(claim)
    return together, apart
