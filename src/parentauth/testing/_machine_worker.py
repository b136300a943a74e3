"""The worker's rules: mails leave, wait, die and are tried again, and the worker dies, too."""

from collections import Counter
from datetime import timedelta
from typing import ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from parentauth import Delivery, Origin, Status
from parentauth._outbox import IntentKind
from parentauth.ports import OutboxRow
from parentauth.testing._machine_mails import INVITES, MailRules
from parentauth.testing._machine_model import LIVE, ModelAccount
from parentauth.testing._machine_ports import FATES, Killed
from parentauth.testing._machine_school import ACCOUNT_IDS, PICKS, Row
from parentauth.testing._machine_tokens import MEDDLERS
from parentauth.testing._machine_world import ADDRESSES, NEW_PASSWORDS

_FATES: Final = st.lists(st.sampled_from(("sent", "sent", *FATES)), max_size=4)
# Two parents of one child share an address, one has an address of his own, one has none.
FAMILIES: Final = (
    Row("p1", "anna", ADDRESSES[0], {"c1": (None, None), "c2": (None, None)}),
    Row("p2", "bert", ADDRESSES[2], {"c1": (None, None)}),
    Row("p3", "cara", ADDRESSES[1], {"c2": (None, 1), "c3": (1, None)}),
    Row("p4", "dirk", None, {}),
)


