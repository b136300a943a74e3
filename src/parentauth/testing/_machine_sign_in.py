"""The rules about signing in, and about guessing."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from parentauth import SignedIn
from parentauth._outbox import IntentKind
from parentauth.testing._machine_model import QUARTER, SESSIONS, ModelSession
from parentauth.testing._machine_school import PICKS
from parentauth.testing._machine_tokens import BROWSERS, MEDDLERS, TokenRules
from parentauth.testing._machine_world import ADDRESSES, PASSWORDS, USERNAMES, WRONG

SPELLINGS: Final[dict[int, Callable[[str], str]]] = {
    0: lambda name: name,
    1: lambda name: name.upper(),
    2: lambda name: f"  {name}\t",
    3: lambda name: "".join(chr(ord(letter) + 0xFEE0) for letter in name),
}


class SignInRules(TokenRules):
    """What parents and strangers try at the door."""

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
        *,
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
