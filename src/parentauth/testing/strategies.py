"""Hypothesis strategies for the values that a storage keeps."""

from datetime import UTC, datetime
from typing import Final, TypeVar

from hypothesis import strategies as st

from parentauth._canonical import digest
from parentauth._model import Account, ChildLink, Origin, Purpose, Session, Token
from parentauth._outbox import Intent, IntentKind

__all__ = [
    "accounts",
    "addresses",
    "child_links",
    "digests",
    "intents",
    "moments",
    "sessions",
    "texts",
    "tokens",
]

T = TypeVar("T")

_LOCAL_PARTS: Final = "abcXYZ019.!#$%&'*+/=?^_`{|}~-"


def texts(*, min_size: int = 0, max_size: int = 40) -> st.SearchStrategy[str]:
    """Return readable text of any language, blanks at its ends included."""
    readable = st.characters(exclude_categories=["Cs", "Cc"])
    return st.text(readable, min_size=min_size, max_size=max_size)


def moments() -> st.SearchStrategy[datetime]:
    """Return aware datetimes with microseconds."""
    return st.datetimes(
        min_value=datetime(2000, 1, 1),  # noqa: DTZ001  Hypothesis adds the zone
        max_value=datetime(2100, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    )


def digests(domain: str) -> st.SearchStrategy[str]:
    """Return 64 hexadecimal digits, which are never those of another domain."""
    return st.integers(0, 2**32).map(lambda number: digest(domain, str(number)))


def addresses() -> st.SearchStrategy[str]:
    """Return e-mail addresses as the core keeps them: ASCII."""
    local_parts = st.text(_LOCAL_PARTS, min_size=1, max_size=20)
    return st.builds("{}@{}".format, local_parts, st.sampled_from(["ecole.be", "xn--cole-9oa.be"]))


def child_links() -> st.SearchStrategy[ChildLink]:
    """Return links to children, with and without a period."""
    return st.builds(
        ChildLink,
        child_id=texts(min_size=1),
        name=texts(),
        school_class=texts(max_size=10),
        since=st.none() | moments(),
        until=st.none() | moments(),
    )


def tokens() -> st.SearchStrategy[Token]:
    """Return tokens in every state."""
    return st.builds(
        Token,
        digest=digests("token"),
        purpose=st.sampled_from(Purpose),
        origin=st.sampled_from(Origin),
        address_digest=digests("address"),
        issued_at=moments(),
        expires_at=moments(),
        redeemed_at=st.none() | moments(),
        revoked_at=st.none() | moments(),
    )


def sessions() -> st.SearchStrategy[Session]:
    """Return sessions, with and without a chosen child."""
    return st.builds(
        Session,
        digest=digests("session"),
        opened_at=moments(),
        last_seen_at=moments(),
        child_id=st.none() | texts(),
    )


def accounts(*, account_id: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Account]:
    """
    Return accounts with all that belongs to them.

    Args:
        account_id: What their ids are drawn from, or None: any text.
    """
    return st.builds(
        Account,
        id=texts(min_size=1) if account_id is None else account_id,
        username=texts(min_size=1),
        name=texts(),
        email=st.none() | addresses(),
        locale=st.sampled_from([None, "fr", "nl", "de", "en"]),
        password_hash=st.none() | texts(max_size=200),
        active=st.booleans(),
        invited_at=st.none() | moments(),
        invited_until=st.none() | moments(),
        connected_at=st.none() | moments(),
        last_sign_in_at=st.none() | moments(),
        children=_some(child_links(), unique_by="child_id"),
        tokens=_some(tokens(), unique_by="digest"),
        sessions=_some(sessions(), unique_by="digest"),
    )


def intents(*, key: st.SearchStrategy[str] | None = None) -> st.SearchStrategy[Intent]:
    """
    Return intents of every kind.

    Args:
        key: What their keys are drawn from, or None: any text.
    """
    return st.builds(
        Intent,
        kind=st.sampled_from(IntentKind),
        key=texts(min_size=1) if key is None else key,
        account_id=st.none() | texts(min_size=1),
        address=st.none() | addresses(),
        due=moments(),
    )


def _some(values: st.SearchStrategy[T], *, unique_by: str) -> st.SearchStrategy[tuple[T, ...]]:
    lists = st.lists(values, max_size=3, unique_by=lambda value: getattr(value, unique_by))
    return lists.map(tuple)
