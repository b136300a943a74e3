"""The rules about tokens, and what they share with all rules of parents: whom, and who meddles."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from parentauth import SignedIn
from parentauth._outbox import IntentKind
from parentauth.testing._machine_model import TTL, ModelAccount, ModelSession, ModelToken
from parentauth.testing._machine_ports import Killed
from parentauth.testing._machine_school import AROUND, PICKS, SchoolRules
from parentauth.testing._machine_world import ADDRESSES, NEW_PASSWORDS

T = TypeVar("T")
MOSTLY: Final = 2
BROWSERS: Final = st.none() | PICKS
# Who else writes between read and write, if anybody.
MEDDLERS: Final = st.sampled_from(
    [""] * 9 + ["revoke", "close", "address", "sessions", "erase", "password", "unlink"]
)


class TokenRules(SchoolRules):
    """What parents do with what was mailed to them."""

    # -- Tokens

    @precondition(lambda self: self.mailed)
    @rule(pick=PICKS, browser=BROWSERS, switch=st.booleans())
    def check_token(self, *, pick: int, browser: int | None, switch: bool) -> None:
        """A link is opened: it says what it is for, and changes nothing."""
        self._check(self._token(pick), self._session(browser), switch=switch)

    def _check(self, token: ModelToken, guest: ModelSession | None, *, switch: bool) -> None:
        found, reason = self.ask(
            lambda: self.auth.check_token(token.raw or "", client=self.client(guest), switch=switch)
        )
        expected = self.judge(token) or self._other(token, guest, switch=switch)
        self.expect("check_token", expected=expected, actual=reason)
        if found is not None:
            account = token.account
            self.expect(
                "what a token is for",
                expected=(account.id, account.username, account.connected),
                actual=(found.parent.id, found.parent.username, found.purpose.value == "reset"),
            )

    @precondition(lambda self: self.mailed)
    @rule(pick=PICKS, around=st.sampled_from(AROUND), new=st.sampled_from(NEW_PASSWORDS))
    def hesitate(self, pick: int, around: timedelta, new: tuple[str, str]) -> None:
        """A parent tries a weak password, then another one, about when the token expires."""
        token = self._token(pick)
        self.advance(max(token.issued_at + TTL + around - self.model.now, timedelta(0)))
        self._check(token, None, switch=False)
        for attempt in (NEW_PASSWORDS[3], new):
            self._define(token, attempt, None, switch=False)

    @rule(garbage=st.sampled_from(["", "0" * 32, "Z" * 32, "é"]))
    def check_garbage(self, garbage: str) -> None:
        """What was never mailed is unknown."""
        _, reason = self.ask(lambda: self.auth.check_token(garbage))
        self.expect("garbage", expected="unknown", actual=reason)

    @precondition(lambda self: self.mailed)
    @rule(
        pick=PICKS,
        new=st.sampled_from((*NEW_PASSWORDS, *NEW_PASSWORDS[:3])),
        browser=BROWSERS,
        switch=st.booleans(),
        meddler=MEDDLERS,
        lost=st.sampled_from([False] * 7 + [True]),
    )
    def define_password(
        self,
        *,
        pick: int,
        new: tuple[str, str],
        browser: int | None,
        switch: bool,
        meddler: str,
        lost: bool,
    ) -> None:
        """A token is spent with a good password, once; a refused one burns nothing."""
        token, guest = self._token(pick), self._session(browser)
        if lost:
            self.storage.loses_answer = True
        else:
            self._meddle(meddler, token.account)
        self._define(token, new, guest, switch=switch)
        self.storage.revive()

    def _define(
        self, token: ModelToken, new: tuple[str, str], guest: ModelSession | None, *, switch: bool
    ) -> None:
        done, reason, lost = None, None, False
        try:
            done, reason = self.ask(
                lambda: self.auth.define_password(
                    token.raw or "",
                    new_password=new[0],
                    confirmation=new[1],
                    client=self.client(guest),
                    switch=switch,
                )
            )
        except Killed:
            lost = True
        expected = self.judge(token) or self._other(token, guest, switch=switch)
        expected = expected or (None if new in NEW_PASSWORDS[:3] else "password_rejected")
        self.expect("define_password", expected=expected, actual=reason)
        if reason is None:
            self._redeemed(token, new[0], guest, done, lost=lost)

    def _redeemed(
        self,
        token: ModelToken,
        password: str,
        guest: ModelSession | None,
        done: SignedIn | None,
        *,
        lost: bool,
    ) -> None:
        account = token.account
        self.hold(not token.redeemed, "a token is redeemed once")
        self.model.redeem(token, password)
        self.opened(account, done, guest)
        self.expect_queued(IntentKind.PASSWORD_CHANGED, account.id, None)
        if not lost:
            self._forgive(account)

    def _other(self, token: ModelToken, guest: ModelSession | None, *, switch: bool) -> str | None:
        other = guest is not None and guest.account is not token.account
        live = guest is not None and guest.is_live(self.model.now) and guest.account.active
        return "other_account" if other and live and not switch else None

    # -- What the rules share

    def _token(self, pick: int) -> ModelToken:
        """Pick a mailed token: by the smallest numbers, one that opens something."""
        live = (
            [token for token in self.mailed if self.judge(token) is None] if pick < MOSTLY else []
        )
        return _from_the_end(live or self.mailed, pick)

    def _some_session(self, pick: int) -> ModelSession:
        """Pick a session: by the smallest numbers, one that lives."""
        live = [each for each in self.cookies if self._is_live(each)] if pick < MOSTLY else []
        return _from_the_end(live or self.cookies, pick)

    def _session(self, pick: int | None) -> ModelSession | None:
        return None if pick is None or not self.cookies else self._some_session(pick)

    def _is_live(self, session: ModelSession) -> bool:
        return session.is_live(self.model.now) and not session.account.erased

    def _device(self, pick: int | None, username: str) -> tuple[str | None, bool]:
        if pick is None or not self.devices:
            return None, False
        owner, key, note = self.devices[-1 - pick % len(self.devices)]
        return note, owner == username and key in self.keys

    def _forgive(self, account: ModelAccount) -> None:
        for device in (False, True):
            self.model.forgive(self.counter_of(account.username, device=device))

    def _meddle(self, name: str, account: ModelAccount) -> None:
        """Let another writer in, once, between the next read and its write."""
        meddlers: dict[str, Callable[[], object]] = {
            "revoke": lambda: self.revoke_tokens(account.id),
            "close": lambda: self.set_active(account.id, active=False),
            "address": lambda: self.change_address(account.id, ADDRESSES[1]),
            "sessions": lambda: self.end_sessions(account.id),
            "erase": lambda: self._erase(account.id),
            "password": lambda: self._redeem_another(account),
            "unlink": lambda: self._unlink(account),
        }
        meddler = meddlers.get(name)
        self.storage.meddler = meddler and (lambda: void(meddler()))

    def _redeem_another(self, account: ModelAccount) -> None:
        for token in account.live_tokens(self.model.now):
            if token.raw is not None:
                self._define(token, NEW_PASSWORDS[2], None, switch=False)
                break


def _from_the_end(values: Sequence[T], pick: int) -> T:
    return values[-1 - pick % len(values)]


def void(_: object) -> None:
    """Return nothing, whatever was given."""
