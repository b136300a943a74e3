"""Ways to break what becomes of tokens and passwords, one place at a time."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import attrs
import pytest

from parentauth import Account, _lifecycle, _presence, _redemption, _tokens
from parentauth._codec import TokenCodec
from parentauth._parts import Parts
from parentauth._throttling import Guard
from parentauth.exceptions import PasswordRejectedError, TokenRejectedError
from parentauth.ports import Change

Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]
BREAKS: dict[str, Break] = {}


def breaks(function: Break) -> Break:
    """Add a way to break the core."""
    BREAKS[function.__name__] = function
    return function


# -- Tokens


@breaks
def rest_outlives_redemption(patch: Patch) -> None:
    """Redeeming one token leaves the others live."""
    patch.setattr(_tokens, "revoke_all", lambda account, now: account)


@breaks
def token_not_spent(patch: Patch) -> None:
    """A token is looked at, and not spent."""
    password = _lifecycle.with_password
    patch.setattr(_tokens, "redeem", lambda account, *_, **__: account)
    patch.setattr(
        _lifecycle,
        "with_password",
        lambda account, *a, **k: attrs.evolve(password(account, *a, **k), tokens=account.tokens),
    )


def forgive_verdict(patch: Patch, reason: str) -> None:
    """Let a token in although it is dead for *reason*."""
    verdict = _tokens.verdict

    def forgiving(account: Account, digest: str, **times: Any) -> Any:
        try:
            return verdict(account, digest, **times)
        except TokenRejectedError as error:
            if error.reason != reason:
                raise
            return next(token for token in account.tokens if token.digest == digest)

    patch.setattr(_tokens, "verdict", forgiving)


@breaks
def expiry_ignored(patch: Patch) -> None:
    """A token lives for ever."""
    forgive_verdict(patch, "expired")


@breaks
def revocation_ignored(patch: Patch) -> None:
    """A revoked token opens."""
    forgive_verdict(patch, "revoked")


@breaks
def closing_ignored(patch: Patch) -> None:
    """A closed account's token opens."""
    forgive_verdict(patch, "closed")


@breaks
def use_ignored(patch: Patch) -> None:
    """A token opens a second time."""
    forgive_verdict(patch, "used")


@breaks
def address_keeps_tokens(patch: Patch) -> None:
    """What was mailed to the old address lives on."""
    patch.setattr(
        _lifecycle, "with_address", lambda account, email, now: attrs.evolve(account, email=email)
    )


@breaks
def visitor_pushes_out_the_school(patch: Patch) -> None:
    """The cap counts all origins together: a stranger cancels the school's token."""

    def room_made(tokens: Sequence[Any], _: object, now: datetime) -> tuple[Any, ...]:
        live = [token for token in tokens if token.is_live(now)]
        leaving = live[: max(0, len(live) - 4)]
        return tuple(
            attrs.evolve(token, revoked_at=now) if token in leaving else token for token in tokens
        )

    patch.setattr(_tokens, "_room_made", room_made)


@breaks
def no_cap(patch: Patch) -> None:
    """Live tokens grow without end."""
    patch.setattr(_tokens, "LIVE_PER_ORIGIN", 99)


@breaks
def purge_takes_live_tokens(patch: Patch) -> None:
    """Purging forgets what is in mailboxes."""
    patch.setattr(_tokens, "purged", lambda account, now: attrs.evolve(account, tokens=()))


@breaks
def raw_token_kept(patch: Patch) -> None:
    """The token itself is written into the name."""
    written, issue, issue_text = list[str](), _tokens.issue, TokenCodec.issue

    def noted(codec: TokenCodec, random: bytes) -> str:
        written.append(issue_text(codec, random))
        return written[-1]

    patch.setattr(TokenCodec, "issue", noted)
    patch.setattr(
        _tokens,
        "issue",
        lambda account, *a, **k: attrs.evolve(issue(account, *a, **k), name=written[-1]),
    )


@breaks
def older_keys_forgotten(patch: Patch) -> None:
    """After a change of keys, only the newest verifies."""
    init = TokenCodec.__init__
    patch.setattr(TokenCodec, "__init__", lambda codec, keys: init(codec, keys[:1]))


# -- Passwords


@breaks
def refusal_burns_the_token(patch: Patch) -> None:
    """A weak password costs the parent the token."""
    refuse = _redemption.refuse_weak

    def burning(parts: Parts, account: Account, *args: Any) -> None:
        try:
            refuse(parts, account, *args)
        except PasswordRejectedError:
            after = _tokens.revoke_all(account, now=parts.clock())
            parts.storage.replace([Change(account, after)])
            raise

    patch.setattr(_redemption, "refuse_weak", burning)


@breaks
def weak_password_taken(patch: Patch) -> None:
    """No password is refused."""
    patch.setattr(_redemption, "refuse_weak", lambda *_: None)


@breaks
def redemption_writes_to_another(patch: Patch) -> None:
    """Redeeming one account's token touches whoever comes first."""

    def others(parts: Parts, _: object, account: Account) -> list[Change]:
        other = next((each for each in parts.storage.scan(None, 9) if each.id != account.id), None)
        return [Change(other, attrs.evolve(other, locale="nl"))] if other else []

    patch.setattr(_redemption, "left_behind", others)


@breaks
def notice_forgotten(patch: Patch) -> None:
    """Nobody hears that the password changed."""
    patch.setattr(_redemption, "Change", lambda before, after, intents=(): Change(before, after))


@breaks
def current_password_not_asked(patch: Patch) -> None:
    """A stolen session changes the password."""
    patch.setattr(_presence, "_refuse_wrong", lambda *_: None)


@breaks
def guess_not_counted(patch: Patch) -> None:
    """The throttle is asked, and never hit."""
    patch.setattr(Guard, "count_sign_in", lambda *_: None)


@breaks
def eleventh_guess(patch: Patch) -> None:
    """The count lags one guess behind."""
    hit = Guard._hit

    def lagging(guard: Guard, counter: str, limit: Any) -> Any:
        return hit(guard, counter, attrs.evolve(limit, amount=limit.amount + 1))

    patch.setattr(Guard, "_hit", lagging)
    patch.setattr(Guard, "peek_sign_in", lambda *_: None)
