"""A small school: its families, its portal, and everything that tests look at."""

from datetime import timedelta
from typing import Any, Final

import attrs

from parentauth import (
    Account,
    ChildLink,
    Client,
    Event,
    EventKind,
    Family,
    ParentAuth,
    School,
    SignedIn,
)
from parentauth.ports import Key
from parentauth.storage.memory import MemoryStorage
from parentauth.testing import FrozenClock
from parentauth.throttles import MemoryThrottle
from tests.doubles import CountingHasher, ListMailer

SECRET: Final = "q7Vd2mXcP0sLr9TzKe4HwYb6NfUaGj1B-tests"
PASSWORD: Final = "girafe velours boussole"
OTHER_PASSWORD: Final = "tracteur mandarine nuage"
BASE_URL: Final = "https://portail.ecole.be"
VISITOR: Final = Client(address="192.0.2.7")
SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
HOUR: Final = timedelta(hours=1)
DAY: Final = timedelta(days=1)

SCHOOL: Final = School(
    name="École Saint-Exupéry",
    telephone="02 555 12 34",
    address="Rue de l'École 1, 1000 Bruxelles",
    email="secretariat@ecole.be",
)
FAMILIES: Final = (
    # One child, two, and none.
    Family(
        "p1", "anna", "Anna Peeters", "Anna@example.be", children=(ChildLink("c1", "Noor", "1A"),)
    ),
    Family(
        "p2",
        "bert",
        "Bert Claes",
        "bert@example.be",
        children=(ChildLink("c2", "Lou", "2B"), ChildLink("c3", "Mila", "3C")),
    ),
    Family("p3", "cara", "Cara Maes", "cara@example.be"),
    # Two parents share a mailbox; a third has none.
    Family("p4", "dirk", "Dirk Wouters", "wouters@example.be", children=(ChildLink("c4", "Jef"),)),
    Family("p5", "els", "Els Wouters", "wouters@example.be", children=(ChildLink("c4", "Jef"),)),
    Family("p6", "farid", "Farid Nazari"),
)


@attrs.define
class Portal:
    """The library on real ports in memory."""

    storage: Any = attrs.field(factory=MemoryStorage)
    clock: FrozenClock = attrs.field(factory=FrozenClock)
    mailer: ListMailer = attrs.field(factory=ListMailer)
    hasher: CountingHasher = attrs.field(factory=CountingHasher)
    throttle: Any = attrs.field(factory=MemoryThrottle)
    settings: dict[str, Any] = attrs.field(factory=dict)
    events: list[Event] = attrs.field(factory=list)
    auth: ParentAuth = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.auth = self.new_auth()
        self.auth.save(FAMILIES)
        self.forget()

    def new_auth(self, **settings: Any) -> ParentAuth:
        """Make another core over the same ports."""
        given = {
            "secret_keys": [SECRET],
            "base_url": BASE_URL,
            "school": SCHOOL,
            "listeners": [self.events.append],
            "hashes_at_once": 2,
            "clock": self.clock,
            "storage": self.storage,
            "mailer": self.mailer,
            "hasher": self.hasher,
            "throttle": self.throttle,
        }
        return ParentAuth(**{**given, **self.settings, **settings})

    def forget(self) -> None:
        """Forget what was noted so far."""
        self.events.clear()
        self.mailer.sent.clear()
        self.hasher.reset()

    def account(self, account_id: str) -> Account:
        """Return an account as it is kept now."""
        found = self.storage.account(Key.by_id(account_id))
        assert found is not None
        return found

    def change(self, account_id: str, **values: Any) -> None:
        """Write to an account behind the core's back."""
        from parentauth.ports import Change

        before = self.account(account_id)
        self.storage.replace([Change(before, attrs.evolve(before, **values))])

    def everything(self) -> tuple[list[Account], list[Any]]:
        """Return all that is kept."""
        return list(self.storage.scan(None, 1000)), list(self.storage.outbox(None, 1000))

    def deliver(self, after: timedelta = timedelta(0)) -> Any:
        """Let time pass and run the worker."""
        self.clock.advance(after)
        return self.auth.deliver()

    def invited(self, account_id: str) -> str:
        """Invite a parent and return the token that was mailed."""
        self.auth.invite(account_id, again=True)
        self.deliver()
        return self.mailer.tokens[-1]

    def reset(self, email: str) -> list[str]:
        """Ask for a reset and return the tokens that were mailed."""
        sent = len(self.mailer.tokens)
        self.auth.request_reset(email)
        self.deliver(after=10 * SECOND)
        return self.mailer.tokens[sent:]

    def define(self, token: str, password: str = PASSWORD, **values: Any) -> SignedIn:
        """Define a password with a token."""
        return self.auth.define_password(
            token, new_password=password, confirmation=password, **values
        )

    def connected(self, account_id: str, password: str = PASSWORD) -> SignedIn:
        """Let a parent connect for the first time; the notice has left, nothing is noted."""
        signed_in = self.define(self.invited(account_id), password)
        self.deliver()
        self.forget()
        return signed_in

    def sign_in(
        self, username: str, password: str = PASSWORD, client: Client = VISITOR
    ) -> SignedIn:
        """Sign in."""
        return self.auth.sign_in(username=username, password=password, client=client)

    @property
    def told(self) -> list[EventKind]:
        """The kinds of the events noted."""
        return [event.kind for event in self.events]

    @property
    def outbox(self) -> list[Any]:
        """The rows of the outbox."""
        return list(self.storage.outbox(None, 1000))
