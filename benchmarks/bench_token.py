"""Connection tokens beside the reset tokens of Django; forged ones, which nobody looks up."""

import secrets

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NoReturn

import attrs

from django.conf import settings  # type: ignore[import-untyped]
from measure import in_turn, rate, row, table
from school import SECRET, make_auth

from parentauth import Account, Origin, _tokens
from parentauth._codec import TokenCodec
from parentauth.exceptions import TokenRejectedError

settings.configure(SECRET_KEY=SECRET)

from django.contrib.auth.tokens import default_token_generator as django_tokens  # type: ignore[import-untyped] # noqa: E402

TURNS: Final = 41
EACH: Final = 1000
GOAL_ISSUE: Final = 1.2
GOAL_CHECK: Final = 1.3
NOW: Final = datetime.now(UTC)
# Well formed, and with a check that no key made.
FORGED: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@attrs.frozen
class User:
    """What Django's generator asks of a user."""

    pk: int = 1
    password: str = "argon2$argon2id$v=19$m=102400,t=2,p=8$" + "x" * 44
    last_login: datetime | None = NOW
    email: str = "parent0@example.org"

    @staticmethod
    def get_email_field_name() -> str:
        """Name the field of the address."""
        return "email"


class NoStorage:
    """Must not be asked."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"a forged token reached the storage's {name}()")


def compare(
    name: str, ours: Callable[[], object], reference: Callable[[], object], goal: float | None
) -> None:
    """Print how many per second."""
    pair = in_turn(ours, reference, turns=TURNS, each=EACH)
    row(
        name,
        ours=rate(1 / pair.our_median),
        reference=rate(1 / pair.reference_median),
        ratio=pair.speed.times(),
        goal=f"≥ {goal}" if goal else "",
        met=pair.speed.median >= goal if goal else None,
    )


def main() -> None:
    """Print the table."""
    user: Any = User()
    codec = TokenCodec([SECRET])
    storage: Any = NoStorage()
    auth = make_auth(storage)
    bits = secrets.token_bytes(16)
    token, django_token = codec.issue(bits), django_tokens.make_token(user)
    django_forged = django_token[:-1] + ("0" if django_token[-1] != "0" else "1")
    digest = codec.digest(bits)
    account = Account("p1", "parent1", email=user.email)
    account = _tokens.issue(account, digest, origin=Origin.SCHOOL, ttl=timedelta(days=14), now=NOW)

    def issue() -> tuple[str, str]:
        random = secrets.token_bytes(16)
        return codec.issue(random), codec.digest(random)

    def check() -> None:
        random = codec.read(token)
        assert random is not None
        _tokens.verdict(account, codec.digest(random), now=NOW)

    def refused() -> None:
        with suppress(TokenRejectedError):
            auth.check_token(FORGED)
            raise AssertionError("a forged token was taken")

    assert django_tokens.check_token(user, django_token)
    assert not django_tokens.check_token(user, django_forged)
    compare(
        "issue, with its digest ÷ Django", issue, lambda: django_tokens.make_token(user), GOAL_ISSUE
    )
    compare(
        "check, with the account's verdict ÷ Django",
        check,
        lambda: django_tokens.check_token(user, django_token),
        GOAL_CHECK,
    )
    compare(
        "forged: the codec's refusal ÷ Django",
        lambda: codec.read(FORGED),
        lambda: django_tokens.check_token(user, django_forged),
        None,
    )
    compare(
        "forged: the core's refusal ÷ Django, no storage call",
        refused,
        lambda: django_tokens.check_token(user, django_forged),
        None,
    )


with table("connection token"):
    main()
