"""The parents' rules: tokens, passwords, signing in, sessions, children, forgotten passwords."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from parentauth import SignedIn
from parentauth._outbox import IntentKind
from parentauth.testing._machine_model import (
    QUARTER,
    SESSIONS,
    ModelAccount,
    ModelSession,
    ModelToken,
)
from parentauth.testing._machine_ports import Killed
from parentauth.testing._machine_school import PICKS, SchoolRules
from parentauth.testing._machine_world import (
    ADDRESSES,
    CHILDREN,
    NEW_PASSWORDS,
    PASSWORDS,
    USERNAMES,
    WRONG,
)

BROWSERS: Final = st.none() | PICKS
# Who else writes between read and write, if anybody.
MEDDLERS: Final = st.sampled_from(
    [""] * 9 + ["revoke", "close", "address", "sessions", "erase", "password", "unlink"]
)
SPELLINGS: Final = {
    0: str,
    1: str.upper,
    2: lambda name: f"  {name}\t",
    3: lambda name: "".join(chr(ord(letter) + 0xFEE0) for letter in name),
}


class ParentRules(SchoolRules):
    """What parents do, and what strangers try."""

    # -- Tokens

    @precondition(lambda self: self.mailed)
    @rule(pick=PICKS, browser=BROWSERS, switch=st.booleans())
    def check_token(self, pick: int, browser: int | None, switch: bool) -> None:  # noqa: FBT001
        """A link is opened: it says what it is for, and changes nothing."""
        token, guest = self._token(pick), self._session(browser)
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

    @rule(garbage=st.sampled_from(["", "0" * 32, "ABCD-EFGH", "Z" * 32, "é"]))
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
        pick: int,
        new: tuple[str, str],
        browser: int | None,
        switch: bool,  # noqa: FBT001  drawn
        meddler: str,
        lost: bool,  # noqa: FBT001  drawn
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

    # -- Signing in

    @rule(
        who=PICKS | st.sampled_from((*USERNAMES, "nemo")),
        spelling=st.sampled_from(sorted(SPELLINGS)),
        password=st.sampled_from((*PASSWORDS, WRONG)) | st.none(),
        device=BROWSERS,
        browser=BROWSERS,
        meddler=MEDDLERS,
    )
    def sign_in(
        self,
        who: int | str,
        spelling: int,
        password: str | None,
        device: int | None,
        browser: int | None,
        meddler: str,
    ) -> None:
        """Username and password open a session; whatever else is one answer."""
        connected = [a.username for a in self.model.accounts.values() if a.connected]
        names = connected or USERNAMES
        username = names[-1 - who % len(names)] if isinstance(who, int) else who
        account = self.model.with_username(username)
        if account is not None:
            self._meddle(meddler, account)
        right = (account.password if account else None) or WRONG
        self._sign_in(username, password or right, device, self._session(browser), spelling)
        self.storage.meddler = None

    def _sign_in(
        self,
        username: str,
        password: str,
        device: int | None = None,
        guest: ModelSession | None = None,
        spelling: int = 0,
    ) -> str | None:
        note, known = self._device(device, username)
        counter = self.counter_of(username, device=known)
        shut, asked = self.model.is_shut(counter), self.hasher.verified
        done, reason = self._guess(
            counter,
            lambda: self.auth.sign_in(
                username=SPELLINGS[spelling](username),
                password=password,
                client=self.client(guest, note),
            ),
        )
        account = self.model.with_username(username)
        right = account is not None and account.active and account.password == password
        expected = "throttled" if shut else None if right else "rejected"
        verified = self.hasher.verified - asked
        if verified and reason == "throttled":
            # Its password changed while it was verified, and no second guess was left.
            self.hold(verified == 1 and self.model.is_shut(counter), "a guess is refused by count")
            return reason
        self.expect("sign_in", expected=expected, actual=reason)
        self.hold((verified == 0) == shut, "one cost, whatever is wrong")
        if done is not None and account is not None:
            self.model.forgive(counter)
            self.opened(account, done, guest)
        return reason

    @rule(username=st.sampled_from(USERNAMES), rounds=st.sampled_from([1] * 7 + [11]))
    def storm(self, username: str, rounds: int) -> None:
        """A stranger guesses and guesses."""
        for number in range(rounds):
            self.advance(QUARTER if number else timedelta(0))
            while self._sign_in(username, WRONG) == "rejected":
                pass

    @precondition(lambda self: any(each.password for each in self.model.accounts.values()))
    @rule(pick=PICKS)
    def sign_in_everywhere(self, pick: int) -> None:
        """A parent signs in on one more device than are kept."""
        connected = [each for each in self.model.accounts.values() if each.password]
        account = connected[-1 - pick % len(connected)]
        for _ in range(SESSIONS + 1):
            self._sign_in(account.username, account.password or WRONG)

    def _guess(
        self, counter: str, call: Callable[[], SignedIn]
    ) -> tuple[SignedIn | None, str | None]:
        self.counter = counter
        try:
            return self.ask(call)
        finally:
            self.counter = None

    # -- Signed in

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS)
    def resume(self, pick: int) -> None:
        """A request shows the own children, and only while the session lives."""
        session = self._some_session(pick)
        found, _ = self.ask(lambda: self.auth.resume(session.raw))
        live = self._is_live(session)
        self.expect("resume", expected=self.present(session) if live else None, actual=found)
        self.may_touch.add(session.account.id)
        if live and not self.storage.met_conflict:
            session.used(self.model.now)

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS, child=st.sampled_from(CHILDREN), meddler=MEDDLERS)
    def select_child(self, pick: int, child: str, meddler: str) -> None:
        """A child of one's own can be chosen, no other."""
        session = self._some_session(pick)
        self._meddle(meddler, session.account)
        found, reason = self.ask(lambda: self.auth.select_child(session.raw or "", child))
        self.storage.meddler = None
        expected = None if child in session.account.children(self.model.now) else "child_rejected"
        expected = expected if self._is_live(session) else "not_signed_in"
        self.expect("select_child", expected=expected, actual=reason)
        if found is not None:
            session.child, session.seen_at = child, self.model.now
            self.may_touch.add(session.account.id)
            self.expect("chosen", expected=self.present(session), actual=found)

    @precondition(lambda self: self.cookies)
    @rule(
        pick=PICKS,
        right=st.sampled_from([True, True, False]),
        new=st.sampled_from((*NEW_PASSWORDS, *NEW_PASSWORDS[:3])),
        meddler=MEDDLERS,
    )
    def change_password(
        self,
        pick: int,
        right: bool,  # noqa: FBT001  drawn
        new: tuple[str, str],
        meddler: str,
    ) -> None:
        """The password changes for who knows the present one; all other sessions end."""
        session = self._some_session(pick)
        account = session.account
        current = (account.password if right else None) or WRONG
        counter = self.counter_of(account.username, device=True)
        shut = self.model.is_shut(counter)
        self._meddle(meddler, account)
        done, reason = self._guess(
            counter,
            lambda: self.auth.change_password(
                session.raw or "", current=current, new_password=new[0], confirmation=new[1]
            ),
        )
        self.storage.meddler = None
        refusals = (
            (not self._is_live(session), "not_signed_in"),
            (shut, "throttled"),
            (not right, "current_password"),
            (new not in NEW_PASSWORDS[:3], "password_rejected"),
        )
        expected = next((refusal for refused, refusal in refusals if refused), None)
        self.expect("change_password", expected=expected, actual=reason)
        if done is not None:
            account.set_password(new[0], self.model.now)
            self.opened(account, done, None)
            self._forgive(account)
            self.expect_queued(IntentKind.PASSWORD_CHANGED, account.id, None)

    @precondition(lambda self: self.cookies)
    @rule(pick=PICKS)
    def sign_out(self, pick: int) -> None:
        """A session ends where it is kept."""
        session = self._some_session(pick)
        self.ask(lambda: self.auth.sign_out(session.raw))
        self.may_touch.add(session.account.id)
        session.ended = True

    # -- Forgotten

    @rule(address=st.sampled_from((*ADDRESSES, "UN@EXAMPLE.BE", "personne@example.be")))
    def request_reset(self, address: str) -> None:
        """Whoever asks, nobody is looked up."""
        calls = self.storage.calls
        _, reason = self.ask(lambda: self.auth.request_reset(address))
        admitted = self.model.admits_reset(address.lower())
        self.expect("request_reset", expected=None, actual=reason)
        if admitted:
            self.expect_queued(IntentKind.RESET, None, address.lower())
        self.expect("calls", expected=int(admitted), actual=self.storage.calls - calls)

    # -- What the rules share

    def _token(self, pick: int) -> ModelToken:
        return self.mailed[-1 - pick % len(self.mailed)]

    def _some_session(self, pick: int) -> ModelSession:
        return self.cookies[-1 - pick % len(self.cookies)]

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


def void(_: object) -> None:
    """Return nothing, whatever was given."""
