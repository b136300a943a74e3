"""The school's rules: families, invitations, addresses, closing, erasing, time and keys."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from parentauth import ChildLink, Family, Saved, Status
from parentauth._outbox import IntentKind
from parentauth.testing._machine_model import (
    ABSOLUTE,
    IDLE,
    QUARTER,
    TTL,
    ModelAccount,
    ModelLink,
)
from parentauth.testing._machine_world import ADDRESSES, CHILDREN, IDS, USERNAMES, World

SECOND: Final = timedelta(seconds=1)
AROUND: Final = (-SECOND, 0 * SECOND, SECOND)
# Mostly the newest.
PICKS: Final = st.sampled_from((0, 0, 0, 1, 2, 3, 5, 7))
ACCOUNT_IDS: Final = st.sampled_from((*IDS, IDS[0], IDS[1]))
EMAILS: Final = st.sampled_from((*ADDRESSES, ADDRESSES[0], None))
PERIODS: Final = st.sampled_from(
    [(None, None)] * 4 + [(None, 1), (None, -1), (1, None), (-2, 3), (1, 2)]
)
# Most waits are short, so that sessions and tokens live to see something.
WAITS: Final = (
    *(timedelta(seconds=each) for each in (1, 10, 10, 10, 59, 60, 299, 300, 899, 3599)),
    *(timedelta(hours=each) for each in (2, 11, 25)),
    *(timedelta(days=each) for each in (13, 14, 31, 40)),
)
# What a school does now and then, not every second time.
SELDOM: Final = st.sampled_from((False, False, False, True))


Period = tuple[int | None, int | None]


@attrs.frozen
class Row:
    """A family as it is drawn: its links' periods in days from now."""

    id: str
    username: str
    email: str | None
    links: dict[str, Period]

    def family(self, now: datetime) -> Family:
        """Return what is imported."""
        return Family(
            self.id,
            self.username,
            f"Parent {self.id}",
            self.email,
            children=tuple(
                ChildLink(child, f"Enfant {child} de {self.id}", "", *_moments(period, now))
                for child, period in self.links.items()
            ),
        )


