"""What the machine's rules share: the portal, the model, and what each step may do."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final, TypeVar, cast

from hypothesis.stateful import RuleBasedStateMachine

from parentauth import (
    Account,
    Child,
    ChooseChild,
    Client,
    Dashboard,
    Landing,
    NoChild,
    Parent,
    ParentAuth,
    Present,
    School,
    SignedIn,
    Token,
)
from parentauth._outbox import Intent, IntentKind
from parentauth._sessions import session_digest
from parentauth.exceptions import ParentAuthError
from parentauth.ports import Change, Key, Storage, address_digest
from parentauth.storage.memory import MemoryStorage
from parentauth.testing._machine_model import Model, ModelAccount, ModelSession, ModelToken
from parentauth.testing._machine_ports import CheapHasher, Mailbox, WatchedStorage
from parentauth.testing.clock import FrozenClock
from parentauth.throttles import MemoryThrottle

T = TypeVar("T")
# Few of each, so that they collide.
IDS: Final = ("p1", "p2", "p3", "p4")
USERNAMES: Final = ("anna", "bert", "cara", "dirk")
ADDRESSES: Final = ("un@example.be", "deux@example.be", "Un@example.be")
CHILDREN: Final = ("c1", "c2", "c3")
PASSWORDS: Final = (
    "girafe velours boussole",
    "tracteur mandarine nuage",
    "lampadaire cactus violon",
)
WRONG: Final = "mauvaise porte bleue"
NEW_PASSWORDS: Final = (
    *((password, password) for password in PASSWORDS),
    ("court", "court"),
    ("motdepassemotdepasse", "motdepassemotdepasse"),
    (PASSWORDS[0], PASSWORDS[1]),
)
Queued = tuple[IntentKind, str | None, str | None]


class World(RuleBasedStateMachine):
    """A portal on a storage, and the model beside it."""

    #: Steps taken by all machines of this class, so that a test can tell that it did not shrink.
    steps: ClassVar[int] = 0

    def make_storage(self) -> Storage:
        """Return an empty storage; a subclass gives its own."""
        return MemoryStorage()

    def __init__(self) -> None:
        super().__init__()
        self.clock = FrozenClock()
        self.inner = self.make_storage()
        self.storage = WatchedStorage(self.inner)
        self.storage.written, self.storage.queued = self._written, self._queued
        self.hasher, self.mailbox, self.throttle = CheapHasher(), Mailbox(), MemoryThrottle()
        self.hasher.asked = self._verifying
        self.model = Model(self.clock.at)
        self.keys = [0]
        self.auth = self.new_auth()
        self.mailed = list[ModelToken]()
        self.cookies = list[ModelSession]()
        self.devices = list[tuple[str, int, str]]()
        self.secrets = set[str](PASSWORDS)
        self.counter: str | None = None
        self.fresh = list[str]()
        self.wrong = list[str]()
        self.stored = dict[str, Account]()
        self.may_touch = set[str]()
        self.queued, self.expected = Counter[Queued](), Counter[Queued]()

    def new_auth(self) -> ParentAuth:
        """Make a core over the same ports, with the keys of the moment."""
        return ParentAuth(
            storage=cast("Storage", self.storage),
            mailer=self.mailbox,
            secret_keys=[f"q7Vd2mXcP0sLr9TzKe4HwYb6NfUaGj1B-{key}" for key in self.keys],
            base_url="https://portail.ecole.be",
            school=School(name="École du Parc"),
            hasher=self.hasher,
            throttle=self.throttle,
            clock=self.clock,
            hashes_at_once=2,
            listeners=[self.told],
        )

    # -- For the rules

    def hold(self, holds: object, rule: str) -> None:
        """Note that *rule* is broken; raising alone would be swallowed by the worker."""
        if not holds:
            self.wrong.append(rule)
            raise AssertionError(rule)

    def ask(self, call: Callable[[], T]) -> tuple[T | None, str | None]:
        """Return what a flow gave, or the reason of its refusal."""
        self.storage.met_conflict = False
        try:
            return call(), None
        except ParentAuthError as error:
            return None, error.reason

    def expect(self, what: str, *, expected: object, actual: object) -> None:
        """Compare with the model."""
        self.hold(expected == actual, f"{what}: expected {expected!r}, got {actual!r}")

    def expect_queued(self, kind: IntentKind, account: str | None, address: str | None) -> None:
        """Say which intent this step puts into the outbox."""
        self.expected[kind, account, address] += 1

    def advance(self, by: timedelta) -> None:
        """Let time pass."""
        self.clock.advance(by)
        self.model.now = self.clock.at

    def counter_of(self, username: str, *, device: bool) -> str:
        """Return the name of a counter of guesses; a new key begins a new one."""
        return f"{self.keys[0]}:{username}:{device}:"

    @staticmethod
    def client(browser: ModelSession | None, device: str | None = None) -> Client:
        """Return what is known of a visitor."""
        return Client(session_id=browser.raw if browser else None, device=device)

    def told(self, event: Any) -> None:  # noqa: ANN401  overridden where events are judged
        """Hear an event."""

    # -- Sessions

    def opened(
        self, account: ModelAccount, done: SignedIn | None, browser: ModelSession | None
    ) -> None:
        """Keep the session that the parent just got; without an answer, nobody holds its id."""
        digest = self.fresh.pop()
        raw = done.session_id if done else None
        session = ModelSession(digest, account, self.model.now, self.model.now, raw)
        if browser is not None:
            browser.ended = True
            self.may_touch.add(browser.account.id)
        account.open_session(session, self.model.now)
        self.may_touch.add(account.id)
        self.model.sessions[digest] = session
        if done is not None:
            self._welcome(account, session, done)

    def _welcome(self, account: ModelAccount, session: ModelSession, done: SignedIn) -> None:
        self.expect("digest", expected=session.digest, actual=session_digest(done.session_id))
        self.cookies.append(session)
        self.secrets.add(done.session_id)
        self.devices.append((account.username, self.keys[0], done.device))
        seen = self.present(session)
        self.expect(
            "what a parent sees who signed in",
            expected=(seen.parent, seen.landing),
            actual=(done.parent, done.landing),
        )

    def present(self, session: ModelSession) -> Present:
        """Return what the parent may see: the own name, and children by the own rows."""
        account = session.account
        children = tuple(
            Child(child, account.links[child].name, "")
            for child in account.children(self.model.now)
        )
        only = children[0] if len(children) == 1 else None
        child = next((each for each in children if each.id == session.child), only)
        return Present(
            parent=Parent(account.id, account.username, f"Parent {account.id}", None),
            child=child,
            children=children,
            landing=_landing(children, child),
        )

    # -- What ports tell

    def _written(self, changes: Sequence[Change]) -> None:
        for change in changes:
            before, after = change.before, change.after
            if after is None:
                continue
            sessions = {each.digest for each in before.sessions} if before else set[str]()
            self.fresh += [each.digest for each in after.sessions if each.digest not in sessions]
            had = {each.digest for each in before.tokens} if before else set[str]()
            for token in after.tokens:
                if token.digest not in had:
                    self._issued(after, token)

    def _issued(self, stored: Account, token: Token) -> None:
        account = self.model.accounts[stored.id]
        self.hold(account.active, "a closed account gets no token")
        self.hold(account.email is not None, "a token needs an address")
        address = (account.email or "").lower()
        self.expect("bound", expected=address_digest(address), actual=token.address_digest)
        first = token.purpose.value == "first_login"
        self.expect("purpose", expected=not account.connected, actual=first)
        made = ModelToken(token.digest, account, token.origin, address, self.model.now)
        made.key = self.keys[0]
        account.issue(made, self.model.now)
        self.model.tokens[token.digest] = made
        self.may_touch.add(stored.id)

    def _queued(self, intents: Sequence[Intent]) -> None:
        for intent in intents:
            self.queued[intent.kind, intent.account_id, intent.address] += 1

    def _verifying(self) -> None:
        self.hold(self.counter is not None, "nothing is verified outside a guess")
        counter = self.counter or ""
        self.hold(not self.model.is_shut(counter), "the guess beyond the limit reached the hasher")
        self.model.guess(counter)

    def judge(self, token: ModelToken) -> str | None:
        """Return why a mailed token opens nothing, or None; forgotten ones are unknown."""
        if token.key not in self.keys:
            return "unknown"
        verdict = self.model.verdict(token)
        kept = self.inner.account(Key.by_token(token.digest))
        if kept is None and verdict is not None:
            return "unknown"
        return verdict


def _landing(children: tuple[Child, ...], child: Child | None) -> Landing:
    if child is not None:
        return Dashboard(child)
    return ChooseChild(children) if children else NoChild()
