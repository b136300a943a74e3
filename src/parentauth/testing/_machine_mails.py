"""One mail, judged at the moment when it leaves, and one event."""

from collections.abc import Sequence
from typing import Final

from parentauth import Event, EventKind, Origin
from parentauth._codec import TokenCodec
from parentauth._outbox import IntentKind
from parentauth.ports import Mail, OutboxRow
from parentauth.testing._machine_model import ModelAccount, ModelToken
from parentauth.testing._machine_parent import ParentRules
from parentauth.testing._machine_ports import Mailbox
from parentauth.testing._machine_world import USERNAMES

INVITES: Final = (IntentKind.INVITE, IntentKind.INVITE_AGAIN)
_ARRIVED: Final = ("sent", "late_sent", "killed_sent")
Line = tuple[str, str]


class MailRules(ParentRules):
    """What is true of each mail."""

    def __init__(self) -> None:
        super().__init__()
        self.mailbox.seen = self._seen
        self.rows = dict[str, OutboxRow]()
        self.sends = list[Line]()
        self.dropped = list[str]()
        self.gone = set[str]()
        self.forsaken: set[str | None] = set()
        self.disturbance = ""
        self.disturbed = False

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
        access = intent.kind in {*INVITES, IntentKind.RESET}
        self.expect("tokens", expected=len(people) if access else 0, actual=len(tokens))
        school = intent.kind in INVITES
        self.hold(all((t.origin is Origin.SCHOOL) == school for t in tokens), "origin")
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
                token.origin is Origin.SCHOOL for token in account.live_tokens(self.model.now)
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
