"""
The life of a token, found out by driving the code, and drawn.

Nothing here says which state follows which.  Each verb is applied to a token in each state, the
verdict is asked for before and after, and what changed is an arrow.  A new arrow that the drawing
has no place for stops the build.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from html import escape
from typing import Final

from parentauth import Account, Origin, _lifecycle, _tokens
from parentauth._tokens import DEAD_KEPT_FOR, LIVE_PER_ORIGIN
from parentauth.exceptions import TokenRejectedError

NOW: Final = datetime(2026, 9, 1, 8, tzinfo=UTC)
TTL: Final = timedelta(days=14)
THE_TOKEN: Final = "the token"

Moment = tuple[Account, datetime]
Verb = Callable[[Account, datetime], Moment]


# What is done to a token -------------------------------------------------------------------------


def _issue(account: Account, digest: str, now: datetime) -> Account:
    return _tokens.issue(account, digest, origin=Origin.SCHOOL, ttl=TTL, now=now)


def _redeem(account: Account, now: datetime) -> Moment:
    return _tokens.redeem(account, THE_TOKEN, now=now), now


def _redeem_another(account: Account, now: datetime) -> Moment:
    return _tokens.redeem(_issue(account, "another", now), "another", now=now), now


def _issue_more(account: Account, now: datetime) -> Moment:
    for number in range(LIVE_PER_ORIGIN):
        account = _issue(account, f"later {number}", now)
    return account, now


def _change_password(account: Account, now: datetime) -> Moment:
    return _lifecycle.with_password(account, "a hash", now=now), now


def _change_address(account: Account, now: datetime) -> Moment:
    return _lifecycle.with_address(account, "another@example.be", now=now), now


def _close_and_open(account: Account, now: datetime) -> Moment:
    closed = _lifecycle.with_active(account, active=False, now=now)
    return _lifecycle.with_active(closed, active=True, now=now), now


def _revoke(account: Account, now: datetime) -> Moment:
    return _tokens.revoke_all(account, now=now), now


def _wait(account: Account, now: datetime) -> Moment:
    return account, now + TTL


def _purge_later(account: Account, now: datetime) -> Moment:
    later = now + DEAD_KEPT_FOR
    if verdict(account, now) == "live":  # It is not forgotten then, but has expired.
        return account, now
    return _tokens.purged(account, now=later), later


def _withdraw(account: Account, now: datetime) -> Moment:
    # The worker withdraws what it has just issued, nothing else.
    if verdict(account, now) != "live":
        return account, now
    return _tokens.withdraw(account, THE_TOKEN, before=account), now


VERBS: Final[Mapping[str, Verb]] = {
    "a new password is saved with it": _redeem,
    "another token of the account is redeemed": _redeem_another,
    "the password is changed": _change_password,
    "the address is changed": _change_address,
    "the account is closed, and opened again": _close_and_open,
    "the school revokes": _revoke,
    f"{LIVE_PER_ORIGIN} more are issued": _issue_more,
    "its time is over": _wait,
    f"{DEAD_KEPT_FOR.days} days later": _purge_later,
    "its mail surely did not leave": _withdraw,
}


# What comes of it --------------------------------------------------------------------------------


def verdict(account: Account, now: datetime) -> str:
    """Return ``live``, or the reason for which the token opens nothing."""
    try:
        _tokens.verdict(account, THE_TOKEN, now=now)
    except TokenRejectedError as error:
        return error.reason
    return "live"


def transitions() -> dict[tuple[str, str], list[str]]:
    """Return the verbs that lead from one state to another, from an issued token on."""
    fresh = Account(id="1", username="marie", email="marie@example.be")
    todo: list[Moment] = [(_issue(fresh, THE_TOKEN, NOW), NOW)]
    seen, found = set[str](), dict[tuple[str, str], list[str]]()
    while todo:
        account, now = todo.pop(0)
        state = verdict(account, now)
        if state in seen:
            continue
        seen.add(state)
        for name, verb in VERBS.items():
            try:
                after = verb(account, now)
            except TokenRejectedError:
                continue
            if (other := verdict(*after)) != state:
                found.setdefault((state, other), []).append(name)
                todo.append(after)
    return found


# How it is drawn ---------------------------------------------------------------------------------

WIDTH, HEIGHT = 736, 450
BOXES: Final = {
    "live": (2, 195, 100, 50),
    "used": (420, 25, 100, 50),
    "revoked": (420, 195, 100, 50),
    "expired": (420, 345, 100, 50),
    "unknown": (614, 195, 120, 50),
}
# The way of each arrow, and where its words begin.
ROUTES: Final[Mapping[tuple[str, str], tuple[str, int, int]]] = {
    ("live", "used"): ("M57 195 V50 H416", 70, 40),
    ("live", "revoked"): ("M102 220 H416", 110, 159),
    ("live", "expired"): ("M57 245 V370 H416", 70, 360),
    ("live", "unknown"): ("M30 245 V435 H700 V249", 70, 425),
    ("expired", "revoked"): ("M470 345 V249", 478, 302),
    ("used", "unknown"): ("M520 50 H674 V191", 530, 40),
    ("revoked", "unknown"): ("M520 220 H610", 525, 210),
    ("expired", "unknown"): ("M520 370 H650 V249", 530, 360),
}
LINE: Final = 17
# So many lines of words stand above an arrow, and the rest below it.
ABOVE: Final = 4


def drawing(found: Mapping[tuple[str, str], Iterable[str]]) -> str:
    """
    Return the SVG.

    Raises:
        ValueError: An arrow or a state is new, and has no place in the drawing yet.
    """
    for edge in found:
        if edge not in ROUTES:
            raise ValueError(f"token_states.py has no route for {edge}: give it one")
    arrows = "".join(_arrow(edge, list(verbs)) for edge, verbs in found.items())
    boxes = "".join(_box(name, *BOXES[name]) for name in BOXES)
    return (
        '<div style="overflow-x:auto">'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="The life of a token" '
        'style="min-width:46rem;width:100%;font:13px var(--font-stack,sans-serif)" '
        'fill="currentColor" stroke="none">'
        '<defs><marker id="token-arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
        'markerHeight="8" orient="auto-start-reverse"><path d="M0 0 10 5 0 10Z"/></marker></defs>'
        f"{arrows}{boxes}</svg></div>"
    )


def _arrow(edge: tuple[str, str], verbs: list[str]) -> str:
    path, x, y = ROUTES[edge]
    lines = []
    for number, verb in enumerate(verbs):
        # The arrow itself needs room.
        gap = LINE // 2 + 4 if number >= ABOVE else 0
        lines.append(f'<text x="{x}" y="{y + number * LINE + gap}">{escape(verb)}</text>')
    return (
        f'<path d="{path}" fill="none" stroke="currentColor" stroke-width="1.5" '
        f'marker-end="url(#token-arrow)"/>{"".join(lines)}'
    )


def _box(name: str, x: int, y: int, width: int, height: int) -> str:
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" '
        'fill="var(--color-background-secondary,none)" stroke="currentColor"/>'
        f'<text x="{x + width // 2}" y="{y + height // 2 + 5}" text-anchor="middle" '
        f'font-weight="700">{escape(name)}</text>'
    )
