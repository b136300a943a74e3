"""Ways to break sessions, children, mails and the storage, one place at a time."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import attrs

from parentauth import (
    Account,
    _drafts,
    _families,
    _lifecycle,
    _notices,
    _reset,
    _selection,
    _sessions,
)
from parentauth._mails import Envelope
from parentauth._parts import Parts
from parentauth._sessions import SessionRules
from parentauth._throttling import Guard
from parentauth._worker import _Batch
from parentauth.ports import Change, Key
from parentauth.storage.memory import MemoryStorage
from tests.broken_tokens import Patch, breaks

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
    reason = _drafts._unreachable

    def careless(accounts: Sequence[Account], address: str | None) -> str | None:
        return reason([attrs.evolve(each, active=True) for each in accounts], address)

    patch.setattr(_drafts, "_unreachable", careless)


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