ROWS: Final = st.lists(
    st.builds(
        Row,
        id=ACCOUNT_IDS,
        username=st.sampled_from(USERNAMES),
        email=EMAILS,
        links=st.dictionaries(st.sampled_from(CHILDREN), PERIODS, max_size=2),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda row: row.id,
)


class SchoolRules(World):
    """What the school does, and what time does."""

    @rule(rows=ROWS, complete=SELDOM)
    def save(self, rows: Sequence[Row], complete: bool) -> None:  # noqa: FBT001  drawn
        """Families come in; a username that two parents would have is refused."""
        families = [row.family(self.model.now) for row in rows]
        # A dry run writes nothing: were it not so, the second one would find it done.
        self.ask(lambda: self.auth.save(families, complete=complete, dry_run=True))
        saved, reason = self.ask(lambda: self.auth.save(families, complete=complete))
        names = {account.id: account.username for account in self.model.accounts.values()}
        new = [row.id for row in rows if row.id not in names]
        names.update((row.id, row.username) for row in rows)
        clash = len(set(names.values())) < len(names)
        self.expect("save", expected="families" if clash else None, actual=reason)
        if isinstance(saved, Saved):
            self.expect("added", expected=tuple(new), actual=saved.added)
            for row in rows:
                self._save_row(row, complete=complete)
            if complete:
                self._complete({row.id: set(row.links) for row in rows})

    def _save_row(self, row: Row, *, complete: bool) -> None:
        account = self.model.accounts.setdefault(row.id, ModelAccount(row.id, row.username))
        account.username = row.username
        self.may_touch.add(row.id)
        if row.email is not None:
            self._set_address(account, row.email)
        if account.connected and not set(row.links) <= set(account.links):
            self.expect_queued(IntentKind.CHILD_ADDED, account.id, None)
        for child, period in row.links.items():
            self._link(account, child, *_moments(period, self.model.now), complete=complete)

    def _link(
        self,
        account: ModelAccount,
        child: str,
        since: datetime | None,
        until: datetime | None,
        *,
        complete: bool,
    ) -> None:
        """What a row leaves empty changes nothing; a complete one brings back who has left."""
        new = ModelLink(f"Enfant {child} de {account.id}", since, until)
        link = account.links.setdefault(child, new)
        if since is not None:
            link.since, link.until = since, until
        elif until is not None:
            link.until = until
        elif complete and link.until is not None and link.until <= self.model.now:
            link.until = None

    def _complete(self, named: dict[str, set[str]]) -> None:
        now = self.model.now
        for account in self.model.accounts.values():
            self.may_touch.add(account.id)
            for child, link in account.links.items():
                if child not in named.get(account.id, ()) and (
                    link.until is None or link.until > now
                ):
                    link.until = now

    @rule(account_id=ACCOUNT_IDS, again=SELDOM)
    def invite(self, account_id: str, again: bool) -> None:  # noqa: FBT001  drawn
        """One parent is invited, maybe again."""
        _, reason = self.ask(lambda: self.auth.invite(account_id, again=again))
        self._expect_found("invite", account_id, reason)
        if reason is None:
            kind = IntentKind.INVITE_AGAIN if again else IntentKind.INVITE
            self.expect_queued(kind, account_id, None)

    @rule(again=SELDOM)
    def invite_all(self, again: bool) -> None:  # noqa: FBT001  drawn
        """All who need one get an invitation."""
        count, _ = self.ask(lambda: self.auth.invite_all(again=again))
        wanted = {Status.NOT_INVITED} | ({Status.WAITING, Status.EXPIRED} if again else set())
        kind = IntentKind.INVITE_AGAIN if again else IntentKind.INVITE
        found = [a.id for a in self.model.accounts.values() if a.status(self.model.now) in wanted]
        self.expect("invited", expected=len(found), actual=count)
        for account_id in found:
            self.expect_queued(kind, account_id, None)

    @rule(account_id=ACCOUNT_IDS, email=EMAILS)
    def change_address(self, account_id: str, email: str | None) -> None:
        """The address changes: tokens die, and a connected parent is told at both."""
        _, reason = self.ask(lambda: self.auth.change_address(account_id, email))
        if account := self._expect_found("change_address", account_id, reason):
            self._set_address(account, email)

    def _set_address(self, account: ModelAccount, email: str | None) -> None:
        old = account.email
        if account.connected and (old or "").lower() != (email or "").lower():
            for address in filter(None, (old, email)):
                self.expect_queued(IntentKind.ADDRESS_CHANGED, account.id, address)
        account.set_address(email, self.model.now)

    @rule(account_id=ACCOUNT_IDS, active=st.sampled_from((True, True, False)))
    def set_active(self, account_id: str, active: bool) -> None:  # noqa: FBT001  drawn
        """An account is closed or opened."""
        _, reason = self.ask(lambda: self.auth.set_active(account_id, active=active))
        if account := self._expect_found("set_active", account_id, reason):
            account.set_active(active=active, now=self.model.now)

    @rule(account_id=ACCOUNT_IDS)
    def revoke_tokens(self, account_id: str) -> None:
        """Tokens are revoked."""
        _, reason = self.ask(lambda: self.auth.revoke_tokens(account_id))
        if account := self._expect_found("revoke_tokens", account_id, reason):
            account.revoke_tokens(self.model.now)

    @rule(account_id=ACCOUNT_IDS)
    def end_sessions(self, account_id: str) -> None:
        """Sessions are ended."""
        _, reason = self.ask(lambda: self.auth.end_sessions(account_id))
        if account := self._expect_found("end_sessions", account_id, reason):
            account.end_sessions()

    @rule(account_id=ACCOUNT_IDS, sure=SELDOM)
    def erase(self, account_id: str, sure: bool) -> None:  # noqa: FBT001  drawn
        """An account is erased; its id may come again as another person."""
        if sure:
            self._erase(account_id)

    def _erase(self, account_id: str) -> None:
        _, reason = self.ask(lambda: self.auth.erase(account_id))
        if account := self._expect_found("erase", account_id, reason):
            self.model.erase(account)

    @precondition(lambda self: self.model.accounts)
    @rule(pick=PICKS)
    def unlink(self, pick: int) -> None:
        """A child's link ends now; the account knows no other child for it."""
        self._unlink(list(self.model.accounts.values())[-1 - pick % len(self.model.accounts)])

    def _unlink(self, account: ModelAccount) -> None:
        for child in account.links:
            self.save([Row(account.id, account.username, None, {child: (None, 0)})], complete=False)
            break

    def _expect_found(self, what: str, account_id: str, reason: str | None) -> ModelAccount | None:
        account = self.model.accounts.get(account_id)
        expected = None if account else "account_not_found"
        self.expect(what, expected=expected, actual=reason)
        if account is not None:
            self.may_touch.add(account_id)
        return account

    # -- Time, keys and other writers

    @rule(wait=st.sampled_from(WAITS))
    def wait(self, wait: timedelta) -> None:
        """Time passes."""
        self.advance(wait)

    @rule(pick=st.integers(0, 30), around=st.sampled_from(AROUND))
    def wait_for_boundary(self, pick: int, around: timedelta) -> None:
        """Time passes until something is about to end, ends, or has ended."""
        ahead = sorted(self._boundaries())
        if ahead:
            self.advance(max(ahead[pick % len(ahead)] + around - self.model.now, 0 * SECOND))

    def _boundaries(self) -> set[datetime]:
        now, found = self.model.now, set[datetime]()
        for account in self.model.accounts.values():
            found |= {token.issued_at + TTL for token in account.live_tokens(now)}
            for session in account.live_sessions(now):
                found |= {session.seen_at + IDLE, session.opened_at + ABSOLUTE}
            for link in account.links.values():
                found |= {link.since or now, link.until or now}
        return {moment for moment in (*found, now + QUARTER) if moment > now}

    @rule(drop=SELDOM)
    def rotate_keys(self, drop: bool) -> None:  # noqa: FBT001  drawn
        """A new core takes over: with one more key, or with the newest alone."""
        self.keys = self.keys[:1] if drop else [max(self.keys) + 1, *self.keys]
        self.auth = self.new_auth()

    @rule(conflicts=st.integers(1, 3))
    def conflict(self, conflicts: int) -> None:
        """The next writes lose their race."""
        self.storage.conflicts = conflicts


def _moments(period: Period, now: datetime) -> tuple[datetime | None, datetime | None]:
    since, until = period
    return (
        None if since is None else now + timedelta(days=since),
        None if until is None else now + timedelta(days=until),
    )