class WorkerRules(MailRules):
    """What the worker does with the outbox."""

    #: Where each run begins at least: 5 is two parents connected.
    least_level: ClassVar[int] = 0

    @initialize(level=st.sampled_from((0, 1, 2, 3, 4, 5, 6, 6, 6)))
    def begin(self, level: int) -> None:
        """A school begins with nobody, or with parents who are known, invited, or connected."""
        level = max(level, self.least_level)
        if level:
            self.save(FAMILIES, complete=False)
        if level > 1:
            self.invite_all(again=False)
        if level > 2:  # noqa: PLR2004  a level
            self.deliver([], None, "")
        for token, password in zip(self.mailed[: max(0, level - 3)], NEW_PASSWORDS, strict=False):
            self._define(token, password, None, switch=False)

    @rule(fates=st.just([]) | _FATES, limit=st.none() | st.integers(1, 3), meddler=MEDDLERS)
    def deliver(self, fates: list[str], limit: int | None, meddler: str) -> None:
        """Mails leave; each row is sent, dropped for a reason, or still there."""
        self.mailbox.fates, self.disturbance = list(fates), meddler
        done = self._deliver(limit)
        if done is not None:
            self._expect_delivery(done)
            if limit is None:
                left = [row for row in self._outbox() if self._is_claimable(row)]
                self.expect("left over", expected=[], actual=left)

    @rule(account_id=ACCOUNT_IDS, fates=_FATES, meddler=MEDDLERS)
    def invite_again(self, account_id: str, fates: list[str], meddler: str) -> None:
        """A parent is invited again, and the school writes while the mail is on its way."""
        self.invite(account_id, again=True)
        self.deliver(fates, None, meddler)

    @rule(account_id=ACCOUNT_IDS)
    def invite_often(self, account_id: str) -> None:
        """A parent is invited once more than tokens may live."""
        for _ in range(LIVE + 1):
            self.invite(account_id, again=True)
            self.deliver([], None, "")

    @rule(
        address=st.sampled_from((*ADDRESSES, "personne@example.be")),
        times=st.sampled_from((1, 1, 1, LIVE + 1)),
    )
    def forget_password(self, address: str, times: int) -> None:
        """A parent, or a stranger, asks for a mail, and it comes."""
        for _ in range(times):
            self.advance(timedelta(minutes=20) if times > 1 else timedelta(0))
            self.request_reset(address)
            self.advance(timedelta(seconds=10))
            self.deliver([], None, "")

    @precondition(lambda self: any(each.password for each in self.model.accounts.values()))
    @rule(pick=PICKS, new=st.sampled_from(NEW_PASSWORDS[:3]))
    def come_back(self, pick: int, new: tuple[str, str]) -> None:
        """A parent signs in while a mail is on its way, and defines another password with it."""
        connected = [each for each in self.model.accounts.values() if each.password]
        account = connected[-1 - pick % len(connected)]
        self._sign_in(account.username, account.password or "")
        if self.cookies:
            self.change_password(pick=0, right=False, new=new, meddler="")
        if account.email is not None:
            self.forget_password(account.email, 1)
        for token in [each for each in self.mailed if each.account is account][-1:]:
            self._define(token, new, None, switch=False)
        self._resume_all(account)

    @precondition(lambda self: self.model.accounts)
    @rule(account_id=ACCOUNT_IDS, reopen=st.booleans())
    def close(self, account_id: str, reopen: bool) -> None:  # noqa: FBT001  drawn
        """An account is closed, and nothing that its parent holds opens anything any more."""
        self.set_active(account_id, active=False)
        if account := self.model.accounts.get(account_id):
            self._resume_all(account)
            for token in [each for each in self.mailed if each.account is account][-2:]:
                self._check(token, None, switch=False)
            self.forget_password(account.email or ADDRESSES[0], 1)
        if reopen:
            self.set_active(account_id, active=True)

    def _resume_all(self, account: ModelAccount) -> None:
        for session in [each for each in self.cookies if each.account is account][-2:]:
            self._resume(session)

    @rule()
    def deliver_to_closed_server(self) -> None:
        """The mail server does not answer: no token is made, and every row waits."""
        tokens, self.mailbox.closed = len(self.model.tokens), True
        done = self._deliver(None)
        self.mailbox.closed = False
        self.expect("no token made", expected=tokens, actual=len(self.model.tokens))
        self.hold(done is not None and done.sent == done.dropped == 0, "nothing leaves")
        self._expect_none_lost()

    @rule(calls=st.integers(1, 8))
    def kill_worker(self, calls: int) -> None:
        """The worker dies at some call of the storage; another one goes on when its lease ends."""
        self.storage.killed_at = self.storage.calls + calls
        self._deliver(None)

    @rule(verb=st.sampled_from(("count", "retry", "drop", "purge")), pick=st.integers(0, 7))
    def tidy(self, verb: str, pick: int) -> None:
        """The school looks at the counts and at the outbox, and tidies up."""
        if verb == "count":
            counts, _ = self.ask(self.auth.status_counts)
            self.expect("counts", expected=self.model.statuses(), actual=counts)
        elif verb == "purge":
            self.ask(self.auth.purge)
            self.may_touch.update(self.model.accounts)
        elif verb == "retry":
            self._retry()
        elif rows := self._outbox():
            self._drop(rows[-1 - pick % len(rows)])

    def _retry(self) -> None:
        dead = [row for row in self._outbox() if row.dead_at is not None]
        count, _ = self.ask(lambda: self.auth.retry([row.id for row in self._outbox()]))
        self.expect("retried", expected=len(dead), actual=count)
        for row in dead:
            # Again: its own token may live, though its mail may never have left.
            again = row.intent.kind is IntentKind.INVITE
            kind = IntentKind.INVITE_AGAIN if again else row.intent.kind
            self.expect_queued(kind, row.intent.account_id, row.intent.address)

    def _drop(self, row: OutboxRow) -> None:
        """Delete a row, unless a worker holds it."""
        held = row.leased_until is not None and row.leased_until > self.model.now
        self.ask(lambda: self.auth.drop([row.id]))
        self.forsaken.add(row.intent.account_id)
        kept = row.id in {each.id for each in self._outbox()}
        self.expect("drop", expected=held, actual=kept)

    def check_waiting(self) -> None:
        """Who waits for an invitation has it, or it is still in the outbox."""
        now = self.model.now
        waiting = {
            account.id
            for account in self.model.accounts.values()
            if account.status(now) is Status.WAITING
            and not any(token.raw for token in account.live_tokens(now, Origin.SCHOOL))
        }
        if waiting - self.forsaken:
            kinds = {row.intent.account_id for row in self._outbox() if row.intent.kind in INVITES}
            self.hold(waiting <= kinds | self.forsaken, "an invitation is lost")

    # -- One run

    def _deliver(self, limit: int | None) -> Delivery | None:
        self.rows = {row.id: row for row in self._outbox()}
        self.sends, self.dropped, self.disturbed = [], [], False
        try:
            done, reason = self.ask(lambda: self.auth.deliver(limit=limit))
            self.expect("deliver", expected=None, actual=reason)
        except Killed:
            done = None
        finally:
            self.storage.revive()
            self.mailbox.fates, self.disturbance = [], ""
        return done

    def _expect_delivery(self, done: Delivery) -> None:
        self.gone |= {row_id for row_id, fate in self.sends if fate == "sent"}
        fates = Counter(fate for _, fate in self.sends)
        sent = fates["sent"]
        failed = sum(fates.values()) - sent
        self.expect("sent", expected=sent, actual=done.sent)
        self.expect("not sent", expected=failed, actual=done.delayed + done.dead)
        self.hold(done.dead >= fates["refused"], "what is refused is dead")
        self.expect("dropped", expected=len(self.dropped), actual=done.dropped)
        self._expect_none_lost()

    def _expect_none_lost(self) -> None:
        rows = self._outbox()
        left, keys = {row.id for row in rows}, {row.intent.key for row in rows}
        sent = {row_id for row_id, fate in self.sends if fate == "sent"}
        self.hold(not sent & left, "what left is not in the outbox any more")
        vanished = set(self.rows) - left - sent
        replaced = {row_id for row_id in vanished if self.rows[row_id].intent.key in keys}
        self.forsaken |= {self.rows[row_id].intent.account_id for row_id in replaced}
        erased = {row_id for row_id in vanished if self._is_erased(row_id)}
        lost = len(vanished - replaced - erased) - len(self.dropped)
        self.hold(lost <= 0, f"{lost} mails are lost")

    def _is_erased(self, row_id: str) -> bool:
        account_id = self.rows[row_id].intent.account_id
        return account_id is not None and account_id not in self.model.accounts

    def _is_claimable(self, row: OutboxRow) -> bool:
        held = row.leased_until is not None and row.leased_until > self.model.now
        return row.dead_at is None and row.due <= self.model.now and not held
