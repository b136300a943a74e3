"""
The whole library as a state machine: Hypothesis plays school, parents, strangers and mail server.

.. code-block:: python

    class MyMachine(ParentAuthMachine):
        def make_storage(self):
            return MyStorage()


    TestMyMachine = MyMachine.TestCase
"""

from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from hypothesis.stateful import invariant

from parentauth import Account, Origin, _lifecycle
from parentauth.testing._machine_model import LIVE, SESSIONS, ModelAccount
from parentauth.testing._machine_ports import CheapHasher, Mailbox
from parentauth.testing._machine_worker import WorkerRules

__all__ = ["CheapHasher", "Mailbox", "ParentAuthMachine"]

_TOKENS_KEPT = 2 * LIVE + 10


class ParentAuthMachine(WorkerRules):
    """
    Every flow of :class:`parentauth.ParentAuth` on a storage, beside a small model.

    A subclass gives :meth:`make_storage`, and closes in ``teardown`` what it opened; it may
    give :meth:`stored_text`, too.  After every step each stored account equals the model's,
    and nothing has changed but what the step may change.
    """

    def stored_text(self) -> Iterable[str]:
        """Return all text that the storage holds now, to look for secrets in it."""
        for account in self.stored.values():
            yield from _text(attrs.asdict(account))
        for row in self.inner.outbox(None, 10_000):
            yield from _text(attrs.asdict(row))

    @invariant()
    def holds(self) -> None:
        """Whatever was done, every rule holds."""
        type(self).steps += 1
        assert not self.wrong, self.wrong  # noqa: S101  a test's
        before = self.stored
        self.stored = {account.id: account for account in self.inner.scan(None, 1000)}
        self._others_untouched(before)
        self._as_the_model()
        self._as_queued()
        self.check_waiting()
        self._no_secret_kept(before)

    def _others_untouched(self, before: dict[str, Account]) -> None:
        """Nobody's account changed but those that the step was about, to the bit."""
        for account_id in {*before, *self.stored} - self.may_touch:
            self.expect(
                f"untouched {account_id}",
                expected=before.get(account_id),
                actual=self.stored.get(account_id),
            )
        self.may_touch.clear()

    def _as_the_model(self) -> None:
        model = self.model
        self.expect("accounts", expected=set(model.accounts), actual=set(self.stored))
        for account_id, account in model.accounts.items():
            self._fields(account, self.stored[account_id])
            self._tokens(account, self.stored[account_id])
            self._sessions(account, self.stored[account_id])
            self.expect(
                f"status of {account_id}",
                expected=account.status(model.now),
                actual=_lifecycle.status_of(self.stored[account_id], now=model.now),
            )

    def _fields(self, account: ModelAccount, stored: Account) -> None:
        self.expect(
            f"account {account.id}",
            expected=(account.username, account.email, account.active, account.connected),
            actual=(stored.username, stored.email, stored.active, stored.connected_at is not None),
        )
        now = self.model.now
        live = [link.child_id for link in stored.children if link.is_live(now)]
        self.expect(f"children {account.id}", expected=account.children(now), actual=live)
        self.expect(
            f"password {account.id}",
            expected=account.password is not None,
            actual=stored.password_hash is not None,
        )

    def _tokens(self, account: ModelAccount, stored: Account) -> None:
        now = self.model.now
        live = {token.digest for token in stored.tokens if token.is_live(now)}
        wanted = {token.digest for token in account.live_tokens(now)}
        self.expect(f"live tokens of {account.id}", expected=wanted, actual=live)
        origins = Counter(token.origin for token in stored.tokens if token.digest in live)
        self.hold(all(origins[each] <= LIVE for each in Origin), "at most five live ones")
        self.hold(len(stored.tokens) <= _TOKENS_KEPT, "dead tokens are forgotten")
        redeemed = {token.digest for token in stored.tokens if token.redeemed_at is not None}
        known = {token.digest for token in account.tokens if token.redeemed}
        self.hold(redeemed <= known, "only what was redeemed says so")

    def _sessions(self, account: ModelAccount, stored: Account) -> None:
        now, rules = self.model.now, {each.digest: each for each in account.sessions}
        self.hold(len(stored.sessions) <= SESSIONS, "at most ten sessions")
        kept = {each.digest for each in stored.sessions}
        self.hold(kept <= set(rules), "every session was opened by the parent")
        live = {digest for digest in kept if rules[digest].is_live(now)}
        wanted = {session.digest for session in account.live_sessions(now)}
        self.expect(f"sessions of {account.id}", expected=wanted, actual=live)

    def _as_queued(self) -> None:
        self.expect("queued", expected=self.expected, actual=self.queued)
        self.expected.clear()
        self.queued.clear()

    def _no_secret_kept(self, before: dict[str, Account]) -> None:
        changed = [each for key, each in self.stored.items() if before.get(key) != each]
        self._hold_no_secret(text for each in changed for text in _text(attrs.asdict(each)))

    def _hold_no_secret(self, texts: Iterable[str]) -> None:
        text = "\n".join(texts)
        found = [secret for secret in self.secrets if secret in text]
        self.hold(not found, f"{len(found)} tokens, passwords or session ids are stored")

    def teardown(self) -> None:
        """Look through all that the storage has been left with."""
        self._hold_no_secret(self.stored_text())


def _text(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _text(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from _text(each)
