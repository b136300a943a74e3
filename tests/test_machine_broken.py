"""Each rule of the machine is seen to fail: the core is broken on purpose, in one place at a time."""

import logging

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import attrs
import pytest

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from parentauth import (
    Account,
    _drafts,
    _families,
    _lifecycle,
    _notices,
    _presence,
    _redemption,
    _reset,
    _selection,
    _sessions,
    _tokens,
)
from parentauth._codec import TokenCodec
from parentauth._mails import Envelope
from parentauth._parts import Parts
from parentauth._sessions import SessionRules
from parentauth._throttling import Guard
from parentauth._worker import _Batch
from parentauth.exceptions import ParentAuthError, PasswordRejectedError, TokenRejectedError
from parentauth.ports import Change
from parentauth.storage.memory import MemoryStorage
from parentauth.testing import ParentAuthMachine

Patch = pytest.MonkeyPatch
BOUND: Final = settings(
    max_examples=150,
    stateful_step_count=50,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
BREAKS: Final[dict[str, Callable[[Patch], None]]] = {}


def breaks(function: Callable[[Patch], None]) -> Callable[[Patch], None]:
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


# -- Sessions and children


@breaks
def password_keeps_sessions(patch: Patch) -> None:
    """Who stole a session keeps it when the password changes."""
    password = _lifecycle.with_password
    patch.setattr(
        _lifecycle,
        "with_password",
        lambda account, *a, **k: attrs.evolve(
            password(account, *a, **k), sessions=account.sessions
        ),
    )


@breaks
def closed_account_stays_signed_in(patch: Patch) -> None:
    """Closing an account ends no session, and no request asks."""
    find = _sessions.find

    def blind(account: Account | None, *args: Any, **times: Any) -> Any:
        return find(account and attrs.evolve(account, active=True), *args, **times)

    patch.setattr(_sessions, "find", blind)
    patch.setattr(
        _lifecycle, "with_active", lambda account, active, now: attrs.evolve(account, active=active)
    )


def live_if(patch: Patch, rule: Callable[[SessionRules, Any, datetime], bool]) -> None:
    """Judge sessions by *rule* alone."""
    patch.setattr(SessionRules, "is_live", rule)


@breaks
def idle_limit_ignored(patch: Patch) -> None:
    """A session without requests lives until the absolute limit."""
    live_if(patch, lambda rules, session, now: now - session.opened_at < rules.absolute)


@breaks
def absolute_limit_ignored(patch: Patch) -> None:
    """A session that is used lives for ever."""
    live_if(patch, lambda rules, session, now: now - session.last_seen_at < rules.idle)


@breaks
def sign_out_forgets_nothing(patch: Patch) -> None:
    """The cookie is dropped, the session stays."""
    patch.setattr(_sessions, "ended", lambda account, digest: account)


@breaks
def eleven_sessions(patch: Patch) -> None:
    """Sessions grow without end."""
    patch.setattr(_sessions, "SESSIONS_KEPT", 99)


@breaks
def ended_links_shown(patch: Patch) -> None:
    """A child that left is still shown."""
    patch.setattr(
        _selection,
        "children_of",
        lambda account, now: tuple(map(_selection._child, account.children)),
    )


@breaks
def stored_choice_believed(patch: Patch) -> None:
    """The landing is the child that was chosen, whatever became of its link."""
    present = _selection.present

    def believing(account: Account, session: Any, *, now: datetime) -> Any:
        seen = present(account, session, now=now)
        chosen = [link for link in account.children if link.child_id == session.child_id]
        return attrs.evolve(seen, child=_selection._child(chosen[0])) if chosen else seen

    patch.setattr(_selection, "present", believing)


@breaks
def parents_share_a_child_row(patch: Patch) -> None:
    """What one parent's row says of a child is shown to the other."""
    rows, child = dict[str, Any](), _selection._child
    patch.setattr(_selection, "_child", lambda link: rows.setdefault(link.child_id, child(link)))


@breaks
def complete_import_ends_nothing(patch: Patch) -> None:
    """Who is not in a complete import keeps the child."""
    patch.setattr(_families, "without_others", lambda account, named, now: account)


# -- Mails


@breaks
def closed_accounts_mailed(patch: Patch) -> None:
    """The worker does not look whether the account is open."""
    patch.setattr(_drafts, "_unreachable", lambda accounts, _: None if accounts else "erased")
    patch.setattr(_tokens, "issue", lambda account, *_, **__: account)


@breaks
def reset_for_closed_accounts(patch: Patch) -> None:
    """A reset mail names closed accounts, too."""
    reset = _drafts.Drafter._reset

    def open_all(drafter: Any, claim: Any, accounts: Sequence[Account]) -> Any:
        return reset(drafter, claim, [attrs.evolve(each, active=True) for each in accounts])

    patch.setattr(_drafts.Drafter, "_reset", open_all)


@breaks
def unknown_address_answered(patch: Patch) -> None:
    """Who has no account is told so by mail."""
    reset = _drafts.Drafter._reset

    def answering(drafter: Any, claim: Any, accounts: Sequence[Account]) -> Any:
        if accounts:
            return reset(drafter, claim, accounts)
        envelope: Envelope = drafter._envelope(claim)
        nobody, to = Account("nobody", "nobody"), claim.intent.address
        mail = drafter._writer(nobody).child_added(nobody, to, envelope)
        return _drafts.Draft(claim, mail)

    patch.setattr(_drafts.Drafter, "_reset", answering)


@breaks
def addresses_collate(patch: Patch) -> None:
    """The storage takes one address for another."""

    def collated(storage: MemoryStorage, _: str) -> list[Account]:
        return [account for account in storage._in_order() if account.email]

    patch.setattr(MemoryStorage, "accounts_by_email", collated)


@breaks
def request_looks_up(patch: Patch) -> None:
    """A reset request asks whether the address is known."""
    admits = Guard.admits_reset
    parts = list[Parts]()
    request = _reset.request_reset

    def noted(given: Parts, *args: Any, **kwargs: Any) -> None:
        parts.append(given)
        request(given, *args, **kwargs)

    def asking(guard: Guard, address: str) -> bool:
        return admits(guard, address) and parts[-1].storage.accounts_by_email(address) is not None

    patch.setattr(_reset, "request_reset", noted)
    patch.setattr(Guard, "admits_reset", asking)


@breaks
def unsent_token_stays(patch: Patch) -> None:
    """A token whose mail did not leave is not withdrawn."""
    patch.setattr(_Batch, "_withdraw", lambda *_: None)


@breaks
def sent_mail_leaves_again(patch: Patch) -> None:
    """What left is not settled."""
    settle = MemoryStorage.settle
    patch.setattr(
        MemoryStorage, "settle", lambda storage, done=(), **others: settle(storage, **others)
    )


@breaks
def delayed_mail_lost(patch: Patch) -> None:
    """What must be tried again is deleted."""
    settle = MemoryStorage.settle

    def losing(storage: MemoryStorage, done: Any = (), later: Any = (), dead: Any = ()) -> None:
        settle(storage, done=[*done, *(delay.claim for delay in later)], dead=dead)

    patch.setattr(MemoryStorage, "settle", losing)


@breaks
def address_change_not_told(patch: Patch) -> None:
    """The old address hears nothing."""
    told = _notices.of_change
    patch.setattr(_notices, "of_change", lambda *a, **k: told(*a, **k)[1:])


# -- Storage and status


@breaks
def no_compare_and_swap(patch: Patch) -> None:
    """The last writer wins."""

    def careless(storage: MemoryStorage, changes: Sequence[Change]) -> None:
        with suppress(KeyError):
            fresh = [
                attrs.evolve(change, before=storage._accounts[key])
                if change.before and (key := _key(change.before)) in storage._accounts
                else change
                for change in changes
            ]
            replace(storage, fresh)

    replace = MemoryStorage.replace
    patch.setattr(MemoryStorage, "replace", careless)


def _key(account: Account) -> str:
    from parentauth.ports import Key

    return Key.by_id(account.id).digest


@breaks
def waits_for_ever(patch: Patch) -> None:
    """An invitation that is over still counts as waiting."""
    status = _lifecycle.status_of
    patch.setattr(
        _lifecycle,
        "status_of",
        lambda account, now, **other: status(account, now=now - timedelta(days=1), **other),
    )


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", sorted(BREAKS))
def test_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A core that is broken in one place is caught within a bounded number of steps."""
    monkeypatch.setattr(logging.root.manager, "disable", logging.CRITICAL)

    class Machine(ParentAuthMachine):
        least_level = 5

    BREAKS[name](monkeypatch)
    with pytest.raises((AssertionError, ParentAuthError)) as caught:
        run_state_machine_as_test(Machine, settings=BOUND)
    print(f"BROKEN {name}: {Machine.steps} steps: {str(caught.value)[:90]}")
