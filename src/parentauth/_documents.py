"""
An account's tokens and sessions as one JSON text.

They are bounded, private and only ever looked up by digest: one text in the account's row is
read in the same statement as the account, and written without comparing rows.
"""

import json

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeVar

from parentauth._model import Account, Origin, Purpose, Session, Token
from parentauth.exceptions import StorageError

T = TypeVar("T")

VERSION: Final = 1

# The shortest text column that a storage may use holds 65,535 bytes (MariaDB's TEXT).
LENGTH_MAX: Final = 65_000


def in_utc(moment: datetime) -> datetime:
    """
    Return *moment* in UTC.

    Raises:
        StorageError: It is naive: nobody knows which moment it means.
    """
    if moment.tzinfo is None:
        raise StorageError("a datetime without time zone can't be stored: use datetime.now(UTC)")
    return moment.astimezone(UTC)


def dump(account: Account) -> str:
    """
    Return the text that holds the account's tokens and sessions.

    Raises:
        StorageError: They are too many, or hold a naive datetime.
    """
    document = {
        "v": VERSION,
        "tokens": [_from_token(token) for token in account.tokens],
        "sessions": [_from_session(session) for session in account.sessions],
    }
    text = json.dumps(document, separators=(",", ":"))
    if len(text) > LENGTH_MAX:
        raise StorageError("an account holds more tokens and sessions than a storage keeps")
    return text


def load(text: str) -> tuple[tuple[Token, ...], tuple[Session, ...]]:
    """
    Return the tokens and the sessions that :func:`dump` wrote.

    Raises:
        StorageError: The text is damaged, or a newer parentauth wrote it.
    """
    try:
        document: Any = json.loads(text)
        version = document["v"]
        if version == VERSION:
            return _all(_to_token, document["tokens"]), _all(_to_session, document["sessions"])
    except (KeyError, TypeError, ValueError):
        # From None: the text holds digests, and the error's own message quotes it.
        raise StorageError(
            "an account's document is damaged: restore the database from a backup"
        ) from None
    raise StorageError(
        f"an account's document has format {version!r}, and this parentauth reads {VERSION}: "
        "install the parentauth that wrote it, or a newer one"
    )


def _all(read: Callable[[Sequence[Any]], T], rows: Sequence[Sequence[Any]]) -> tuple[T, ...]:
    return tuple(read(row) for row in rows)


def _from_token(token: Token) -> list[str | None]:
    return [
        token.digest,
        token.purpose.value,
        token.origin.value,
        token.address_digest,
        _text(token.issued_at),
        _text(token.expires_at),
        _optional_text(token.redeemed_at),
        _optional_text(token.revoked_at),
    ]


def _to_token(row: Sequence[Any]) -> Token:
    digest, purpose, origin, address_digest, issued, expires, redeemed, revoked = row
    return Token(
        digest=digest,
        purpose=Purpose(purpose),
        origin=Origin(origin),
        address_digest=address_digest,
        issued_at=_moment(issued),
        expires_at=_moment(expires),
        redeemed_at=_optional_moment(redeemed),
        revoked_at=_optional_moment(revoked),
    )


def _from_session(session: Session) -> list[str | None]:
    return [
        session.digest,
        _text(session.opened_at),
        _text(session.last_seen_at),
        session.child_id,
    ]


def _to_session(row: Sequence[Any]) -> Session:
    digest, opened, last_seen, child_id = row
    return Session(
        digest=digest,
        opened_at=_moment(opened),
        last_seen_at=_moment(last_seen),
        child_id=child_id,
    )


def _text(moment: datetime) -> str:
    return in_utc(moment).replace(tzinfo=None).isoformat() + "Z"


def _optional_text(moment: datetime | None) -> str | None:
    return None if moment is None else _text(moment)


# ISO text is read four times faster than a count of microseconds.
_moment = datetime.fromisoformat


def _optional_moment(text: str | None) -> datetime | None:
    return None if text is None else _moment(text)
