"""The worker's rules: mails leave, wait, die and are tried again, and the worker dies, too."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar, Final

from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule

from parentauth import Delivery, Event, EventKind, Origin, Status
from parentauth._codec import TokenCodec
from parentauth._outbox import IntentKind
from parentauth.ports import Mail, OutboxRow
from parentauth.testing._machine_model import LIVE, ModelAccount, ModelToken
from parentauth.testing._machine_parent import MEDDLERS, ParentRules
from parentauth.testing._machine_ports import FATES, Killed, Mailbox
from parentauth.testing._machine_school import ACCOUNT_IDS, Row
from parentauth.testing._machine_world import ADDRESSES, NEW_PASSWORDS, USERNAMES

_INVITES: Final = (IntentKind.INVITE, IntentKind.INVITE_AGAIN)
_ARRIVED: Final = ("sent", "late_sent", "killed_sent")
_FATES: Final = st.lists(st.sampled_from(("sent", "sent", *FATES)), max_size=4)
Line = tuple[str, str]
# Two parents of one child share an address, one has an address of his own, one has none.
FAMILIES: Final = (
    Row("p1", "anna", ADDRESSES[0], {"c1": (None, None), "c2": (None, None)}),
    Row("p2", "bert", ADDRESSES[2], {"c1": (None, None)}),
    Row("p3", "cara", ADDRESSES[1], {"c2": (None, 1), "c3": (1, None)}),
    Row("p4", "dirk", None, {}),
)


class WorkerRules(ParentRules):
    """What the worker does with the outbox."""

    #: Where each run begins at least: 5 is two parents connected.
    least_level: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.mailbox.seen = self._seen
        self.rows = dict[str, OutboxRow]()
        self.sends = list[Line]()
        self.dropped = list[str]()
        self.gone = set[str]()
        self.forsaken = set[str | None]()
        self.disturbance = ""
        self.disturbed = False

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

    @rule(address=st.sampled_from(ADDRESSES), times=st.sampled_from((1, 1, 1, LIVE + 1)))
    def forget_password(self, address: str, times: int) -> None:
        """A parent, or a stranger, asks for a mail, and it comes."""
        for _ in range(times):
            self.advance(timedelta(minutes=20) if times > 1 else timedelta(0))
            self.request_reset(address)
            self.advance(timedelta(seconds=10))
            self.deliver([], None, "")

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

    @rule()
    def count(self) -> None:
        """The school sees how many parents stand where."""
        counts, _ = self.ask(self.auth.status_counts)
        self.expect("counts", expected=self.model.statuses(), actual=counts)

    @rule()
    def retry(self) -> None:
        """Dead rows are queued anew."""
        dead = [row for row in self._outbox() if row.dead_at is not None]
        count, _ = self.ask(lambda: self.auth.retry([row.id for row in self._outbox()]))
        self.expect("retried", expected=len(dead), actual=count)
        for row in dead:
            # Again: its own token may live, though its mail may never have left.
            again = row.intent.kind is IntentKind.INVITE
            kind = IntentKind.INVITE_AGAIN if again else row.intent.kind
            self.expect_queued(kind, row.intent.account_id, row.intent.address)

    @precondition(lambda self: self.rows)
    @rule(pick=st.integers(0, 7))
    def drop(self, pick: int) -> None:
        """A row is deleted, unless a worker holds it."""
        rows = self._outbox()
        if rows:
            row = rows[-1 - pick % len(rows)]
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
            kinds = {row.intent.account_id for row in self._outbox() if row.intent.kind in _INVITES}
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

    def _outbox(self) -> list[OutboxRow]:
        return list(self.inner.outbox(None, 10_000))

    # -- One mail

    def _seen(self, mail: Mail, fate: str) -> None:
        """Judge a mail at the moment when it leaves."""
        row_id = mail.message_id[1:].partition("@")[0].rpartition(".")[0]
        if row_id not in self.rows:
            # Queued while this run was under way.
            self.rows = {row.id: row for row in self._outbox()} | self.rows
        self.hold(row_id in self.rows, "a mail answers a row of the outbox")
        self.hold(row_id not in self.gone, "a mail that left does not leave again")
        self.sends.append((row_id, fate))
        named = [self.model.with_username(name) for name, _ in _lines(mail)]
        tokens = [self._token_in(mail, line, fate) for line in _lines(mail) if line[1]]
        self.hold("Enfant" not in mail.text + mail.html, "a mail names no child")
        if not self.disturbed:
            self._judge(self.rows[row_id], mail, named, tokens)
        self._arrive(tokens, fate)
        self._disturb(named)
        if fate.startswith("killed"):
            self.storage.kill()

    def _token_in(self, mail: Mail, line: Line, fate: str) -> ModelToken:
        raw = line[1].replace("-", "")
        self.secrets |= {raw, line[1]}
        token = self.model.tokens[TokenCodec.digest(self._read(raw))]
        token.raw = raw if fate in _ARRIVED else None
        self.hold(mail.html.count(raw) > 0, "the link is in the mail")
        self.expect("the token's own address", expected=token.address, actual=mail.to.lower())
        if not self.disturbed:
            self.expect("beside its token", expected=token.account.username, actual=line[0])
        return token

    def _arrive(self, tokens: Sequence[ModelToken], fate: str) -> None:
        for token in tokens:
            if fate in {"delayed", "refused"}:
                token.withdrawn = True
                self.may_touch.add(token.account.id)
            elif token.raw:
                self.mailed.append(token)
            # Who knows what the mailer's own bug did.
            elif fate in {"late", "bug"}:
                self.forsaken.add(token.account.id)

    def _read(self, raw: str) -> bytes:
        keys = [f"q7Vd2mXcP0sLr9TzKe4HwYb6NfUaGj1B-{key}" for key in self.keys]
        return TokenCodec(keys).read(raw) or b""

    def _judge(
        self,
        row: OutboxRow,
        mail: Mail,
        named: Sequence[ModelAccount | None],
        tokens: Sequence[ModelToken],
    ) -> None:
        intent, now = row.intent, self.model.now
        self.hold(all(account and account.active for account in named), "mails go to open accounts")
        people = [account for account in named if account is not None]
        if intent.kind is IntentKind.RESET:
            wanted = [each for each in self.model.with_address(intent.address or "") if each.active]
            self.expect("reset", expected=_ids(wanted), actual=_ids(people))
        else:
            self.expect("for whom", expected=[intent.account_id], actual=_ids(people))
        access = intent.kind in {*_INVITES, IntentKind.RESET}
        self.expect("tokens", expected=len(people) if access else 0, actual=len(tokens))
        school = intent.kind in _INVITES
        self.hold(all((t.origin.value == "school") == school for t in tokens), "origin")
        self.hold(all(token.is_live(now) for token in tokens), "a mailed token is live")
        self._judge_recipient(row, mail, people)
        if intent.kind is IntentKind.INVITE:
            self.hold(not people[0].connected, "who is connected is not invited")
        if not access:
            self.hold(people[0].connected, "notices go to connected parents")

    def _judge_recipient(self, row: OutboxRow, mail: Mail, people: Sequence[ModelAccount]) -> None:
        if row.intent.address is not None and row.intent.kind is not IntentKind.RESET:
            self.expect("told at", expected=row.intent.address, actual=mail.to)
            return
        kept = [account.email for account in people]
        self.hold(mail.to in kept, "a mail goes to an address that is kept")
        same = all((email or "").lower() == mail.to.lower() for email in kept)
        self.hold(same, "a mail names accounts with that address only")

    def _disturb(self, named: Sequence[ModelAccount | None]) -> None:
        """Let the school write while the mail is on its way."""
        account = next((each for each in named if each is not None), None)
        if self.disturbance and account is not None and not self.disturbed:
            self.disturbed = True
            self._meddle(self.disturbance, account)
            meddler, self.storage.meddler = self.storage.meddler, None
            if meddler is not None:
                meddler()

    # -- One event

    def told(self, event: Event) -> None:
        """Judge why a mail is dropped."""
        if event.kind is not EventKind.MAIL_DROPPED:
            return
        self.dropped.append(event.reason)
        account = self.model.accounts.get(event.account_id or "")
        self.hold(self._is_reason(event.reason, account), f"dropped, but not {event.reason}")

    def _is_reason(self, reason: str, account: ModelAccount | None) -> bool:
        if account is None:
            return reason == "erased" or (reason == "nobody" and self._asks_for_nobody())
        reasons = {
            "closed": not account.active,
            "no_address": account.email is None,
            "connected": account.connected,
            "not_connected": not account.connected,
            "waiting": any(
                token.origin.value == "school" for token in account.live_tokens(self.model.now)
            ),
        }
        return reasons.get(reason, False)

    def _asks_for_nobody(self) -> bool:
        asked = [row.intent.address for row in self.rows.values() if row.intent.address]
        return any(
            not [each for each in self.model.with_address(address) if each.active]
            for address in asked
        )


def _lines(mail: Mail) -> list[Line]:
    """Return each username that the mail names, and the token that follows it."""
    lines = list[Line]()
    codes = Mailbox.tokens(mail)
    for text in mail.text.splitlines():
        words = text.split()
        if ":" in text and words[-1] in USERNAMES:
            lines.append((words[-1], ""))
        elif text in codes and lines:
            lines[-1] = (lines[-1][0], text)
    return lines


def _ids(accounts: Sequence[ModelAccount]) -> list[str]:
    return sorted(account.id for account in accounts)
